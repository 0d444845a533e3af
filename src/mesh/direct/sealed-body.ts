/**
 * What the bodies of events in the direct room are made of: prekeys, and sealed letters. Rules Q1–Q5 in PROTOCOL.md.
 *
 * Source: `reliability.md` §5.2; hybrid encryption of RFC 9180 (HPKE) in base mode. Deviations: one ephemeral key serves
 * all recipients of a letter (each key is bound to its recipient's public key by the KEM's context), and the hint is made
 * of the same shared secret, so that it names nobody and needs no pairwise key.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { Malformed, Reader, Writer, concatBytes, encodeUtf8 } from '../bytes.ts'
import { peerIdToBytes, roomIdFromBytes, roomIdBytesLength, type PeerId, type RoomId } from '../ids.ts'
import { limits } from '../limits.ts'
import { directLimits } from './limits.ts'

/** X25519 public keys (RFC 7748 §5). */
export const prekeyBytesLength = 32
export const hintBytesLength = 8
/** A content key of 32 bytes, sealed: 16 more (RFC 8439 §2.8). */
export const wrappedKeyBytesLength = 48
/** XChaCha20 (draft-irtf-cfrg-xchacha-03 §2). */
export const nonceBytesLength = 24
export const tagBytesLength = 16

/** X25519 with HKDF-SHA256 and ChaCha20-Poly1305, content under XChaCha20-Poly1305. */
const suite = 1
const roomDomain = 'meshchat/1/direct'
const hpkeDomain = encodeUtf8('meshchat/1/direct')
const letterDomain = encodeUtf8('meshchat/1/letter')

/** Q1: where the direct messages of all people travel: the first 16 bytes of SHA-256("meshchat/1/direct"). */
export const directRoom: RoomId = roomIdFromBytes(
  sha256(encodeUtf8(roomDomain)).subarray(0, roomIdBytesLength),
)

/** Q3: for one device: what it recognizes the letter by, and the content key sealed to it. */
export interface Recipient {
  /** 8 bytes */
  readonly hint: Uint8Array
  /** 48 bytes */
  readonly wrappedKey: Uint8Array
}

/** Q3 */
export interface SealedBody {
  /** X25519 public key, made for this letter alone; 32 bytes */
  readonly ephemeral: Uint8Array
  readonly recipients: readonly Recipient[]
  /** 24 bytes */
  readonly nonce: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Q2: what a device tells of itself, so that others can seal to it. */
export interface PrekeyBody {
  /** Counts its prekeys, over all its lives. */
  readonly generation: number
  /** From here on it has the secret part of each. */
  readonly first: number
  /** X25519, 32 bytes */
  readonly publicKey: Uint8Array
}

export function encodePrekey({ generation, first, publicKey }: PrekeyBody): Uint8Array {
  return new Writer()
    .u8(suite)
    .varint(generation)
    .varint(generation - first)
    .fixed(publicKey)
    .finish()
}

/** @returns undefined for what this version cannot seal to */
export function decodePrekey(body: Uint8Array): PrekeyBody | undefined {
  try {
    const reader = new Reader(body)
    if (reader.u8() !== suite) return undefined
    const generation = reader.varint(directLimits.generationMax)
    const first = generation - reader.varint(generation)
    const publicKey = reader.fixed(prekeyBytesLength)
    reader.end()
    return { generation, first, publicKey }
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    return undefined
  }
}

/** Q3: everything in front of the nonce: who can open it. The ciphertext is bound to it. */
function writeHead(writer: Writer, { ephemeral, recipients }: SealedHead): Writer {
  writer.u8(suite).fixed(ephemeral).u8(recipients.length)
  for (const { hint, wrappedKey } of recipients) writer.fixed(hint).fixed(wrappedKey)
  return writer
}
type SealedHead = Pick<SealedBody, 'ephemeral' | 'recipients'>

export function encodeSealed(body: SealedBody): Uint8Array {
  return writeHead(new Writer(), body).fixed(body.nonce).fixed(body.ciphertext).finish()
}

/** @throws Malformed */
export function decodeSealed(bytes: Uint8Array): SealedBody {
  const reader = new Reader(bytes)
  if (reader.u8() !== suite) throw new Malformed('suite')
  const ephemeral = reader.fixed(prekeyBytesLength)
  const count = reader.u8()
  if (count === 0 || count > directLimits.recipientsMax) throw new Malformed('recipients')
  const recipients = Array.from({ length: count }, () => ({
    hint: reader.fixed(hintBytesLength),
    wrappedKey: reader.fixed(wrappedKeyBytesLength),
  }))
  const nonce = reader.fixed(nonceBytesLength)
  const ciphertext = reader.rest()
  const isPadded = directLimits.paddings.some((size) => size + tagBytesLength === ciphertext.length)
  if (!isPadded) throw new Malformed('padding')
  return { ephemeral, recipients, nonce, ciphertext }
}

/** Q3: HPKE's `info`: what one author sealed to one device opens under no other author's name, and for no other device. */
export function hpkeInfo(author: PeerId, device: PeerId): Uint8Array {
  return concatBytes(hpkeDomain, peerIdToBytes(author), peerIdToBytes(device))
}

/** Q3: what the ciphertext is bound to: its sender, and everybody that it is sealed to. */
export function letterAad(sender: PeerId, head: SealedHead): Uint8Array {
  return concatBytes(letterDomain, peerIdToBytes(sender), writeHead(new Writer(), head).finish())
}

/** What stands behind the last byte (ISO/IEC 7816-4, padding method 2). */
const endMark = 0x80

function paddedBytes(length: number): number | undefined {
  return directLimits.paddings.find((one) => one > length)
}

/** Q5: the mark, then zeros up to the next size, so that a text's length shows as one of four. @returns undefined where it is too long */
export function pad(bytes: Uint8Array): Uint8Array | undefined {
  const size = paddedBytes(bytes.length)
  if (size === undefined) return undefined
  const padded = new Uint8Array(size)
  padded.set(bytes)
  padded[bytes.length] = endMark
  return padded
}

/** @throws Malformed where the padding is not what `pad` makes: one plaintext has one form */
export function unpad(padded: Uint8Array): Uint8Array {
  const end = padded.findLastIndex((byte) => byte !== 0)
  if (padded[end] !== endMark || paddedBytes(end) !== padded.length) throw new Malformed('padding')
  return padded.slice(0, end)
}

/** Q3: how large the body of a letter is. @returns undefined where it is too long @param length of what it says, bytes */
export function sealedBytes(length: number, recipients: number): number | undefined {
  const size = paddedBytes(length)
  if (size === undefined || recipients > directLimits.recipientsMax) return undefined
  const head = 2 + prekeyBytesLength + recipients * (hintBytesLength + wrappedKeyBytesLength)
  const bytes = head + nonceBytesLength + size + tagBytesLength
  return bytes > limits.bodyBytesMax ? undefined : bytes
}
