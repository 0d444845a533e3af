/** Fields of a journal's rows that are more than a number or two. */
import type { Reader, Writer } from '#mesh/bytes.ts'
import type { PlacedEvent } from '#mesh/clock.ts'
import type { Count } from '#mesh/delivery.ts'
import { signatureBytesLength } from '#mesh/event.ts'
import {
  eventIdBytesLength,
  eventIdFromBytes,
  feedIdBytesLength,
  feedIdFromBytes,
  feedIdToBytes,
  hexToBytes,
  peerIdBytesLength,
  peerIdFromBytes,
  peerIdToBytes,
  roomIdBytesLength,
  roomIdFromBytes,
  type EventId,
  type RoomId,
} from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import type { FeedRecord, HeldRange } from '#mesh/sync/held.ts'

export const placesMax = 0xffff_ffff
export const seqMax = Number.MAX_SAFE_INTEGER
const listMax = 65_536

/** An event as a row has it; which feed it stands under may have changed since. */
export type EventRow = Omit<PlacedEvent, 'room' | 'feed'> & { readonly place: number }

/** A range whose ends are not told, since the events stand in the journal themselves. */
export interface BareRange {
  readonly first: number
  readonly last: number
  readonly ends: Omit<HeldRange, 'first' | 'last'> | undefined
}
export type FeedRow = Omit<FeedRecord, 'room' | 'feed' | 'ranges'> & {
  readonly place: number
  readonly ranges: readonly BareRange[]
}

export function readRoom(reader: Reader): RoomId {
  return roomIdFromBytes(reader.fixed(roomIdBytesLength))
}

export function readId(reader: Reader): EventId {
  return eventIdFromBytes(reader.fixed(eventIdBytesLength))
}

const hasPrev = 1
const isSigned = 2
const isMoved = 4
const isOwn = 8

export function writeEvent(writer: Writer, event: EventRow): void {
  const { prev, signature, audience, effective, hlc } = event
  const marks =
    (prev === undefined ? 0 : hasPrev) |
    (signature === undefined ? 0 : isSigned) |
    (effective === hlc ? 0 : isMoved) |
    (audience === undefined ? 0 : isOwn)
  writer.u8(marks).varint(event.place).varint(event.seq).fixed(hexToBytes(event.id)).varint(hlc)
  if (prev !== undefined) writer.fixed(hexToBytes(prev))
  writer.u8(event.deps.length)
  for (const dep of event.deps) writer.fixed(hexToBytes(dep))
  writer.u8(event.kind).u8(event.flags).varint(event.epoch).varint(Math.max(0, event.storedAtMs))
  writer.block(event.body)
  if (signature !== undefined) writer.fixed(signature)
  if (effective !== hlc) writer.varint(effective)
  if (audience === undefined) return
  writer.varint(audience.length)
  for (const peer of audience) writer.fixed(peerIdToBytes(peer))
}

export function readEvent(reader: Reader): EventRow {
  const marks = reader.u8()
  const place = reader.varint(placesMax)
  const seq = reader.varint(seqMax)
  const id = readId(reader)
  const hlc = reader.varint(seqMax)
  const prev = (marks & hasPrev) === 0 ? undefined : readId(reader)
  const deps = Array.from({ length: reader.u8() }, () => readId(reader))
  const [kind, flags] = [reader.u8(), reader.u8()]
  const epoch = reader.varint(seqMax)
  const storedAtMs = reader.varint(seqMax)
  const body = reader.block(limits.bodyBytesMax)
  const signature = (marks & isSigned) === 0 ? undefined : reader.fixed(signatureBytesLength)
  const effective = (marks & isMoved) === 0 ? hlc : reader.varint(seqMax)
  const audience =
    (marks & isOwn) === 0
      ? undefined
      : reader.list(listMax, () => peerIdFromBytes(reader.fixed(peerIdBytesLength)))
  const said = { prev, hlc, deps, kind, flags, epoch, body, signature }
  return { ...said, place, seq, id, effective, storedAtMs, audience }
}

const hasOrigin = 1
const hasEnd = 2
const hasFloor = 4
const hasHad = 8
const hasBytes = 16

