import { describe, expect, it } from 'vitest'
import { LinkHandshake, linkProofBytes, type HandshakeParts } from '../../src/adapters/link-handshake.ts'
import { decodeFrame, frameClaims } from '../../src/mesh/frame.ts'
import { bytesToHex, type PeerId } from '../../src/mesh/ids.ts'
import { verifyPlainly } from '../../src/adapters/signature.ts'
import { testKeys } from './test-keys.ts'
import { hostileFrames } from './hostile-frames.ts'

interface Outcome {
  readonly a: string
  readonly b: string
}

/** Two handshakes whose messages pass through `carry`, as a hostile carrier would hold them. */
async function shake(
  change: { a?: Partial<HandshakeParts>; b?: Partial<HandshakeParts> } = {},
  carry: (from: 'a' | 'b', bytes: Uint8Array) => Uint8Array = (_from, bytes) => bytes,
): Promise<Outcome> {
  const ends: { a?: LinkHandshake; b?: LinkHandshake } = {}
  const queue: (() => void)[] = []
  const outcome = { a: '', b: '' }
  const parts = (side: 'a' | 'b', other: 'a' | 'b', seed: number): HandshakeParts => ({
    keys: testKeys(seed),
    binding: { own: `fingerprint ${side}`, other: `fingerprint ${other}` },
    nonce: new Uint8Array(32).fill(seed),
    expected: undefined,
    send: (bytes) => queue.push(() => ends[other]?.receive(carry(side, bytes))),
    done: (peer: PeerId) => (outcome[side] = peer),
    failed: (reason) => (outcome[side] = reason),
    ...change[side],
  })
  ends.a = new LinkHandshake(parts('a', 'b', 1))
  ends.b = new LinkHandshake(parts('b', 'a', 2))
  for (let turns = 0; turns < 20; turns++) {
    queue.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return outcome
}

describe('opening a link', () => {
  it('[K1] [K3] both sides learn the key that the other has proven', async () => {
    expect(await shake()).toEqual({ a: testKeys(2).self, b: testKeys(1).self })
  })

  it('[K2] the proof binds fingerprints, ids and nonces, and the two directions differ', async () => {
    const one = { version: 1, peer: testKeys(1).self, nonce: new Uint8Array(32).fill(1) }
    const two = { version: 1, peer: testKeys(2).self, nonce: new Uint8Array(32).fill(2) }
    const all = [
      linkProofBytes({ own: 'x', other: 'y' }, one, two),
      linkProofBytes({ own: 'y', other: 'x' }, one, two),
      linkProofBytes({ own: 'x', other: 'y' }, two, one),
      linkProofBytes({ own: 'x', other: 'y' }, { ...one, nonce: two.nonce }, two),
      linkProofBytes({ own: 'x', other: 'y' }, one, { ...two, version: 2 }),
    ].map(bytesToHex)
    expect(new Set(all).size).toBe(5)
    // Somebody in the middle terminates the encryption: each side sees another fingerprint than the other sent.
    const middle = await shake({ a: { binding: { own: 'fingerprint a', other: 'middle' } } })
    expect(middle).toEqual({ a: 'bad-proof', b: 'bad-proof' })
  })

  it('[K4] another peer, another version, one’s own key and nonsense end it by name', async () => {
    expect((await shake({ a: { expected: testKeys(3).self } })).a).toBe('wrong-peer')
    expect((await shake({ b: { keys: testKeys(1) } })).a).toBe('self')
    const older = await shake({}, (_from, bytes) =>
      bytes[0] === 0 ? bytes.map((byte, i) => (i === 1 ? 0 : byte)) : bytes,
    )
    expect(older).toEqual({ a: 'old-version', b: 'old-version' })
    const mangled = await shake({}, (_from, bytes) =>
      bytes[0] === 1 ? bytes.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) : bytes,
    )
    expect(mangled).toEqual({ a: 'bad-proof', b: 'bad-proof' })
    const short = await shake({}, (_from, bytes) => bytes.slice(0, 10))
    expect(short).toEqual({ a: 'bad-proof', b: 'bad-proof' })
  })
})

describe('versions', () => {
  const versions = (a: number, b: number) => shake({ a: { version: a }, b: { version: b } })
  const linked = { a: testKeys(2).self, b: testKeys(1).self }

  it('[K5] neighbouring versions link, in whichever direction', async () => {
    expect(await versions(1, 2)).toEqual(linked)
    expect(await versions(2, 1)).toEqual(linked)
    expect(await versions(7, 7)).toEqual(linked)
  })

  it('[K5] the newer of two that are further apart refuses by name', async () => {
    expect((await versions(1, 3)).b).toBe('old-version')
    expect((await versions(9, 7)).a).toBe('old-version')
  })

  it('[K5] who changes a version on the way ends the connection', async () => {
    const lowered = await shake({ a: { version: 2 }, b: { version: 2 } }, (_from, bytes) =>
      bytes[0] === 0 ? bytes.map((byte, i) => (i === 1 ? 1 : byte)) : bytes,
    )
    expect(lowered).toEqual({ a: 'bad-proof', b: 'bad-proof' })
  })
})

describe('hostile frames over a link', () => {
  it.each(hostileFrames.map((one) => [one.name, one.reason, one.bytes] as const))(
    '[F1] [F4] %s: %s',
    (_name, reason, bytes) => {
      const frame = decodeFrame(bytes)
      if (typeof frame === 'string') expect(frame).toBe(reason)
      else expect(frameClaims(frame).every(verifyPlainly) ? 'genuine' : 'bad-signature').toBe(reason)
    },
  )
})
