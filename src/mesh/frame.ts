/**
 * Every frame between two peers, as one union, and its bytes. Decoding is total: hostile bytes give a
 * `FrameFault`, never an exception. Rules F1–F6 in PROTOCOL.md; the golden bytes are in tests/vectors.
 */
import { assert, unreachable } from './effects.ts'
import { Malformed, Reader, Writer, decodeUtf8, encodeUtf8 } from './bytes.ts'
import { decodeRun, encodeRun, runClaim, type Claim, type Run } from './event.ts'
import {
  bytesToHex,
  feedIdBytesLength,
  feedIdFromBytes,
  feedIdToBytes,
  hexToBytes,
  peerIdBytesLength,
  peerIdFromBytes,
  peerIdToBytes,
  roomIdBytesLength,
  roomIdFromBytes,
  type FeedId,
  type PeerId,
  type RoomId,
} from './ids.ts'
import { limits } from './limits.ts'
import {
  decodePresence,
  decodeReceipt,
  encodePresence,
  encodeReceipt,
  presenceClaim,
  receiptClaim,
  type Presence,
  type Receipt,
} from './record.ts'

/** Consecutive sequence numbers, both ends included. */
export interface Range {
  readonly first: number
  readonly last: number
}

export interface HaveEntry {
  readonly feed: FeedId
  /** Stamp of the newest event held, so that a reader can ask for the newest first. */
  readonly newest: number
  /** Ascending, neither touching nor overlapping. */
  readonly ranges: readonly Range[]
}

/** A peer that the sender heard lately: the first 8 bytes of its id as hex, and how many seconds ago. */
export interface Hearing {
  readonly hint: string
  readonly ageS: number
}

export type Frame =
  | { readonly type: 'rooms'; readonly rooms: readonly RoomId[] }
  | { readonly type: 'have'; readonly room: RoomId; readonly entries: readonly HaveEntry[] }
  | ({ readonly type: 'want'; readonly room: RoomId; readonly feed: FeedId } & Range)
  | ({ readonly type: 'lacking'; readonly room: RoomId; readonly feed: FeedId } & Range)
  | { readonly type: 'events'; readonly answer: boolean; readonly runs: readonly Run[] }
  | { readonly type: 'presence'; readonly records: readonly Presence[] }
  | { readonly type: 'receipts'; readonly receipts: readonly Receipt[] }
  | {
      readonly type: 'heartbeat'
      readonly nowMs: number
      /** 8 bytes as hex over what both sides carry; unequal twice in a row means that something was missed. */
      readonly digest: string
      readonly heard: readonly Hearing[]
    }
  | {
      readonly type: 'signal'
      readonly from: PeerId
      readonly to: PeerId
      readonly hops: number
      readonly payload: string
    }

export type Lane = 'control' | 'chat' | 'bulk'

/** Why bytes from a link are no frame. */
export type FrameFault = 'too-large' | 'malformed' | 'unknown-type'

const codes = {
  rooms: 1,
  have: 2,
  want: 3,
  lacking: 4,
  events: 5,
  presence: 6,
  receipts: 7,
  heartbeat: 8,
  signal: 9,
} as const
const seqMax = Number.MAX_SAFE_INTEGER - 1
export const digestBytesLength = 8
export const hintBytesLength = 8

/** F2: live events ride the chat lane, history the bulk lane, everything else the control lane. */
export function laneOf(frame: Frame): Lane {
  if (frame.type !== 'events') return 'control'
  return frame.answer ? 'bulk' : 'chat'
}

export function encodeFrame(frame: Frame): Uint8Array {
  const writer = new Writer()
  writer.u8(codes[frame.type])
  writeBody(writer, frame)
  assert(writer.size <= limits.frameBytesMax, `frame ${frame.type} of ${writer.size} bytes`)
  return writer.finish()
}

function writeBody(writer: Writer, frame: Frame): void {
  switch (frame.type) {
    case 'rooms':
      writer.varint(frame.rooms.length)
      for (const room of frame.rooms) writer.fixed(hexToBytes(room))
      return
    case 'have':
      writer.fixed(hexToBytes(frame.room)).varint(frame.entries.length)
      for (const entry of frame.entries) writeHaveEntry(writer, entry)
      return
    case 'want':
    case 'lacking':
      writer.fixed(hexToBytes(frame.room)).fixed(feedIdToBytes(frame.feed))
      writer.varint(frame.first).varint(frame.last)
      return
    case 'events':
      writer.u8(frame.answer ? 1 : 0).varint(frame.runs.length)
      for (const run of frame.runs) encodeRun(writer, run)
      return
    case 'presence':
      writer.varint(frame.records.length)
      for (const record of frame.records) encodePresence(writer, record)
      return
    case 'receipts':
      writer.varint(frame.receipts.length)
      for (const receipt of frame.receipts) encodeReceipt(writer, receipt)
      return
    case 'heartbeat':
      writer.u64(frame.nowMs).fixed(hexToBytes(frame.digest)).varint(frame.heard.length)
      for (const { hint, ageS } of frame.heard) writer.fixed(hexToBytes(hint)).u8(ageS)
      return
    case 'signal':
      writer.fixed(peerIdToBytes(frame.from)).fixed(peerIdToBytes(frame.to)).u8(frame.hops)
      writer.block(encodeUtf8(frame.payload))
      return
    default:
      unreachable(frame)
  }
}

