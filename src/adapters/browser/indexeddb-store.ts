/**
 * History in IndexedDB. Every write is one strict transaction; what a browser can do to it (a wipe after a torn
 * log, a full disk, a closed connection, another tab's upgrade) is answered as `reliability.md` §0 says.
 */
import { openDB, type IDBPTransaction, type StoreNames } from 'idb'
import type { PlacedEvent, Placement } from '#mesh/clock.ts'
import type { RoomRecord, StoreFailure, StoreWrite } from '#mesh/effects.ts'
import type { Event } from '#mesh/event.ts'
import {
  bytesToHex,
  incarnationFrom,
  isDerived,
  type EventId,
  type FeedId,
  type PeerId,
  type RoomId,
} from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import type { HistoryQuery, OpenedStore, Position, Store } from '#runtime/ports.ts'
import {
  databaseVersion,
  toStored,
  upgrade,
  type Database,
  type Schema,
  type StoredEvent,
} from './indexeddb-schema.ts'
import { aboutTargets, countAfter, findEvents, historyOf, rulingsBy } from './indexeddb-queries.ts'
import type { KeyPlace } from './keys.ts'
import {
  freshOf,
  place,
  putReceipt,
  sign,
  Refused,
  splitRows,
  writeStores,
  type WriteTransaction,
} from './indexeddb-writes.ts'
import { Witness } from './witness.ts'

export interface StoreEvents {
  /** Another tab with a newer version needs this one to let go. */
  outdated(): void
  /** The database is held by an older tab, which has been asked to let go. */
  blocked(): void
}

type StoreName = StoreNames<Schema>
/** Before the lead was taken. */
const noTerm = 0

function newIncarnation(): Uint8Array {
  return incarnationFrom(crypto.getRandomValues(new Uint8Array(16)))
}

/**
 * The only place where a writing transaction begins. Each covers `meta`, so that never two are under way, in
 * whatever tab: Chromium throws away everything of the origin at the next start if a kill found two (measured:
 * it takes the locks of what it rolls back as exclusive ones, and both hold that of the database).
 */
function writing<Name extends StoreName>(
  database: Database,
  names: readonly Name[],
): IDBPTransaction<Schema, (Name | 'meta')[], 'readwrite'> {
  const all = [...new Set<Name | 'meta'>([...names, 'meta'])]
  return database.transaction(all, 'readwrite', { durability: 'strict' })
}

export class IndexedDbStore implements Store {
  private connection: Promise<Database> | undefined
  /** Rises with each tab that takes the lead; a write under an older one is refused. */
  private term = noTerm
  private isLeading = false
  /** Names this life of the page; written with the lead, noted outside when it ends cleanly. */
  private readonly session = bytesToHex(crypto.getRandomValues(new Uint8Array(8)))
  /** Chosen while it could not be written down. */
  private incarnation: Uint8Array | undefined
  private readonly name: string
  private readonly events: StoreEvents
  private readonly witness: Witness

  constructor(name: string, events: StoreEvents) {
    this.name = name
    this.events = events
    this.witness = new Witness(name)
  }

  private database(): Promise<Database> {
    this.connection ??= openDB<Schema>(this.name, databaseVersion, {
      upgrade: (database, oldVersion, _, tx) => upgrade(database, oldVersion, tx),
      blocked: () => this.events.blocked(),
      blocking: () => {
        this.events.outdated()
        this.close()
      },
      // The browser closed it by itself (a full disk, cleared data): the next use opens it anew.
      terminated: () => (this.connection = undefined),
    })
    // A database that did not open is tried again at the next use.
    this.connection.catch(() => (this.connection = undefined))
    return this.connection
  }

  /** Takes the lead: from now on other tabs' writes are refused. Repairs first what a kill may have left. */
  async open(): Promise<OpenedStore> {
    const before = await (await this.database()).get('meta', 'session')
    if (typeof before === 'string' && !this.witness.endedCleanly(before)) await this.repair()
    this.isLeading = true
    const incarnation = await this.leadOrRead()
    const database = await this.database()
    const [feeds, presences, receipts, counts, readMarks, rooms, name] = await Promise.all([
      database.getAll('feeds'),
      database.getAll('presences'),
      database.getAll('receipts'),
      database.getAll('counts'),
      database.getAll('devicesRead'),
      database.get('meta', 'rooms'),
      database.get('meta', 'name'),
    ])
    const stored = {
      feeds,
      presences,
      receipts,
      counts,
      readMarks,
      // Both were written by `write` below.
      rooms: (rooms as readonly RoomRecord[] | undefined) ?? [],
      name: (name as string | undefined) ?? '',
    }
    return { stored, incarnation }
  }

