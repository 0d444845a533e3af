/**
 * Every frame between two peers, as one union, and its bytes. Decoding is total: hostile bytes give a
 * `FrameFault`, never an exception. Rules F1–F6 in PROTOCOL.md; the golden bytes are in tests/vectors.
 */
import { assert, unreachable } from './effects.ts'
import { Malformed, Reader, Writer } from './bytes.ts'
import { runClaim, type Claim, type Run } from './event.ts'
import { decodeItem, encodeItem, itemClaim, type Item } from './gossip/item.ts'
import type { Packet } from './gossip/lane.ts'
import { decodeNote, encodeNote, type Note } from './gossip/note.ts'
import {
  bytesToHex,
  feedIdBytesLength,
  feedIdFromBytes,
  feedIdToBytes,
  hexToBytes,
  roomIdBytesLength,
  roomIdFromBytes,
  type FeedId,
  type RoomId,
} from './ids.ts'
import { limits } from './limits.ts'
import {
  isOverlayFrame,
  readOverlayFrame,
  writeOverlayFrame,
  type OverlayFrame,
} from './overlay/overlay-frame.ts'
import { decodeBundle, encodeBundle } from './sync/bundle.ts'
import {
  isSyncFrame,
  readHolding,
  readSyncFrame,
  writeHolding,
  writeSyncFrame,
  type Holding,
  type Range,
  type SyncFrame,
} from './sync/sync-frame.ts'

export interface HaveEntry extends Holding {
  readonly feed: FeedId
  /** Stamp of the newest event held, so that a reader can ask for the newest first. */
  readonly newest: number
}

/** What both sides of a link compare every few seconds: 32 bits each, over what both carry. */
export interface Digests {
  /** 8 bytes as hex over everything durable in the common rooms. */
  readonly log: string
  readonly sites: number
  readonly presences: number
  readonly receipts: number
  /** Who of the own site is heard. */
  readonly alive: number
}

export interface WantedPart extends Range {
  readonly name: number
}

export type Frame =
  | OverlayFrame
  | SyncFrame
  | { readonly type: 'rooms'; readonly rooms: readonly RoomId[] }
  | { readonly type: 'have'; readonly room: RoomId; readonly entries: readonly HaveEntry[] }
  /** Parts of feeds, each by its short name. */
  | { readonly type: 'want'; readonly room: RoomId; readonly parts: readonly WantedPart[] }
  | ({ readonly type: 'lacking'; readonly room: RoomId } & WantedPart)
  /** An answer to a want. */
  | { readonly type: 'events'; readonly runs: readonly Run[] }
  /** Items on a reliable lane: what was fetched, and who an author is. */
  | { readonly type: 'items'; readonly items: readonly Item[] }
  | ({ readonly type: 'packet' } & Packet)
  | { readonly type: 'heartbeat'; readonly nowMs: number; readonly digests: Digests }

export type Lane = 'control' | 'chat' | 'bulk'

/** Why bytes from a link are no frame. */
export type FrameFault = 'too-large' | 'malformed' | 'unknown-type'

const codes = {
  rooms: 1,
  have: 2,
  want: 3,
  lacking: 4,
  events: 5,
  items: 6,
  packet: 7,
  heartbeat: 8,
} as const
const packetFlags = { seq: 1, ack: 2, bits: 4 } as const
const seqMax = Number.MAX_SAFE_INTEGER - 1
export const digestBytesLength = 8

/** F2: packets ride the chat lane, history and large items the bulk lane, everything else the control lane. */
export function laneOf(frame: Frame): Lane {
  if (frame.type === 'packet') return 'chat'
  return frame.type === 'events' || frame.type === 'items' ? 'bulk' : 'control'
}

export function encodeFrame(frame: Frame): Uint8Array {
  const writer = new Writer()
  writeFrame(writer, frame)
  assert(writer.size <= limits.frameBytesMax, `frame ${frame.type} of ${writer.size} bytes`)
  return writer.finish()
}

function writeFrame(writer: Writer, frame: Frame): void {
  if (isOverlayFrame(frame)) return writeOverlayFrame(writer, frame)
  if (isSyncFrame(frame)) return writeSyncFrame(writer, frame)
  writer.u8(codes[frame.type])
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
      writer.fixed(hexToBytes(frame.room)).varint(frame.parts.length)
      for (const { name, first, last } of frame.parts)
        writer
          .u32(name)
          .varint(first)
          .varint(last - first)
      return
    case 'lacking':
      writer.fixed(hexToBytes(frame.room)).u32(frame.name)
      writer.varint(frame.first).varint(frame.last - frame.first)
      return
    case 'events':
      return encodeBundle(writer, frame.runs)
    case 'items':
      writer.varint(frame.items.length)
      for (const item of frame.items) encodeItem(writer, item)
      return
    case 'packet':
      return writePacket(writer, frame)
    case 'heartbeat':
      return writeHeartbeat(writer, frame.nowMs, frame.digests)
    default:
      unreachable(frame)
  }
}

