/**
 * One verdict on every platform (design decision 11): a key is admitted only when its encoding is canonical and
 * its point torsion-free, checked once per key; signatures are checked strictly (`zip215: false`).
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import type { Claim } from '#mesh/event.ts'
import { parsePeerId, peerIdFromBytes, peerIdToBytes, type PeerId } from '#mesh/ids.ts'

/** guess: keys remembered as admitted or refused. */
const keysMax = 4_096
const verdicts = new Map<string, boolean>()

/** @returns whether signatures of this key are looked at at all. */
export function admitsKey(signer: string): boolean {
  const known = verdicts.get(signer)
  if (known !== undefined) return known
  const verdict = checkKey(signer)
  for (const oldest of verdicts.keys()) {
    if (verdicts.size < keysMax) break
    verdicts.delete(oldest)
  }
  verdicts.set(signer, verdict)
  return verdict
}

function checkKey(signer: string): boolean {
  const peer = parsePeerId(signer)
  if (peer === undefined) return false
  try {
    const point = ed25519.Point.fromBytes(peerIdToBytes(peer), false)
    return !point.is0() && point.isTorsionFree()
  } catch {
    // `fromBytes` throws for exactly one reason: these bytes are no point.
    return false
  }
}

/** The verdict by pure JavaScript, the base everywhere. */
export function verifyPlainly(claim: Claim): boolean {
  if (!admitsKey(claim.signer)) return false
  const peer = parsePeerId(claim.signer)
  if (peer === undefined) return false
  try {
    return ed25519.verify(claim.signature, claim.message, peerIdToBytes(peer), { zip215: false })
  } catch {
    // A signature that cannot be parsed is not valid.
    return false
  }
}

export interface PlainKey {
  readonly secret: Uint8Array
  readonly peer: PeerId
}

/** @param secret 32 random bytes */
export function plainKey(secret: Uint8Array): PlainKey {
  return { secret, peer: peerIdFromBytes(ed25519.getPublicKey(secret)) }
}

export function signPlainly(key: PlainKey, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, key.secret)
}
