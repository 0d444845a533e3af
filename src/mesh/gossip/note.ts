/**
 * What rides in a packet of the chat lane: items, announcements, grafts and prunes. Rules G1–G9 in PROTOCOL.md.
 */
import { Malformed, Reader, Writer } from '../bytes.ts'
import { unreachable } from '../effects.ts'
import { hexToBytes, roomIdBytesLength, roomIdFromBytes, type RoomId } from '../ids.ts'
import { limits } from '../limits.ts'
import {
  decodeItem,
  encodeItem,
  isItemCode,
  readShortId,
  shortIdBytesLength,
  writeShortId,
  type Item,
  type ShortId,
} from './item.ts'
import {
  decodeShort,
  encodeShort,
  hasShortForm,
  isShortCode,
  shortOf,
  shortSize,
  type Short,
} from './short.ts'

export interface Announcement {
  readonly id: ShortId
  /** What the way from the author to the announcer cost, at most `pathCostMax`. */
  readonly cost: number
}

export type Note =
  /** Goes in short form, if it has one and nobody asked for the whole. */
  | { readonly type: 'item'; readonly item: Item; readonly cost: number; readonly isWhole?: boolean }
  /** As it was read; the reader completes it before anything else sees it. */
  | { readonly type: 'short'; readonly short: Short; readonly cost: number }
  /** Something in the packet of this number could not be completed. */
  | { readonly type: 'unclear'; readonly seq: number }
  | { readonly type: 'ihave'; readonly announcements: readonly Announcement[] }
  /** Send me this, if anything, and everything new from now on. */
  | { readonly type: 'graft'; readonly id: ShortId | undefined }
  /** Announce to me from now on, rather than send. */
  | { readonly type: 'prune' }
  /** I have this; it is too large to be sent unasked. */
  | { readonly type: 'offer'; readonly id: ShortId; readonly cost: number }
  /** Send me what you offered. */
  | { readonly type: 'fetch'; readonly id: ShortId }
  /** P10: whoever is at this end writes there. */
  | { readonly type: 'typing'; readonly room: RoomId }

const codes = { ihave: 16, graft: 17, prune: 18, offer: 19, get: 20, unclear: 21, typing: 22 } as const
const noId = '000000000000' as ShortId

/** @returns encoded length, bytes. */
export function noteSize(note: Note): number {
  switch (note.type) {
    case 'item':
      return (isShort(note) ? shortSize(note.item.content) : note.item.size) + varintSize(note.cost)
    case 'ihave':
      return note.announcements.reduce((sum, { cost }) => sum + shortIdBytesLength + varintSize(cost), 2)
    case 'graft':
    case 'fetch':
      return 1 + shortIdBytesLength
    case 'offer':
      return 1 + shortIdBytesLength + varintSize(note.cost)
    case 'prune':
      return 1
    case 'unclear':
      return 3
    case 'typing':
      return 1 + roomIdBytesLength
    case 'short':
      // Was read, and is never sent.
      return 0
    default:
      return unreachable(note)
  }
}

/** A1: not repeated when it is lost: it is said again, or somebody else says the same. */
export function isFleeting(note: Note): boolean {
  return note.type === 'ihave' || note.type === 'typing'
}

function isShort(note: Extract<Note, { type: 'item' }>): boolean {
  return note.isWhole !== true && hasShortForm(note.item.content)
}

function varintSize(value: number): number {
  return value < 128 ? 1 : value < 0x4000 ? 2 : 3
}

export function encodeNote(writer: Writer, note: Note): void {
  switch (note.type) {
    case 'item':
      if (isShort(note)) encodeShort(writer, shortOf(note.item.content))
      else encodeItem(writer, note.item)
      writer.varint(note.cost)
      return
    case 'ihave':
      writer.u8(codes.ihave).varint(note.announcements.length)
      for (const { id, cost } of note.announcements) {
        writeShortId(writer, id)
        writer.varint(cost)
      }
      return
    case 'graft':
      writer.u8(codes.graft)
      return writeShortId(writer, note.id ?? noId)
    case 'fetch':
      writer.u8(codes.get)
      return writeShortId(writer, note.id)
    case 'offer':
      writer.u8(codes.offer)
      writeShortId(writer, note.id)
      writer.varint(note.cost)
      return
    case 'prune':
      writer.u8(codes.prune)
      return
    case 'unclear':
      writer.u8(codes.unclear).u16(note.seq)
      return
    case 'typing':
      writer.u8(codes.typing).fixed(hexToBytes(note.room))
      return
    case 'short':
      encodeShort(writer, note.short)
      writer.varint(note.cost)
      return
    default:
      unreachable(note)
  }
}

/** @throws Malformed */
export function decodeNote(reader: Reader): Note {
  const code = reader.u8()
  if (isItemCode(code)) {
    const item = decodeItem(reader, code)
    const whole = hasShortForm(item.content) ? { isWhole: true } : {}
    return { type: 'item', item, cost: reader.varint(limits.pathCostMax), ...whole }
  }
  if (isShortCode(code)) {
    const short = decodeShort(reader, code)
    return { type: 'short', short, cost: reader.varint(limits.pathCostMax) }
  }
  switch (code) {
    case codes.ihave:
      return {
        type: 'ihave',
        announcements: reader.list(limits.announcementsMax, () => ({
          id: readShortId(reader),
          cost: reader.varint(limits.pathCostMax),
        })),
      }
    case codes.graft: {
      const id = readShortId(reader)
      return { type: 'graft', id: id === noId ? undefined : id }
    }
    case codes.get:
      return { type: 'fetch', id: readShortId(reader) }
    case codes.offer: {
      const id = readShortId(reader)
      return { type: 'offer', id, cost: reader.varint(limits.pathCostMax) }
    }
    case codes.prune:
      return { type: 'prune' }
    case codes.unclear:
      return { type: 'unclear', seq: reader.u16() }
    case codes.typing:
      return { type: 'typing', room: roomIdFromBytes(reader.fixed(roomIdBytesLength)) }
    default:
      throw new Malformed('unknown note')
  }
}
