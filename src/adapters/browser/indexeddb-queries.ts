/** What is read of the history in IndexedDB. */
import type { PlacedEvent } from '#mesh/clock.ts'
import { feedAuthor, type EventId, type PeerId, type RoomId } from '#mesh/ids.ts'
import type { HistoryQuery, Position } from '#runtime/ports.ts'
import type { Database, StoredEvent } from './indexeddb-schema.ts'

/** guess: events looked at to count the unread ones; own ones and what is said about messages do not count. */
const countedMax = 4_000

export async function historyOf(
  database: Database,
  { room, before, after, limit }: HistoryQuery,
): Promise<PlacedEvent[]> {
  const index = database.transaction('events').store.index('position')
  const range = positionRange(room, before, after)
  const isUpwards = after !== undefined
  const events: PlacedEvent[] = []
  let cursor = await index.openCursor(range, isUpwards ? 'next' : 'prev')
  while (cursor !== null && events.length < limit) {
    if (isAmongMessages(cursor.value)) events.push(cursor.value)
    cursor = await cursor.continue()
  }
  return isUpwards ? events : events.reverse()
}

export async function findEvents(database: Database, ids: readonly EventId[]): Promise<PlacedEvent[]> {
  const index = database.transaction('events').store.index('id')
  const found = await Promise.all(ids.map((id) => index.get(id)))
  return found.filter((event) => event !== undefined)
}

export async function aboutTargets(database: Database, targets: readonly EventId[]): Promise<PlacedEvent[]> {
  const index = database.transaction('events').store.index('target')
  const found = await Promise.all(targets.map((target) => index.getAll(target)))
  return found.flat()
}

export function rulingsBy(database: Database, room: RoomId, author: PeerId): Promise<PlacedEvent[]> {
  return database.getAllFromIndex('events', 'ruling', [room, author])
}

function isAmongMessages({ target, ruling }: StoredEvent): boolean {
  return target === undefined && ruling === undefined
}

/** @param what at most `max` are counted, none of `except` */
export async function countAfter(
  database: Database,
  what: {
    readonly room: RoomId
    readonly after: Position | undefined
    readonly except: PeerId
    readonly max: number
  },
): Promise<number> {
  const range = positionRange(what.room, undefined, what.after)
  let count = 0
  let cursor = await database.transaction('events').store.index('position').openCursor(range)
  for (let steps = 0; cursor !== null && count < what.max && steps < countedMax; steps++) {
    if (isAmongMessages(cursor.value) && feedAuthor(cursor.value.feed) !== what.except) count += 1
    cursor = await cursor.continue()
  }
  return count
}

function positionRange(room: RoomId, before: Position | undefined, after: Position | undefined): IDBKeyRange {
  const low = after === undefined ? [room] : [room, after.effective, after.id as EventId]
  // An array sorts above every number and text: this is behind everything of the room.
  const high = before === undefined ? [room, []] : [room, before.effective, before.id as EventId]
  return IDBKeyRange.bound(low, high, after !== undefined, before !== undefined)
}
