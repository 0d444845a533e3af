/**
 * Names of peers, feeds, rooms and events, and how they are written as text and as bytes.
 *
 * Source: design decision 6. Peer id as text is RFC 4648 base32, lower case, no padding.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { limits } from './limits.ts'

/** An Ed25519 public key as 52 characters of base32. */
export type PeerId = string & { readonly brand: 'PeerId' }
/** 16 bytes as 32 hex digits. */
export type RoomId = string & { readonly brand: 'RoomId' }
/** `PeerId`, a dot, and the 16-byte incarnation as 32 hex digits. */
export type FeedId = string & { readonly brand: 'FeedId' }
/** SHA-256 as 64 hex digits. */
export type EventId = string & { readonly brand: 'EventId' }

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
const peerPattern = /^[a-z2-7]{51}[aq]$/
const hexDigits = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
const encoder = new TextEncoder()

export const peerIdBytesLength = 32
export const incarnationBytesLength = 16
export const feedIdBytesLength = peerIdBytesLength + incarnationBytesLength
export const roomIdBytesLength = 16
export const eventIdBytesLength = 32

export function bytesToHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += hexDigits[byte] ?? ''
  return text
}

/** @returns the bytes of an even number of hex digits; only for text that is known to be hex. */
export function hexToBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/** @param key 32 bytes */
export function peerIdFromBytes(key: Uint8Array): PeerId {
  let bits = 0
  let value = 0
  let text = ''
  for (const byte of key) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += alphabet[(value >>> bits) & 31] ?? ''
    }
    value &= (1 << bits) - 1
  }
  if (bits > 0) text += alphabet[(value << (5 - bits)) & 31] ?? ''
  return text as PeerId
}

/** @returns 32 bytes */
export function peerIdToBytes(peer: PeerId): Uint8Array {
  const bytes = new Uint8Array(peerIdBytesLength)
  let bits = 0
  let value = 0
  let at = 0
  for (const letter of peer) {
    value = (value << 5) | alphabet.indexOf(letter)
    bits += 5
    if (bits < 8) continue
    bits -= 8
    if (at < bytes.length) bytes[at++] = (value >>> bits) & 255
    value &= (1 << bits) - 1
  }
  return bytes
}

/** @returns the peer id, or undefined: the text comes from outside. Exactly one text names one key. */
export function parsePeerId(text: unknown): PeerId | undefined {
  if (typeof text !== 'string' || !peerPattern.test(text)) return undefined
  return text as PeerId
}

export function feedIdFrom(peer: PeerId, incarnation: Uint8Array): FeedId {
  return `${peer}.${bytesToHex(incarnation)}` as FeedId
}

/** @returns 32 hex characters */
export function incarnationOf(feed: FeedId): string {
  return feed.slice(feed.indexOf('.') + 1)
}

/** @param bytes 48: the key, then the incarnation */
export function feedIdFromBytes(bytes: Uint8Array): FeedId {
  return feedIdFrom(
    peerIdFromBytes(bytes.subarray(0, peerIdBytesLength)),
    bytes.subarray(peerIdBytesLength, feedIdBytesLength),
  )
}

/** @returns 48 bytes */
export function feedIdToBytes(feed: FeedId): Uint8Array {
  const bytes = new Uint8Array(feedIdBytesLength)
  bytes.set(peerIdToBytes(feedAuthor(feed)), 0)
  bytes.set(hexToBytes(feed.slice(53)), peerIdBytesLength)
  return bytes
}

/** @returns the device that signs this feed. */
export function feedAuthor(feed: FeedId): PeerId {
  return feed.slice(0, 52) as PeerId
}

/** What the incarnation of a branch and of a loose end begins with; that of a feed never does (L8, L9). */
const branchMark = 'ffffffff'
const looseMark = 'fffffffe'

/**
 * The feed under which one of several branches is kept that a device signed with the same sequence numbers: its
 * name is made of the branch's first event, so that everybody finds the same one without asking (L8).
 */
