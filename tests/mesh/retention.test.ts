import { describe, expect, it } from 'vitest'
import type { Retention } from '../../src/mesh/effects.ts'
import type { Run } from '../../src/mesh/event.ts'
import type { FeedId } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import { feedsOf } from '../../src/mesh/log.ts'
import { keepAll } from '../../src/mesh/sync/retention.ts'
import { createEngine } from '../../src/mesh/state.ts'
import { cutBelow, logDigest, printAbove } from '../../src/mesh/sync/held.ts'
import { feedOf, general, keyOf, runOf } from './make.ts'
import { Peer, talk } from './peer.ts'

const dayMs = 86_400_000
const nowMs = Date.UTC(2026, 10, 21)

/** A hundred messages of thirty days ago, as two signed runs, and fifty of today, by one person. */
function history(seed: number): Run[] {
  const startMs = nowMs - 30 * dayMs
  const all = runOf({ seed, count: 100, startMs })
  const half = runOf({ seed, count: 50, startMs })
  const rest = runOf({ seed, first: 50, count: 50, startMs })
  const prev = all.events.at(-1)?.id
  if (prev === undefined) throw new Error('no events')
  return [half, rest, runOf({ seed, first: 100, count: 50, prev, startMs: nowMs - dayMs })]
}

const retain = (change: Partial<Retention>) =>
  ({ type: 'command', command: { type: 'set-retention', retention: { ...keepAll, ...change } } }) as const

const rangesOf = (peer: Peer, feed: FeedId = feedOf(1)) =>
  feedsOf(peer.engine.log, general)
    .get(feed)
    ?.ranges.map(({ first, last }) => [first, last])

const digestOf = (peer: Peer, link: number) =>
  logDigest(peer.engine.log, [general], peer.engine.reconcile.sessions.get(link)?.floors)

const comparisons = (peer: Peer) =>
  peer.sent.filter(({ frame }) => ['sketch', 'differ', 'have', 'want'].includes(frame.type)).length

/** Who begins a comparison follows from the ids. */
const bothOrders = [
  [50, 51],
  [51, 50],
] as const

