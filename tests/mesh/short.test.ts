import { describe, expect, it } from 'vitest'
import { Reader, Writer } from '../../src/mesh/bytes.ts'
import type { Event } from '../../src/mesh/event.ts'
import { decodeFrame, encodeFrame } from '../../src/mesh/frame.ts'
import { limits } from '../../src/mesh/limits.ts'
import { acceptRun } from '../../src/mesh/log.ts'
import { itemOf, type Content } from '../../src/mesh/gossip/item.ts'
import {
  createLane,
  duePackets,
  enqueueNote,
  receivePacket,
  repeatWhole,
} from '../../src/mesh/gossip/lane.ts'
import { noteSize, type Note } from '../../src/mesh/gossip/note.ts'
import {
  completeAll,
  decodeShort,
  encodeShort,
  hasShortForm,
  shortOf,
  shortSize,
  type Holdings,
} from '../../src/mesh/gossip/short.ts'
import type { EventId } from '../../src/mesh/ids.ts'
import type { Receipt } from '../../src/mesh/record.ts'
import { splitFeed } from '../../src/mesh/sync/branches.ts'
import { feedOf, general, held, keyOf, runOf } from './make.ts'

const receipt: Receipt = {
  device: keyOf(2).peer,
  room: general,
  counter: 2 ** 50 + 5,
  role: 'reader',
  entries: [{ feed: feedOf(1), first: 0, last: 700 }],
  signature: new Uint8Array(64).fill(3),
}

/** What somebody has who holds so many events of the first feed. */
function holdingsOf(count: number, more: Partial<Holdings> = {}): Holdings {
  const rooms = new Map([[general, undefined]])
  return { rooms, log: held(count), peers: [keyOf(2).peer, keyOf(3).peer], recent: [], ...more }
}

function throughWire(content: Content): Parameters<typeof completeAll>[0][number] {
  const writer = new Writer()
  encodeShort(writer, shortOf(content))
  const reader = new Reader(writer.finish())
  return decodeShort(reader, reader.u8())
}

