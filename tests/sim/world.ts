/**
 * A mesh in virtual time that runs the shipped engine: peers with clocks, disks and crashes, links that lose,
 * repeat and reorder, partitions, and a helper that dies. One seed gives one run, to the byte.
 *
 * What it does not have: radio rates, and peers that lie. They come with the overlay.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { MemoryTables } from '../../src/adapters/memory/memory-store.ts'
import { concatBytes, encodeUtf8 } from '../../src/mesh/bytes.ts'
import type { Effect, Input, LinkId, MeshEvent, StoreWrite } from '../../src/mesh/effects.ts'
import { createEngine, handle, type Engine } from '../../src/mesh/engine.ts'
import { decodeFrame, encodeFrame, frameClaims, laneOf, type Frame } from '../../src/mesh/frame.ts'
import { peerIdFromBytes, type EventId, type PeerId } from '../../src/mesh/ids.ts'
import { Prng } from './prng.ts'
import { Schedule } from './schedule.ts'

export interface Faults {
  /** Chat lane only: control and bulk are reliable while the link stands. */
  readonly loss: number
  readonly duplication: number
  readonly latencyMinMs: number
  readonly latencyMaxMs: number
  readonly diskMaxMs: number
  /** A write is refused as `full`. */
  readonly diskFull: number
  readonly clockErrorMaxMs: number
}

export interface Posted {
  readonly id: EventId
  readonly by: number
  readonly life: number
}

interface Conduit {
  readonly a: SimPeer
  readonly b: SimPeer
  readonly idAtA: LinkId
  readonly idAtB: LinkId
  open: boolean
  /** When the last frame of a reliable lane arrives, per direction. */
  readonly busyUntilMs: Map<string, number>
}

export class SimPeer {
  readonly index: number
  key: Uint8Array
  self: PeerId
  incarnation: Uint8Array
  tables = new MemoryTables()
  engine: Engine | undefined
  /** Counts starts; whatever belongs to an earlier life is dropped. */
  life = 0
  /** Counts wipes: what an earlier disk held is gone. */
  disk = 0
  /** What its wall clock is off by at the next start, ms. */
  clockErrorMs = 0
  /** What it was off by at the start of this life: a running engine's time never jumps. */
  startErrorMs = 0
  readonly conduits = new Map<LinkId, Conduit>()
  readonly posted: Posted[] = []
  failedPosts = 0
  alarm = 0
  lastHolders: Extract<MeshEvent, { type: 'holders' }> | undefined
  lastPeople: Extract<MeshEvent, { type: 'people' }> | undefined

  constructor(index: number, random: Prng) {
    this.index = index
    this.key = random.bytes(32)
    this.self = peerIdFromBytes(this.key)
    this.incarnation = random.bytes(16)
  }
}

/** A stand-in for Ed25519: anybody could forge it, nobody here does. Checks that both sides sign the same bytes. */
function fakeSignature(signer: string, message: Uint8Array): Uint8Array {
  const half = sha256(concatBytes(encodeUtf8(signer), message))
  return concatBytes(half, sha256(half))
}

export class World {
  readonly random: Prng
  readonly schedule = new Schedule()
  readonly peers: SimPeer[] = []
  readonly faults: Faults
  readonly trace = { hash: sha256(new Uint8Array()), frames: 0, bytes: 0, byType: new Map<string, number>() }
  readonly problems: string[] = []
  helperAlive = true
  private lastLink = 0
  private readonly cuts = new Set<string>()

  constructor(seed: number, peers: number, faults: Faults) {
    this.random = new Prng(seed)
    this.faults = faults
    for (let i = 0; i < peers; i++) this.peers.push(new SimPeer(i, this.random))
  }

  start(peer: SimPeer): void {
    peer.life += 1
    peer.startErrorMs = peer.clockErrorMs
    const input: Input = {
      type: 'start',
      self: peer.self,
      incarnation: peer.incarnation,
      seed: this.random.uint32(),
      stored: peer.tables.state(),
    }
    peer.engine = createEngine(input, this.clock(peer))
    this.input(peer, input)
    this.input(peer, { type: 'command', command: { type: 'rename', name: `peer ${peer.index}` } })
    this.input(peer, { type: 'command', command: { type: 'join', name: 'general' } })
    if (this.helperAlive) this.meetHelper(peer)
  }

  /** The process is gone: what was not on disk is lost, links die without a word. */
  crash(peer: SimPeer): void {
    peer.engine = undefined
    peer.life += 1
    for (const conduit of [...peer.conduits.values()]) this.closeConduit(conduit, true)
  }

  /** Everything that the browser stored is gone; a new incarnation, and on secure pages a new key. */
  wipe(peer: SimPeer, keepKey: boolean): void {
    peer.tables = new MemoryTables()
    peer.disk += 1
    peer.incarnation = this.random.bytes(16)
    if (keepKey) return
    peer.key = this.random.bytes(32)
    peer.self = peerIdFromBytes(peer.key)
  }

