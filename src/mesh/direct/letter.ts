/**
 * What a letter says, once it is open. Rules Q6 and Q7 in PROTOCOL.md.
 *
 * Source: `reliability.md` §5.2. Whom it is from and for is bound to the key that opens it (Q3).
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { Malformed, Reader, Writer, concatBytes, encodeUtf8 } from '../bytes.ts'
import {
  bytesToHex,
  eventIdFromBytes,
  hexToBytes,
  peerIdToBytes,
  roomIdBytesLength,
  roomIdFromBytes,
  type EventId,
  type PeerId,
  type RoomId,
} from '../ids.ts'
import { directLimits } from './limits.ts'

const letterDomain = encodeUtf8('meshchat/1/letter-id')
const conversationDomain = encodeUtf8('meshchat/1/conversation')
const confirmedIdBytesLength = 16
/** Above every kind of event that a letter may carry. */
const confirmKind = 128

export const chanceBytesLength = 6

/** Q6: what is said in it: the body of an event of that kind, as in a room (M1–M12). */
export interface Said {
  readonly type: 'said'
  /** 6 bytes, drawn when it was written: by them a letter that comes again is the same one. */
  readonly chance: Uint8Array
  readonly kind: number
  readonly body: Uint8Array
}

/** Q7: letters that have come to a device of their addressee, or that a person has read. */
export interface Confirm {
  readonly type: 'confirm'
  readonly state: 'delivered' | 'read'
  /** The first 16 bytes of their ids as hex. */
  readonly letters: readonly string[]
}

export type Content = Said | Confirm

/** @param generation of its author's newest prekey: what answers it is sealed to that one or a later one */
export function encodeLetter(generation: number, content: Content): Uint8Array {
  const isSaid = content.type === 'said'
  const writer = new Writer().u8(isSaid ? content.kind : confirmKind).varint(generation)
  if (isSaid) return writer.fixed(content.chance).fixed(content.body).finish()
  writer.u8(content.state === 'read' ? 1 : 0).varint(content.letters.length)
  for (const id of content.letters) writer.fixed(hexToBytes(id))
  return writer.finish()
}

/** @throws Malformed */
export function decodeLetter(bytes: Uint8Array): { readonly generation: number; readonly content: Content } {
  const reader = new Reader(bytes)
  const kind = reader.u8()
  const generation = reader.varint(directLimits.generationMax)
  if (kind < confirmKind) {
    const chance = reader.fixed(chanceBytesLength)
    return { generation, content: { type: 'said', kind, chance, body: reader.rest() } }
  }
  if (kind !== confirmKind) throw new Malformed('kind of letter')
  const state = reader.u8()
  if (state > 1) throw new Malformed('state of letters')
  const read = () => bytesToHex(reader.fixed(confirmedIdBytesLength))
  const letters = reader.list(directLimits.confirmedMax, read)
  reader.end()
  return { generation, content: { type: 'confirm', state: state === 1 ? 'read' : 'delivered', letters } }
}

/** Q6: a letter's id, the same however often it is sealed; nobody else can make it. */
export function letterIdOf(author: PeerId, to: PeerId, { kind, chance, body }: Said): EventId {
  const ends = concatBytes(letterDomain, peerIdToBytes(author), peerIdToBytes(to), chance)
  return eventIdFromBytes(sha256(concatBytes(ends, Uint8Array.of(kind), body)))
}

/** Q7: how a confirmation names a letter. */
export function confirmedName(letter: EventId): string {
  return letter.slice(0, 2 * confirmedIdBytesLength)
}

/**
 * Q6: under what two people's letters are kept on their devices; never said to anybody. The first 16 bytes of
 * SHA-256("meshchat/1/conversation" ‖ the smaller id ‖ the larger).
 */
export function conversationOf(one: PeerId, other: PeerId): RoomId {
  const [first, second] = one < other ? [one, other] : [other, one]
  const digest = sha256(concatBytes(conversationDomain, peerIdToBytes(first), peerIdToBytes(second)))
  return roomIdFromBytes(digest.subarray(0, roomIdBytesLength))
}
