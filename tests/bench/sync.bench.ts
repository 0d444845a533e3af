/**
 * What two peers say to find out what either lacks, in exact bytes of the shipped frames, and beside them Yjs and
 * Automerge over the same 10,000 messages in the same run. `npm run bench -- sync`
 */
import * as Automerge from '@automerge/automerge'
import { describe, it } from 'vitest'
import * as Y from 'yjs'
import { Packer } from '../../src/adapters/packer.ts'
import { cutRuns, type Event } from '../../src/mesh/event.ts'
import { encodeFrame, type Frame } from '../../src/mesh/frame.ts'
import { itemOf } from '../../src/mesh/gossip/item.ts'
import { noteSize } from '../../src/mesh/gossip/note.ts'
import { eventIdFromBytes, type FeedId } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import { createLog, heldRanges } from '../../src/mesh/log.ts'
import { type FeedRecord, type Log } from '../../src/mesh/sync/held.ts'
import { answerDiffer, answerSketch, printsOf, sketchRoom } from '../../src/mesh/sync/compare.ts'
import { createReconcile, openSession } from '../../src/mesh/sync/reconcile.ts'
import { feedOf, general, runOf } from '../mesh/make.ts'
import { Prng } from '../sim/prng.ts'
import { conversation } from './corpus.ts'
import { printFigures, printTable, type Figure, type Row } from './table.ts'

const text = 'x'.repeat(60)
const someId = eventIdFromBytes(new Uint8Array(32))

function feedNumber(index: number): FeedId {
  return feedOf(7).replace(/.{8}$/, index.toString(16).padStart(8, '0')) as FeedId
}

/** A room of so many feeds and events, of which the first `lacking` feeds miss their last event. */
function logOf(feeds: number, events: number, lacking: number): Log {
  const records = Array.from({ length: feeds }, (_, i): FeedRecord => {
    const last = Math.floor(events / feeds) - 1 - (i < lacking ? 1 : 0)
    const ranges = last < 0 ? [] : [{ first: 0, last, prev: undefined, lastId: someId }]
    return { room: general, feed: feedNumber(i), newest: last, ranges }
  })
  return createLog(records)
}

interface Talk {
  readonly bytes: number
  readonly frames: number
  readonly packets: number
  /** Events that the side that lacks them could name at the end. */
  readonly found: number
}

/** Prints, sketch and answers until nobody has anything to say; the events themselves are not counted. */
function compare(ours: Log, theirs: Log): Talk {
  const logs = [ours, theirs] as const
  const sessions = logs.map(() => openSession(createReconcile(), 1))
  let bytes = 0
  let frames = 0
  let packets = 0
  const found = new Set<string>()
  const queue: { to: 0 | 1; frame: Frame }[] = []
  const send = (to: 0 | 1, frame: Frame) => {
    const size = encodeFrame(frame).length
    bytes += size
    frames += 1
    packets += Math.ceil(size / limits.packetPayloadBytesMax)
    queue.push({ to, frame })
  }
  send(1, printsOf(ours, [general]))
  if (JSON.stringify(printsOf(ours, [general])) !== JSON.stringify(printsOf(theirs, [general]))) {
    send(1, sketchRoom(ours, general, limits.sketchFirst))
  }
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { to, frame } = next
    const log = logs[to]
    const session = sessions[to]
    const back = to === 0 ? 1 : 0
    if (session === undefined) break
    if (frame.type === 'sketch') for (const answer of answerSketch(log, frame)) send(back, answer)
    if (frame.type === 'differ') {
      const { frames: answers, push } = answerDiffer(session, log, frame)
      for (const answer of answers) send(back, answer)
      for (const { feed, first, last } of push) found.add(`${feed} ${first} ${last}`)
      for (const entry of session.theirs.get(general)?.values() ?? []) {
        const own = heldRanges(log, general, entry.feed).at(-1)?.last ?? -1
        if ((entry.ranges.at(-1)?.last ?? -1) > own) found.add(`${entry.feed} ${own + 1}`)
      }
    }
    if (frame.type === 'have') {
      for (const entry of frame.entries) {
        const own = heldRanges(log, general, entry.feed).at(-1)?.last ?? -1
        if ((entry.ranges.at(-1)?.last ?? -1) > own) found.add(`${entry.feed} ${own + 1}`)
      }
    }
  }
  return { bytes, frames, packets, found: found.size }
}