  setHelper(alive: boolean): void {
    this.helperAlive = alive
    for (const peer of this.peers) {
      if (peer.engine === undefined) continue
      if (alive) this.meetHelper(peer)
      else this.input(peer, { type: 'helper-down', helper: 'h' })
    }
  }

  private meetHelper(peer: SimPeer): void {
    const others = this.peers.filter((other) => other !== peer && other.engine !== undefined)
    this.input(peer, { type: 'helper-up', helper: 'h', site: helperKey, node: 'node' })
    this.input(peer, { type: 'helper-peers', helper: 'h', up: others.map((other) => other.self), down: [] })
    for (const other of others) {
      this.input(other, { type: 'helper-peers', helper: 'h', up: [peer.self], down: [] })
    }
  }

  cut(a: SimPeer, b: SimPeer): void {
    this.cuts.add(pair(a, b))
    for (const conduit of [...a.conduits.values()]) {
      if (conduit.a === b || conduit.b === b) this.closeConduit(conduit, false)
    }
  }

  heal(): void {
    this.cuts.clear()
  }

  private connected(a: SimPeer, b: SimPeer): boolean {
    return !this.cuts.has(pair(a, b))
  }

  setClock(peer: SimPeer, byMs: number): void {
    peer.clockErrorMs += byMs
    this.input(peer, { type: 'clock-jumped', byMs })
  }

  clock(peer: SimPeer): number {
    return epochMs + this.schedule.nowMs + peer.startErrorMs
  }

  post(peer: SimPeer, room: Parameters<typeof postCommand>[0], text: string): void {
    this.input(peer, { type: 'command', command: postCommand(room, text) })
  }

  input(peer: SimPeer, input: Input): void {
    if (peer.engine === undefined) return
    const effects = handle(peer.engine, input, this.clock(peer))
    for (const effect of effects) this.execute(peer, effect)
  }

  /** Later, if this life of the peer still lasts. */
  private later(peer: SimPeer, delayMs: number, run: () => void): void {
    const { life } = peer
    this.schedule.after(delayMs, () => {
      if (peer.life === life) run()
    })
  }

  private execute(peer: SimPeer, effect: Effect): void {
    switch (effect.type) {
      case 'sign': {
        const signature = fakeSignature(peer.self, effect.message)
        return this.later(peer, 1, () => this.input(peer, { type: 'signed', token: effect.token, signature }))
      }
      case 'store':
        return this.store(peer, effect.token, effect.write)
      case 'load':
        return this.later(peer, 1, () => {
          const events = peer.tables.load(effect.room, effect.feed, effect.first, effect.last)
          this.input(peer, { type: 'loaded', token: effect.token, events })
        })
      case 'send':
        return this.send(peer, effect.link, effect.frame)
      case 'hang-up': {
        const conduit = peer.conduits.get(effect.link)
        if (conduit !== undefined) this.closeConduit(conduit, false)
        return
      }
      case 'dial':
        return this.later(peer, 1, () =>
          this.input(peer, { type: 'signal-out', to: effect.peer, payload: 'offer' }),
        )
      case 'signal-helper':
        return this.signalByHelper(peer, effect.to, effect.payload)
      case 'signal-deliver':
        return this.signalArrived(peer, effect.from, effect.payload)
      case 'signal-lost':
        return this.later(peer, 1, () => this.input(peer, { type: 'dial-failed', peer: effect.to }))
      case 'schedule':
        return this.wake(peer, effect.delayMs)
      case 'emit':
        return this.emitted(peer, effect.event)
    }
  }

  /** One timer per peer: a later wish replaces it. */
  private wake(peer: SimPeer, delayMs: number): void {
    const alarm = ++peer.alarm
    this.later(peer, delayMs, () => {
      if (peer.alarm === alarm) this.input(peer, { type: 'tick' })
    })
  }

  private emitted(peer: SimPeer, event: MeshEvent): void {
    if (event.type === 'posted') peer.posted.push({ id: event.id, by: peer.index, life: peer.disk })
    if (event.type === 'post-failed') peer.failedPosts += 1
    if (event.type === 'holders') peer.lastHolders = event
    if (event.type === 'people') peer.lastPeople = event
    if (event.type === 'fork') this.problems.push(`fork seen by ${peer.index}`)
  }

  /** A write happens at a moment between asking and answering; a crash before that loses it, after it does not. */
  private store(peer: SimPeer, token: number, write: StoreWrite): void {
    const delayMs = this.random.between(1, this.faults.diskMaxMs)
    if (this.random.chance(this.faults.diskFull)) {
      this.later(peer, delayMs, () => this.input(peer, { type: 'store-failed', token, cause: 'full' }))
      return
    }
    const { tables, life } = peer
    this.schedule.after(Math.floor(delayMs / 2), () => {
      // The tail of a crashed life: kept or lost, as chance has it. The next life's term fences it out (J4).
      const isTail = peer.life !== life
      if (isTail && (peer.engine !== undefined || peer.tables !== tables || !this.random.chance(0.5))) return
      const placement = tables.apply(write, this.clock(peer))
      if (typeof placement === 'string') {
        this.problems.push(`peer ${peer.index}: store says ${placement}`)
        return
      }
      if (peer.life !== life) return
      this.later(peer, delayMs - Math.floor(delayMs / 2), () =>
        this.input(peer, { type: 'stored', token, ...placement }),
      )
    })
  }