describe('short forms', () => {
  it('[A7] what is short is completed from what is held, to the same event', () => {
    const head = runOf({ seed: 4, count: 1 })
    const holdings = holdingsOf(5)
    acceptRun(holdings.log, head)
    const prev = runOf({ count: 5 }).events[4]?.id as EventId
    const run = runOf({ first: 5, count: 3, prev, deps: [head.events[0]?.id as EventId] })
    const [item] = completeAll([throughWire({ type: 'run', run })], holdings) ?? []
    expect(item).toEqual(itemOf({ type: 'run', run }))
    const [confirmed] = completeAll([throughWire({ type: 'receipt', record: receipt })], holdings) ?? []
    expect(confirmed).toEqual(itemOf({ type: 'receipt', record: receipt }))
  })

  it('[A7] one packet may hold what the next in it names', () => {
    const one = { type: 'run', run: runOf({ first: 5, count: 1 }) } as const
    const two = { type: 'run', run: runOf({ first: 6, count: 1 }) } as const
    const items = completeAll([one, two].map(throughWire), holdingsOf(5))
    expect(items).toEqual([itemOf(one), itemOf(two)])
  })

  it('[A7] what came another way already is known again, although it is no longer the newest', () => {
    const item = itemOf({ type: 'run', run: runOf({ first: 5, count: 1 }) })
    expect(completeAll([throughWire(item.content)], holdingsOf(9))).toBeUndefined()
    expect(completeAll([throughWire(item.content)], holdingsOf(9, { recent: [item] }))).toEqual([item])
  })

  it('[A7] what cannot be completed, or not for certain, is not', () => {
    const next = throughWire({ type: 'run', run: runOf({ first: 5, count: 1 }) })
    expect(completeAll([next], holdingsOf(4))).toBeUndefined()
    expect(completeAll([next], { ...holdingsOf(5), rooms: new Map() })).toBeUndefined()
    const dep = runOf({ seed: 9, count: 1 }).events[0]?.id as EventId
    const naming = throughWire({ type: 'run', run: runOf({ first: 5, count: 1, deps: [dep] }) })
    expect(completeAll([naming], holdingsOf(5))).toBeUndefined()
    const confirming = throughWire({ type: 'receipt', record: receipt })
    expect(completeAll([confirming], holdingsOf(5, { peers: [keyOf(3).peer] }))).toBeUndefined()
    expect(completeAll([confirming, next], holdingsOf(4))).toBeUndefined()
    const stranger = throughWire({
      type: 'receipt',
      record: { ...receipt, entries: [{ feed: feedOf(7), first: 0, last: 1 }] },
    })
    expect(completeAll([stranger], holdingsOf(5))).toBeUndefined()
    const { log } = holdingsOf(5)
    log.rooms.get(general)?.byName.forEach((feeds) => feeds.push(feedOf(9)))
    expect(completeAll([next], holdingsOf(5, { log }))).toBeUndefined()
  })

  it('[A7] [L8] nothing is completed under the name of a branch', () => {
    const holdings = holdingsOf(6)
    const fork = { ...runOf({ count: 6 }).events[3], feed: feedOf(1) } as Event
    const [split] = splitFeed(holdings.log, fork)
    if (split === undefined) throw new Error('no branch')
    const { events } = runOf({ first: 6, count: 1 })
    const run = {
      room: general,
      feed: split.to,
      events: events.map((event) => ({ ...event, feed: split.to })),
    }
    expect(completeAll([throughWire({ type: 'run', run })], holdings)).toBeUndefined()
  })

  it('[A7] [F1] what would be larger than a frame in whole is not completed', () => {
    const head = runOf({ seed: 4, count: 1 })
    const holdings = holdingsOf(5)
    acceptRun(holdings.log, head)
    const prev = runOf({ count: 5 }).events[4]?.id as EventId
    const dep = head.events[0]?.id as EventId
    const run = runOf({ first: 5, count: 64, prev, text: 'x'.repeat(980) })
    const large = { ...run, events: run.events.map((event) => ({ ...event, deps: [dep, dep, dep, dep] })) }
    const short = throughWire({ type: 'run', run: large })
    expect(shortSize({ type: 'run', run: large })).toBeLessThan(limits.frameBytesMax)
    expect(completeAll([short], holdings)).toBeUndefined()
  })

  it('[A7] short forms in a packet without a number are malformed', () => {
    const short = shortOf({ type: 'receipt', record: receipt })
    const packet = { type: 'packet', ack: undefined, notes: [{ type: 'short', short, cost: 0 }] } as const
    expect(decodeFrame(encodeFrame({ ...packet, seq: 1 }))).toMatchObject({ seq: 1 })
    expect(decodeFrame(encodeFrame({ ...packet, seq: undefined }))).toBe('malformed')
  })

  it('[A8] the first event of a feed, presence and the words of sites go in whole', () => {
    expect(hasShortForm({ type: 'run', run: runOf({ count: 1 }) })).toBe(false)
    expect(hasShortForm({ type: 'run', run: runOf({ first: 1, count: 1 }) })).toBe(true)
    expect(hasShortForm({ type: 'receipt', record: receipt })).toBe(true)
    expect(hasShortForm({ type: 'suspicion', peer: keyOf(1).peer, counter: 1, round: 1 })).toBe(false)
  })

  it('[A8] a message of 60 bytes that names one other takes at most 160 bytes with its packet', () => {
    const deps = [runOf({ seed: 4, count: 1 }).events[0]?.id as EventId]
    const run = runOf({ first: 500, count: 1, deps, text: 'x'.repeat(56) })
    const content: Content = { type: 'run', run }
    expect(run.events[0]?.body.length).toBe(60)
    const note: Note = { type: 'item', item: itemOf(content), cost: 3 }
    expect(noteSize(note)).toBe(shortSize(content) + 1)
    expect(noteSize(note) + 5).toBeLessThanOrEqual(160)
    expect(noteSize({ ...note, isWhole: true })).toBe(note.item.size + 1)
    expect(shortSize({ type: 'receipt', record: receipt })).toBeLessThan(100)
  })

  it('[A7] a packet that is unclear is not acknowledged, and comes again in whole under a new number', () => {
    const one = createLane(false)
    const two = createLane(false)
    const item = itemOf({ type: 'run', run: runOf({ first: 5, count: 1 }) })
    enqueueNote(one, { type: 'item', item, cost: 1 })
    const [packet] = duePackets(one, 0)
    if (packet === undefined) throw new Error('no packet')
    expect(receivePacket(two, { ...packet, notes: [], isUnclear: true }, 1)).toBe(false)
    const [answer] = duePackets(two, 1)
    expect(answer).toMatchObject({ ack: undefined, notes: [{ type: 'unclear', seq: packet.seq }] })
    repeatWhole(one, packet.seq ?? -1)
    const [again] = duePackets(one, 2)
    expect(again?.seq).not.toBe(packet.seq)
    expect(again?.notes).toMatchObject([{ type: 'item', isWhole: true }])
    if (again === undefined) throw new Error('no packet')
    expect(receivePacket(two, again, 3)).toBe(true)
    // What had come and comes again is answered, however little of it can be completed now.
    expect(receivePacket(two, { ...again, notes: [], isUnclear: true }, 4)).toBe(false)
    expect(duePackets(two, 4)[0]?.ack).toMatchObject({ base: again.seq })
    // Nothing of that number waits any more.
    repeatWhole(one, packet.seq ?? -1)
    expect(duePackets(one, 4)).toEqual([])
  })
})