/** A run of one author's messages, as the first frame of a link's bulk lane: the part of it that each event is. */
function perEvent(count: number): number {
  const [events = []] = conversation(new Prng(3), 1, count).values()
  const last = events.at(-1)
  if (last === undefined) throw new Error('no events')
  const run = { room: last.room, feed: last.feed, events }
  return new Packer().pack(encodeFrame({ type: 'events', runs: [run] })).length / count
}

function corpus(count: number): { readonly author: number; readonly text: string }[] {
  const random = new Prng(5)
  return Array.from({ length: count }, (_, i) => ({
    author: random.between(0, 99),
    text: `${i} ${text}`.slice(0, 60),
  }))
}

/** A document per author, merged: as each of the two would be used for a chat. */
function yjsBytes(messages: number, fresh: number): { readonly none: number; readonly some: number } {
  const server = new Y.Doc()
  const authors = Array.from({ length: 100 }, () => new Y.Doc())
  const write = (all: readonly { readonly author: number; readonly text: string }[]) => {
    for (const { author, text: said } of all) {
      const doc = authors[author]
      if (doc === undefined) continue
      const before = Y.encodeStateVector(doc)
      doc.getArray<string>('chat').push([said])
      Y.applyUpdate(server, Y.encodeStateAsUpdate(doc, before))
    }
  }
  const all = corpus(messages + fresh)
  write(all.slice(0, messages))
  const client = new Y.Doc()
  Y.applyUpdate(client, Y.encodeStateAsUpdate(server))
  const exchange = () => {
    const vectors = Y.encodeStateVector(client).length + Y.encodeStateVector(server).length
    const updates =
      Y.encodeStateAsUpdate(server, Y.encodeStateVector(client)).length +
      Y.encodeStateAsUpdate(client, Y.encodeStateVector(server)).length
    return vectors + updates
  }
  const none = exchange()
  write(all.slice(messages))
  return { none, some: exchange() }
}

function automergeBytes(messages: number, fresh: number): { readonly none: number; readonly some: number } {
  interface Chat {
    messages: string[]
  }
  let server = Automerge.from<{ messages: string[] } & Record<string, unknown>>({ messages: [] })
  const all = corpus(messages + fresh)
  const write = (part: typeof all) => {
    for (const { text: said } of part)
      server = Automerge.change(server, (chat: Chat) => void chat.messages.push(said))
  }
  write(all.slice(0, messages))
  let client = Automerge.clone(server)
  const exchange = () => {
    let bytes = 0
    let [a, b] = [Automerge.initSyncState(), Automerge.initSyncState()]
    for (;;) {
      const [nextA, fromClient] = Automerge.generateSyncMessage(client, a)
      a = nextA
      if (fromClient !== null) {
        bytes += fromClient.length
        ;[server, b] = Automerge.receiveSyncMessage(server, b, fromClient)
      }
      const [nextB, fromServer] = Automerge.generateSyncMessage(server, b)
      b = nextB
      if (fromServer !== null) {
        bytes += fromServer.length
        ;[client, a] = Automerge.receiveSyncMessage(client, a, fromServer)
      }
      if (fromClient === null && fromServer === null) return bytes
    }
  }
  const none = exchange()
  write(all.slice(messages))
  return { none, some: exchange() }
}