  private signalByHelper(peer: SimPeer, to: PeerId, payload: string): void {
    const target = this.peers.find((other) => other.self === to && other.engine !== undefined)
    const from = peer.self
    if (!this.helperAlive || target === undefined) {
      this.later(peer, 20, () => this.input(peer, { type: 'signal-unreachable', helper: 'h', to }))
      return
    }
    this.later(target, 20, () => this.input(target, { type: 'signal-in', helper: 'h', from, payload }))
  }

  /** An offer is answered; when the answer is back, the link stands on both sides, or does not. */
  private signalArrived(peer: SimPeer, from: PeerId, payload: string): void {
    if (payload === 'offer') {
      this.later(peer, 5, () => this.input(peer, { type: 'signal-out', to: from, payload: 'answer' }))
      return
    }
    const other = this.peers.find((one) => one.self === from)
    if (other?.engine === undefined || peer.engine === undefined || !this.connected(peer, other)) {
      this.later(peer, 3_000, () => this.input(peer, { type: 'dial-failed', peer: from }))
      return
    }
    this.openConduit(peer, other)
  }

  private openConduit(a: SimPeer, b: SimPeer): void {
    const conduit: Conduit = {
      a,
      b,
      idAtA: ++this.lastLink,
      idAtB: ++this.lastLink,
      open: true,
      busyUntilMs: new Map(),
    }
    a.conduits.set(conduit.idAtA, conduit)
    b.conduits.set(conduit.idAtB, conduit)
    this.input(a, { type: 'link-up', link: conduit.idAtA, peer: b.self })
    if (conduit.open) this.input(b, { type: 'link-up', link: conduit.idAtB, peer: a.self })
  }

  private closeConduit(conduit: Conduit, silently: boolean): void {
    if (!conduit.open) return
    conduit.open = false
    const noticeMs = silently ? this.random.between(5_000, 20_000) : this.random.between(1, 500)
    for (const [peer, link] of [
      [conduit.a, conduit.idAtA],
      [conduit.b, conduit.idAtB],
    ] as const) {
      peer.conduits.delete(link)
      this.later(peer, noticeMs, () => this.input(peer, { type: 'link-down', link }))
    }
  }

  private send(peer: SimPeer, link: LinkId, frame: Frame): void {
    const conduit = peer.conduits.get(link)
    const bytes = encodeFrame(frame)
    this.note(peer.index, bytes)
    this.trace.byType.set(frame.type, (this.trace.byType.get(frame.type) ?? 0) + 1)
    if (conduit === undefined) return
    const target = conduit.a === peer ? conduit.b : conduit.a
    const linkThere = conduit.a === peer ? conduit.idAtB : conduit.idAtA
    const lane = laneOf(frame)
    const arrive = () => {
      if (conduit.open) this.arrive(target, linkThere, bytes)
    }
    const delayMs = this.random.between(this.faults.latencyMinMs, this.faults.latencyMaxMs)
    if (lane === 'chat') {
      if (!this.random.chance(this.faults.loss)) this.later(target, delayMs, arrive)
      if (this.random.chance(this.faults.duplication)) this.later(target, delayMs * 2, arrive)
      return
    }
    const way = `${lane} ${peer.index}`
    const atMs = Math.max(conduit.busyUntilMs.get(way) ?? 0, this.schedule.nowMs + delayMs)
    conduit.busyUntilMs.set(way, atMs)
    this.later(target, atMs - this.schedule.nowMs, arrive)
  }

  private arrive(peer: SimPeer, link: LinkId, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes)
    if (typeof frame === 'string') {
      this.problems.push(`own frame is ${frame}`)
      return
    }
    for (const claim of frameClaims(frame)) {
      const expected = fakeSignature(claim.signer, claim.message)
      if (expected.some((byte, i) => byte !== claim.signature[i])) {
        this.problems.push(`signature of a ${frame.type} frame does not fit`)
      }
    }
    this.input(peer, { type: 'received', link, frame })
  }

  private note(from: number, bytes: Uint8Array): void {
    this.trace.frames += 1
    this.trace.bytes += bytes.length
    const head = encodeUtf8(`${this.schedule.nowMs} ${from} `)
    this.trace.hash = sha256(concatBytes(this.trace.hash, head, bytes))
  }
}

/** 21 November 2026, 12:00 UTC */
const epochMs = 1_795_262_400_000
const helperKey = peerIdFromBytes(new Uint8Array(32).fill(7))

function postCommand(room: import('../../src/mesh/ids.ts').RoomId, text: string) {
  return { type: 'post', token: text, room, text } as const
}

function pair(a: SimPeer, b: SimPeer): string {
  return a.index < b.index ? `${a.index}-${b.index}` : `${b.index}-${a.index}`
}
