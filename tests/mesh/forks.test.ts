/**
 * Two versions of one feed, as a restored backup makes them.
 */
import { describe, expect, it } from 'vitest'
import { handle } from '../../src/mesh/engine.ts'
import type { Run } from '../../src/mesh/event.ts'
import { decodeFrame, encodeFrame } from '../../src/mesh/frame.ts'
import { branchFeed, isBranch, isLoose, looseFeed, type EventId, type FeedId } from '../../src/mesh/ids.ts'
import { acceptRun, commit, createLog, feedsOf, heldRanges, recordWith } from '../../src/mesh/log.ts'
import { limits } from '../../src/mesh/limits.ts'
import { writeOf } from '../contract/store-contract.ts'
import { dropIslands, dropLoose, placeRun, rejoinFeed, splitFeed } from '../../src/mesh/sync/branches.ts'
import { feedOf, general, held, keyOf, runOf } from './make.ts'
import { Peer, talk } from './peer.ts'

const author = keyOf(1).peer

/** What the device wrote first, and what it wrote after it was set back to three events. */
const first = runOf({ count: 6 })
const common: Run = { ...first, events: runOf({ count: 3 }).events }
/** What it wrote after number `n` of the first version. */
function after(n: number, count: number, text: string): Run {
  const prev = first.events[n]?.id
  return runOf({ first: n + 1, count, text, ...(prev === undefined ? {} : { prev }) })
}
const second = after(2, 2, 'other')
/** Of an event that nobody here has. */
const keptPrev = runOf({ count: 9, text: 'lost' }).events[8]?.id as EventId