export function writeFeed(writer: Writer, row: FeedRow): void {
  const { origin, endsAt, floor, had, bytes } = row
  const marks =
    (origin === undefined ? 0 : hasOrigin) |
    (endsAt === undefined ? 0 : hasEnd) |
    (floor === undefined ? 0 : hasFloor) |
    (had === undefined ? 0 : hasHad) |
    (bytes === undefined ? 0 : hasBytes)
  writer.u8(marks).varint(row.place).varint(row.newest)
  if (origin !== undefined) writer.fixed(feedIdToBytes(origin))
  if (endsAt !== undefined) writer.varint(endsAt)
  if (floor !== undefined) writer.varint(floor)
  if (had !== undefined) {
    writer.varint(had.length)
    for (const { first, last } of had) writer.varint(first).varint(last)
  }
  if (bytes !== undefined) writer.varint(bytes)
  writer.varint(row.ranges.length)
  for (const { first, last, ends } of row.ranges) {
    writer.varint(first).varint(last - first)
    writeEnds(writer, ends)
  }
}

function writeEnds(writer: Writer, ends: BareRange['ends']): void {
  if (ends === undefined) {
    writer.u8(0)
    return
  }
  const { prev, firstId, firstStamp, lastId } = ends
  writer.u8(
    1 | (prev === undefined ? 0 : 2) | (firstId === undefined ? 0 : 4) | (firstStamp === undefined ? 0 : 8),
  )
  writer.fixed(hexToBytes(lastId))
  if (prev !== undefined) writer.fixed(hexToBytes(prev))
  if (firstId !== undefined) writer.fixed(hexToBytes(firstId))
  if (firstStamp !== undefined) writer.varint(firstStamp)
}

function readEnds(reader: Reader): BareRange['ends'] {
  const marks = reader.u8()
  if (marks === 0) return undefined
  const lastId = readId(reader)
  const prev = (marks & 2) === 0 ? undefined : readId(reader)
  const firstId = (marks & 4) === 0 ? {} : { firstId: readId(reader) }
  const firstStamp = (marks & 8) === 0 ? {} : { firstStamp: reader.varint(seqMax) }
  return { prev, ...firstId, ...firstStamp, lastId }
}

export function readFeed(reader: Reader): FeedRow {
  const marks = reader.u8()
  const place = reader.varint(placesMax)
  const newest = reader.varint(seqMax)
  const origin = (marks & hasOrigin) === 0 ? undefined : feedIdFromBytes(reader.fixed(feedIdBytesLength))
  const endsAt = (marks & hasEnd) === 0 ? undefined : reader.varint(seqMax)
  const floor = (marks & hasFloor) === 0 ? undefined : reader.varint(seqMax)
  const had =
    (marks & hasHad) === 0
      ? undefined
      : reader.list(listMax, () => ({ first: reader.varint(seqMax), last: reader.varint(seqMax) }))
  const bytes = (marks & hasBytes) === 0 ? undefined : reader.varint(seqMax)
  const ranges = reader.list(listMax, () => {
    const first = reader.varint(seqMax)
    return { first, last: first + reader.varint(seqMax), ends: readEnds(reader) }
  })
  return {
    place,
    newest,
    ...(origin === undefined ? {} : { origin }),
    ...(endsAt === undefined ? {} : { endsAt }),
    ...(floor === undefined ? {} : { floor }),
    ...(had === undefined ? {} : { had }),
    ...(bytes === undefined ? {} : { bytes }),
    ranges,
  }
}

export function writeCount(writer: Writer, count: Count): void {
  writer.fixed(hexToBytes(count.room)).fixed(peerIdToBytes(count.by)).fixed(feedIdToBytes(count.feed))
  writer.varint(count.others).varint(count.ranges.length)
  for (const { first, last, readers } of count.ranges) writer.varint(first).varint(last).varint(readers)
}

export function readCount(reader: Reader): Count {
  const room = readRoom(reader)
  const by = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const feed = feedIdFromBytes(reader.fixed(feedIdBytesLength))
  const others = reader.varint(seqMax)
  const ranges = reader.list(listMax, () => {
    const [first, last] = [reader.varint(seqMax), reader.varint(seqMax)]
    return { first, last, readers: reader.varint(seqMax) }
  })
  return { room, by, feed, others, ranges }
}
