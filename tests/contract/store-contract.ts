/** What every store guarantees (ports.ts `Store`). */
import type { NewEvent, StoreWrite } from '../../src/mesh/effects.ts'
import type { Run } from '../../src/mesh/event.ts'
import { branchFeed, openRoomId, type EventId, type FeedId, type RoomId } from '../../src/mesh/ids.ts'
import { recordWith, createLog } from '../../src/mesh/log.ts'
import { encodeBody } from '../../src/mesh/timeline/body.ts'
import { fold } from '../../src/mesh/timeline/fold.ts'
import type { Store } from '../../src/runtime/ports.ts'
import { feedOf, general, keyOf, presenceOf, runOf } from '../mesh/make.ts'
import { equal, type ContractCase } from './check.ts'

export function writeOf(change: Partial<StoreWrite> = {}): StoreWrite {
  const nothing = {
    events: [],
    feeds: [],
    presences: [],
    receipts: [],
    counts: [],
    readMarks: [],
    rooms: undefined,
    name: undefined,
  }
  return { ...nothing, splits: [], cuts: [], incarnation: undefined, clearDrafts: [], ...change }
}

export function writeRun(run: Run, isOwn = false): StoreWrite {
  const events: NewEvent[] = run.events.map((event) => ({ ...event, audience: isOwn ? [] : undefined }))
  return writeOf({ events, feeds: [recordWith(createLog([]), run.events, run.room, run.feed)] })
}

async function texts(store: Store, query: Partial<Parameters<Store['history']>[0]> = {}): Promise<string[]> {
  const events = await store.history({ room: general, limit: 100, ...query })
  return events.map((event) => new TextDecoder().decode(event.body))
}

/** One run in which somebody writes a message and then says these things about it. */
function aboutRun(count: number): Run {
  const { events, ...run } = runOf({ count: count + 1 })
  const [first] = events
  if (first === undefined) throw new Error('no event')
  const rest = events.slice(1).map((event, i) => {
    const { kind, bytes } = encodeBody({ type: 'edit', target: first.id, text: `edit ${i}` })
    return { ...event, kind, body: bytes }
  })
  return { ...run, events: [first, ...rest] }
}

