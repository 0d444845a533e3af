/**
 * What rides in a packet of the chat lane: items, announcements, grafts and prunes. Rules G1–G9 in PROTOCOL.md.
 */
import { Malformed, Reader, Writer } from '../bytes.ts'
import { unreachable } from '../effects.ts'
import { limits } from '../limits.ts'
import {
  decodeItem,
  encodeItem,
  itemCodeMax,
  readShortId,
  shortIdBytesLength,
  writeShortId,
  type Item,
  type ShortId,
} from './item.ts'

export interface Announcement {
  readonly id: ShortId
  /** What the way from the author to the announcer cost, at most `pathCostMax`. */
  readonly cost: number
}

export type Note =
  | { readonly type: 'item'; readonly item: Item; readonly cost: number }
  | { readonly type: 'ihave'; readonly announcements: readonly Announcement[] }
  /** Send me this, if anything, and everything new from now on. */
  | { readonly type: 'graft'; readonly id: ShortId | undefined }
  /** Announce to me from now on, rather than send. */
  | { readonly type: 'prune' }
  /** I have this; it is too large to be sent unasked. */
  | { readonly type: 'offer'; readonly id: ShortId; readonly cost: number }
  /** Send me what you offered. */
  | { readonly type: 'fetch'; readonly id: ShortId }

const codes = { ihave: 16, graft: 17, prune: 18, offer: 19, get: 20 } as const
const noId = '000000000000' as ShortId

/** @returns encoded length, bytes. */
export function noteSize(note: Note): number {
  switch (note.type) {
    case 'item':
      return note.item.size + varintSize(note.cost)
    case 'ihave':
      return note.announcements.reduce((sum, { cost }) => sum + shortIdBytesLength + varintSize(cost), 2)
    case 'graft':
    case 'fetch':
      return 1 + shortIdBytesLength
    case 'offer':
      return 1 + shortIdBytesLength + varintSize(note.cost)
    case 'prune':
      return 1
    default:
      return unreachable(note)
  }
}

function varintSize(value: number): number {
  return value < 128 ? 1 : value < 0x4000 ? 2 : 3
}

export function encodeNote(writer: Writer, note: Note): void {
  switch (note.type) {
    case 'item':
      encodeItem(writer, note.item)
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
    default:
      unreachable(note)
  }
}

/** @throws Malformed */
export function decodeNote(reader: Reader): Note {
  const code = reader.u8()
  if (code <= itemCodeMax) {
    const item = decodeItem(reader, code)
    return { type: 'item', item, cost: reader.varint(limits.pathCostMax) }
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
    default:
      throw new Malformed('unknown note')
  }
}
