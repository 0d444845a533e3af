/**
 * What events say: messages, and what changes a message afterwards. Rules M1–M9 in PROTOCOL.md.
 *
 * Source: `gossip.md` §7.4. A body that does not fit its kind is carried like any other and never shown (E8).
 */
import { Malformed, Reader, Writer, decodeUtf8, encodeUtf8 } from '../bytes.ts'
import { unreachable } from '../effects.ts'
import type { Event } from '../event.ts'
import {
  bytesToHex,
  canonicalRoomName,
  cleanName,
  eventIdBytesLength,
  eventIdFromBytes,
  hexToBytes,
  peerIdBytesLength,
  peerIdFromBytes,
  peerIdToBytes,
  type EventId,
  type PeerId,
} from '../ids.ts'
import { limits } from '../limits.ts'
import { isSharedFile, readSharedFile, writeSharedFile, type SharedFile } from './file-body.ts'

export const eventKinds = {
  message: 1,
  edit: 2,
  delete: 3,
  reaction: 4,
  create: 5,
  appoint: 6,
  pin: 7,
  remove: 8,
  close: 9,
  settings: 10,
  reply: 11,
  file: 12,
  prekey: 13,
  sealed: 14,
} as const

/** How far somebody had seen a feed of a moderator when it was dismissed. */
export interface Seen {
  /** 32 hex characters */
  readonly incarnation: string
  readonly last: number
}

export type Body =
  /** M10: with the message that it answers, it is an event of kind `reply`. */
  | { readonly type: 'message'; readonly text: string; readonly replyTo?: EventId }
  /** M12: a file with what is said of it, which may be nothing. */
  | { readonly type: 'file'; readonly file: SharedFile; readonly text: string; readonly replyTo?: EventId }
  | { readonly type: 'edit'; readonly target: EventId; readonly text: string }
  | { readonly type: 'delete'; readonly target: EventId }
  | { readonly type: 'reaction'; readonly target: EventId; readonly emoji: string; readonly isOn: boolean }
  /** M7: the first event of an owned room. @see ownedRoomId for the nonce */
  | { readonly type: 'create'; readonly nonce: string; readonly name: string; readonly purpose: string }
  /** M8: of a moderator; `target` is the room's creation here and below. */
  | {
      readonly type: 'appoint'
      readonly target: EventId
      readonly peer: PeerId
      readonly isOn: boolean
      /** What of it still counts when it is dismissed. */
      readonly seen: readonly Seen[]
    }
  | { readonly type: 'pin'; readonly target: EventId; readonly isOn: boolean }
  /** M9: what a moderator takes away. */
  | { readonly type: 'remove'; readonly target: EventId }
  | { readonly type: 'close'; readonly target: EventId; readonly isOn: boolean }
  | {
      readonly type: 'settings'
      readonly target: EventId
      readonly name: string
      readonly purpose: string
      /** 0: as long as devices keep them. */
      readonly maxAgeMs: number
    }

  /** Q2, Q3: in the direct room only; what it says is read by `direct/`. */
  | { readonly type: 'prekey' | 'sealed'; readonly bytes: Uint8Array }

/** Why something cannot be said. The composer asks the same function as the engine. */
export type BodyFault = 'empty' | 'too-long'

/** @returns why this text cannot be sent, or undefined when it can. Counts characters as people do: code points. */
export function checkText(text: string): BodyFault | undefined {
  if (text.trim() === '') return 'empty'
  if (Array.from(text).length > limits.messageCharactersMax) return 'too-long'
  return undefined
}

function checkEmoji(emoji: string): BodyFault | undefined {
  if (emoji.trim() === '') return 'empty'
  return encodeUtf8(emoji).length > limits.emojiBytesMax ? 'too-long' : undefined
}

