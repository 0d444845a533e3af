import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  acceptRun,
  commit,
  createLog,
  heldRanges,
  recordWith,
  release,
  takeDeps,
} from '../../src/mesh/log.ts'
import { emptyFeed, subtractRanges, type RoomLog } from '../../src/mesh/sync/held.ts'
import { limits } from '../../src/mesh/limits.ts'
import { eventIdOf, type Run } from '../../src/mesh/event.ts'
import type { FeedId } from '../../src/mesh/ids.ts'
import { feedOf, general, runOf } from './make.ts'

function accepted(log: ReturnType<typeof createLog>, run: Run): string {
  return acceptRun(log, run).type
}

describe('log', () => {
  it('[L1] takes the new part of a run, [L2] and calls the rest a duplicate', () => {
    const log = createLog([])
    expect(accepted(log, runOf({ count: 3 }))).toBe('new')
    const more = acceptRun(log, runOf({ count: 5 }))
    expect(more.type === 'new' && more.events.map((event) => event.seq)).toEqual([3, 4])
    expect(accepted(log, runOf({ count: 5 }))).toBe('duplicate')
    expect(accepted(log, runOf({ first: 8, count: 2 }))).toBe('new')
    expect(accepted(log, runOf({ first: 5, count: 3 }))).toBe('new')
  })

  it('[L3] refuses a run that does not fit the chain, from above and from below', () => {
    const log = createLog([])
    acceptRun(log, runOf({ first: 3, count: 3 }))
    expect(accepted(log, runOf({ first: 6, count: 1, text: 'other' }))).toBe('fork')
    expect(accepted(log, runOf({ first: 0, count: 3, text: 'other' }))).toBe('fork')
    expect(accepted(log, runOf({ first: 0, count: 3 }))).toBe('new')
  })

  it('[L3] refuses another event under a number that is held, alone and inside a run', () => {
    const log = createLog([])
    acceptRun(log, runOf({ count: 3 }))
    const [, , last] = runOf({ count: 3 }).events
    if (last === undefined) throw new Error('no event')
    const other = { ...last, body: new Uint8Array([1]), signature: new Uint8Array(64) }
    const forged = { ...other, id: eventIdOf(other) }
    expect(accepted(log, { room: last.room, feed: last.feed, events: [forged] })).toBe('fork')
    expect(accepted(log, runOf({ count: 4, text: 'other' }))).toBe('fork')
  })

  it('[L3] refuses another event where a held range begins, with the same one before it', () => {
    const log = createLog([])
    acceptRun(log, runOf({ first: 2, count: 4 }))
    const prev = runOf({ count: 2 }).events[1]?.id
    if (prev === undefined) throw new Error('two events')
    expect(accepted(log, runOf({ first: 2, count: 2, text: 'other', prev }))).toBe('fork')
  })

  it('[L4] keeps a bounded number of feeds', () => {
    const log = createLog([])
    const room: RoomLog = { print: [0, 0], feeds: new Map(), byName: new Map(), heads: new Map() }
    for (let i = 0; i < limits.feedsPerRoomMax; i++) {
      const feed = feedOf(7, i % 256).replace(/.{4}$/, i.toString(16).padStart(4, '0')) as FeedId
      room.feeds.set(feed, emptyFeed(feed))
    }
    log.rooms.set(general, room)
    expect(room.feeds.size).toBe(limits.feedsPerRoomMax)
    expect(accepted(log, runOf({ count: 1 }))).toBe('full')
  })

  it('[L5] names the newest heads that nobody has named', () => {
    const log = createLog([])
    const runs = [1, 2, 3, 4, 5, 6].map((seed) => runOf({ seed, count: 1, startMs: seed * 1_000 }))
    for (const run of runs) acceptRun(log, run)
    const ids = runs.map((run) => run.events[0]?.id)
    expect(takeDeps(log, general, feedOf(9))).toEqual([ids[5], ids[4], ids[3], ids[2]])
    acceptRun(
      log,
      runOf({ seed: 8, count: 1, startMs: 1, deps: ids.filter((id) => id !== undefined).slice(2) }),
    )
    expect(takeDeps(log, general, feedOf(9))).toEqual([ids[1], ids[0], expect.anything()])
  })

  it('[L2] [L4] a signed end goes along with the part that is new, and one device has 64 feeds at most', () => {
    const log = createLog([])
    acceptRun(log, runOf({ first: 3, count: 4 }))
    const lower = acceptRun(log, runOf({ first: 0, count: 4 }))
    expect(lower.type === 'new' && lower.events.map((event) => event.seq)).toEqual([0, 1, 2])
    expect(lower.type === 'new' && lower.end?.seq).toBe(3)
    for (let i = 0; i < limits.feedsPerDeviceMax; i++)
      acceptRun(log, runOf({ count: 1, incarnation: i + 10 }))
    const beyond = runOf({ count: 1, incarnation: 200 })
    expect(accepted(log, beyond)).toBe('full')
    expect(acceptRun(log, beyond, { isOwn: true }).type).toBe('new')
  })

  it('[L6] holds what is committed, and forgets what is released', () => {
    const log = createLog([])
    const run = runOf({ count: 3 })
    acceptRun(log, run)
    expect(heldRanges(log, general, run.feed)).toEqual([])
    commit(log, recordWith(log, run.events, general, run.feed))
    expect(heldRanges(log, general, run.feed)).toMatchObject([{ first: 0, last: 2 }])
    acceptRun(log, runOf({ first: 3, count: 1 }))
    release(log, general, run.feed)
    expect(accepted(log, runOf({ first: 3, count: 1 }))).toBe('new')
    expect(createLog([recordWith(log, [], general, run.feed)]).rooms.get(general)?.feeds.size).toBe(1)
  })

  it('subtracting ranges agrees with counting', () => {
    const range = fc.tuple(fc.nat(40), fc.nat(10)).map(([first, more]) => ({ first, last: first + more }))
    fc.assert(
      fc.property(fc.array(range, { maxLength: 5 }), fc.array(range, { maxLength: 5 }), (wanted, covered) => {
        const has = (list: typeof wanted, n: number) => list.some((r) => r.first <= n && n <= r.last)
        const rest = subtractRanges(wanted, covered)
        for (let n = 0; n < 55; n++) expect(has(rest, n)).toBe(has(wanted, n) && !has(covered, n))
      }),
      { seed: 11 },
    )
  })
})
