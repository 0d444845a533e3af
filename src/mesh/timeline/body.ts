/**
 * What events say: messages, and what changes a message afterwards. Rules M1–M3 in PROTOCOL.md.
 *
 * Source: `gossip.md` §7.4. A body that does not fit its kind is carried like any other and never shown (E8).
 */
import { Malformed, Reader, Writer, decodeUtf8, encodeUtf8 } from '../bytes.ts'
import { unreachable } from '../effects.ts'
import type { Event } from '../event.ts'
import { eventIdBytesLength, eventIdFromBytes, hexToBytes, type EventId } from '../ids.ts'
import { limits } from '../limits.ts'

export const eventKinds = { message: 1, edit: 2, delete: 3, reaction: 4 } as const

export type Body =
  | { readonly type: 'message'; readonly text: string }
  | { readonly type: 'edit'; readonly target: EventId; readonly text: string }
  | { readonly type: 'delete'; readonly target: EventId }
  | { readonly type: 'reaction'; readonly target: EventId; readonly emoji: string; readonly isOn: boolean }

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
      return checkText(body.text)
    case 'edit':
      // Few texts are that long in bytes; the target needs its place too.
      return checkText(body.text) ?? (isTooLong(body) ? 'too-long' : undefined)
    case 'delete':
      return undefined
    case 'reaction':
      return checkEmoji(body.emoji)
    default:
      return unreachable(body)
  }
}

function isTooLong(body: Body): boolean {
  return encodeBody(body).bytes.length > limits.bodyBytesMax
}

/** M1: the bytes of an event's body. */
export function encodeBody(body: Body): { readonly kind: number; readonly bytes: Uint8Array } {
  const kind = eventKinds[body.type]
  switch (body.type) {
    case 'message':
      return { kind, bytes: encodeUtf8(body.text) }
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
    default:
      return unreachable(body)
  }
}

function withTarget(target: EventId): Writer {
  return new Writer().fixed(hexToBytes(target))
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
      return undefined
  }
}

function readTarget(reader: Reader): EventId {
  return eventIdFromBytes(reader.fixed(eventIdBytesLength))
}

/** @returns the text of a message event, or undefined when this version cannot show it. */
export function messageText(event: Pick<Event, 'kind' | 'body' | 'epoch'>): string | undefined {
  const body = readBody(event)
  return body?.type === 'message' ? body.text : undefined
}

/** M2: @returns the message that an event is about; undefined when it stands in the room by itself. */
export function targetOf(event: Pick<Event, 'kind' | 'body' | 'epoch'>): EventId | undefined {
  const body = readBody(event)
  return body === undefined || body.type === 'message' ? undefined : body.target
}
