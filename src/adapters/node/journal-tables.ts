/** What a journal holds beside the events: few and small, so all of it stands in memory and is restated in each segment. */
import type { RoomRecord, StoredState, StoreWrite } from '#mesh/effects.ts'
import { outdoes, type Count } from '#mesh/delivery.ts'
import { isDerived, type FeedId, type PeerId, type RoomId } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import type { Presence, Receipt } from '#mesh/record.ts'
import type { FeedRecord } from '#mesh/sync/held.ts'
import type { ReadMark } from '#mesh/timeline/read-marks.ts'
import type { Position } from '#runtime/ports.ts'
import type { JournalRow } from './journal-rows.ts'

export const tableLimits = {
  /** As many as an engine holds. */
  presencesMax: limits.presencesMax,
  /** guess: of all rooms together; an engine holds 4,096 of each. */
  receiptsMax: 65_536,
  marksMax: 16_384,
  countsMax: 16_384,
} as const

export interface Tables {
  readonly feeds: Map<string, FeedRecord>
  readonly presences: Map<PeerId, Presence>
  /** By room, device and feed. */
  readonly receipts: Map<string, Receipt>
  readonly counts: Map<string, Count>
  readonly othersRead: Map<string, ReadMark>
  readonly drafts: Map<RoomId, string>
  readonly ownMarks: Map<RoomId, Position>
  rooms: readonly RoomRecord[]
  name: string
  incarnation: Uint8Array | undefined
}

export function createTables(): Tables {
  return {
    feeds: new Map(),
    presences: new Map(),
    receipts: new Map(),
    counts: new Map(),
    othersRead: new Map(),
    drafts: new Map(),
    ownMarks: new Map(),
    rooms: [],
    name: '',
    incarnation: undefined,
  }
}

export function storedState(tables: Tables): StoredState {
  return {
    rooms: tables.rooms,
    feeds: [...tables.feeds.values()],
    presences: [...tables.presences.values()],
    receipts: [...new Set(tables.receipts.values())],
    counts: [...tables.counts.values()],
    readMarks: [...tables.othersRead.values()],
    name: tables.name,
  }
}

export function placeKey(room: RoomId, feed: FeedId): string {
  return `${room}/${feed}`
}

export function putFeed(tables: Tables, record: FeedRecord): void {
  const key = placeKey(record.room, record.feed)
  if (isDerived(record.feed) && record.ranges.length === 0) tables.feeds.delete(key)
  else tables.feeds.set(key, record)
}

/** What was said last stays; whoever makes up names by the thousand gets no more room than this. */
function keep<Key, Value>(table: Map<Key, Value>, key: Key, value: Value, sizeMax: number): void {
  table.delete(key)
  table.set(key, value)
  for (const oldest of table.keys()) {
    if (table.size <= sizeMax) return
    table.delete(oldest)
  }
}

/** @returns whether it is the newest for some of its feeds. */
export function putReceipt(tables: Tables, receipt: Receipt): boolean {
  let isNews = false
  for (const { feed } of receipt.entries) {
    const key = `${receipt.room}/${receipt.device}/${feed}`
    const known = tables.receipts.get(key)
    if (known !== undefined && !outdoes(receipt, known)) continue
    keep(tables.receipts, key, receipt, tableLimits.receiptsMax)
    isNews = true
  }
  return isNews
}

/** What peers say of themselves: others have it too, so it may be written a little later. */
export type LazyRow = Extract<JournalRow, { type: 'presence' | 'receipt' | 'mark' | 'count' }>

/** Takes what a write says of peers. @returns what changed, by what replaces it */
export function putStatements(tables: Tables, write: StoreWrite, changed: Map<string, LazyRow>): void {
  for (const presence of write.presences) {
    keep(tables.presences, presence.peer, presence, tableLimits.presencesMax)
    changed.set(`p ${presence.peer}`, { type: 'presence', presence })
  }
  for (const receipt of write.receipts) {
    if (!putReceipt(tables, receipt)) continue
    const feeds = receipt.entries.map(({ feed }) => feed).join(' ')
    changed.set(`r ${receipt.room} ${receipt.device} ${feeds}`, { type: 'receipt', receipt })
  }
  for (const mark of write.readMarks) {
    keep(tables.othersRead, `${mark.room} ${mark.device}`, mark, tableLimits.marksMax)
    changed.set(`m ${mark.room} ${mark.device}`, { type: 'mark', mark })
  }
  for (const count of write.counts) {
    const key = `${count.room} ${count.by} ${count.feed}`
    keep(tables.counts, key, count, tableLimits.countsMax)
    changed.set(`c ${key}`, { type: 'count', count })
  }
}

/** A row that was read again; events, and what moves them, are none of these. */
export function putRow(tables: Tables, row: JournalRow): void {
  switch (row.type) {
    case 'presence':
      keep(tables.presences, row.presence.peer, row.presence, tableLimits.presencesMax)
      return
    case 'receipt':
      putReceipt(tables, row.receipt)
      return
    case 'mark':
      keep(tables.othersRead, `${row.mark.room} ${row.mark.device}`, row.mark, tableLimits.marksMax)
      return
    case 'count':
      keep(
        tables.counts,
        `${row.count.room} ${row.count.by} ${row.count.feed}`,
        row.count,
        tableLimits.countsMax,
      )
      return
    case 'rooms':
      tables.rooms = row.rooms
      return
    case 'name':
      tables.name = row.name
      return
    case 'incarnation':
      tables.incarnation = row.incarnation
      return
    case 'draft':
      if (row.text === '') tables.drafts.delete(row.room)
      else tables.drafts.set(row.room, row.text)
      return
    case 'own-mark':
      tables.ownMarks.set(row.room, row.position)
      return
    case 'restated':
      clear(tables)
      return
    default:
  }
}

function clear(tables: Tables): void {
  tables.feeds.clear()
  tables.presences.clear()
  tables.receipts.clear()
  tables.counts.clear()
  tables.othersRead.clear()
  tables.drafts.clear()
  tables.ownMarks.clear()
}

/** Everything but the feeds, as rows. */
export function* rowsOf(tables: Tables): Generator<JournalRow> {
  yield { type: 'restated' }
  if (tables.incarnation !== undefined) yield { type: 'incarnation', incarnation: tables.incarnation }
  yield { type: 'rooms', rooms: tables.rooms }
  yield { type: 'name', name: tables.name }
  for (const presence of tables.presences.values()) yield { type: 'presence', presence }
  for (const receipt of new Set(tables.receipts.values())) yield { type: 'receipt', receipt }
  for (const mark of tables.othersRead.values()) yield { type: 'mark', mark }
  for (const count of tables.counts.values()) yield { type: 'count', count }
  for (const [room, text] of tables.drafts) yield { type: 'draft', room, text }
  for (const [room, position] of tables.ownMarks) yield { type: 'own-mark', room, position }
}