function writeHeartbeat(writer: Writer, nowMs: number, digests: Digests): void {
  writer.u64(nowMs).fixed(hexToBytes(digests.log))
  writer.u32(digests.sites).u32(digests.presences).u32(digests.receipts).u32(digests.alive)
}

function writePacket(writer: Writer, packet: Packet): void {
  const { seq, ack, notes } = packet
  const hasBits = ack !== undefined && ack.bits !== 0
  writer.u8(
    (seq === undefined ? 0 : packetFlags.seq) +
      (ack === undefined ? 0 : packetFlags.ack) +
      (hasBits ? packetFlags.bits : 0),
  )
  if (seq !== undefined) writer.u16(seq)
  if (ack !== undefined) writer.u16(ack.base)
  if (hasBits) writer.u32(ack.bits)
  for (const note of notes) encodeNote(writer, note)
}

function writeHaveEntry(writer: Writer, entry: HaveEntry): void {
  writer.fixed(feedIdToBytes(entry.feed)).u64(entry.newest)
  writeHolding(writer, entry)
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
      return { type: 'rooms', rooms: reader.list(limits.roomsToldMax, () => readRoom(reader)) }
    case codes.have: {
      const room = readRoom(reader)
      return { type: 'have', room, entries: reader.list(limits.haveEntriesMax, () => readHaveEntry(reader)) }
    }
    case codes.want:
      return {
        type: 'want',
        room: readRoom(reader),
        parts: reader.list(limits.servingQueueMax, () => readWantedPart(reader)),
      }
    case codes.lacking:
      return { type: 'lacking', room: readRoom(reader), ...readWantedPart(reader) }
    case codes.events:
      return { type: 'events', runs: decodeBundle(reader) }
    case codes.items:
      return {
        type: 'items',
        items: reader.list(limits.recordsPerFrameMax, () => decodeItem(reader, reader.u8())),
      }
    case codes.packet:
      return readPacket(reader)
    case codes.heartbeat:
      return readHeartbeat(reader)
    default:
      return readOverlayFrame(reader, code) ?? readSyncFrame(reader, code)
  }
}

function readRoom(reader: Reader): RoomId {
  return roomIdFromBytes(reader.fixed(roomIdBytesLength))
}

function readWantedPart(reader: Reader): WantedPart {
  const name = reader.u32()
  const first = reader.varint(seqMax)
  const last = first + reader.varint(seqMax)
  if (!Number.isSafeInteger(last)) throw new Malformed('range out of bounds')
  return { name, first, last }
}

function readHaveEntry(reader: Reader): HaveEntry {
  const feed = feedIdFromBytes(reader.fixed(feedIdBytesLength))
  const newest = reader.u64()
  return { feed, newest, ...readHolding(reader) }
}

function readHeartbeat(reader: Reader): Frame {
  const nowMs = reader.u64()
  const log = bytesToHex(reader.fixed(digestBytesLength))
  const digests = {
    log,
    sites: reader.u32(),
    presences: reader.u32(),
    receipts: reader.u32(),
    alive: reader.u32(),
  }
  return { type: 'heartbeat', nowMs, digests }
}

function readPacket(reader: Reader): Frame {
  const flags = reader.u8()
  if (flags > 7 || (flags & (packetFlags.ack | packetFlags.bits)) === packetFlags.bits)
    throw new Malformed('packet')
  const seq = (flags & packetFlags.seq) === 0 ? undefined : reader.u16()
  const base = (flags & packetFlags.ack) === 0 ? undefined : reader.u16()
  const bits = (flags & packetFlags.bits) === 0 ? 0 : reader.u32()
  if ((flags & packetFlags.bits) !== 0 && bits === 0) throw new Malformed('no bits')
  const ack = base === undefined ? undefined : { base, bits }
  const notes: Note[] = []
  while (!reader.isAtEnd) {
    if (notes.length >= limits.notesPerPacketMax) throw new Malformed('too many notes')
    notes.push(decodeNote(reader))
  }
  // Nobody could say which packet was unclear.
  if (seq === undefined && notes.some((note) => note.type === 'short')) throw new Malformed('short')
  return { type: 'packet', seq, ack, notes }
}

/** Everything in a frame that carries a signature; the runtime checks all of it before the engine sees the frame. */
export function frameClaims(frame: Frame): Claim[] {
  if (frame.type === 'events') return frame.runs.map(runClaim)
  const items =
    frame.type === 'items'
      ? frame.items
      : frame.type === 'packet'
        ? frame.notes.flatMap((note) => (note.type === 'item' ? [note.item] : []))
        : []
  return items.flatMap((item) => itemClaim(item) ?? [])
}