export function checkBody(body: Body): BodyFault | undefined {
  switch (body.type) {
    case 'message':
    case 'edit':
      // Few texts are that long in bytes; the target needs its place too.
      return checkText(body.text) ?? (isTooLong(body) ? 'too-long' : undefined)
    case 'file': {
      const fault = body.text === '' ? undefined : checkText(body.text)
      if (!isSharedFile(body.file)) return 'empty'
      return fault ?? (isTooLong(body) ? 'too-long' : undefined)
    }
    case 'delete':
    case 'pin':
    case 'remove':
    case 'close':
      return undefined
    case 'reaction':
      return checkEmoji(body.emoji)
    case 'create':
    case 'settings':
      return checkRoomWords(body)
    case 'appoint':
      return body.seen.length > limits.feedsPerDeviceMax ? 'too-long' : undefined
    case 'prekey':
    case 'sealed':
      return body.bytes.length > limits.bodyBytesMax ? 'too-long' : undefined
    default:
      return unreachable(body)
  }
}

/** A room's name is what an open room's would be; its purpose is one line. */
function checkRoomWords({
  name,
  purpose,
}: {
  readonly name: string
  readonly purpose: string
}): BodyFault | undefined {
  if (name === '' || canonicalRoomName(name) !== name) return 'empty'
  return cleanName(purpose, limits.purposeCharactersMax) === purpose ? undefined : 'too-long'
}

function isTooLong(body: Body): boolean {
  return encodeBody(body).bytes.length > limits.bodyBytesMax
}

/** M1: the bytes of an event's body. */
export function encodeBody(body: Body): { readonly kind: number; readonly bytes: Uint8Array } {
  const kind = eventKinds[body.type]
  switch (body.type) {
    case 'message': {
      const text = encodeUtf8(body.text)
      if (body.replyTo === undefined) return { kind, bytes: text }
      return { kind: eventKinds.reply, bytes: withTarget(body.replyTo).fixed(text).finish() }
    }
    case 'file': {
      const writer = writeSharedFile(new Writer(), body.file).u8(body.replyTo === undefined ? 0 : 1)
      if (body.replyTo !== undefined) writer.fixed(hexToBytes(body.replyTo))
      return { kind, bytes: writer.fixed(encodeUtf8(body.text)).finish() }
    }
    case 'edit':
      return { kind, bytes: withTarget(body.target).fixed(encodeUtf8(body.text)).finish() }
    case 'delete':
      return { kind, bytes: withTarget(body.target).finish() }
    case 'reaction':
      return {
        kind,
        bytes: withTarget(body.target)
          .u8(body.isOn ? 1 : 0)
          .fixed(encodeUtf8(body.emoji))
          .finish(),
      }
    case 'create':
      return { kind, bytes: writeWords(new Writer().fixed(hexToBytes(body.nonce)), body).finish() }
    case 'appoint': {
      const writer = withTarget(body.target).fixed(peerIdToBytes(body.peer))
      writer.u8(body.isOn ? 1 : 0).varint(body.seen.length)
      for (const { incarnation, last } of body.seen) writer.fixed(hexToBytes(incarnation)).varint(last)
      return { kind, bytes: writer.finish() }
    }
    case 'pin':
    case 'close':
      return {
        kind,
        bytes: withTarget(body.target)
          .u8(body.isOn ? 1 : 0)
          .finish(),
      }
    case 'remove':
      return { kind, bytes: withTarget(body.target).finish() }
    case 'settings':
      return { kind, bytes: writeWords(withTarget(body.target).varint(body.maxAgeMs), body).finish() }
    case 'prekey':
    case 'sealed':
      return { kind, bytes: body.bytes }
    default:
      return unreachable(body)
  }
}

function withTarget(target: EventId): Writer {
  return new Writer().fixed(hexToBytes(target))
}

function writeWords(
  writer: Writer,
  { name, purpose }: { readonly name: string; readonly purpose: string },
): Writer {
  return writer.text(name).text(purpose)
}