describe('forks', () => {
  it('[L8] two peers with a version each end with both, in the same order', () => {
    const one = new Peer(11, [first])
    const two = new Peer(12, [common, second])
    one.link(two)
    talk([one, two], 60)
    expect(one.texts()).toHaveLength(8)
    expect(two.texts()).toEqual(one.texts())
    expect(one.feeds().sort()).toEqual(two.feeds().sort())
    expect(one.feeds().filter(isBranch)).toHaveLength(2)
    expect(one.told).toContain('fork')
    expect(heldRanges(one.engine.log, general, feedOf(1))).toMatchObject([{ first: 0, last: 2 }])
  })

  it('[L8] versions of the same length are told apart, and one that parted hundreds of events ago', () => {
    const long = runOf({ count: 400 })
    const cut = (run: Run): Run[] => {
      const runs: Run[] = []
      for (let i = 0; i < run.events.length; i += 50) {
        const { events } = runOf({ ...run, first: i, count: Math.min(50, run.events.length - i) })
        runs.push({ ...run, events })
      }
      return runs
    }
    let prev = long.events[99]?.id
    const others: Run[] = []
    for (let i = 100; i < 400; i += 50) {
      const run = runOf({ first: i, count: 50, text: 'other', ...(prev === undefined ? {} : { prev }) })
      others.push(run)
      prev = run.events.at(-1)?.id
    }
    const one = new Peer(11, cut(long))
    const two = new Peer(12, [...cut(long).slice(0, 2), ...others])
    one.link(two)
    talk([one, two], 120)
    expect(one.texts()).toHaveLength(700)
    expect(two.texts()).toEqual(one.texts())
  })

  it('[L8] versions that parted below a hole are told apart although both hold the same above it', () => {
    const other = after(2, 1, 'other')
    const island = runOf({ first: 9, count: 1, prev: keptPrev })
    const whole = { ...first, events: runOf({ count: 4 }).events }
    const one = new Peer(11, [whole, island])
    const two = new Peer(12, [common, other, island])
    one.link(two)
    talk([one, two], 200)
    expect(one.texts()).toHaveLength(6)
    expect(two.texts()).toEqual(one.texts())
  })

  it('[L8] a third peer that has neither, or only one, gets both from whoever knows the fork', () => {
    const one = new Peer(11, [first])
    const two = new Peer(12, [common, second])
    one.link(two)
    talk([one, two], 60)
    const empty = new Peer(13)
    const late = new Peer(14, [common, second])
    empty.link(one)
    late.link(two)
    talk([one, two, empty, late], 90)
    expect(empty.texts()).toEqual(one.texts())
    expect(late.texts()).toEqual(one.texts())
    expect(late.feeds().sort()).toEqual(one.feeds().sort())
  })

  it('[L8] a branch forks again, and a fork is found below another one', () => {
    const third = after(1, 2, 'third')
    const branch = runOf({ first: 4, count: 1, text: 'again', prev: second.events[0]?.id as never })
    const one = new Peer(11, [first])
    const two = new Peer(12, [common, second])
    const three = new Peer(13, [{ ...first, events: runOf({ count: 2 }).events }, third])
    const four = new Peer(14, [common, { ...second, events: after(2, 1, 'other').events }, branch])
    one.link(two)
    talk([one, two], 60)
    one.link(three)
    two.link(four)
    talk([one, two, three, four], 240)
    for (const peer of [two, three, four]) expect(peer.texts()).toEqual(one.texts())
    expect(one.texts()).toHaveLength(6 + 2 + 2 + 1)
  })

  it('[L8] who holds nothing but the place where the fork is gets both, and what comes before', () => {
    const one = new Peer(11, [runOf({ first: 3, count: 1 })])
    const two = new Peer(12, [common, second])
    one.link(two)
    talk([one, two], 60)
    expect(one.texts()).toHaveLength(3 + 1 + 2)
    expect(two.texts()).toEqual(one.texts())
    expect(one.feeds().sort()).toEqual(two.feeds().sort())
  })

  it('[L8] nobody signs under the name of a branch', () => {
    const run = { ...first, feed: branchFeed(author, common.events[0]?.id as never) }
    expect(decodeFrame(encodeFrame({ type: 'events', runs: [run] }))).toBe('malformed')
  })

  it('[L8] of a branch only what joins its beginning is taken', () => {
    const log = held(6)
    const event = { ...first.events[3], feed: feedOf(1) } as never
    splitFeed(log, event)
    const other = placeRun(log, after(2, 4, 'other'))
    const branch = other[0]?.feed as FeedId
    expect(isBranch(branch)).toBe(true)
    const rest = runOf({ first: 5, count: 2, text: 'other' })
    const loose = { ...rest, feed: branch, events: rest.events.map((one) => ({ ...one, feed: branch })) }
    expect(acceptRun(log, loose).type).toBe('loose')
  })

  it('[L8] a feed that ended for a version that the disk refused is one again', () => {
    const log = held(6)
    const [split] = splitFeed(log, { ...first.events[3], feed: feedOf(1) } as never)
    expect(rejoinFeed(log, general, feedOf(1))).toEqual([
      { room: general, from: split?.to, first: 3, last: 5, to: feedOf(1) },
    ])
    expect(heldRanges(log, general, feedOf(1))).toMatchObject([{ first: 0, last: 5 }])
    expect(feedsOf(log, general).get(feedOf(1))?.endsAt).toBeUndefined()
    splitFeed(log, { ...first.events[3], feed: feedOf(1) } as never)
    const [other] = placeRun(log, second)
    if (other === undefined) throw new Error('no place')
    acceptRun(log, other, { origin: feedOf(1) })
    commit(log, recordWith(log, other.events, general, other.feed))
    expect(rejoinFeed(log, general, feedOf(1))).toEqual([])
  })

  it('[L9] what hangs on nothing is kept and told, until it is held in its place', () => {
    const tail = runOf({ first: 4, count: 2 })
    const one = new Peer(11, [common, tail])
    const two = new Peer(12, [common, second])
    one.link(two)
    talk([one, two], 60)
    // The fork is at 3, which nobody has of the first version.
    const name = looseFeed(author, tail.events[1]?.id as never)
    expect(one.feeds()).toContain(name)
    expect(two.feeds()).toContain(name)
    expect(one.texts()).toHaveLength(3 + 2 + 2)
    expect(two.texts()).toEqual(one.texts())
    const whole = new Peer(13, [first])
    whole.link(one)
    talk([one, two, whole], 120)
    expect(one.feeds().filter(isLoose)).toEqual([])
    expect(two.feeds().sort()).toEqual(whole.feeds().sort())
    for (const peer of [one, two]) expect(peer.texts()).toEqual(whole.texts())
    expect(one.texts()).toHaveLength(8)
  })

  it('[L9] of a loose end whose last event comes alone the rest is still told and served', () => {
    const tail = runOf({ first: 4, count: 4 })
    const one = new Peer(11, [common, tail])
    const two = new Peer(12, [common, after(2, 2, 'other')])
    one.link(two)
    talk([one, two], 60)
    const alone = { ...tail, events: runOf({ first: 7, count: 1 }).events }
    one.give({ type: 'received', link: 12, frame: { type: 'events', runs: [alone] } })
    talk([one, two], 30)
    const late = new Peer(13)
    late.link(one)
    talk([one, two, late], 120)
    expect(one.texts()).toHaveLength(3 + 2 + 4)
    expect(late.texts()).toEqual(one.texts())
  })

  it('[L8] a branch is held from its first event up: nothing below joins it', () => {
    const log = createLog([])
    const [event] = second.events
    if (event === undefined) throw new Error('no event')
    const branch = branchFeed(author, event.id)
    const inBranch = (run: Run): Run => {
      return { ...run, feed: branch, events: run.events.map((one) => ({ ...one, feed: branch })) }
    }
    expect(acceptRun(log, inBranch(second), { origin: second.feed }).type).toBe('new')
    const below = inBranch({ ...first, events: first.events.slice(2, 3) })
    expect(acceptRun(log, below, { origin: second.feed }).type).toBe('loose')
  })

  it('[L9] a loose end goes only when all of it is held in its place', () => {
    const log = createLog([])
    const tail = runOf({ first: 4, count: 4 })
    const last = tail.events.at(-1)
    if (last === undefined) throw new Error('no events')
    const loose = looseFeed(author, last.id)
    const part = { ...tail, feed: loose, events: tail.events.map((event) => ({ ...event, feed: loose })) }
    acceptRun(log, part, { origin: tail.feed })
    commit(log, { ...recordWith(log, part.events, general, loose), origin: tail.feed })
    const alone = { ...tail, events: [last] }
    acceptRun(log, alone)
    expect(dropLoose(log, alone, tail.feed)).toEqual([])
    expect(feedsOf(log, general).has(loose)).toBe(true)
    acceptRun(log, tail)
    expect(dropLoose(log, tail, tail.feed)).toEqual([loose])
  })

  it('[L8] a feed ends where others hold it as ended and a branch begins, though it goes on here', () => {
    const whole = after(2, 1, 'text')
    const other = after(2, 1, 'other')
    const [event] = other.events
    if (event === undefined) throw new Error('no event')
    // The other version stands in its branch, and nothing has ended the feed for it.
    const one = new Peer(11, [common, whole])
    const branch = branchFeed(author, event.id)
    const range = {
      first: 3,
      last: 3,
      prev: event.prev,
      firstId: event.id,
      firstStamp: event.hlc,
      lastId: event.id,
    }
    const record = { room: general, feed: branch, newest: event.hlc, ranges: [range], origin: feedOf(1) }
    commit(one.engine.log, record)
    one.tables.apply(
      writeOf({ events: [{ ...event, feed: branch, audience: undefined }], feeds: [record] }),
      0,
    )
    const two = new Peer(12, [common, whole])
    two.give({ type: 'link-up', link: 99, peer: keyOf(99).peer, version: 1 })
    two.give({ type: 'received', link: 99, frame: { type: 'events', runs: [other] } })
    talk([two], 10)
    expect(two.feeds().filter(isBranch)).toHaveLength(2)
    for (const [a, b] of [
      [one, two],
      [two, one],
    ] as const) {
      if (a === one) a.link(b)
      talk([a, b], 60)
      expect([...one.feeds()].sort()).toEqual([...two.feeds()].sort())
    }
    expect(heldRanges(one.engine.log, general, feedOf(1))).toMatchObject([{ first: 0, last: 2 }])
  })

  it('[L4] [L9] loose ends never take the place of a feed, nor empty branches one of anything', () => {
    const log = createLog([])
    for (let seq = 2; seq < 60; seq += 2) {
      const run = runOf({ first: seq, count: 1 })
      const loose = looseFeed(author, run.events[0]?.id as never)
      const part = { ...run, feed: loose, events: run.events.map((event) => ({ ...event, feed: loose })) }
      if (acceptRun(log, part, { origin: feedOf(1) }).type !== 'new') continue
      commit(log, { ...recordWith(log, part.events, general, loose), origin: feedOf(1) })
    }
    expect([...feedsOf(log, general).keys()].filter(isLoose)).toHaveLength(limits.loosePerDeviceMax)
    expect(acceptRun(log, runOf({ count: 1 })).type).toBe('new')
    const full = held(6)
    for (let i = 0; i < 100; i++) {
      splitFeed(full, { ...first.events[3], feed: feedOf(1) } as never)
      rejoinFeed(full, general, feedOf(1))
    }
    expect([...feedsOf(full, general).keys()]).toEqual([feedOf(1)])
  })

  it('[L9] only where the part below fits does a range above give way', () => {
    const log = createLog([])
    for (const run of [runOf({ first: 4, count: 2 })]) {
      acceptRun(log, run)
      commit(log, recordWith(log, run.events, general, run.feed))
    }
    expect(dropIslands(log, runOf({ first: 2, count: 2, text: 'other' }))).toEqual([])
    expect(dropIslands(log, runOf({ first: 0, count: 4, text: 'other' }))).toMatchObject([
      { first: 4, last: 5 },
    ])
  })

  it('[L10] a restored device that has written goes on under a new name, and nothing of either life is lost', () => {
    const restored = new Peer(1, [common, second])
    const other = new Peer(12, [first])
    expect(restored.engine.feed).toBe(feedOf(1))
    restored.link(other)
    talk([restored, other], 60)
    expect(restored.engine.feed).not.toBe(feedOf(1))
    expect(restored.tables.incarnation).toBeDefined()
    const body = { type: 'message', text: 'after' } as const
    restored.give({ type: 'command', command: { type: 'post', token: 't', room: general, body } })
    talk([restored, other], 10)
    expect(other.texts()).toContain('after')
    expect(restored.texts()).toHaveLength(9)
    expect(other.texts()).toEqual(restored.texts())
  })

  it('[L10] one that has not written yet changes its name as soon as its own later words come back', () => {
    const restored = new Peer(1, [common])
    const other = new Peer(12, [first])
    restored.link(other)
    talk([restored, other], 10)
    expect(restored.engine.feed).not.toBe(feedOf(1))
    expect(restored.feeds().filter(isBranch)).toEqual([])
    expect(restored.texts()).toHaveLength(6)
  })

  it('[L10] texts that were being signed under the old name are written under the new one', () => {
    const restored = new Peer(1, [common])
    const { engine } = restored
    const body = { type: 'message', text: 'meanwhile' } as const
    const command = { type: 'post', token: 't', room: general, body } as const
    const asked = handle(engine, { type: 'command', command }, 2_000).find((effect) => effect.type === 'sign')
    restored.give({ type: 'link-up', link: 12, peer: keyOf(12).peer, version: 1 })
    restored.give({ type: 'received', link: 12, frame: { type: 'rooms', rooms: [general] } })
    restored.give({ type: 'received', link: 12, frame: { type: 'events', runs: [first] } })
    if (asked?.type !== 'sign') throw new Error('nothing to sign')
    restored.give({ type: 'signed', token: asked.token, signature: new Uint8Array(64) })
    expect(restored.told).toContain('posted')
    const written = restored.tables.inOrder(general).at(-1)
    expect(written?.feed).toBe(engine.feed)
    expect(written?.feed).not.toBe(feedOf(1))
  })

  it('[D7] a receipt from before a fork counts below it, and one of a forgotten life for nothing', () => {
    const peer = new Peer(1, [first])
    const last = (): number | undefined => {
      const told: number[] = []
      for (const effect of handle(peer.engine, { type: 'command', command: { type: 'announce' } }, 5_000)) {
        if (effect.type !== 'emit' || effect.event.type !== 'holders') continue
        for (const { ranges } of effect.event.holders) told.push(...ranges.map((range) => range.last))
      }
      return told.at(-1)
    }
    const receipt = (to: number, counter: number) => {
      const entries = [{ feed: feedOf(1), first: 0, last: to }]
      const fields = { device: keyOf(12).peer, room: general, counter, role: 'reader' as const, entries }
      peer.engine.delivery.receipts.set(
        general,
        new Map([[`${fields.device} ${feedOf(1)}`, { ...fields, signature: new Uint8Array(64) }]]),
      )
    }
    receipt(5, 1)
    expect(last()).toBe(5)
    receipt(7, 2)
    expect(last()).toBeUndefined()
    receipt(5, 3)
    splitFeed(peer.engine.log, { ...first.events[3], feed: feedOf(1) } as never)
    expect(last()).toBe(2)
  })
})
