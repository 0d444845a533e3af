/** What one writing transaction does to the events and receipts: new ones, moved ones, those that were there. */
import type { IDBPTransaction } from 'idb'
import { placeEvents, type PlacedEvent, type Placement, type PlaceQuery } from '#mesh/clock.ts'
import { outdoes } from '#mesh/delivery.ts'
import type { NewEvent, StoreFailure } from '#mesh/effects.ts'
import { isLoose, type EventId, type FeedId, type PeerId, type RoomId } from '#mesh/ids.ts'
import type { Receipt } from '#mesh/record.ts'
import type { Split } from '#mesh/sync/branches.ts'
import type { Schema, StoredEvent } from './indexeddb-schema.ts'

export const writeStores = [
  'events',
  'feeds',
  'presences',
  'receipts',
  'counts',
  'devicesRead',
  'drafts',
  'meta',
] as const

export type WriteTransaction = IDBPTransaction<Schema, (typeof writeStores)[number][], 'readwrite'>

/** Thrown inside a transaction to end it without a trace; never leaves the adapter. */
export class Refused extends Error {
  readonly failure: StoreFailure
  constructor(failure: StoreFailure) {
    super(failure)
    this.failure = failure
  }
}

export async function splitRows(
  tx: WriteTransaction,
  { room, from, first, last, to }: Split,
  rekeyed: Map<EventId, StoredEvent>,
): Promise<void> {
  const range = IDBKeyRange.bound([room, from, first], [room, from, last])
  for (const event of await tx.objectStore('events').getAll(range)) rekey(tx, event, to, rekeyed)
}

function rekey(
  tx: WriteTransaction,
  event: StoredEvent,
  feed: FeedId,
  rekeyed: Map<EventId, StoredEvent>,
): StoredEvent {
  const store = tx.objectStore('events')
  const moved = { ...event, feed }
  void store.delete([event.room, event.feed, event.seq])
  void store.put(moved)
  rekeyed.set(event.id, moved)
  return moved
}

/** What is held may get its signature; another event under its number changes nothing. */
export async function sign(tx: WriteTransaction, events: readonly NewEvent[]): Promise<void> {
  const store = tx.objectStore('events')
  for (const { id, signature } of events) {
    const known = await store.index('id').get(id)
    if (known !== undefined && known.signature === undefined) void store.put({ ...known, signature })
  }
}

/** One may be the newest for some of its feeds only. */
export async function putReceipt(tx: WriteTransaction, receipt: Receipt): Promise<void> {
  const store = tx.objectStore('receipts')
  for (const feed of new Set(receipt.entries.map((entry) => entry.feed))) {
    const place: [RoomId, PeerId, FeedId] = [receipt.room, receipt.device, feed]
    const known = await store.get(place)
    if (known === undefined || outdoes(receipt, known)) void store.put(receipt, place)
  }
}

/**
 * The same event again is nothing; another one in its place is a conflict; one that is held under another feed
 * moves to this one.
 */
export async function freshOf(
  tx: WriteTransaction,
  events: readonly NewEvent[],
  rekeyed: Map<EventId, StoredEvent>,
): Promise<NewEvent[]> {
  const store = tx.objectStore('events')
  const known = await Promise.all(events.map((event) => store.get([event.room, event.feed, event.seq])))
  if (known.some((one, i) => one !== undefined && one.id !== events[i]?.id)) throw new Refused('conflict')
  const elsewhere = await Promise.all(events.map((event) => store.index('id').get(event.id)))
  return events.filter((event, i) => {
    let held = known[i]
    const other = elsewhere[i]
    if (held === undefined && other !== undefined) {
      // What has its place keeps it.
      const isPlaced = isLoose(event.feed) && !isLoose(other.feed)
      held = isPlaced ? other : rekey(tx, other, event.feed, rekeyed)
    }
    const { signature } = event
    if (held !== undefined && held.signature === undefined && signature !== undefined) {
      void store.put({ ...held, signature })
    }
    return held === undefined
  })
}

export async function place(tx: WriteTransaction, events: readonly NewEvent[]): Promise<Placement> {
  const steps = placeEvents(events, Date.now())
  let step = steps.next()
  while (step.done !== true) step = steps.next(await answer(tx, step.value))
  return step.value
}

async function answer(tx: WriteTransaction, query: PlaceQuery): Promise<readonly PlacedEvent[]> {
  const store = tx.objectStore('events')
  if (query.type === 'children') return store.index('parents').getAll(query.id)
  const found = await store.index('id').get(query.id)
  return found === undefined ? [] : [found]
}
