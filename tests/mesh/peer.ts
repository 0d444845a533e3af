/** Engines on memory stores that talk to each other in one process, for rules that take more than one. */
import { MemoryTables } from '../../src/adapters/memory/memory-store.ts'
import { signPlainly } from '../../src/adapters/signature.ts'
import { completeFrame } from '../../src/mesh/gossip/complete.ts'
import type { Effect, Input } from '../../src/mesh/effects.ts'
import { handle } from '../../src/mesh/engine.ts'
import type { Run } from '../../src/mesh/event.ts'
import { decodeFrame, encodeFrame, type Frame } from '../../src/mesh/frame.ts'
import type { FeedId } from '../../src/mesh/ids.ts'
import { acceptRun, commit, createLog, feedsOf, recordWith } from '../../src/mesh/log.ts'
import { createEngine, type Engine } from '../../src/mesh/state.ts'
import { writeOf } from '../contract/store-contract.ts'
import { general, keyOf } from './make.ts'

const incarnation = new Uint8Array(16).fill(1)

/** An engine with its disk. */
export class Peer {
  readonly seed: number
  readonly tables = new MemoryTables()
  readonly engine: Engine
  readonly told: string[] = []
  /** Everything that it sent, with whom it was for. */
  readonly sent: { readonly to: number; readonly frame: Frame }[] = []
  private nowMs: number
  private readonly linked: Peer[] = []
  private readonly inbox: Input[] = []

  /** Every other effect. */
  private readonly effects: Effect[] = []

  constructor(
    seed: number,
    runs: readonly Run[] = [],
    nowMs = 1_000,
    kind: { readonly box?: boolean; readonly isForgetful?: boolean } = {},
  ) {
    this.seed = seed
    this.nowMs = nowMs
    const rooms = [{ room: general, name: 'general', joinedAtMs: 0 }]
    this.tables.rooms = rooms
    this.tables.name = 'Ana'
    const log = createLog([])
    for (const run of runs) {
      acceptRun(log, run)
      const events = run.events.map((event) => ({ ...event, audience: undefined }))
      const record = recordWith(log, run.events, general, run.feed)
      commit(log, record)
      this.tables.apply(writeOf({ events, feeds: [record] }), 0)
    }
    const input: Input = {
      type: 'start',
      self: keyOf(seed).peer,
      incarnation,
      seed,
      stored: this.tables.state(),
      ...kind,
    }
    this.engine = createEngine(input, this.nowMs)
    this.give(input)
  }

  link(other: Peer): void {
    this.linked.push(other)
    other.linked.push(this)
    this.give({ type: 'link-up', link: other.seed, peer: keyOf(other.seed).peer, version: 1 })
    other.give({ type: 'link-up', link: this.seed, peer: keyOf(this.seed).peer, version: 1 })
  }

  give(input: Input): void {
    for (const effect of handle(this.engine, input, this.nowMs)) this.execute(effect)
  }

  pass(ms: number): void {
    this.nowMs += ms
    this.give({ type: 'tick' })
  }

  /** @returns whether anything had come. */
  read(): boolean {
    const inputs = this.inbox.splice(0)
    for (const input of inputs) {
      const isFrame = input.type === 'received'
      this.give(isFrame ? { ...input, frame: completeFrame(this.engine, input.frame) } : input)
    }
    return inputs.length > 0
  }

  of<Type extends Effect['type']>(type: Type): Extract<Effect, { type: Type }>[] {
    return this.effects.filter((one): one is Extract<Effect, { type: Type }> => one.type === type)
  }

  private execute(effect: Effect): void {
    if (effect.type !== 'send') this.effects.push(effect)
    if (effect.type === 'sign') {
      const signature = signPlainly(keyOf(this.seed), effect.message)
      this.give({ type: 'signed', token: effect.token, signature })
    } else if (effect.type === 'store') {
      const placed = this.tables.apply(effect.write, this.nowMs)
      if (typeof placed === 'string') throw new Error(placed)
      this.give({ type: 'stored', token: effect.token, ...placed })
    } else if (effect.type === 'load') {
      const events = this.tables.load(effect.room, effect.feed, effect.first, effect.last)
      this.give({ type: 'loaded', token: effect.token, events })
    } else if (effect.type === 'send') {
      this.sent.push({ to: effect.link, frame: effect.frame })
      const frame = decodeFrame(encodeFrame(effect.frame))
      if (typeof frame === 'string') throw new Error(frame)
      const to = this.linked.find((other) => other.seed === effect.link)
      to?.inbox.push({ type: 'received', link: this.seed, frame })
    } else if (effect.type === 'emit') this.told.push(effect.event.type)
  }

  feeds(): FeedId[] {
    const feeds = [...feedsOf(this.engine.log, general)]
    return feeds.filter(([, state]) => state.ranges.length > 0).map(([feed]) => feed)
  }

  texts(): string[] {
    return this.tables.inOrder(general).map((event) => new TextDecoder().decode(event.body))
  }
}

export function talk(peers: readonly Peer[], seconds: number): void {
  for (let i = 0; i < seconds; i++) {
    for (const peer of peers) peer.pass(1_000)
    while (peers.map((peer) => peer.read()).includes(true));
  }
}
