/** Frames that compare histories: prints of rooms, sketches of a room's feeds, and what they showed. Rules R8–R13. */
import { Malformed, type Reader, type Writer } from '../bytes.ts'
import { unreachable } from '../effects.ts'
import { bytesToHex, hexToBytes, roomIdBytesLength, roomIdFromBytes, type RoomId } from '../ids.ts'
import { limits } from '../limits.ts'
import { fieldSize, type SketchSymbol } from './sketch.ts'

/** Consecutive sequence numbers, both ends included. */
export interface Range {
  readonly first: number
  readonly last: number
}

/** What is held of a feed. */
export interface Holding {
  /** Ascending, neither touching nor overlapping. */
  readonly ranges: readonly Range[]
  /** N3: below this number nothing is kept; absent where nothing was let go of. */
  readonly floor?: number
}

/** What is held of a feed that the other side knows by its short name too. */
export interface ShortEntry extends Holding {
  readonly name: number
}

/** Short names from one to another, both included. */
export interface Span {
  readonly from: number
  readonly to: number
}

export type SyncFrame =
  /** 8 bytes as hex over everything durable in each room; all zero when there is nothing. */
  | {
      readonly type: 'prints'
      readonly rooms: readonly { readonly room: RoomId; readonly print: string }[]
    }
  | { readonly type: 'sketch'; readonly room: RoomId; readonly symbols: readonly SketchSymbol[] }
  | {
      readonly type: 'differ'
      readonly room: RoomId
      /** The answer to a `differ`: nothing more is to be said. */
      readonly isLast: boolean
      /** What the sender holds of feeds that differ. */
      readonly entries: readonly ShortEntry[]
      /** Set where everything is listed whose name lies in here: what is not, the sender does not have. */
      readonly span?: Span
      /** Feeds that the sender does not know. */
      readonly unknown: readonly number[]
      /** So many symbols are needed; 0 when there were enough. */
      readonly more: number
    }

const codes = { prints: 17, sketch: 18, differ: 19 } as const
const printBytesLength = 8
const seqMax = Number.MAX_SAFE_INTEGER - 1

export function isSyncFrame(frame: { readonly type: string }): frame is SyncFrame {
  return frame.type in codes
}

export function writeSyncFrame(writer: Writer, frame: SyncFrame): void {
  writer.u8(codes[frame.type])
  switch (frame.type) {
    case 'prints':
      writer.varint(frame.rooms.length)
      for (const { room, print } of frame.rooms) writer.fixed(hexToBytes(room)).fixed(hexToBytes(print))
      return
    case 'sketch':
      writer.fixed(hexToBytes(frame.room)).varint(frame.symbols.length)
      for (const { sum, product, check } of frame.symbols) writer.u32(sum).u32(product).u32(check)
      return
    case 'differ':
      writer.fixed(hexToBytes(frame.room)).u8((frame.isLast ? 1 : 0) + (frame.span === undefined ? 0 : 2))
      if (frame.span !== undefined) writer.u32(frame.span.from).u32(frame.span.to)
      writer.varint(frame.entries.length)
      for (const entry of frame.entries) {
        writer.u32(entry.name)
        writeHolding(writer, entry)
      }
      writer.varint(frame.unknown.length)
      for (const name of frame.unknown) writer.u32(name)
      writer.varint(frame.more)
      return
    default:
      unreachable(frame)
  }
}

/** @returns undefined for a type that is not known. @throws Malformed */
export function readSyncFrame(reader: Reader, code: number): SyncFrame | undefined {
  switch (code) {
    case codes.prints:
      return {
        type: 'prints',
        rooms: reader.list(limits.roomsToldMax, () => ({
          room: readRoom(reader),
          print: bytesToHex(reader.fixed(printBytesLength)),
        })),
      }
    case codes.sketch: {
      const room = readRoom(reader)
      return { type: 'sketch', room, symbols: reader.list(limits.sketchMax, () => readSymbol(reader)) }
    }
    case codes.differ:
      return readDiffer(reader)
    default:
      return undefined
  }
}

function readRoom(reader: Reader): RoomId {
  return roomIdFromBytes(reader.fixed(roomIdBytesLength))
}

function readSymbol(reader: Reader): SketchSymbol {
  const [sum, product, check] = [reader.u32(), reader.u32(), reader.u32()]
  if (sum >= fieldSize || product >= fieldSize || check >= fieldSize) throw new Malformed('symbol')
  return { sum, product, check }
}

function readSpan(reader: Reader): Span {
  const span = { from: reader.u32(), to: reader.u32() }
  if (span.to < span.from) throw new Malformed('span ends before it starts')
  return span
}

function readDiffer(reader: Reader): SyncFrame {
  const room = readRoom(reader)
  const flag = reader.u8()
  if (flag > 3) throw new Malformed('flag')
  const span = flag < 2 ? {} : { span: readSpan(reader) }
  const entries = reader.list(limits.sketchMax, () => ({ name: reader.u32(), ...readHolding(reader) }))
  const unknown = reader.list(limits.sketchMax, () => reader.u32())
  const more = reader.varint(limits.sketchMax)
  return { type: 'differ', room, isLast: flag % 2 === 1, ...span, entries, unknown, more }
}

/** How many ranges, times two, and one more where a floor follows. */
export function writeHolding(writer: Writer, { ranges, floor }: Holding): void {
  writer.varint(2 * ranges.length + (floor === undefined ? 0 : 1))
  if (floor !== undefined) writer.varint(floor)
  let from = 0
  for (const range of ranges) {
    writer.varint(range.first - from).varint(range.last - range.first)
    from = range.last + 2
  }
}

/** @throws Malformed */
export function readHolding(reader: Reader): Holding {
  const head = reader.varint(2 * limits.rangesMax + 1)
  const floor = head % 2 === 1 ? reader.varint(seqMax) : undefined
  if (floor === 0) throw new Malformed('floor')
  const ranges: Range[] = []
  let from = 0
  for (let i = 0; i < Math.floor(head / 2); i++) {
    const first = from + reader.varint(seqMax)
    const last = first + reader.varint(seqMax)
    if (!Number.isSafeInteger(last + 2)) throw new Malformed('range out of bounds')
    from = last + 2
    ranges.push({ first, last })
  }
  return floor === undefined ? { ranges } : { ranges, floor }
}
