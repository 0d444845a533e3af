/**
 * Sealing letters to the prekeys of devices, and opening them: RFC 9180 (HPKE) in base mode with DHKEM(X25519, HKDF-SHA256),
 * HKDF-SHA256 and ChaCha20-Poly1305 for content keys, XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) for the content.
 * The same on every page and in Node: all of it is @noble's, which needs no secure context. Rules Q3–Q5 in PROTOCOL.md.
 */
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { x25519 } from '@noble/curves/ed25519.js'
import { expand, extract } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { Malformed, bytesEqual, concatBytes, encodeUtf8 } from '#mesh/bytes.ts'
import {
  decodeSealed,
  encodeSealed,
  hintBytesLength,
  hpkeInfo,
  letterAad,
  nonceBytesLength,
  pad,
  prekeyBytesLength,
  unpad,
  type Recipient,
} from '#mesh/direct/sealed-body.ts'
import type { PeerId } from '#mesh/ids.ts'

const kemSuite = Uint8Array.of(...encodeUtf8('KEM'), 0x00, 0x20)
const hpkeSuite = Uint8Array.of(...encodeUtf8('HPKE'), 0x00, 0x20, 0x00, 0x01, 0x00, 0x03)
const version = encodeUtf8('HPKE-v1')
const baseMode = 0
const none = new Uint8Array(0)
const hintContext = encodeUtf8('hint')
const contentKeyBytes = 32

/** RFC 9180 §4 */
function labeledExtract(suite: Uint8Array, salt: Uint8Array, label: string, input: Uint8Array): Uint8Array {
  return extract(sha256, concatBytes(version, suite, encodeUtf8(label), input), salt)
}

/** RFC 9180 §4 */
function labeledExpand(
  suite: Uint8Array,
  key: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
): Uint8Array {
  const about = Uint8Array.of(length >> 8, length & 255, ...version, ...suite, ...encodeUtf8(label), ...info)
  return expand(sha256, key, about, length)
}

/** @throws Malformed for a public key of small order (RFC 7748 §6.1: the shared secret would be zeros) */
function exchange(secret: Uint8Array, publicKey: Uint8Array): Uint8Array {
  try {
    return x25519.getSharedSecret(secret, publicKey)
  } catch {
    // It throws for exactly one reason with 32 bytes each: nothing of the secret would be in the result.
    throw new Malformed('small order')
  }
}

/** What both sides of one encapsulated key derive from it (RFC 9180 §5.1, base mode). */
export interface HpkeContext {
  /** 32 bytes */
  readonly key: Uint8Array
  /** 12 bytes */
  readonly baseNonce: Uint8Array
  /** 32 bytes */
  readonly exporterSecret: Uint8Array
}

/** X25519, 32 bytes each. */
export interface KeyPair {
  readonly secret: Uint8Array
  readonly publicKey: Uint8Array
}

interface Ends {
  readonly ephemeral: Uint8Array
  readonly recipient: Uint8Array
}

/** RFC 9180 §4.1 and §5.1 */
function contextOf(shared: Uint8Array, { ephemeral, recipient }: Ends, info: Uint8Array): HpkeContext {
  const kemContext = concatBytes(ephemeral, recipient)
  const prk = labeledExtract(kemSuite, none, 'eae_prk', shared)
  const secretOfBoth = labeledExpand(kemSuite, prk, 'shared_secret', kemContext, 32)
  const schedule = Uint8Array.of(
    baseMode,
    ...labeledExtract(hpkeSuite, none, 'psk_id_hash', none),
    ...labeledExtract(hpkeSuite, none, 'info_hash', info),
  )
  const secret = labeledExtract(hpkeSuite, secretOfBoth, 'secret', none)
  return {
    key: labeledExpand(hpkeSuite, secret, 'key', schedule, 32),
    baseNonce: labeledExpand(hpkeSuite, secret, 'base_nonce', schedule, 12),
    exporterSecret: labeledExpand(hpkeSuite, secret, 'exp', schedule, 32),
  }
}

/** @param secret the ephemeral secret, 32 bytes, used for nothing else @param publicKey of the recipient. @throws Malformed */
export function encapsulate(secret: Uint8Array, publicKey: Uint8Array, info: Uint8Array): HpkeContext {
  const ends = { ephemeral: x25519.getPublicKey(secret), recipient: publicKey }
  return contextOf(exchange(secret, publicKey), ends, info)
}

