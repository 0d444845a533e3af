import { describe, expect, it } from 'vitest'
import { limits } from '../../src/mesh/limits.ts'
import { createLog, logDigest } from '../../src/mesh/log.ts'
import {
  createReconcile,
  dueHaves,
  dueWants,
  enqueueServing,
  expireWants,
  missingCount,
  nextServing,
  noteAnswer,
  noteDigest,
  noteGiven,
  noteHave,
  noteLacking,
  openSession,
} from '../../src/mesh/sync/reconcile.ts'
import { feedOf, general, held } from './make.ts'

describe('reconciliation', () => {
  const feed = feedOf(1)
  const entry = { feed, newest: 9, ranges: [{ first: 0, last: 199 }] }

  it('[R1] tells what is new to the other side, once', () => {
    const log = held(5)
    const session = openSession(createReconcile(), 1)
    expect(dueHaves(session, log, [general])).toMatchObject([
      { entries: [{ ranges: [{ first: 0, last: 4 }] }] },
    ])
    expect(dueHaves(session, log, [general])).toEqual([])
    const other = openSession(createReconcile(), 1)
    noteGiven(other, { room: general, feed, first: 0, last: 4 })
    expect(dueHaves(other, log, [general])).toEqual([])
  })

  it('[R2] [R3] asks for the newest missing part, one want per feed, never of two peers', () => {
    const reconcile = createReconcile()
    const one = openSession(reconcile, 1)
    const two = openSession(reconcile, 2)
    const log = createLog([])
    noteHave(one, general, [{ ...entry, ranges: [{ first: 0, last: 3 }] }])
    noteHave(one, general, [entry])
    noteHave(two, general, [entry])
    expect(dueWants(reconcile, one, log, [general], 0)).toMatchObject([{ first: 136, last: 199 }])
    expect(dueWants(reconcile, one, log, [general], 0)).toEqual([])
    expect(dueWants(reconcile, two, log, [general], 0)).toMatchObject([{ first: 72, last: 135 }])
    expect(missingCount(reconcile, log, new Set([general]))).toBe(200)
    expect(missingCount(reconcile, log, new Set())).toBe(0)
  })

  it('[R3] the newest feeds come first, four at a time', () => {
    const reconcile = createReconcile()
    const session = openSession(reconcile, 1)
    const entries = [1, 2, 3, 4, 5, 6].map((seed) => ({ ...entry, feed: feedOf(seed), newest: seed }))
    noteHave(session, general, entries)
    const wants = dueWants(reconcile, session, createLog([]), [general], 0)
    expect(wants.map((want) => want.feed)).toEqual([6, 5, 4, 3].map((seed) => feedOf(seed)))
  })

  it('[R4] [R5] an answer closes the want; what cannot be served is not asked again', () => {
    const reconcile = createReconcile()
    const session = openSession(reconcile, 1)
    noteHave(session, general, [{ ...entry, ranges: [{ first: 0, last: 3 }] }])
    const [want] = dueWants(reconcile, session, createLog([]), [general], 0)
    if (want === undefined) throw new Error('no want')
    expect(noteAnswer(session, { ...want, last: 1 }, 1)).toBe(true)
    expect(session.wants.size).toBe(1)
    expect(noteAnswer(session, { ...want, first: 2 }, 1)).toBe(true)
    expect(session.wants.size).toBe(0)
    expect(noteAnswer(session, want, 1)).toBe(false)
    noteLacking(session, want)
    expect(dueWants(reconcile, session, createLog([]), [general], 0)).toEqual([])
  })

  it('[R6] an unanswered want is asked elsewhere', () => {
    const reconcile = createReconcile()
    const one = openSession(reconcile, 1)
    const two = openSession(reconcile, 2)
    noteHave(one, general, [{ ...entry, ranges: [{ first: 0, last: 3 }] }])
    noteHave(two, general, [{ ...entry, ranges: [{ first: 0, last: 3 }] }])
    dueWants(reconcile, one, createLog([]), [general], 0)
    expect(dueWants(reconcile, two, createLog([]), [general], 0)).toEqual([])
    expireWants(reconcile, limits.wantTimeoutMs + 1)
    expect(dueWants(reconcile, two, createLog([]), [general], 0)).toHaveLength(1)
  })

  it('[R7] serves one want at a time, bounded, and only while the lane is free', () => {
    const session = openSession(createReconcile(), 1)
    for (let i = 0; i < 100; i++) enqueueServing(session, { room: general, feed, first: i, last: i + 1_000 })
    expect(session.serving).toHaveLength(limits.servingQueueMax)
    expect(nextServing(session)).toMatchObject({ first: 0, last: limits.runEventsMax - 1 })
    expect(nextServing(session)).toBeUndefined()
    session.loading = false
    session.congested = true
    expect(nextServing(session)).toBeUndefined()
  })

  it('[R8] digests are equal for equal histories only', () => {
    expect(logDigest(held(5), [general])).toBe(logDigest(held(5), [general]))
    expect(logDigest(held(5), [general])).not.toBe(logDigest(held(6), [general]))
  })

  it('[R9] the second difference in a row tells everything again', () => {
    const session = openSession(createReconcile(), 1)
    expect(noteDigest(session, 'a', 'b')).toBe(false)
    expect(noteDigest(session, 'a', 'b')).toBe(true)
    expect(noteDigest(session, 'a', 'b')).toBe(false)
    expect(noteDigest(session, 'a', 'a')).toBe(false)
  })
})