/** @returns what an event says, or undefined when this version cannot show it. Never throws: the bytes are a stranger's. */
export function readBody(event: Pick<Event, 'kind' | 'body' | 'epoch'>): Body | undefined {
  if (event.epoch !== 0) return undefined
  try {
    const body = parseBody(event.kind, new Reader(event.body))
    return body === undefined || checkBody(body) !== undefined ? undefined : body
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

function parseBody(kind: number, reader: Reader): Body | undefined {
  switch (kind) {
    case eventKinds.message:
      return { type: 'message', text: decodeUtf8(reader.rest()) }
    case eventKinds.reply:
      return { type: 'message', replyTo: readTarget(reader), text: decodeUtf8(reader.rest()) }
    case eventKinds.file: {
      const file = readSharedFile(reader)
      const replyTo = readFlag(reader) ? { replyTo: readTarget(reader) } : {}
      return { type: 'file', file, ...replyTo, text: decodeUtf8(reader.rest()) }
    }
    case eventKinds.edit:
      return { type: 'edit', target: readTarget(reader), text: decodeUtf8(reader.rest()) }
    case eventKinds.delete: {
      const target = readTarget(reader)
      reader.end()
      return { type: 'delete', target }
    }
    case eventKinds.reaction: {
      const target = readTarget(reader)
      const isOn = reader.u8()
      if (isOn > 1) throw new Malformed('flag')
      return { type: 'reaction', target, isOn: isOn === 1, emoji: decodeUtf8(reader.rest()) }
    }
    default:
      return parseRoomBody(kind, reader)
  }
}

/** M7–M9: what is said of an owned room. */
function parseRoomBody(kind: number, reader: Reader): Body | undefined {
  let body: Body
  switch (kind) {
    case eventKinds.create:
      body = { type: 'create', nonce: readHex16(reader), ...readWords(reader) }
      break
    case eventKinds.appoint:
      body = {
        type: 'appoint',
        target: readTarget(reader),
        peer: peerIdFromBytes(reader.fixed(peerIdBytesLength)),
        isOn: readFlag(reader),
        seen: reader.list(limits.feedsPerDeviceMax, () => ({
          incarnation: readHex16(reader),
          last: reader.varint(Number.MAX_SAFE_INTEGER - 1),
        })),
      }
      break
    case eventKinds.pin:
      body = { type: 'pin', target: readTarget(reader), isOn: readFlag(reader) }
      break
    case eventKinds.remove:
      body = { type: 'remove', target: readTarget(reader) }
      break
    case eventKinds.close:
      body = { type: 'close', target: readTarget(reader), isOn: readFlag(reader) }
      break
    case eventKinds.settings: {
      const target = readTarget(reader)
      const maxAgeMs = reader.varint(limits.maxAgeMsMax)
      body = { type: 'settings', target, maxAgeMs, ...readWords(reader) }
      break
    }
    default:
      return undefined
  }
  reader.end()
  return body
}

function readWords(reader: Reader): { readonly name: string; readonly purpose: string } {
  const name = reader.text(4 * limits.roomNameCharactersMax)
  return { name, purpose: reader.text(4 * limits.purposeCharactersMax) }
}

function readHex16(reader: Reader): string {
  return bytesToHex(reader.fixed(16))
}

function readFlag(reader: Reader): boolean {
  const value = reader.u8()
  if (value > 1) throw new Malformed('flag')
  return value === 1
}

function readTarget(reader: Reader): EventId {
  return eventIdFromBytes(reader.fixed(eventIdBytesLength))
}

/** @returns the text of a message event, of a file its name too; undefined when this version cannot show it. */
export function messageText(event: Pick<Event, 'kind' | 'body' | 'epoch'>): string | undefined {
  const body = readBody(event)
  if (body?.type === 'file') return body.text === '' ? body.file.name : `${body.file.name}\n${body.text}`
  return body?.type === 'message' ? body.text : undefined
}

/** M7–M9: @returns whether an event says something about its room: what it is, who moderates, what is pinned. */
export function isRuling(event: Pick<Event, 'kind' | 'body' | 'epoch'>): boolean {
  switch (readBody(event)?.type) {
    case 'create':
    case 'appoint':
    case 'pin':
    case 'close':
    case 'settings':
      return true
    default:
      return false
  }
}

/** M2: @returns whether an event has a place among the messages of its room. */
export function standsByItself(event: Pick<Event, 'kind' | 'body' | 'epoch'>): boolean {
  return targetOf(event) === undefined && !isRuling(event)
}

/** M2: @returns the message that an event is about; undefined when it stands in the room by itself. */
export function targetOf(event: Pick<Event, 'kind' | 'body' | 'epoch'>): EventId | undefined {
  const body = readBody(event)
  return body === undefined || !('target' in body) ? undefined : body.target
}