  /** With a full disk nobody can take the lead, but what is there can be read; the first write tries again. */
  private async leadOrRead(): Promise<Uint8Array> {
    try {
      return await this.lead(await this.database())
    } catch (error) {
      if (!(error instanceof DOMException)) throw error
      this.term = noTerm
      const kept = await (await this.database()).get('meta', 'incarnation')
      this.incarnation = kept instanceof Uint8Array ? kept : newIncarnation()
      return this.incarnation
    }
  }

  /** A store that starts empty, or that is older than its witness, writes under a new incarnation. */
  private async lead(database: Database): Promise<Uint8Array> {
    const tx = writing(database, [])
    const meta = tx.objectStore('meta')
    const term = Number((await meta.get('term')) ?? 0) + 1
    await meta.put(term, 'term')
    await meta.put(this.session, 'session')
    const kept = await meta.get('incarnation')
    const ownWrites = Number((await meta.get('own-writes')) ?? 0)
    const isIntact = kept instanceof Uint8Array && !this.witness.isAheadOf(bytesToHex(kept), ownWrites)
    const incarnation = isIntact ? kept : (this.incarnation ?? newIncarnation())
    if (!isIntact) {
      await meta.put(incarnation, 'incarnation')
      await meta.put(0, 'own-writes')
    }
    await tx.done
    this.term = term
    this.witness.note(bytesToHex(incarnation), isIntact ? ownWrites : 0)
    return incarnation
  }

  /**
   * After an unclean end LevelDB may append to a log with a torn tail, and throw everything away at the next
   * start; writing 8 MB makes it begin a new log (measured: `reliability.md` F2).
   */
  private async repair(): Promise<void> {
    try {
      const database = await this.database()
      const tx = writing(database, ['scratch'])
      for (let i = 0; i < 140; i++) {
        const noise = crypto.getRandomValues(new Uint8Array(60_000))
        void tx.objectStore('scratch').put(noise, i)
      }
      await tx.done
      const clearing = writing(database, ['scratch'])
      await clearing.objectStore('scratch').clear()
      await clearing.done
    } catch (error) {
      // Without space there is no repair; reading still works, and writing will say so itself.
      if (!(error instanceof DOMException)) throw error
      this.connection = undefined
    }
  }

  async write(write: StoreWrite): Promise<Placement | StoreFailure> {
    let placement: Placement
    let ownWrites = 0
    try {
      const database = await this.database()
      if (this.term === noTerm) await this.lead(database)
      const tx = writing(database, writeStores)
      try {
        placement = await this.writeAll(tx, write)
        ownWrites = Number((await tx.objectStore('meta').get('own-writes')) ?? 0)
        await tx.done
      } catch (error) {
        this.abort(tx)
        throw error
      }
    } catch (error) {
      return this.failureOf(error)
    }
    if (write.incarnation === undefined) this.witness.advance(ownWrites)
    else this.witness.note(bytesToHex(write.incarnation), ownWrites)
    return placement
  }

  private abort(tx: WriteTransaction): void {
    // The abort makes `done` reject; the reason is already on its way to the caller.
    tx.done.catch(() => undefined)
    try {
      tx.abort()
    } catch (error) {
      // It had aborted by itself.
      if (!(error instanceof DOMException)) throw error
    }
  }

  /** By outcome: the transaction did not complete, so nothing of it is stored, whatever the browser calls it. */
  private failureOf(error: unknown): StoreFailure {
    if (error instanceof Refused) return error.failure
    if (!(error instanceof DOMException)) throw error
    this.connection?.then(
      (database) => database.close(),
      () => undefined,
    )
    this.connection = undefined
    return error.name === 'QuotaExceededError' || error.name === 'UnknownError' ? 'full' : 'closed'
  }

