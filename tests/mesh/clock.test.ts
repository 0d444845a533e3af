import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryTables } from '../../src/adapters/memory/memory-store.ts'
import {
  clockAheadMs,
  createClock,
  effectiveTime,
  nextStamp,
  presentMs,
  stampFromMs,
  stampToMs,
  witnessPeerClock,
  witnessStamp,
} from '../../src/mesh/clock.ts'
import type { Event } from '../../src/mesh/event.ts'
import { limits } from '../../src/mesh/limits.ts'
import { general, keyOf, runOf } from './make.ts'

describe('clock', () => {
  it('[T1] stamps rise, also when the clock goes back', () => {
    const clock = createClock()
    const first = nextStamp(clock, 1_000)
    const second = nextStamp(clock, 500)
    expect(stampToMs(first)).toBe(1_000)
    expect(second).toBe(first + 1)
  })

  it('[T2] says by how much a clock is ahead as soon as two neighbours agree, and nothing of a minute', () => {
    const clock = createClock()
    const [one, two] = [keyOf(1).peer, keyOf(2).peer]
    const behindMs = 72 * 60_000
    witnessPeerClock(clock, one, 10_000_000 - behindMs, 10_000_000)
    expect(clockAheadMs(clock)).toBe(0)
    witnessPeerClock(clock, two, 10_000_000 - behindMs - 20_000, 10_000_000)
    expect(clockAheadMs(clock)).toBe(behindMs)
    for (const peer of [one, two]) witnessPeerClock(clock, peer, 10_060_000, 10_000_000)
    expect(clockAheadMs(clock)).toBe(0)
  })

  it('[T2] one neighbour moves nothing, two that agree move it slowly', () => {
    const clock = createClock()
    witnessPeerClock(clock, keyOf(1).peer, 60_000, 0)
    expect(presentMs(clock, 0)).toBe(0)
    witnessPeerClock(clock, keyOf(2).peer, 61_000, 0)
    expect(presentMs(clock, 0)).toBe(limits.clockSlewMs)
    const torn = createClock()
    witnessPeerClock(torn, keyOf(1).peer, 0, 0)
    witnessPeerClock(torn, keyOf(2).peer, 86_400_000, 0)
    expect(presentMs(torn, 0)).toBe(0)
  })

  it('[T3] a clock that is years ahead moves ours by a minute at most', () => {
    const clock = createClock()
    witnessStamp(clock, stampFromMs(10 ** 12), 1_000)
    expect(stampToMs(clock.last)).toBe(1_000 + limits.clockLeadMaxMs)
  })

  it('[T4] effective time stays behind its ancestors and within 30 days of them', () => {
    expect(effectiveTime(100, [])).toBe(100)
    expect(effectiveTime(100, [500])).toBe(501)
    expect(effectiveTime(10 ** 15, [500])).toBe(500 + stampFromMs(limits.effectiveLeadMaxMs))
  })

  it('[T5] any order of arrival gives the same order of display', () => {
    const a = runOf({ seed: 1, count: 4, startMs: 5_000 }).events
    const b = runOf({ seed: 2, count: 3, startMs: 10, deps: a.slice(-1).map((event) => event.id) }).events
    const c = runOf({
      seed: 3,
      count: 3,
      startMs: 10 ** 10,
      deps: b.slice(-1).map((event) => event.id),
    }).events
    const d = runOf({ seed: 4, count: 2, startMs: 20, deps: c.slice(-1).map((event) => event.id) }).events
    const all = [...a, ...b, ...c, ...d]
    const expected = orderAfter(all)
    fc.assert(
      fc.property(
        fc.shuffledSubarray(all, { minLength: all.length }),
        fc.integer({ min: 1, max: 5 }),
        (shuffled, size) => {
          const batches: Event[][] = []
          for (let i = 0; i < shuffled.length; i += size) batches.push(shuffled.slice(i, i + size))
          expect(orderAfter(...batches)).toEqual(expected)
        },
      ),
      { numRuns: 200, seed: 7 },
    )
    expect(expected.indexOf(d[0]?.id ?? '')).toBeGreaterThan(expected.indexOf(c[2]?.id ?? ''))
  })
})

/** Ids in display order after storing these batches one after the other. */
function orderAfter(...batches: (readonly Event[])[]): string[] {
  const tables = new MemoryTables()
  for (const events of batches) {
    const own = events.map((event) => ({ ...event, audience: undefined }))
    const write = {
      feeds: [],
      presences: [],
      receipts: [],
      counts: [],
      readMarks: [],
      rooms: undefined,
      name: undefined,
      splits: [],
      cuts: [],
      incarnation: undefined,
      clearDrafts: [],
    }
    tables.apply({ ...write, events: own }, 0)
  }
  return tables.inOrder(general).map((event) => event.id)
}
