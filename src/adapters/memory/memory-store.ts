/**
 * A store in memory, for the simulator, for tests, and for helpers that keep nothing. Synchronous inside, so that
 * a simulation can decide itself when a write has happened.
 */
import {
  parentsOf,
  placeEvents,
  type PlacedEvent,
  type Placement,
  type PlaceAnswer,
  type PlaceQuery,
} from '#mesh/clock.ts'
import { outdoes, type Count } from '#mesh/delivery.ts'
import type { NewEvent, RoomRecord, StoreFailure, StoredState, StoreWrite } from '#mesh/effects.ts'
import type { Event } from '#mesh/event.ts'
import {
  feedAuthor,
  isDerived,
  isLoose,
  type EventId,
  type FeedId,
  type PeerId,
  type RoomId,
} from '#mesh/ids.ts'
import type { FeedRecord } from '#mesh/sync/held.ts'
import type { Presence, Receipt } from '#mesh/record.ts'
import { isRuling, standsByItself, targetOf } from '#mesh/timeline/body.ts'
import type { ReadMark } from '#mesh/timeline/read-marks.ts'
import type { HistoryQuery, OpenedStore, Position, Store } from '#runtime/ports.ts'

function key(room: RoomId, feed: FeedId, seq: number): string {
  return `${room}/${feed}/${seq}`
}

