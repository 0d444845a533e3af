/**
 * How a journal writes things down: rows in transactions, each transaction behind its length and its CRC-32. Codec
 * only; what the rows mean, `journal-store.ts` knows.
 *
 * transaction: length u32 · crc u32 · rows. row: tag u8 · fields. A place is a (room, feed) under a number that counts
 * until the same number is given to another one.
 */
import { crc32 } from 'node:zlib'
import { Malformed, Reader, Writer } from '#mesh/bytes.ts'
import type { Count } from '#mesh/delivery.ts'
import type { RoomRecord } from '#mesh/effects.ts'
import {
  feedIdBytesLength,
  feedIdFromBytes,
  feedIdToBytes,
  hexToBytes,
  incarnationBytesLength,
  type EventId,
  type FeedId,
  type RoomId,
} from '#mesh/ids.ts'
import { decodePresence, decodeReceipt, encodePresence, encodeReceipt } from '#mesh/record.ts'
import type { Presence, Receipt } from '#mesh/record.ts'
import { decodeReadMark, encodeReadMark, type ReadMark } from '#mesh/timeline/read-marks.ts'
import type { Position } from '#runtime/ports.ts'
import {
  placesMax,
  readCount,
  readEvent,
  readFeed,
  readId,
  readRoom,
  seqMax,
  writeCount,
  writeEvent,
  writeFeed,
  type EventRow,
  type FeedRow,
} from './journal-fields.ts'

export const transactionHeadBytes = 8
/** No transaction is larger: an engine's batch is bounded, and so is what is moved at a time. */
export const transactionBytesMax = 134_217_728

const textBytesMax = 4_194_304

export type JournalRow =
  | { readonly type: 'place'; readonly place: number; readonly room: RoomId; readonly feed: FeedId }
  | { readonly type: 'event'; readonly event: EventRow }
  | { readonly type: 'effective'; readonly id: EventId; readonly effective: number }
  | {
      readonly type: 'split'
      readonly from: number
      readonly first: number
      readonly last: number
      readonly to: number
    }
  | { readonly type: 'cut'; readonly place: number; readonly below: number }
  | { readonly type: 'feed'; readonly feed: FeedRow }
  | { readonly type: 'presence'; readonly presence: Presence }
  | { readonly type: 'receipt'; readonly receipt: Receipt }
  | { readonly type: 'mark'; readonly mark: ReadMark }
  | { readonly type: 'count'; readonly count: Count }
  | { readonly type: 'rooms'; readonly rooms: readonly RoomRecord[] }
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'incarnation'; readonly incarnation: Uint8Array }
  | { readonly type: 'draft'; readonly room: RoomId; readonly text: string }
  | { readonly type: 'own-mark'; readonly room: RoomId; readonly position: Position }
  /** What stood in the tables before no longer counts: all of it follows. */
  | { readonly type: 'restated' }

const tags = [
  'place',
  'event',
  'effective',
  'split',
  'cut',
  'feed',
  'presence',
  'receipt',
  'mark',
  'count',
  'rooms',
  'name',
  'incarnation',
  'draft',
  'own-mark',
  'restated',
] as const satisfies readonly JournalRow['type'][]

export interface WrittenTransaction {
  readonly bytes: Uint8Array
  /** Of each row, from the first byte of the transaction. */
  readonly spans: readonly { readonly offset: number; readonly length: number }[]
}

export function encodeTransaction(rows: readonly JournalRow[]): WrittenTransaction {
  const writer = new Writer().u32(0).u32(0)
  const spans = rows.map((row) => {
    const offset = writer.size
    writeRow(writer.u8(tags.indexOf(row.type)), row)
    return { offset, length: writer.size - offset }
  })
  const bytes = writer.finish()
  const head = new DataView(bytes.buffer)
  head.setUint32(0, bytes.length - transactionHeadBytes)
  head.setUint32(4, crc32(bytes.subarray(transactionHeadBytes)))
  return { bytes, spans }
}

/** @returns how long the transaction says it is, with its head, or undefined when no transaction says so. */
export function claimedLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < transactionHeadBytes) return undefined
  const length = headOf(bytes).getUint32(0)
  return length === 0 || length > transactionBytesMax ? undefined : transactionHeadBytes + length
}

function headOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, transactionHeadBytes)
}

