/**
 * How far people have read a room: state, not history, told by those who switched it on for the room. Rule D11 in
 * PROTOCOL.md.
 *
 * Source: `gossip.md` §7.4. Deviation: in rooms of many nobody tells, since a name there would cross every link for
 * each message, and a count says no more than that it was delivered.
 */
import { Malformed, Writer, concatBytes, encodeUtf8, type Reader } from '../bytes.ts'
import type { Effect } from '../effects.ts'
import { signatureBytesLength, type Claim } from '../event.ts'
import {
  eventIdBytesLength,
  eventIdFromBytes,
  hexToBytes,
  peerIdBytesLength,
  peerIdFromBytes,
  peerIdToBytes,
  roomIdBytesLength,
  roomIdFromBytes,
  type EventId,
  type PeerId,
  type RoomId,
} from '../ids.ts'
import { limits } from '../limits.ts'
import { nextCounter, sign } from '../signing.ts'
import type { Engine } from '../state.ts'
import { isLargeRoom } from '../sync/tally.ts'

/** A place in the order: everything up to there. */
export interface ReadPosition {
  readonly effective: number
  readonly id: EventId
}
export interface ReadMarkFields extends ReadPosition {
  readonly device: PeerId
  readonly room: RoomId
  /** A stamp; of two marks of a device for a room the larger one counts. */
  readonly counter: number
}
export interface ReadMark extends ReadMarkFields {
  readonly signature: Uint8Array
}

export interface ReadMarks {
  /** By room and device: the newest. */
  readonly known: Map<RoomId, Map<PeerId, ReadMark>>
  /** How far this device has read, where it was not told yet. */
  readonly unsaid: Map<RoomId, ReadPosition>
  /** When it is told next, ms. */
  sayAtMs: number
  readonly changed: Set<RoomId>
}

export function createReadMarks(marks: readonly ReadMark[]): ReadMarks {
  const state: ReadMarks = { known: new Map(), unsaid: new Map(), sayAtMs: 0, changed: new Set() }
  for (const mark of marks) acceptMark(state, mark)
  state.changed.clear()
  return state
}

/** @returns whether it is news. */
export function acceptMark(state: ReadMarks, mark: ReadMark): boolean {
  const room = state.known.get(mark.room) ?? new Map<PeerId, ReadMark>()
  const known = room.get(mark.device)
  if (known !== undefined && known.counter >= mark.counter) return false
  if (known === undefined && room.size >= limits.receiptPeopleMax) return false
  room.set(mark.device, mark)
  state.known.set(mark.room, room)
  state.changed.add(mark.room)
  return true
}

/** D11: a person has read up to there. It is told where that was switched on, and never goes back. */
export function noteRead(engine: Engine, room: RoomId, position: ReadPosition): void {
  const { readMarks, self } = engine
  if (engine.rooms.get(room)?.tellsRead !== true) return
  const known = readMarks.unsaid.get(room) ?? readMarks.known.get(room)?.get(self)
  if (known !== undefined && compare(position, known) <= 0) return
  readMarks.unsaid.set(room, position)
}

function compare(a: ReadPosition, b: ReadPosition): number {
  return a.effective - b.effective || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

/** D11: every few seconds at most, and in rooms of few. */
export function sayRead(engine: Engine, nowMs: number, out: Effect[]): void {
  const { readMarks } = engine
  if (readMarks.unsaid.size === 0 || nowMs < readMarks.sayAtMs) return
  readMarks.sayAtMs = nowMs + limits.readMarkIntervalMs
  for (const [room, { effective, id }] of readMarks.unsaid) {
    if (isLargeRoom(engine, room, nowMs) || engine.rooms.get(room)?.tellsRead !== true) continue
    const counter = nextCounter(engine, nowMs)
    const fields: ReadMarkFields = { device: engine.self, room, counter, effective, id }
    sign(engine, { type: 'read-mark', fields }, readMarkSigningBytes(fields), out)
  }
  readMarks.unsaid.clear()
}

/** Who has read how far, for the screen. */
export function readersOf(state: ReadMarks, room: RoomId): (ReadPosition & { readonly peer: PeerId })[] {
  return [...(state.known.get(room)?.values() ?? [])].map(({ device, effective, id }) => {
    return { peer: device, effective, id }
  })
}

const domain = encodeUtf8('meshchat/1/sign/read-mark')

function writeFields(writer: Writer, mark: ReadMarkFields): Writer {
  writer.fixed(peerIdToBytes(mark.device)).fixed(hexToBytes(mark.room))
  return writer.u64(mark.counter).u64(mark.effective).fixed(hexToBytes(mark.id))
}

export function readMarkSigningBytes(mark: ReadMarkFields): Uint8Array {
  return concatBytes(domain, writeFields(new Writer(), mark).finish())
}

export function readMarkClaim(mark: ReadMark): Claim {
  return { signer: mark.device, message: readMarkSigningBytes(mark), signature: mark.signature }
}

export function encodeReadMark(writer: Writer, mark: ReadMark): void {
  writeFields(writer, mark).fixed(mark.signature)
}

/** @throws Malformed */
export function decodeReadMark(reader: Reader): ReadMark {
  const device = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const room = roomIdFromBytes(reader.fixed(roomIdBytesLength))
  const counter = reader.u64()
  const effective = reader.u64()
  if (counter > limits.stampMax) throw new Malformed('stamp out of range')
  const id = eventIdFromBytes(reader.fixed(eventIdBytesLength))
  return { device, room, counter, effective, id, signature: reader.fixed(signatureBytesLength) }
}