export function comparePositions(a: Position, b: Position): number {
  return a.effective - b.effective || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

export class MemoryTables {
  readonly events = new Map<string, PlacedEvent>()
  readonly byId = new Map<EventId, PlacedEvent>()
  readonly childrenOf = new Map<EventId, Set<EventId>>()
  readonly feeds = new Map<string, FeedRecord>()
  readonly presences = new Map<PeerId, Presence>()
  readonly receipts = new Map<string, Receipt>()
  readonly counts = new Map<string, Count>()
  readonly othersRead = new Map<string, ReadMark>()
  readonly drafts = new Map<RoomId, string>()
  readonly readMarks = new Map<RoomId, Position>()
  rooms: readonly RoomRecord[] = []
  name = ''
  /** What is written under, once it has changed. */
  incarnation: Uint8Array | undefined

  /** All of it as it is now, as a backup has it. */
  copy(): MemoryTables {
    const copy = new MemoryTables()
    for (const event of this.events.values()) copy.put(event)
    for (const [key, record] of this.feeds) copy.feeds.set(key, record)
    for (const [peer, record] of this.presences) copy.presences.set(peer, record)
    for (const [key, receipt] of this.receipts) copy.receipts.set(key, receipt)
    for (const [key, count] of this.counts) copy.counts.set(key, count)
    for (const [key, mark] of this.othersRead) copy.othersRead.set(key, mark)
    copy.rooms = this.rooms
    copy.name = this.name
    copy.incarnation = this.incarnation
    return copy
  }

  state(): StoredState {
    return {
      rooms: this.rooms,
      feeds: [...this.feeds.values()],
      presences: [...this.presences.values()],
      receipts: [...new Set(this.receipts.values())],
      counts: [...this.counts.values()],
      readMarks: [...this.othersRead.values()],
      name: this.name,
    }
  }

  apply(write: StoreWrite, nowMs: number): Placement | StoreFailure {
    const fresh: NewEvent[] = []
    const rekeyed = new Map<EventId, PlacedEvent>()
    for (const { room, from, first, last, to } of write.splits) {
      for (const event of this.rows(room, from, first, last)) rekeyed.set(event.id, this.rekey(event, to))
    }
    for (const { room, feed, below } of write.cuts) this.cut(room, feed, below)
    for (const event of write.events.filter((one) => one.isHeld !== true)) {
      const known = this.events.get(key(event.room, event.feed, event.seq))
      const elsewhere = this.byId.get(event.id)
      if (known !== undefined && known.id !== event.id) return 'conflict'
      if (known === undefined && elsewhere !== undefined) {
        // What has its place keeps it.
        if (isLoose(event.feed) && !isLoose(elsewhere.feed)) continue
        rekeyed.set(event.id, this.rekey(elsewhere, event.feed))
      } else if (known === undefined) fresh.push(event)
      const held = this.byId.get(event.id)
      if (held !== undefined && held.signature === undefined && event.signature !== undefined) {
        this.put({ ...held, signature: event.signature })
      }
    }
    const placement = this.place(fresh, nowMs)
    for (const event of [...placement.added, ...placement.moved]) this.put(event)
    for (const { id, isHeld, signature } of write.events) {
      const known = this.byId.get(id)
      if (isHeld === true && known !== undefined && known.signature === undefined) {
        this.put({ ...known, signature })
      }
    }
    for (const record of write.feeds) {
      const place = `${record.room}/${record.feed}`
      if (isDerived(record.feed) && record.ranges.length === 0) this.feeds.delete(place)
      else this.feeds.set(place, record)
    }
    for (const record of write.presences) this.presences.set(record.peer, record)
    for (const receipt of write.receipts) {
      for (const { feed } of receipt.entries) {
        const place = `${receipt.room}/${receipt.device}/${feed}`
        const known = this.receipts.get(place)
        if (known === undefined || outdoes(receipt, known)) this.receipts.set(place, receipt)
      }
    }
    for (const count of write.counts) this.counts.set(`${count.room} ${count.by} ${count.feed}`, count)
    for (const mark of write.readMarks) this.othersRead.set(`${mark.room} ${mark.device}`, mark)
    for (const room of write.clearDrafts) this.drafts.delete(room)
    this.rooms = write.rooms ?? this.rooms
    this.name = write.name ?? this.name
    this.incarnation = write.incarnation ?? this.incarnation
    for (const event of placement.moved) rekeyed.delete(event.id)
    return { added: placement.added, moved: [...placement.moved, ...rekeyed.values()] }
  }

  private rows(room: RoomId, feed: FeedId, first: number, last: number): PlacedEvent[] {
    const rows: PlacedEvent[] = []
    for (let seq = first; seq <= last; seq++) {
      const event = this.events.get(key(room, feed, seq))
      if (event !== undefined) rows.push(event)
    }
    return rows
  }

  private cut(room: RoomId, feed: FeedId, below: number): void {
    const first = this.feeds.get(`${room}/${feed}`)?.ranges[0]?.first ?? 0
    for (const event of this.rows(room, feed, first, below - 1)) {
      this.events.delete(key(room, feed, event.seq))
      this.byId.delete(event.id)
      for (const parent of parentsOf(event)) this.childrenOf.get(parent)?.delete(event.id)
    }
  }

  private rekey(event: PlacedEvent, feed: FeedId): PlacedEvent {
    this.events.delete(key(event.room, event.feed, event.seq))
    const moved = { ...event, feed }
    this.put(moved)
    return moved
  }

  private place(events: readonly NewEvent[], nowMs: number): Placement {
    const steps = placeEvents(events, nowMs)
    let step = steps.next()
    while (step.done !== true) step = steps.next(this.answer(step.value))
    return step.value
  }

  private answer(query: PlaceQuery): PlaceAnswer {
    if (query.type === 'get') return [this.byId.get(query.id)].filter((event) => event !== undefined)
    const ids = [...(this.childrenOf.get(query.id) ?? [])]
    return ids.map((id) => this.byId.get(id)).filter((event) => event !== undefined)
  }

  private put(event: PlacedEvent): void {
    this.events.set(key(event.room, event.feed, event.seq), event)
    this.byId.set(event.id, event)
    for (const parent of parentsOf(event)) {
      const children = this.childrenOf.get(parent) ?? new Set()
      this.childrenOf.set(parent, children.add(event.id))
    }
  }

  load(room: RoomId, feed: FeedId, first: number, last: number): Event[] {
    const events: Event[] = []
    for (let seq = first; ; seq++) {
      const event = this.events.get(key(room, feed, seq))
      if (event === undefined) {
        if (seq >= last) return events
        continue
      }
      events.push(event)
      if (seq >= last && event.signature !== undefined) return events
    }
  }

  inOrder(room: RoomId): PlacedEvent[] {
    return [...this.events.values()].filter((event) => event.room === room).sort(comparePositions)
  }
}

export function createMemoryStore(incarnation: Uint8Array, nowMs: () => number): Store {
  const tables = new MemoryTables()
  return {
    open: (): Promise<OpenedStore> =>
      Promise.resolve({ stored: tables.state(), incarnation: tables.incarnation ?? incarnation }),
    write: (write) => Promise.resolve(tables.apply(write, nowMs())),
    load: (room, feed, first, last) => Promise.resolve(tables.load(room, feed, first, last)),
    find: (ids) => Promise.resolve(ids.flatMap((id) => tables.byId.get(id) ?? [])),
    about: (targets) => {
      const wanted = new Set<EventId | undefined>(targets)
      return Promise.resolve(
        [...tables.events.values()].filter((event) => {
          const target = targetOf(event)
          return target !== undefined && wanted.has(target)
        }),
      )
    },
    rulings: (room, author) =>
      Promise.resolve(
        tables.inOrder(room).filter((event) => feedAuthor(event.feed) === author && isRuling(event)),
      ),
    history: ({ room, before, after, limit }: HistoryQuery) => {
      const all = tables
        .inOrder(room)
        .filter((event) => standsByItself(event))
        .filter((event) => before === undefined || comparePositions(event, before) < 0)
        .filter((event) => after === undefined || comparePositions(event, after) > 0)
      return Promise.resolve(after === undefined ? all.slice(-limit) : all.slice(0, limit))
    },
    countAfter: (room, after, except, limit) => {
      const later = tables
        .inOrder(room)
        .filter((event) => standsByItself(event))
        .filter((event) => feedAuthor(event.feed) !== except)
        .filter((event) => after === undefined || comparePositions(event, after) > 0)
      return Promise.resolve(Math.min(limit, later.length))
    },
    draft: (room) => Promise.resolve(tables.drafts.get(room) ?? ''),
    saveDraft: (room, text) => {
      if (text === '') tables.drafts.delete(room)
      else tables.drafts.set(room, text)
      return Promise.resolve()
    },
    readMark: (room) => Promise.resolve(tables.readMarks.get(room)),
    saveReadMark: (room, position) => {
      tables.readMarks.set(room, position)
      return Promise.resolve()
    },
    close: () => undefined,
  }
}