/** @param transaction as long as it claims @returns whether it is what was written */
export function isWhole(transaction: Uint8Array): boolean {
  return crc32(transaction.subarray(transactionHeadBytes)) === headOf(transaction).getUint32(4)
}

export interface ReadRow {
  readonly row: JournalRow
  /** From the first byte of the transaction. */
  readonly offset: number
  readonly length: number
}

/** @param transaction whole, with its head @throws Malformed */
export function* readRows(transaction: Uint8Array): Generator<ReadRow> {
  const reader = new Reader(transaction.subarray(transactionHeadBytes))
  while (!reader.isAtEnd) {
    const offset = reader.position + transactionHeadBytes
    const row = readRow(reader)
    yield { row, offset, length: reader.position + transactionHeadBytes - offset }
  }
}

/** @param bytes of one row that is an event @throws Malformed */
export function readEventRow(bytes: Uint8Array): EventRow {
  const row = readRow(new Reader(bytes))
  if (row.type !== 'event') throw new Malformed('another row')
  return row.event
}

function writeRow(writer: Writer, row: JournalRow): void {
  switch (row.type) {
    case 'place':
      writer.varint(row.place).fixed(hexToBytes(row.room)).fixed(feedIdToBytes(row.feed))
      return
    case 'event':
      return writeEvent(writer, row.event)
    case 'effective':
      writer.fixed(hexToBytes(row.id)).varint(row.effective)
      return
    case 'split':
      writer.varint(row.from).varint(row.first).varint(row.last).varint(row.to)
      return
    case 'cut':
      writer.varint(row.place).varint(row.below)
      return
    case 'feed':
      return writeFeed(writer, row.feed)
    case 'presence':
      return encodePresence(writer, row.presence)
    case 'receipt':
      return encodeReceipt(writer, row.receipt)
    case 'mark':
      return encodeReadMark(writer, row.mark)
    case 'count':
      return writeCount(writer, row.count)
    case 'rooms':
      // Few and rarely written; text keeps every field that a later version adds.
      writer.text(JSON.stringify(row.rooms))
      return
    case 'name':
      writer.text(row.name)
      return
    case 'incarnation':
      writer.fixed(row.incarnation)
      return
    case 'draft':
      writer.fixed(hexToBytes(row.room)).text(row.text)
      return
    case 'own-mark':
      writer.fixed(hexToBytes(row.room)).varint(row.position.effective).text(row.position.id)
      return
    case 'restated':
  }
}

function readRow(reader: Reader): JournalRow {
  const type = tags[reader.u8()]
  switch (type) {
    case 'place': {
      const place = reader.varint(placesMax)
      const room = readRoom(reader)
      return { type, place, room, feed: feedIdFromBytes(reader.fixed(feedIdBytesLength)) }
    }
    case 'event':
      return { type, event: readEvent(reader) }
    case 'effective':
      return { type, id: readId(reader), effective: reader.varint(seqMax) }
    case 'split': {
      const [from, first] = [reader.varint(placesMax), reader.varint(seqMax)]
      return { type, from, first, last: reader.varint(seqMax), to: reader.varint(placesMax) }
    }
    case 'cut':
      return { type, place: reader.varint(placesMax), below: reader.varint(seqMax) }
    case 'feed':
      return { type, feed: readFeed(reader) }
    case 'presence':
      return { type, presence: decodePresence(reader) }
    case 'receipt':
      return { type, receipt: decodeReceipt(reader) }
    case 'mark':
      return { type, mark: decodeReadMark(reader) }
    case 'count':
      return { type, count: readCount(reader) }
    case 'rooms':
      return { type, rooms: readRooms(reader.text(textBytesMax)) }
    case 'name':
      return { type, name: reader.text(textBytesMax) }
    case 'incarnation':
      return { type, incarnation: reader.fixed(incarnationBytesLength) }
    case 'draft':
      return { type, room: readRoom(reader), text: reader.text(textBytesMax) }
    case 'own-mark': {
      const room = readRoom(reader)
      return { type, room, position: { effective: reader.varint(seqMax), id: reader.text(textBytesMax) } }
    }
    case 'restated':
      return { type }
    default:
      throw new Malformed('unknown row')
  }
}

/** A list that this software wrote itself and whose sum has been checked. */
function readRooms(text: string): RoomRecord[] {
  try {
    return JSON.parse(text) as RoomRecord[]
  } catch {
    // The only thing that `parse` reports.
    throw new Malformed('rooms')
  }
}
