/**
 * This device's Ed25519 key. On a secure page WebCrypto holds it and never gives it out; on plain http it is
 * bytes, kept beside the history and once more outside IndexedDB, which a browser can wipe (reliability.md F1).
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import type { Claim } from '#mesh/event.ts'
import { bytesToHex, hexToBytes, parsePeerId, peerIdFromBytes, peerIdToBytes } from '#mesh/ids.ts'
import type { Keys } from '#runtime/ports.ts'
import { admitsKey, plainKey, signPlainly, verifyPlainly } from '../signature.ts'

/** Where the key is kept: one value, structured-cloneable. */
export interface KeyPlace {
  read(): Promise<unknown>
  write(value: StoredKey): Promise<void>
}

export type StoredKey =
  | { readonly type: 'plain'; readonly secret: Uint8Array }
  | { readonly type: 'webcrypto'; readonly pair: CryptoKeyPair; readonly publicKey: Uint8Array }

const copyName = 'meshchat:device-key'
/** guess: public keys kept imported. */
const importedMax = 256

export async function openKeys(place: KeyPlace): Promise<Keys> {
  const stored = parseStored(await place.read())
  if (stored !== undefined) return keysOf(stored)
  const made = restoreCopy() ?? (await makeKey())
  await place.write(made)
  if (made.type === 'plain') saveCopy(made.secret)
  return keysOf(made)
}

function parseStored(value: unknown): StoredKey | undefined {
  if (typeof value !== 'object' || value === null || !('type' in value)) return undefined
  if (value.type === 'plain' && 'secret' in value && value.secret instanceof Uint8Array) {
    return { type: 'plain', secret: value.secret }
  }
  // Written by this file only; a store that was tampered with fails at the first signature.
  return value.type === 'webcrypto' ? (value as StoredKey) : undefined
}

async function makeKey(): Promise<StoredKey> {
  const subtle = subtleCrypto()
  if (subtle !== undefined) {
    try {
      const pair = await subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify'])
      const publicKey = new Uint8Array(await subtle.exportKey('raw', pair.publicKey))
      return { type: 'webcrypto', pair, publicKey }
    } catch (error) {
      // A browser whose WebCrypto has no Ed25519 yet: the plain key serves.
      if (!(error instanceof DOMException)) throw error
    }
  }
  return { type: 'plain', secret: ed25519.utils.randomSecretKey() }
}

/** Absent on plain http. */
function subtleCrypto(): SubtleCrypto | undefined {
  return (crypto as { subtle?: SubtleCrypto }).subtle
}

function restoreCopy(): StoredKey | undefined {
  const copy = localStorage.getItem(copyName)
  if (copy === null || !/^[0-9a-f]{64}$/.test(copy)) return undefined
  return { type: 'plain', secret: hexToBytes(copy) }
}

function saveCopy(secret: Uint8Array): void {
  try {
    localStorage.setItem(copyName, bytesToHex(secret))
  } catch (error) {
    // A full or forbidden localStorage only costs the second copy.
    if (!(error instanceof DOMException)) throw error
  }
}

function keysOf(stored: StoredKey): Keys {
  const verify = createVerifier()
  if (stored.type === 'plain') {
    const key = plainKey(stored.secret)
    return { self: key.peer, sign: (message) => Promise.resolve(signPlainly(key, message)), verify }
  }
  const { pair, publicKey } = stored
  return {
    self: peerIdFromBytes(publicKey),
    sign: async (message) =>
      new Uint8Array(await crypto.subtle.sign('Ed25519', pair.privateKey, new Uint8Array(message))),
    verify,
  }
}

/** One verdict everywhere: the key check is ours, WebCrypto is the fast way to "yes", a "no" is decided by noble. */
function createVerifier(): (claim: Claim) => Promise<boolean> {
  const imported = new Map<string, Promise<CryptoKey>>()
  return async (claim) => {
    const subtle = subtleCrypto()
    const peer = parsePeerId(claim.signer)
    if (peer === undefined || !admitsKey(claim.signer)) return false
    if (subtle === undefined) return verifyPlainly(claim)
    const raw = new Uint8Array(peerIdToBytes(peer))
    const key = imported.get(peer) ?? subtle.importKey('raw', raw, 'Ed25519', false, ['verify'])
    imported.set(peer, key)
    for (const oldest of imported.keys()) {
      if (imported.size <= importedMax) break
      imported.delete(oldest)
    }
    try {
      const { signature, message } = claim
      const isFine = await subtle.verify(
        'Ed25519',
        await key,
        new Uint8Array(signature),
        new Uint8Array(message),
      )
      return isFine || verifyPlainly(claim)
    } catch (error) {
      // WebCrypto without Ed25519, or a key that it refuses to import.
      if (!(error instanceof DOMException)) throw error
      return verifyPlainly(claim)
    }
  }
}
