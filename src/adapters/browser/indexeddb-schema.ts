/** The tables of the history in IndexedDB, and how older versions become newer ones. Migrations only add. */
import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from 'idb'
import { parentsOf, type PlacedEvent } from '#mesh/clock.ts'
import { feedAuthor, type EventId, type FeedId, type PeerId, type RoomId } from '#mesh/ids.ts'
import type { Count } from '#mesh/delivery.ts'
import type { FeedRecord } from '#mesh/sync/held.ts'
import { isRuling, targetOf } from '#mesh/timeline/body.ts'
import type { ReadMark } from '#mesh/timeline/read-marks.ts'
import type { Presence, Receipt } from '#mesh/record.ts'
import type { Position } from '#runtime/ports.ts'

export const databaseVersion = 4

export interface StoredEvent extends PlacedEvent {
  /** `prev` and `deps`, for finding what has to be placed again. */
  readonly parents: readonly EventId[]
  /** The message that it is about; absent when it stands by itself. */
  readonly target?: EventId
  /** Who says something about the room itself; absent on all other events. */
  readonly ruling?: PeerId
}

export function toStored(event: PlacedEvent): StoredEvent {
  const target = targetOf(event)
  const ruling = isRuling(event) ? { ruling: feedAuthor(event.feed) } : {}
  return { ...event, parents: parentsOf(event), ...(target === undefined ? {} : { target }), ...ruling }
}

export interface Schema extends DBSchema {
  events: {
    key: [RoomId, FeedId, number]
    value: StoredEvent
    indexes: {
      id: EventId
      position: [RoomId, number, EventId]
      parents: EventId
      target: EventId
      ruling: [RoomId, PeerId]
    }
  }
  feeds: { key: [RoomId, FeedId]; value: FeedRecord }
  presences: { key: PeerId; value: Presence }
  receipts: { key: [RoomId, PeerId, FeedId]; value: Receipt }
  counts: { key: [RoomId, PeerId, FeedId]; value: Count }
  /** What devices say of how far they have read; `readMarks` is where this one was. */
  devicesRead: { key: [RoomId, PeerId]; value: ReadMark }
  drafts: { key: RoomId; value: string }
  readMarks: { key: RoomId; value: Position }
  /** By name: `rooms`, `name`, `incarnation`, `own-writes`, `term`, `session`, `device-key`. */
  meta: { key: string; value: unknown }
  /** Filled and emptied by the self-repair only. */
  scratch: { key: number; value: Uint8Array }
}

export type Database = IDBPDatabase<Schema>

type Upgrade = IDBPTransaction<Schema, StoreNames<Schema>[], 'versionchange'>

export function upgrade(database: Database, oldVersion: number, tx: Upgrade): void {
  if (oldVersion < 1) create(database)
  if (oldVersion < 2) tx.objectStore('events').createIndex('target', 'target')
  if (oldVersion < 3) {
    database.createObjectStore('counts', { keyPath: ['room', 'by', 'feed'] })
    database.createObjectStore('devicesRead', { keyPath: ['room', 'device'] })
  }
  if (oldVersion < 4) tx.objectStore('events').createIndex('ruling', ['room', 'ruling'])
  // Older versions carried what they did not know yet.
  if (oldVersion >= 1 && oldVersion < 4) void nameAnew(tx)
}

async function nameAnew(tx: Upgrade): Promise<void> {
  for (let cursor = await tx.objectStore('events').openCursor(); cursor !== null;) {
    const named = toStored(cursor.value)
    const isOther = named.target !== cursor.value.target || named.ruling !== cursor.value.ruling
    if (isOther) void cursor.update(named)
    cursor = await cursor.continue()
  }
}

function create(database: Database): void {
  const events = database.createObjectStore('events', { keyPath: ['room', 'feed', 'seq'] })
  events.createIndex('id', 'id', { unique: true })
  events.createIndex('position', ['room', 'effective', 'id'])
  events.createIndex('parents', 'parents', { multiEntry: true })
  database.createObjectStore('feeds', { keyPath: ['room', 'feed'] })
  database.createObjectStore('presences', { keyPath: 'peer' })
  database.createObjectStore('receipts')
  database.createObjectStore('drafts')
  database.createObjectStore('readMarks')
  database.createObjectStore('meta')
  database.createObjectStore('scratch')
}
