/** B16 and B15: what it takes until a newcomer sees the newest messages of a long room, and until it has all. */
import { describe, it } from 'vitest'
import { commit, createLog, recordWith } from '../../src/mesh/log.ts'
import { writeOf } from '../contract/store-contract.ts'
import { general } from '../sim/checks.ts'
import type { SimPeer } from '../sim/peer.ts'
import { Prng } from '../sim/prng.ts'
import { World } from '../sim/world.ts'
import { conversation } from './corpus.ts'
import { printFigures, type Figure } from './table.ts'

const newest = 50
const bytesPerMs = 125
const startMs = 1_780_000_000_000
const faults = {
  loss: 0,
  duplication: 0,
  latencyMinMs: 5,
  latencyMaxMs: 5,
  diskMaxMs: 2,
  diskFull: 0,
  clockErrorMaxMs: 0,
}

/** @returns the bytes of all texts */
function fill(peer: SimPeer, random: Prng, authors: number, count: number): number {
  const log = createLog([])
  let bytes = 0
  for (const [feed, events] of conversation(random, authors, count)) {
    const record = recordWith(log, events, general, feed)
    commit(log, record)
    peer.tables.apply(writeOf({ events, feeds: [record] }), startMs)
    bytes += events.reduce((sum, { body }) => sum + body.length, 0)
  }
  return bytes
}

/** A newcomer has just been linked to somebody who has everything. */
function meet(authors: number, count: number) {
  const world = new World(1, 2, faults, true)
  world.packs = true
  const [old, fresh] = world.peers
  if (old === undefined || fresh === undefined) throw new Error('two peers')
  const textBytes = fill(old, new Prng(7), authors, count)
  world.start(old)
  world.schedule.run(5_000, 1e9)
  world.start(fresh)
  const run = (isDone: () => boolean) => {
    const lastMs = world.schedule.nowMs + 600_000
    while (!isDone() && world.schedule.nowMs < lastMs) world.schedule.run(world.schedule.nowMs + 1, 1e9)
  }
  run(() => fresh.conduits.size > 0)
  return { world, old, fresh, run, textBytes }
}

function firstScreen(authors: number, count: number): Figure[] {
  const { world, old, fresh, run } = meet(authors, count)
  const wanted = old.tables.inOrder(general).slice(-newest)
  const { nowMs } = world.schedule
  const before = world.counters.copy()
  run(() => wanted.every(({ id }) => fresh.tables.byId.has(id)))
  const { bytes, frames } = world.counters.since(before)
  const seconds = (world.schedule.nowMs - nowMs + bytes / bytesPerMs) / 1_000
  const name = `newest ${newest} of ${count} by ${authors}`
  return [
    { id: 'B16', what: `kB until the ${name}`, value: bytes / 1_000, goal: 20 },
    { id: 'B16', what: '  seconds at 1 Mbit/s, 10 ms round trip', value: seconds, goal: 1 },
    {
      id: '',
      what: `  events that came, in ${frames} frames`,
      value: fresh.tables.byId.size,
      goal: undefined,
    },
  ]
}

/** Everything that is said to get it, packed. */
function bootstrap(authors: number, count: number): Figure[] {
  const { world, fresh, run, textBytes } = meet(authors, count)
  const before = world.counters.copy()
  run(() => fresh.tables.byId.size >= count)
  const { bytes, frames } = world.counters.since(before)
  if (fresh.tables.byId.size < count) throw new Error(`${fresh.tables.byId.size} of ${count} came`)
  const text = (textBytes / count).toFixed(1)
  const what = `bytes an event, ${count} by ${authors}, text of ${text} B, in ${frames} frames`
  return [{ id: 'B15', what, value: bytes / count, goal: 30 }]
}

describe('first screen', () => {
  it('the newest messages of a long room', { timeout: 600_000 }, () => {
    for (const [authors, count] of [
      [20, 100_000],
      [100, 100_000],
      [1_000, 100_000],
    ] as const) {
      printFigures('a newcomer meets one peer', [firstScreen(authors, count)])
    }
  })

  it('all of it', { timeout: 600_000 }, () => {
    for (const authors of [1, 5, 20, 100]) {
      printFigures('a newcomer gets the whole history', [bootstrap(authors, 5_000)])
    }
  })
})
