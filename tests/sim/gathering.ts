/**
 * A large mesh that has come together: everybody joins, then messages are posted and what they cost is counted.
 * For the benchmarks; frames pass without bytes and signatures, their sizes are exact.
 */
import type { PeerId } from '../../src/mesh/ids.ts'
import { general } from './checks.ts'
import { geometricLayout } from './layouts.ts'
import { Prng } from './prng.ts'
import type { Counters } from './counters.ts'
import type { SimPeer } from './peer.ts'
import { World, type Faults } from './world.ts'

export interface GatheringParts {
  readonly seed: number
  readonly sites: number
  readonly people: number
  readonly boxes: boolean
  /** Everybody has joined by then. */
  readonly joinMs: number
  readonly loss: number
}

/** What a stretch of time cost. */
export interface Stretch {
  readonly messages: number
  /** Messages that everybody has durably. */
  readonly complete: number
  readonly counters: Counters
  readonly durationMs: number
  /** From the first disk to the last, ms, by message, ascending. */
  readonly lastMs: readonly number[]
}

const stepsMax = 1e9
const afterMs = 10_000

export class Gathering {
  readonly world: World
  readonly random: Prng
  readonly parts: GatheringParts

  constructor(parts: GatheringParts) {
    this.parts = parts
    this.random = new Prng(parts.seed)
    const faults: Faults = {
      loss: parts.loss,
      duplication: 0,
      latencyMinMs: 1,
      latencyMaxMs: 5,
      diskMaxMs: 1,
      diskFull: 0,
      clockErrorMaxMs: 0,
    }
    const layout = geometricLayout(this.random, parts.sites, parts.people, parts.boxes)
    this.world = new World(parts.seed, layout, faults, true)
    this.world.packs = true
    for (const peer of this.world.peers) {
      this.world.schedule.after(this.random.between(0, parts.joinMs), () => this.world.start(peer))
    }
  }

  get people(): SimPeer[] {
    return this.world.peers.filter((peer) => !peer.box)
  }

  run(durationMs: number): void {
    this.world.schedule.run(this.world.schedule.nowMs + durationMs, stepsMax)
  }

  /** Posts from random people at even intervals, and lets the last one spread. */
  post(messages: number, everyMs: number): Stretch {
    const { world, random } = this
    const { nowMs } = world.schedule
    const before = world.counters.copy()
    const seen = new Map<string, { readonly atMs: number; count: number; lastMs: number }>()
    world.onStored = (_peer, write) => {
      for (const { id } of write.events) {
        const known = seen.get(id) ?? { atMs: world.schedule.nowMs, count: 0, lastMs: 0 }
        known.count += 1
        known.lastMs = world.schedule.nowMs - known.atMs
        seen.set(id, known)
      }
    }
    const { people } = this
    for (let i = 0; i < messages; i++) {
      const author = random.pick(people)
      if (author === undefined) break
      world.schedule.after(i * everyMs, () => world.post(author, general, textOf(i)))
    }
    this.run(messages * everyMs + afterMs)
    world.onStored = undefined
    const all = [...seen.values()]
    return {
      messages: seen.size,
      complete: all.filter(({ count }) => count === world.peers.length).length,
      counters: world.counters.since(before),
      durationMs: world.schedule.nowMs - nowMs,
      lastMs: all.map(({ lastMs }) => lastMs).sort((a, b) => a - b),
    }
  }

  /** The same graph, flooded: when the last peer would have a message, ms, for random authors. */
  flood(messages: number): number[] {
    const lasts: number[] = []
    for (let i = 0; i < messages; i++) {
      const author = this.random.pick(this.people)
      if (author !== undefined) lasts.push(this.floodFrom(author))
    }
    return lasts.sort((a, b) => a - b)
  }

  /** Dijkstra over the links that stand, each way with a delay drawn as the world draws it. */
  private floodFrom(author: SimPeer): number {
    const { world } = this
    const best = new Map<PeerId, number>([[author.self, 0]])
    const open: { readonly peer: SimPeer; readonly atMs: number }[] = [{ peer: author, atMs: 0 }]
    let last = 0
    while (open.length > 0) {
      open.sort((a, b) => b.atMs - a.atMs)
      const next = open.pop()
      if (next === undefined || (best.get(next.peer.self) ?? 0) < next.atMs) continue
      last = Math.max(last, next.atMs)
      for (const { peer, delayMs } of world.neighborsOf(next.peer)) {
        const atMs = next.atMs + delayMs
        if ((best.get(peer.self) ?? Number.POSITIVE_INFINITY) <= atMs) continue
        best.set(peer.self, atMs)
        open.push({ peer, atMs })
      }
    }
    return last
  }
}

/** 60 bytes of text, as the figures are defined. */
function textOf(index: number): string {
  return `message ${index} `.padEnd(60, 'x')
}