describe('retention', () => {
  it('[N4] what is too old goes, on the disk too, and the rest stays', () => {
    const ana = new Peer(50, history(1), nowMs)
    ana.give({ type: 'command', command: { type: 'set-max-age', room: general, maxAgeMs: 7 * dayMs } })
    for (let i = 0; i < 10; i++) ana.pass(1_000)
    expect(rangesOf(ana)).toEqual([[100, 149]])
    expect(ana.tables.events.size).toBe(50)
    expect(ana.tables.feeds.get(`${general}/${feedOf(1)}`)).toMatchObject({
      floor: 100,
      had: [{ first: 0, last: 99 }],
    })
    expect(ana.tables.rooms[0]?.maxAgeMs).toBe(7 * dayMs)
  })

  it('[N1] the newest event of a feed stays, however old it is', () => {
    const ana = new Peer(50, [runOf({ count: 100, startMs: nowMs - 30 * dayMs })], nowMs)
    ana.give(retain({ maxAgeMs: dayMs }))
    for (let i = 0; i < 10; i++) ana.pass(1_000)
    expect(rangesOf(ana)).toEqual([[99, 99]])
  })

  it('[N4] a clock that stands in 1970 ages nothing', () => {
    const ana = new Peer(50, [runOf({ count: 100, startMs: 1_000 })], nowMs)
    ana.give(retain({ maxAgeMs: dayMs }))
    for (let i = 0; i < 10; i++) ana.pass(1_000)
    expect(rangesOf(ana)).toEqual([[0, 99]])
  })

  it('[N2] [N3] one who keeps all and one who keeps less agree, and nothing is fetched again', () => {
    for (const [first, second] of bothOrders) {
      const whole = new Peer(first, history(1), nowMs)
      const short = new Peer(second, history(1), nowMs)
      short.give(retain({ maxAgeMs: 7 * dayMs }))
      talk([short], 10)
      whole.link(short)
      talk([whole, short], 60)
      const before = comparisons(whole) + comparisons(short)
      talk([whole, short], 60)
      expect(comparisons(whole) + comparisons(short)).toBe(before)
      expect(rangesOf(short)).toEqual([[100, 149]])
      expect(rangesOf(whole)).toEqual([[0, 149]])
      expect(digestOf(whole, second)).toBe(digestOf(short, first))
    }
  })

  it.each([
    ['[N4] what is too old to be fetched is let go of too: neighbours agree', { maxAgeMs: 7 * dayMs }],
    ['[N5] what there is no place for is let go of too: neighbours agree', { maxBytes: 1 }],
  ])('%s', (_name, keeps) => {
    const startMs = nowMs - 30 * dayMs
    const below = runOf({ count: 1, startMs })
    const prev = below.events[0]?.id
    if (prev === undefined) throw new Error('an event')
    const newest = runOf({ first: 1, count: 1, prev, startMs: startMs + dayMs })
    for (const [first, second] of bothOrders) {
      const whole = new Peer(first, [below, newest], nowMs)
      const short = new Peer(second, [newest], nowMs)
      short.give(retain(keeps))
      whole.link(short)
      talk([whole, short], 60)
      expect(rangesOf(short)).toEqual([[1, 1]])
      expect(digestOf(whole, second)).toBe(digestOf(short, first))
    }
  })

  it('[N3] a hole below the floor of the other side is nothing to talk about', () => {
    const [, , young] = history(1)
    if (young === undefined) throw new Error('three runs')
    const bottom = runOf({ count: 20, startMs: nowMs - 30 * dayMs })
    for (const [first, second] of bothOrders) {
      const holey = new Peer(first, [bottom, young], nowMs)
      const short = new Peer(second, history(1), nowMs)
      short.give(retain({ maxAgeMs: 7 * dayMs }))
      talk([short], 10)
      holey.link(short)
      talk([holey, short], 90)
      const before = comparisons(holey) + comparisons(short)
      talk([holey, short], 60)
      expect(comparisons(holey) + comparisons(short)).toBe(before)
      expect(digestOf(holey, second)).toBe(digestOf(short, first))
      expect(short.sent.filter(({ frame }) => frame.type === 'want')).toEqual([])
      expect(rangesOf(holey)).toEqual([
        [0, 19],
        [100, 149],
      ])
    }
  })

  it('[N1] who starts anew with what the disk has asks for nothing that was let go of', () => {
    const short = new Peer(50, history(1), nowMs)
    short.give(retain({ maxAgeMs: 7 * dayMs }))
    talk([short], 10)
    const stored = short.tables.state()
    const input = {
      type: 'start',
      self: keyOf(50).peer,
      incarnation: new Uint8Array(16).fill(1),
      seed: 1,
      stored,
    } as const
    const again = createEngine(input, nowMs)
    expect(feedsOf(again.log, general).get(feedOf(1))).toMatchObject({
      floor: 100,
      had: [{ first: 0, last: 99 }],
    })
  })

  it('[N1] a reader still confirms what it has had; a box does not', () => {
    for (const [isBox, first] of [
      [false, 0],
      [true, 100],
    ] as const) {
      const ana = new Peer(50, history(1), nowMs)
      Object.assign(ana.engine.presence.own, { box: isBox })
      talk([ana], 2)
      ana.give(retain({ maxAgeMs: 7 * dayMs }))
      talk([ana], 10)
      const receipts = [...ana.tables.receipts.values()]
      expect(receipts.at(-1)?.entries).toMatchObject([{ first, last: 149 }])
      expect(receipts.at(-1)?.role).toBe(isBox ? 'carrier' : 'reader')
    }
  })

  it('[N4] own words stay until somebody who they are for has them', () => {
    const [ana, bill] = [new Peer(50, [], nowMs), new Peer(51, [], nowMs)]
    const post = (text: string) =>
      ana.give({
        type: 'command',
        command: { type: 'post', token: text, room: general, body: { type: 'message', text } },
      })
    for (let i = 0; i < 5; i++) post(`message ${i}`)
    ana.pass(dayMs)
    ana.give(retain({ maxAgeMs: dayMs / 2 }))
    talk([ana], 30)
    expect(ana.texts()).toHaveLength(5)
    bill.pass(dayMs)
    ana.link(bill)
    talk([ana, bill], 60)
    expect(bill.texts()).toHaveLength(5)
    expect(ana.texts()).toEqual(['message 4'])
  })

  it('[N5] more bytes than are allowed: the oldest go first, a part at a time', () => {
    const ana = new Peer(
      50,
      [...history(1), runOf({ seed: 2, count: 40, startMs: nowMs - 2 * dayMs })],
      nowMs,
    )
    const bytes = () =>
      [...feedsOf(ana.engine.log, general).values()].reduce((sum, state) => sum + state.bytes, 0)
    const before = bytes()
    ana.give(retain({ maxBytes: before / 2 }))
    talk([ana], 10)
    expect(bytes()).toBeLessThanOrEqual(before / 2)
    expect(rangesOf(ana)?.[0]?.[0]).toBeGreaterThan(60)
    expect(rangesOf(ana, feedOf(2))).toEqual([[0, 39]])
  })

  it('[N4] in an owned room what says who may do what stays, also below a hole; in an open one it does not', () => {
    const made = (kind: number, first: number, count: number, days: number): Run => {
      const run = runOf({ first, count, startMs: nowMs - days * dayMs, text: `${kind}` })
      return { ...run, events: run.events.map((event) => ({ ...event, kind })) }
    }
    for (const [owner, expected] of [
      [undefined, [[21, 29]]],
      [
        keyOf(1).peer,
        [
          [5, 9],
          [20, 29],
        ],
      ],
    ] as const) {
      // Words, an appointment among them, a hole, and words of today.
      const runs = [
        made(1, 0, 5, 40),
        made(6, 5, 1, 39),
        made(1, 6, 4, 38),
        made(1, 20, 1, 30),
        made(1, 21, 9, 1),
      ]
      const ana = new Peer(50, runs, nowMs)
      const record = ana.engine.rooms.get(general)
      if (record === undefined) throw new Error('no room')
      ana.engine.rooms.set(general, owner === undefined ? record : { ...record, owner })
      ana.give(retain({ maxAgeMs: 7 * dayMs }))
      talk([ana], 20)
      expect(rangesOf(ana)).toEqual(expected)
    }
  })

  it('[N4] who carries a room lets go of one event below a hole too, unless it says who may do what', () => {
    for (const [kind, expected] of [
      [1, [[9, 9]]],
      [
        6,
        [
          [3, 3],
          [6, 9],
        ],
      ],
    ] as const) {
      const lone = runOf({ first: 3, count: 1, startMs: nowMs - 40 * dayMs })
      const runs = [
        { ...lone, events: lone.events.map((event) => ({ ...event, kind })) },
        runOf({ first: 6, count: 4, startMs: nowMs - 38 * dayMs }),
      ]
      const mule = new Peer(51, runs, nowMs)
      mule.give({ type: 'command', command: { type: 'leave', room: general } })
      mule.give(retain({ carriedRoomsMax: 1, carriedBytesMax: 1_000_000, maxAgeMs: 7 * dayMs }))
      talk([mule], 20)
      expect(rangesOf(mule)).toEqual(expected)
    }
  })

  it('[N1] who is to keep more again gets what others still have', () => {
    const [whole, short] = [new Peer(50, history(1), nowMs), new Peer(51, history(1), nowMs)]
    short.give(retain({ maxAgeMs: 7 * dayMs }))
    whole.link(short)
    talk([whole, short], 30)
    expect(rangesOf(short)).toEqual([[100, 149]])
    short.give(retain({}))
    talk([whole, short], 60)
    expect(rangesOf(short)).toEqual([[0, 149]])
  })

  it('[N6] a mule carries a room that it is not in, shows nothing of it, and says so', () => {
    const [ana, mule, bill] = [new Peer(50, [], nowMs), new Peer(51, [], nowMs), new Peer(52, [], nowMs)]
    mule.give({ type: 'command', command: { type: 'leave', room: general } })
    mule.give(retain({ carriedRoomsMax: 2, carriedBytesMax: 1_000_000 }))
    ana.link(mule)
    const post = {
      type: 'post',
      token: 'a',
      room: general,
      body: { type: 'message', text: 'hello' },
    } as const
    ana.give({ type: 'command', command: post })
    talk([ana, mule], 10)
    expect(mule.texts()).toEqual(['hello'])
    expect(mule.told).not.toContain('messages')
    mule.link(bill)
    talk([ana, mule, bill], 20)
    expect(bill.texts()).toEqual(['hello'])
    const roles = [...ana.tables.receipts.values()].map(({ device, role }) => [device, role])
    expect(roles).toContainEqual([mule.engine.self, 'carrier'])
    expect(roles).toContainEqual([bill.engine.self, 'reader'])
    // Who enters the room has its history, and says so.
    mule.give({ type: 'command', command: { type: 'join', name: 'general' } })
    talk([ana, mule, bill], 10)
    const later = [...ana.tables.receipts.values()].map(({ device, role }) => [device, role])
    expect(later).toContainEqual([mule.engine.self, 'reader'])
  })

  it('[N6] beyond the allowed rooms and bytes nothing is carried', () => {
    const mule = new Peer(51, [], nowMs)
    mule.give({ type: 'command', command: { type: 'leave', room: general } })
    const ana = new Peer(50, history(1), nowMs)
    ana.link(mule)
    talk([ana, mule], 20)
    expect(mule.tables.events.size).toBe(0)
    mule.give(retain({ carriedRoomsMax: 1, carriedBytesMax: 2_000 }))
    talk([ana, mule], 90)
    expect(mule.tables.events.size).toBeGreaterThan(0)
    expect(mule.tables.events.size).toBeLessThan(100)
    expect(limits.roomsToldMax).toBe(limits.roomsMax + limits.carriedRoomsMax)
  })

  it('[N2] a print from a floor up says nothing of what is below', () => {
    const [whole, short] = [new Peer(50, history(1), nowMs), new Peer(51, history(1), nowMs)]
    const state = feedsOf(whole.engine.log, general).get(feedOf(1))
    const other = feedsOf(short.engine.log, general).get(feedOf(1))
    if (state === undefined || other === undefined) throw new Error('no feed')
    const ranges = cutBelow(other.ranges, 120, undefined)
    expect(printAbove(general, feedOf(1), state, 120)).toEqual(
      printAbove(general, feedOf(1), { ...other, ranges }, 120),
    )
    expect(printAbove(general, feedOf(1), state, 120)).toEqual(state.print)
    expect(printAbove(general, feedOf(1), state, 500)).toEqual([0, 0])
  })
})
