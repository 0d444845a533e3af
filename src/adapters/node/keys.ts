/** A node's Ed25519 key by OpenSSL, with the same verdicts as everywhere (design decision 11). */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import type { Claim } from '#mesh/event.ts'
import { parsePeerId, peerIdToBytes, type PeerId } from '#mesh/ids.ts'
import type { Keys } from '#runtime/ports.ts'
import { admitsKey, verifyPlainly, type PlainKey } from '../signature.ts'

/** guess: public keys kept imported. */
const importedMax = 1_024
/** RFC 8410 §7 and §4: what stands before the 32 bytes of a private and of a public key. */
const privateHead = Buffer.from('302e020100300506032b657004220420', 'hex')
const publicHead = Buffer.from('302a300506032b6570032100', 'hex')

export function createNodeKeys(key: PlainKey): Keys {
  const own = createPrivateKey({
    key: Buffer.concat([privateHead, key.secret]),
    format: 'der',
    type: 'pkcs8',
  })
  const imported = new Map<PeerId, KeyObject>()
  const publicKey = (peer: PeerId): KeyObject => {
    const known = imported.get(peer)
    if (known !== undefined) return known
    const bytes = Buffer.concat([publicHead, peerIdToBytes(peer)])
    const made = createPublicKey({ key: bytes, format: 'der', type: 'spki' })
    imported.set(peer, made)
    for (const oldest of imported.keys()) {
      if (imported.size <= importedMax) break
      imported.delete(oldest)
    }
    return made
  }
  return {
    self: key.peer,
    sign: (message) => Promise.resolve(new Uint8Array(sign(null, message, own))),
    verify: (claim: Claim) => {
      const peer = parsePeerId(claim.signer)
      if (peer === undefined || !admitsKey(claim.signer)) return Promise.resolve(false)
      const isFine = verify(null, claim.message, publicKey(peer), claim.signature)
      // A "no" is decided by noble, as in every browser.
      return Promise.resolve(isFine || verifyPlainly(claim))
    },
  }
}