export function branchFeed(author: PeerId, first: EventId): FeedId {
  return `${author}.${branchMark}${first.slice(0, 24)}` as FeedId
}

export function isBranch(feed: FeedId): boolean {
  return feed.startsWith(branchMark, 53)
}

/** The feed under which events are kept that hang on nothing: named by the last of them (L9). */
export function looseFeed(author: PeerId, last: EventId): FeedId {
  return `${author}.${looseMark}${last.slice(0, 24)}` as FeedId
}

export function isLoose(feed: FeedId): boolean {
  return feed.startsWith(looseMark, 53)
}

/** @returns whether nobody signs under this name: it only says where events are kept. */
export function isDerived(feed: FeedId): boolean {
  return isBranch(feed) || isLoose(feed)
}

/** @returns the incarnation, made so that its feed is not taken for a derived one. @param bytes 16, of chance */
export function incarnationFrom(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes.subarray(0, incarnationBytesLength), (byte, i) =>
    i === 0 ? byte & 0x7f : byte,
  )
}

/** 32 bits by which a feed is named to somebody who holds it. */
export function shortName(feed: FeedId): number {
  return hash32(feed)
}

/** A number that depends on every character: FNV-1a, 32 bits. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** Murmur3's finaliser: 32 bits in which every bit depends on every bit. */
export function mix32(value: number): number {
  let x = value >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

/** @param bytes 16 */
export function roomIdFromBytes(bytes: Uint8Array): RoomId {
  return bytesToHex(bytes) as RoomId
}

/** @param bytes 32 */
/** @returns the event id, or undefined: the text comes from outside. */
export function parseEventId(text: unknown): EventId | undefined {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text) ? (text as EventId) : undefined
}

export function eventIdFromBytes(bytes: Uint8Array): EventId {
  return bytesToHex(bytes) as EventId
}

/**
 * A name as it may be shown: control and bidirectional-override characters removed, white space folded,
 * at most `charactersMax` characters (code points).
 */
export function cleanName(text: string, charactersMax: number): string {
  const visible = text
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  return Array.from(visible).slice(0, charactersMax).join('').trim()
}

/** @returns the one spelling of an open room's name that its id is made from: no `#`, NFKC, lower case. */
export function canonicalRoomName(name: string): string {
  const bare = cleanName(name.normalize('NFKC'), limits.roomNameCharactersMax + 1).replace(/^#+\s*/, '')
  return Array.from(bare.toLowerCase().replace(/\s+/g, '-')).slice(0, limits.roomNameCharactersMax).join('')
}

/**
 * The id of a room that somebody owns: first 16 bytes of SHA-256("meshchat/1/owned-room" ‖ creator's key ‖ 16 random
 * bytes) (design decision 6).
 * @param nonce 32 hex characters
 */
export function ownedRoomId(creator: PeerId, nonce: string): RoomId {
  const digest = sha256(
    Uint8Array.of(
      ...encoder.encode('meshchat/1/owned-room'),
      ...peerIdToBytes(creator),
      ...hexToBytes(nonce),
    ),
  )
  return roomIdFromBytes(digest.subarray(0, roomIdBytesLength))
}

/**
 * The id of an open room: everybody who types the same name gets the same room, also on two sides of a split.
 * First 16 bytes of SHA-256("meshchat/1/open-room" ‖ canonical name) (design decision 6).
 */
export function openRoomId(name: string): RoomId {
  const digest = sha256(encoder.encode(`meshchat/1/open-room${canonicalRoomName(name)}`))
  return roomIdFromBytes(digest.subarray(0, roomIdBytesLength))
}

/** @returns the room id, or undefined: the text comes from outside. */
export function parseRoomId(text: unknown): RoomId | undefined {
  return typeof text === 'string' && /^[0-9a-f]{32}$/.test(text) ? (text as RoomId) : undefined
}
