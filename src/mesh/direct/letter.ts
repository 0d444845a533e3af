/**
 * What a letter says, once it is open. Rules Q6 and Q7 in PROTOCOL.md.
 *
 * Source: `reliability.md` §5.2. The inside names whom it is for, so that the other devices of its author file it rightly,
 * and nobody can pass it off as meant for somebody else.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { Malformed, Reader, Writer, bytesEqual, concatBytes, encodeUtf8 } from '../bytes.ts'
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

const addresseeDomain = encodeUtf8('meshchat/1/addressee')
const letterDomain = encodeUtf8('meshchat/1/letter-id')
const conversationDomain = encodeUtf8('meshchat/1/conversation')
const addresseeBytesLength = 6
const confirmedIdBytesLength = 16
/** Above every kind of event that a letter may carry. */
const confirmKind = 128

/** Q6: what is said in it: the body of an event of that kind, as in a room (M1–M12). */
export interface Said {
  readonly type: 'said'
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

/** Q6: the first 6 bytes of SHA-256("meshchat/1/addressee" ‖ id): who has the letter knows whose it may be. */
function addresseeOf(person: PeerId): Uint8Array {
  return sha256(concatBytes(addresseeDomain, peerIdToBytes(person))).subarray(0, addresseeBytesLength)
}

/** @param generation of its author's newest prekey: what answers it is sealed to that one or a later one */
export function encodeLetter(to: PeerId, generation: number, content: Content): Uint8Array {
  const writer = new Writer().fixed(addresseeOf(to)).varint(generation)
  if (content.type === 'said') return writer.u8(content.kind).fixed(content.body).finish()
  writer
    .u8(confirmKind)
    .u8(content.state === 'read' ? 1 : 0)
    .varint(content.letters.length)
  for (const id of content.letters) writer.fixed(hexToBytes(id))
  return writer.finish()
}

/** An opened letter: for `isFor` it is checked who that is. */
export interface OpenedLetter {
  readonly isFor: (person: PeerId) => boolean
  readonly generation: number
  readonly content: Content
}

/** @throws Malformed */
export function decodeLetter(bytes: Uint8Array): OpenedLetter {
  const reader = new Reader(bytes)
  const addressee = reader.fixed(addresseeBytesLength)
  const isFor = (person: PeerId) => bytesEqual(addressee, addresseeOf(person))
  const generation = reader.varint(directLimits.generationMax)
  const kind = reader.u8()
  if (kind < confirmKind) return { isFor, generation, content: { type: 'said', kind, body: reader.rest() } }
  if (kind !== confirmKind) throw new Malformed('kind of letter')
  const state = reader.u8()
  if (state > 1) throw new Malformed('state of letters')
  const read = () => bytesToHex(reader.fixed(confirmedIdBytesLength))
  const letters = reader.list(directLimits.confirmedMax, read)
  reader.end()
  return {
    isFor,
    generation,
    content: { type: 'confirm', state: state === 1 ? 'read' : 'delivered', letters },
  }
}

/** Q6: a letter's id, the same however often it is sealed. @param nonce 24 bytes, of chance, drawn when it was written */
export function letterIdOf(author: PeerId, nonce: Uint8Array): EventId {
  return eventIdFromBytes(sha256(concatBytes(letterDomain, peerIdToBytes(author), nonce)))
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