/** Ours, over the same corpus: what is said to compare, and the runs that are lacking. */
function ownBytes(messages: number, fresh: number): { readonly none: number; readonly some: number } {
  const all = corpus(messages + fresh)
  const recordsOf = (part: typeof all) => {
    const counts = new Map<number, number>()
    for (const { author } of part) counts.set(author, (counts.get(author) ?? 0) + 1)
    return createLog(
      [...counts].map(([author, count]) => ({
        room: general,
        feed: feedNumber(author),
        newest: count,
        ranges: [{ first: 0, last: count - 1, prev: undefined, lastId: someId }],
      })),
    )
  }
  const [before, after] = [recordsOf(all.slice(0, messages)), recordsOf(all)]
  const newRuns = new Map<number, number>()
  for (const { author } of all.slice(messages)) newRuns.set(author, (newRuns.get(author) ?? 0) + 1)
  let events = 0
  for (const count of newRuns.values()) {
    const run = runOf({ first: 5, prev: someId, count, text: text.slice(0, 58) })
    events += encodeFrame({ type: 'events', runs: [run] }).length
  }
  return { none: compare(before, before).bytes, some: compare(before, after).bytes + events }
}

describe('comparing histories', () => {
  it('B11', () => {
    const rows: Figure[] = []
    for (const [feeds, events] of [
      [100, 1_000],
      [100, 100_000],
      [1_000, 1_000_000],
    ] as const) {
      const name = `${events.toLocaleString('en')} events of ${feeds}`
      for (const [lacking, goal] of [
        [0, 24],
        [1, 480],
        [10, 480],
        [Math.min(1_000, feeds), 5_500],
      ] as const) {
        const talk = compare(logOf(feeds, events, 0), logOf(feeds, events, lacking))
        if (talk.found < lacking) throw new Error(`found ${talk.found} of ${lacking}`)
        rows.push({ id: 'B11', what: `bytes, ${name}, ${lacking} differ`, value: talk.bytes, goal })
        rows.push({ id: '', what: `  frames, packets ${talk.packets}`, value: talk.frames, goal: undefined })
      }
    }
    printFigures('two peers compare one room', [rows])
  })

  it('B15 and B26', () => {
    // Type, flags, own number and the acknowledgement of another one.
    const packetHeadBytes = 6
    // As it mostly is: not its author's first one, and it names the newest one of somebody else.
    const deps = runOf({ seed: 4, count: 1 }).events.map((event) => event.id)
    const live = runOf({ first: 500, count: 1, prev: someId, deps, text: text.slice(0, 56) })
    const content = { type: 'run', run: live } as const
    const events: Event[] = []
    for (let i = 0; i < 160; i++) {
      const { events: part } = runOf({ first: i * 64, prev: someId, count: 64, text: 'text' })
      events.push(...part)
    }
    const checks = cutRuns(events.slice(0, 10_000)).length
    printFigures('bytes and signatures', [
      [
        {
          id: 'B15',
          what: 'bytes of an event of 60 B, live, with its packet',
          value: noteSize({ type: 'item', item: itemOf(content), cost: 3 }) + packetHeadBytes,
          goal: 160,
        },
        { id: 'B15', what: 'bytes of an event of 60 B in a run of 10', value: perEvent(10), goal: 92 },
        { id: 'B15', what: 'bytes of an event of 60 B in a run of 64', value: perEvent(64), goal: 92 },
        { id: 'B26', what: 'signature checks for 10,000 events caught up', value: checks, goal: 1_000 },
      ],
    ])
  })

  it('beside Yjs and Automerge', () => {
    const [own, yjs, automerge] = [ownBytes(10_000, 10), yjsBytes(10_000, 10), automergeBytes(10_000, 10)]
    const row = (what: string, one: number, other: number, name: string): Row => ({
      what,
      value: `${one} B`,
      against: `${name} ${other} B`,
      ratio: one / other,
    })
    printTable('10,000 messages of 60 B by 100 authors; ours are signed, theirs are not', [
      row('nothing new', own.none, yjs.none, 'Yjs'),
      row('nothing new', own.none, automerge.none, 'Automerge'),
      row('10 new, with them', own.some, yjs.some, 'Yjs'),
      row('10 new, with them', own.some, automerge.some, 'Automerge'),
    ])
  })
})