function writeHaveEntry(writer: Writer, entry: HaveEntry): void {
  writer.fixed(feedIdToBytes(entry.feed)).u64(entry.newest).varint(entry.ranges.length)
  let from = 0
  for (const range of entry.ranges) {
    writer.varint(range.first - from).varint(range.last - range.first)
    from = range.last + 2
  }
}

/**
 * @returns the frame, or why it is none. Never throws: bytes from a link are untrusted.
 *   `too-large` above `limits.frameBytesMax`; `unknown-type` for a frame of a later version; else `malformed`.
 */
export function decodeFrame(bytes: Uint8Array): Frame | FrameFault {
  if (bytes.length > limits.frameBytesMax) return 'too-large'
  const reader = new Reader(bytes)
  try {
    const frame = readBody(reader, reader.u8())
    if (frame === undefined) return 'unknown-type'
    reader.end()
    return frame
  } catch (error) {
    if (error instanceof Malformed) return 'malformed'
    throw error
  }
}

function readBody(reader: Reader, code: number): Frame | undefined {
  switch (code) {
    case codes.rooms:
      return { type: 'rooms', rooms: reader.list(limits.roomsMax, () => readRoom(reader)) }
    case codes.have: {
      const room = readRoom(reader)
      return { type: 'have', room, entries: reader.list(limits.haveEntriesMax, () => readHaveEntry(reader)) }
    }
    case codes.want:
      return { type: 'want', ...readPlace(reader) }
    case codes.lacking:
      return { type: 'lacking', ...readPlace(reader) }
    case codes.events: {
      const answer = readFlag(reader)
      return { type: 'events', answer, runs: reader.list(limits.recordsPerFrameMax, () => decodeRun(reader)) }
    }
    case codes.presence:
      return {
        type: 'presence',
        records: reader.list(limits.recordsPerFrameMax, () => decodePresence(reader)),
      }
    case codes.receipts:
      return {
        type: 'receipts',
        receipts: reader.list(limits.recordsPerFrameMax, () => decodeReceipt(reader)),
      }
    case codes.heartbeat:
      return readHeartbeat(reader)
    case codes.signal:
      return readSignal(reader)
    default:
      return undefined
  }
}

function readRoom(reader: Reader): RoomId {
  return roomIdFromBytes(reader.fixed(roomIdBytesLength))
}

function readFlag(reader: Reader): boolean {
  const value = reader.u8()
  if (value > 1) throw new Malformed('flag')
  return value === 1
}

function readPlace(reader: Reader): { room: RoomId; feed: FeedId } & Range {
  const room = readRoom(reader)
  const feed = feedIdFromBytes(reader.fixed(feedIdBytesLength))
  const first = reader.varint(seqMax)
  const last = reader.varint(seqMax)
  if (last < first) throw new Malformed('range ends before it starts')
  return { room, feed, first, last }
}

function readHaveEntry(reader: Reader): HaveEntry {
  const feed = feedIdFromBytes(reader.fixed(feedIdBytesLength))
  const newest = reader.u64()
  let from = 0
  const ranges = reader.list(limits.rangesMax, () => {
    const first = from + reader.varint(seqMax)
    const last = first + reader.varint(seqMax)
    if (!Number.isSafeInteger(last + 2)) throw new Malformed('range out of bounds')
    from = last + 2
    return { first, last }
  })
  return { feed, newest, ranges }
}

function readHeartbeat(reader: Reader): Frame {
  const nowMs = reader.u64()
  const digest = bytesToHex(reader.fixed(digestBytesLength))
  const heard = reader.list(limits.heartbeatPeersMax, () => {
    const hint = bytesToHex(reader.fixed(hintBytesLength))
    return { hint, ageS: reader.u8() }
  })
  return { type: 'heartbeat', nowMs, digest, heard }
}

function readSignal(reader: Reader): Frame {
  const from = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const to = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const hops = reader.u8()
  return { type: 'signal', from, to, hops, payload: decodeUtf8(reader.block(limits.signalBytesMax)) }
}

/** Everything in a frame that carries a signature; the runtime checks all of it before the engine sees the frame. */
export function frameClaims(frame: Frame): Claim[] {
  if (frame.type === 'events') return frame.runs.map(runClaim)
  if (frame.type === 'presence') return frame.records.map(presenceClaim)
  if (frame.type === 'receipts') return frame.receipts.map(receiptClaim)
  return []
}