export const storeContract: readonly ContractCase<Store>[] = [
  {
    name: 'what is said about a message is found by the message, and does not stand in the room itself',
    run: async (store) => {
      await store.open()
      const run = aboutRun(3)
      await store.write(writeRun(run))
      equal(await texts(store), ['text 0'], 'the history')
      equal(await texts(store, { after: { effective: 0, id: '' } }), ['text 0'], 'the history upwards')
      equal(await store.countAfter(general, undefined, keyOf(9).peer, 10), 1, 'messages')
      const [message] = await store.history({ room: general, limit: 1 })
      if (message === undefined) throw new Error('no message')
      equal(fold(message, await store.about([message.id])).text, 'edit 2', 'the last edit')
      const others = run.events.slice(1).map((event) => event.id)
      equal((await store.about(others)).length, 0, 'about others')
      const found = await store.find([message.id, ...others, '00'.repeat(32) as EventId])
      equal(found.map(({ id }) => id).sort(), [message.id, ...others].sort(), 'found by their ids')
    },
  },
  {
    name: 'what somebody has said about a room is found by room and author, and is no message',
    run: async (store) => {
      await store.open()
      const { events, ...run } = runOf({ count: 4 })
      const [first] = events
      if (first === undefined) throw new Error('no event')
      const target = first.id
      const bodies = [
        { type: 'create', nonce: 'ab'.repeat(16), name: 'shelter', purpose: '' },
        { type: 'pin', target, isOn: true },
        { type: 'close', target, isOn: true },
        { type: 'reaction', target, emoji: '👍', isOn: true },
      ] as const
      const said = events.map((event, i) => {
        const body = bodies[i]
        if (body === undefined) throw new Error('no body')
        const { kind, bytes } = encodeBody(body)
        return { ...event, kind, body: bytes }
      })
      await store.write(writeRun({ ...run, events: said }))
      await store.write(writeRun(runOf({ seed: 2, count: 1 })))
      const kinds = async (room: RoomId, by: number) =>
        (await store.rulings(room, keyOf(by).peer)).map(({ kind }) => kind).sort()
      equal(await kinds(general, 1), [5, 7, 9], 'its author')
      equal(await kinds(general, 2), [], 'somebody else')
      equal(await kinds(openRoomId('elsewhere'), 1), [], 'another room')
      equal((await store.history({ room: general, limit: 9 })).length, 1, 'messages')
      equal(await store.countAfter(general, undefined, keyOf(9).peer, 9), 1, 'unread')
    },
  },
  {
    name: 'starts empty, and gives back at the next opening what was written',
    run: async (store) => {
      const empty = await store.open()
      equal(empty.incarnation.length, 16, 'incarnation')
      equal(
        empty.stored,
        { rooms: [], feeds: [], presences: [], receipts: [], counts: [], readMarks: [], name: '' },
        'an empty store',
      )
      const rooms = [{ room: general, name: 'general', joinedAtMs: 5 }]
      const receipt = {
        device: keyOf(2).peer,
        room: general,
        counter: 1,
        role: 'reader' as const,
        entries: [{ feed: feedOf(1), first: 0, last: 1 }],
        signature: new Uint8Array(64),
      }
      const count = {
        room: general,
        by: keyOf(3).peer,
        feed: feedOf(1),
        others: 5,
        ranges: [{ first: 0, last: 1, readers: 7 }],
      }
      const mark = {
        device: keyOf(2).peer,
        room: general,
        counter: 4,
        effective: 32,
        id: runOf({ count: 1 }).events[0]?.id as EventId,
        signature: new Uint8Array(64),
      }
      const records = { presences: [presenceOf(1)], receipts: [receipt], counts: [count], readMarks: [mark] }
      const state = { rooms, name: 'Ana', ...records }
      const run = writeRun(runOf({ count: 2 }))
      await store.write({ ...run, ...state, counts: [{ ...count, ranges: [] }, count] })
      const opened = await store.open()
      equal(opened.stored, { ...state, feeds: run.feeds }, 'what was written')
      equal(opened.incarnation, empty.incarnation, 'the incarnation')
    },
  },
  {
    name: 'the same event again is nothing, another one in its place keeps nothing of the write',
    run: async (store) => {
      await store.open()
      const run = runOf({ count: 3 })
      const first = await store.write(writeRun(run))
      equal(typeof first === 'string' ? first : first.added.length, 3, 'added')
      const again = await store.write(writeRun(run))
      equal(typeof again === 'string' ? again : again.added.length, 0, 'added again')
      const other = runOf({ count: 4, text: 'other' })
      equal(await store.write({ ...writeRun(other), name: 'Eve' }), 'conflict', 'another history')
      equal(await texts(store), ['text 0', 'text 1', 'text 2'], 'the history')
      equal((await store.open()).stored.name, '', 'the name of the refused write')
    },
  },
  {
    name: 'loads a range and on through the next signature',
    run: async (store) => {
      await store.open()
      await store.write(writeRun(runOf({ count: 10 })))
      await store.write(writeRun(runOf({ first: 10, count: 5 })))
      const seqs = async (first: number, last: number) =>
        (await store.load(general, feedOf(1), first, last)).map((event) => event.seq)
      equal(await seqs(2, 4), [2, 3, 4, 5, 6, 7, 8, 9], 'through 9, the signed one')
      equal(await seqs(12, 14), [12, 13, 14], 'to the end')
      equal(await seqs(20, 30), [], 'nothing there')
    },
  },
  {
    name: 'gives history in order, from either side of a place',
    run: async (store) => {
      await store.open()
      await store.write(writeRun(runOf({ seed: 1, count: 5, startMs: 1_000, text: 'a' })))
      await store.write(writeRun(runOf({ seed: 2, count: 5, startMs: 1_000, text: 'b' })))
      const all = await store.history({ room: general, limit: 100 })
      equal(all.length, 10, 'everything')
      const sorted = [...all].sort((x, y) => x.effective - y.effective || (x.id < y.id ? -1 : 1))
      equal(
        all.map((event) => event.id),
        sorted.map((event) => event.id),
        'sorted',
      )
      const [third, seventh] = [all[2], all[6]]
      if (third === undefined || seventh === undefined) throw new Error('ten events')
      const ids = async (query: Partial<Parameters<Store['history']>[0]>) =>
        (await store.history({ room: general, limit: 3, ...query })).map((event) => event.id)
      equal(
        await ids({}),
        all.slice(7).map((event) => event.id),
        'the newest three',
      )
      equal(
        await ids({ before: seventh }),
        all.slice(3, 6).map((event) => event.id),
        'before',
      )
      equal(
        await ids({ after: third }),
        all.slice(3, 6).map((event) => event.id),
        'after',
      )
      equal(await store.countAfter(general, third, keyOf(9).peer, 100), 7, 'count after')
      const own = all.slice(3).filter((event) => event.feed === feedOf(1)).length
      equal(await store.countAfter(general, third, keyOf(1).peer, 100), 7 - own, 'count of others')
    },
  },
  {
    name: 'places descendants again when an ancestor comes late',
    run: async (store) => {
      await store.open()
      const old = runOf({ seed: 1, count: 1, startMs: 900_000, text: 'ancestor' })
      const deps = old.events.map((event) => event.id)
      const young = runOf({ seed: 2, count: 2, startMs: 10, deps, text: 'child' })
      await store.write(writeRun(young))
      equal(await texts(store), ['child 0', 'child 1'], 'before')
      const placed = await store.write(writeRun(old))
      equal(typeof placed === 'string' ? placed : placed.moved.length, 2, 'moved')
      equal(await texts(store), ['ancestor 0', 'child 0', 'child 1'], 'after')
    },
  },
  {
    name: 'moves the end of a feed that forked to its branch, and keeps what was held aside once',
    run: async (store) => {
      await store.open()
      const run = runOf({ count: 6 })
      await store.write(writeRun(run))
      const third = run.events[3]
      if (third === undefined) throw new Error('six events')
      const to = branchFeed(keyOf(1).peer, third.id)
      const split = { room: general, from: feedOf(1), first: 3, last: 5, to }
      const placed = await store.write(writeOf({ splits: [split] }))
      equal(
        typeof placed === 'string' ? placed : placed.moved.map(({ seq }) => seq).sort(),
        [3, 4, 5],
        'moved',
      )
      const seqs = async (feed: FeedId) => (await store.load(general, feed, 0, 9)).map((event) => event.seq)
      equal(await seqs(feedOf(1)), [0, 1, 2], 'what stays')
      equal(await seqs(to), [3, 4, 5], 'the branch')
      equal((await texts(store)).length, 6, 'all are shown')
      const other = runOf({ first: 3, count: 2, prev: run.events[2]?.id as EventId, text: 'other' })
      await store.write(writeRun(other))
      equal((await texts(store)).length, 8, 'both versions')
      const again = { ...run, feed: to, events: run.events.slice(3).map((event) => ({ ...event, feed: to })) }
      const aside = branchFeed(keyOf(1).peer, run.events[5]?.id as EventId)
      await store.write(writeOf({ splits: [{ ...split, from: to, to: aside }] }))
      const back = await store.write(writeRun(again))
      equal(typeof back === 'string' ? back : [back.added.length, back.moved.length], [0, 3], 'moved back')
      equal((await texts(store)).length, 8, 'each once')
    },
  },
  {
    name: 'what is let go of is gone, from its place, the history and the tables, and the rest is as it was',
    run: async (store) => {
      await store.open()
      const run = runOf({ count: 10 })
      await store.write(writeRun(run))
      const other = runOf({ seed: 2, count: 3 })
      await store.write(writeRun(other))
      const [record] = writeRun(run).feeds
      if (record === undefined) throw new Error('no record')
      const feeds = [{ ...record, floor: 6, had: [{ first: 0, last: 5 }] }]
      await store.write(writeOf({ feeds, cuts: [{ room: general, feed: run.feed, below: 6 }] }))
      const kept = await store.load(general, run.feed, 0, 9)
      equal(
        kept.map(({ seq }) => seq),
        [6, 7, 8, 9],
        'what is left',
      )
      equal((await texts(store)).length, 4 + 3, 'the history')
      equal((await store.open()).stored.feeds.find(({ feed }) => feed === run.feed)?.floor, 6, 'the record')
      // Written again it is new.
      equal(typeof (await store.write(writeRun(run))), 'object', 'the same history once more')
      equal((await store.load(general, run.feed, 0, 9)).length, 10, 'all of it')
    },
  },
  {
    name: 'a signature comes to the event that it is of, and to no other one',
    run: async (store) => {
      await store.open()
      const [one, two, last] = runOf({ count: 3 }).events
      const [, , other] = runOf({ count: 3, text: 'other' }).events
      if (one === undefined || two === undefined || last === undefined || other === undefined) {
        throw new Error('three events')
      }
      const unsigned = { ...last, signature: undefined, audience: undefined }
      const fresh = [one, two].map((event) => ({ ...event, audience: undefined }))
      await store.write(writeOf({ events: [...fresh, unsigned] }))
      const isSigned = async () =>
        (await store.load(general, feedOf(1), 2, 2)).map((event) => event.signature !== undefined)
      await store.write(writeOf({ events: [{ ...other, audience: undefined, isHeld: true }] }))
      equal(await isSigned(), [false], 'of another event')
      const placed = await store.write(writeOf({ events: [{ ...last, audience: undefined, isHeld: true }] }))
      equal(typeof placed === 'string' ? placed : placed.added.length, 0, 'added')
      equal(await isSigned(), [true], 'of this event')
    },
  },
  {
    name: 'writes under the incarnation that it was told last',
    run: async (store) => {
      await store.open()
      const incarnation = new Uint8Array(16).fill(7)
      await store.write(writeOf({ incarnation }))
      equal([...(await store.open()).incarnation], [...incarnation], 'the next start')
    },
  },
  {
    name: 'a draft goes with the message that it became, and read marks stay',
    run: async (store) => {
      await store.open()
      await store.saveDraft(general, 'half a sen')
      equal(await store.draft(general), 'half a sen', 'draft')
      await store.write({ ...writeRun(runOf({ count: 1 })), clearDrafts: [general] })
      equal(await store.draft(general), '', 'draft after the post')
      await store.saveReadMark(general, { effective: 7, id: 'x' })
      equal(await store.readMark(general), { effective: 7, id: 'x' }, 'read mark')
    },
  },
]