  private async writeAll(tx: WriteTransaction, write: StoreWrite): Promise<Placement> {
    const meta = tx.objectStore('meta')
    if ((await meta.get('term')) !== this.term) throw new Refused('fenced')
    const rekeyed = new Map<EventId, StoredEvent>()
    for (const split of write.splits) await splitRows(tx, split, rekeyed)
    for (const { room, feed, below } of write.cuts) {
      const range = IDBKeyRange.bound([room, feed, 0], [room, feed, below], false, true)
      void tx.objectStore('events').delete(range)
    }
    const fresh = await freshOf(
      tx,
      write.events.filter((event) => event.isHeld !== true),
      rekeyed,
    )
    const placement = await place(tx, fresh)
    for (const event of placement.added) void tx.objectStore('events').add(toStored(event))
    for (const event of placement.moved) void tx.objectStore('events').put(toStored(event))
    await sign(
      tx,
      write.events.filter((event) => event.isHeld === true),
    )
    for (const record of write.feeds) {
      const isGone = isDerived(record.feed) && record.ranges.length === 0
      if (isGone) void tx.objectStore('feeds').delete([record.room, record.feed])
      else void tx.objectStore('feeds').put(record)
    }
    for (const record of write.presences) void tx.objectStore('presences').put(record)
    for (const receipt of write.receipts) await putReceipt(tx, receipt)
    for (const count of write.counts) void tx.objectStore('counts').put(count)
    for (const mark of write.readMarks) void tx.objectStore('devicesRead').put(mark)
    for (const room of write.clearDrafts) void tx.objectStore('drafts').delete(room)
    if (write.rooms !== undefined) void meta.put(write.rooms, 'rooms')
    if (write.name !== undefined) void meta.put(write.name, 'name')
    const own = fresh.filter((event) => event.audience !== undefined).length
    if (own > 0) await meta.put(Number((await meta.get('own-writes')) ?? 0) + own, 'own-writes')
    if (write.incarnation !== undefined) await meta.put(write.incarnation, 'incarnation')
    for (const event of placement.moved) rekeyed.delete(event.id)
    return { added: placement.added, moved: [...placement.moved, ...rekeyed.values()] }
  }

  async load(room: RoomId, feed: FeedId, first: number, last: number): Promise<readonly Event[]> {
    const database = await this.database()
    const beyond = last + limits.runEventsMax
    const range = IDBKeyRange.bound([room, feed, first], [room, feed, beyond])
    const events = await database.getAll('events', range)
    // What was asked for is gone; what stands above it was not meant.
    if ((events[0]?.seq ?? last) > last) return []
    const end = events.findIndex((event) => event.seq >= last && event.signature !== undefined)
    return end < 0 ? events : events.slice(0, end + 1)
  }

  async history(query: HistoryQuery): Promise<readonly PlacedEvent[]> {
    return historyOf(await this.database(), query)
  }

  async find(ids: readonly EventId[]): Promise<readonly PlacedEvent[]> {
    return findEvents(await this.database(), ids)
  }

  async about(targets: readonly EventId[]): Promise<readonly PlacedEvent[]> {
    return aboutTargets(await this.database(), targets)
  }

  async rulings(room: RoomId, author: PeerId): Promise<readonly PlacedEvent[]> {
    return rulingsBy(await this.database(), room, author)
  }

  async countAfter(room: RoomId, after: Position | undefined, except: PeerId, max: number): Promise<number> {
    return countAfter(await this.database(), { room, after, except, max })
  }

  async draft(room: RoomId): Promise<string> {
    return (await (await this.database()).get('drafts', room)) ?? ''
  }

  async saveDraft(room: RoomId, text: string): Promise<void> {
    const tx = writing(await this.database(), ['drafts'])
    const drafts = tx.objectStore('drafts')
    await (text === '' ? drafts.delete(room) : drafts.put(text, room))
    await tx.done
  }

  async readMark(room: RoomId): Promise<Position | undefined> {
    return (await this.database()).get('readMarks', room)
  }

  async saveReadMark(room: RoomId, position: Position): Promise<void> {
    const tx = writing(await this.database(), ['readMarks'])
    await tx.objectStore('readMarks').put(position, room)
    await tx.done
  }

  /** Where this device's key lives: beside the history. */
  keyPlace(): KeyPlace {
    return {
      read: async () => (await this.database()).get('meta', 'device-key'),
      write: async (value) => {
        const tx = writing(await this.database(), [])
        await tx.objectStore('meta').put(value, 'device-key')
        await tx.done
      },
    }
  }

  /** Another tab leads from now on; this one only reads. */
  follow(): void {
    this.isLeading = false
  }

  /** A clean end of the tab that leads: the next start needs no repair. */
  close(): void {
    if (this.isLeading) this.witness.noteEnd(this.session)
    this.isLeading = false
    this.connection?.then(
      (database) => database.close(),
      () => undefined,
    )
    this.connection = undefined
  }
}
