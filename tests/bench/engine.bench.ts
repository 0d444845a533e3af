/**
 * The engine at scale, in the simulator: exact counters of the shipped files. `SITES`, `PEOPLE` and `SEEDS` change
 * the mesh; without them it is the 100 × 100 of `gossip.md` §8.
 */
import { describe, it } from 'vitest'
import { tallyLevel } from '../../src/mesh/sync/tally.ts'
import { rtcIdleBytesPerSecond } from '../sim/counters.ts'
import { Gathering } from '../sim/gathering.ts'
import { printFigures, type Figure } from './table.ts'

const sites = Number(process.env['SITES'] ?? 100)
const people = Number(process.env['PEOPLE'] ?? 100)
const seeds = Number(process.env['SEEDS'] ?? 1)
const browsers = sites * people
const hour = 3_600_000
/** Messages, one a second. */
const tallied = Math.max(300, 120 * 2 ** tallyLevel(sites))

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function gather(seed: number, boxes: boolean, loss: number): Gathering {
  const gathering = new Gathering({ seed, sites, people, boxes, joinMs: 120_000, loss })
  gathering.run(300_000)
  return gathering
}

describe(`engine, ${sites} sites × ${people} browsers`, () => {
  it(
    'broadcast without loss',
    () => {
      const rows: Figure[][] = []
      for (let seed = 1; seed <= seeds; seed++) {
        const startMs = performance.now()
        const gathering = gather(seed, false, 0)
        const joinedMs = performance.now()
        gathering.post(30, 1_000)
        const steadyMs = performance.now()
        const steady = gathering.post(100, 1_000)
        const doneMs = performance.now()
        const flood = gathering.flood(20)
        const slow = gathering.post(10, 100_000)
        const { counters, messages } = steady
        const last = median(steady.lastMs) / median(flood)
        const { world } = gathering
        rows.push([
          { id: 'complete', what: 'messages that everybody has', value: steady.complete, goal: messages },
          {
            id: 'B1',
            what: 'radio transmissions per broadcast',
            value: counters.radioItems / messages,
            goal: 1.06 * (sites - 1),
            floor: sites - 1,
          },
          {
            id: 'B3',
            what: 'redundancy, no loss',
            value: counters.items / messages / (browsers - 1) - 1,
            goal: 0.002,
          },
          {
            id: 'B4',
            what: 'control bytes per peer and message, 1/s',
            value: counters.controlBytes / messages / browsers,
            goal: 12,
          },
          {
            id: 'B4',
            what: 'control bytes per peer and message, 1/100 s',
            value: slow.counters.controlBytes / slow.messages / browsers,
            goal: 25,
          },
          { id: 'B6', what: 'last delivery, × flooding', value: last, goal: 1.3 },
          {
            id: 'B10',
            what: 'most links of a peer',
            value: Math.max(...world.peers.map((peer) => peer.mostLinks)),
            goal: 16,
          },
          {
            id: 'B10',
            what: 'most dials a minute',
            value: Math.max(...world.peers.map((peer) => peer.mostDials)),
            goal: 24,
          },
          { id: 'B27', what: 'seconds for 100 broadcasts', value: (doneMs - steadyMs) / 1_000, goal: 60 },
          { id: '', what: 'seconds to join', value: (joinedMs - startMs) / 1_000, goal: undefined },
          { id: 'B27', what: 'heap, GB', value: process.memoryUsage().heapUsed / 1e9, goal: 6 },
        ])
      }
      printFigures(`${browsers} browsers, no loss, medians of ${seeds}`, rows)
    },
    hour,
  )

  it(
    'broadcast with 5 % loss',
    () => {
      const rows: Figure[][] = []
      for (let seed = 1; seed <= seeds; seed++) {
        const gathering = gather(seed, false, 0.05)
        gathering.post(30, 1_000)
        const { counters, messages, complete } = gathering.post(100, 1_000)
        rows.push([
          { id: 'complete', what: 'messages that everybody has', value: complete, goal: messages },
          {
            id: 'B3',
            what: 'redundancy, 5 % loss',
            // Copies that arrive: of those that are sent 5 % do not.
            value: (counters.items * 0.95) / messages / (browsers - 1) - 1,
            goal: 0.03,
          },
        ])
      }
      printFigures(`${browsers} browsers, 5 % loss`, rows)
    },
    hour,
  )

  it(
    'who has what',
    () => {
      const rows: Figure[][] = []
      for (let seed = 1; seed <= seeds; seed++) {
        const gathering = gather(seed, false, 0)
        // The longest stretch that this many sites count has to come round at least twice.
        const { counters, durationMs } = gathering.post(tallied, 1_000)
        const bits = counters.radioConfirmBytes * 8
        rows.push([
          {
            id: 'B18',
            what: 'receipts and counts, kbit/s per radio link, 1 message/s',
            value: bits / durationMs / (sites - 1),
            goal: 0.2,
          },
        ])
      }
      printFigures(`${browsers} browsers, everybody has everything`, rows)
    },
    hour,
  )

  it(
    'idle with residents',
    () => {
      const rows: Figure[][] = []
      for (let seed = 1; seed <= seeds; seed++) {
        const gathering = gather(seed, true, 0)
        gathering.run(120_000)
        const idle = gathering.post(0, 0)
        gathering.run(110_000)
        const ownBits = (idle.counters.radioBytes * 8) / (idle.durationMs / 1_000) / sites
        // A WebSocket of two residents costs nothing idle.
        const rtcBits = (gathering.world.radioHopsOfBrowsers() * rtcIdleBytesPerSecond * 8) / sites
        rows.push([
          { id: 'B2', what: 'idle radio kbit/s per site', value: (ownBits + rtcBits) / 1_000, goal: 4 },
        ])
      }
      printFigures(`${browsers} browsers and ${sites} residents`, rows)
    },
    hour,
  )
})