/** @throws Malformed */
export function decapsulate(
  { secret, publicKey }: KeyPair,
  ephemeral: Uint8Array,
  info: Uint8Array,
): HpkeContext {
  return contextOf(exchange(secret, ephemeral), { ephemeral, recipient: publicKey }, info)
}

/** Q4: what a device finds its letters by. RFC 9180 §5.3: an exported secret says nothing of the key. */
function hintOf({ exporterSecret }: HpkeContext): Uint8Array {
  return labeledExpand(hpkeSuite, exporterSecret, 'sec', hintContext, hintBytesLength)
}

/** The first and only message under this context: its sequence number is 0 (RFC 9180 §5.2). */
function cipherOf({ key, baseNonce }: HpkeContext) {
  return chacha20poly1305(key, baseNonce)
}

/** @returns a new X25519 key pair */
export function makePrekey(): KeyPair {
  const secret = x25519.utils.randomSecretKey()
  return { secret, publicKey: x25519.getPublicKey(secret) }
}

/** What chance gives for one letter, bytes: ephemeral secret 32, content key 32, nonce 24. */
export interface Chance {
  readonly ephemeralSecret: Uint8Array
  readonly contentKey: Uint8Array
  readonly nonce: Uint8Array
}

export function drawChance(): Chance {
  return {
    ephemeralSecret: x25519.utils.randomSecretKey(),
    contentKey: crypto.getRandomValues(new Uint8Array(contentKeyBytes)),
    nonce: crypto.getRandomValues(new Uint8Array(nonceBytesLength)),
  }
}

/** Whom something is sealed to: a device, and its X25519 public key. */
export interface Sealee {
  readonly device: PeerId
  /** 32 bytes */
  readonly publicKey: Uint8Array
}

/**
 * Q3: seals a letter to the prekeys of devices.
 * @param sealees at least one, none twice
 * @returns the body of its event; `too-long`; or `bad-key` where one of the keys cannot be sealed to
 */
export function seal(
  letter: Uint8Array,
  author: PeerId,
  sealees: readonly Sealee[],
  chance: Chance,
): Uint8Array | 'too-long' | 'bad-key' {
  const padded = pad(letter)
  if (padded === undefined) return 'too-long'
  try {
    const recipients = sealees.map(({ device, publicKey }): Recipient => {
      const context = encapsulate(chance.ephemeralSecret, publicKey, hpkeInfo(author, device))
      return { hint: hintOf(context), wrappedKey: cipherOf(context).encrypt(chance.contentKey) }
    })
    const head = { ephemeral: x25519.getPublicKey(chance.ephemeralSecret), recipients }
    const { nonce } = chance
    const aad = letterAad(author, head)
    const ciphertext = xchacha20poly1305(chance.contentKey, nonce, aad).encrypt(padded)
    return encodeSealed({ ...head, nonce, ciphertext })
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    return 'bad-key'
  }
}

/** `other`: sealed to others. `damaged`: it is meant for this device and does not open, or is no letter at all. */
export type NotOpened = 'other' | 'damaged'

/** Q4: tries each prekey, which costs one X25519 each. @param prekeys the newest first */
export function open(
  body: Uint8Array,
  author: PeerId,
  self: PeerId,
  prekeys: readonly KeyPair[],
): Uint8Array | NotOpened {
  try {
    const sealed = decodeSealed(body)
    for (const prekey of prekeys) {
      const context = decapsulate(prekey, sealed.ephemeral, hpkeInfo(author, self))
      const hint = hintOf(context)
      const mine = sealed.recipients.find((one) => bytesEqual(one.hint, hint))
      if (mine === undefined) continue
      const contentKey = decrypt(cipherOf(context), mine.wrappedKey)
      const aad = letterAad(author, sealed)
      return unpad(decrypt(xchacha20poly1305(contentKey, sealed.nonce, aad), sealed.ciphertext))
    }
    return 'other'
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    return 'damaged'
  }
}

/** @throws Malformed */
function decrypt(cipher: { decrypt(bytes: Uint8Array): Uint8Array }, bytes: Uint8Array): Uint8Array {
  try {
    return cipher.decrypt(bytes)
  } catch {
    // It throws for exactly one reason: the tag does not fit.
    throw new Malformed('tag')
  }
}

/** @returns whether a letter can be sealed to this key: 32 bytes, and not of small order */
export function admitsPrekey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== prekeyBytesLength) return false
  try {
    exchange(x25519.utils.randomSecretKey(), publicKey)
    return true
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    return false
  }
}
