import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto'
import { CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305'
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { x25519 } from '@noble/curves/ed25519.js'
import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Malformed } from '#mesh/bytes.ts'
import { directLimits } from '#mesh/direct/limits.ts'
import {
  decodePrekey,
  decodeSealed,
  directRoom,
  encodePrekey,
  encodeSealed,
  hpkeInfo,
  pad,
  sealedBytes,
  unpad,
} from '#mesh/direct/sealed-body.ts'
import { bytesToHex, hexToBytes } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import {
  admitsPrekey,
  decapsulate,
  drawChance,
  encapsulate,
  makePrekey,
  open,
  seal,
  type KeyPair,
} from '../../src/adapters/sealing.ts'
import { keyOf } from '../mesh/make.ts'

const [ana, eve, bob] = [keyOf(1).peer, keyOf(2).peer, keyOf(3).peer]
const text = (words: string) => new TextEncoder().encode(words)

/** RFC 9180 §A.2.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305, base mode. */
const rfc = {
  info: '4f6465206f6e2061204772656369616e2055726e',
  ephemeralSecret: 'f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600',
  secret: '8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb',
  publicKey: '4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a',
  ephemeral: '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a',
  key: 'ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91',
  baseNonce: '5c4d98150661b848853b547f',
  exporterSecret: 'a3b010d4994890e2c6968a36f64470d3c824c8f5029942feb11e7a74b2921922',
  plaintext: '4265617574792069732074727574682c20747275746820626561757479',
  aad: '436f756e742d30',
  ciphertext: '1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28',
}

/** Encodings of points of small order, and their values above the prime (RFC 7748 §7, curve25519). */
const smallOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]

/** Always the same: of a letter that vectors are made of. */
const chance = {
  ephemeralSecret: new Uint8Array(32).fill(1),
  contentKey: new Uint8Array(32).fill(2),
  nonce: new Uint8Array(24).fill(3),
}
const pairOf = (fill: number): KeyPair => {
  const secret = new Uint8Array(32).fill(fill)
  return { secret, publicKey: x25519.getPublicKey(secret) }
}

function sealed(letter: Uint8Array, ...recipients: readonly KeyPair[]): Uint8Array {
  const body = seal(
    letter,
    ana,
    recipients.map(({ publicKey }) => ({ device: bob, publicKey })),
    drawChance(),
  )
  if (typeof body === 'string') throw new Error(body)
  return body
}

describe('sealing, by public vectors', () => {
  it('derives what RFC 9180 §A.2.1 says, from either end', () => {
    const info = hexToBytes(rfc.info)
    const pair = { secret: hexToBytes(rfc.secret), publicKey: hexToBytes(rfc.publicKey) }
    const contexts = [
      encapsulate(hexToBytes(rfc.ephemeralSecret), pair.publicKey, info),
      decapsulate(pair, hexToBytes(rfc.ephemeral), info),
    ]
    for (const { key, baseNonce, exporterSecret } of contexts) {
      expect(bytesToHex(key)).toBe(rfc.key)
      expect(bytesToHex(baseNonce)).toBe(rfc.baseNonce)
      expect(bytesToHex(exporterSecret)).toBe(rfc.exporterSecret)
      const cipher = chacha20poly1305(key, baseNonce, hexToBytes(rfc.aad))
      expect(bytesToHex(cipher.encrypt(hexToBytes(rfc.plaintext)))).toBe(rfc.ciphertext)
    }
  })

  it('encrypts as draft-irtf-cfrg-xchacha-03 §A.3.1 does', () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i)
    const nonce = Uint8Array.from({ length: 24 }, (_, i) => 0x40 + i)
    const aad = hexToBytes('50515253c0c1c2c3c4c5c6c7')
    const plain = text(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    )
    const tag = bytesToHex(xchacha20poly1305(key, nonce, aad).encrypt(plain).slice(-16))
    expect(tag).toBe('c0875924c1c7987947deafd8780acf49')
  })

  it('multiplies as RFC 7748 §5.2 does', () => {
    const scalar = hexToBytes('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4')
    const point = hexToBytes('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c')
    const product = 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552'
    expect(bytesToHex(x25519.getSharedSecret(scalar, point))).toBe(product)
  })
})

describe('sealing, by other implementations', () => {
  const suite = new CipherSuite({
    kem: new DhkemX25519HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Chacha20Poly1305(),
  })
  const buffer = (bytes: Uint8Array) => new Uint8Array(bytes).buffer

  it('opens what hpke-js seals, and the other way round', async () => {
    for (let i = 0; i < 8; i++) {
      const pair = makePrekey()
      const info = hpkeInfo(keyOf(i).peer, bob)
      const recipientPublicKey = await suite.kem.importKey('raw', buffer(pair.publicKey), true)
      const sender = await suite.createSenderContext({ recipientPublicKey, info: buffer(info) })
      const theirs = new Uint8Array(await sender.seal(buffer(text(`words ${i}`))))
      const context = decapsulate(pair, new Uint8Array(sender.enc), info)
      expect(chacha20poly1305(context.key, context.baseNonce).decrypt(theirs)).toEqual(text(`words ${i}`))

      const ephemeral = makePrekey()
      const ours = encapsulate(ephemeral.secret, pair.publicKey, info)
      const recipient = await suite.createRecipientContext({
        recipientKey: await suite.kem.importKey('raw', buffer(pair.secret), false),
        enc: buffer(ephemeral.publicKey),
        info: buffer(info),
      })
      const cipher = chacha20poly1305(ours.key, ours.baseNonce).encrypt(text('back'))
      expect(new Uint8Array(await recipient.open(buffer(cipher)))).toEqual(text('back'))
    }
  })

  it('exchanges keys and encrypts like OpenSSL', () => {
    // RFC 8410 §7: the wrapping of raw keys.
    const privateOf = (secret: Uint8Array) =>
      createPrivateKey({
        key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), secret]),
        format: 'der',
        type: 'pkcs8',
      })
    const publicOf = (key: Uint8Array) =>
      createPublicKey({
        key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), key]),
        format: 'der',
        type: 'spki',
      })
    for (let i = 0; i < 32; i++) {
      const [a, b] = [makePrekey(), makePrekey()]
      const theirs = diffieHellman({ privateKey: privateOf(a.secret), publicKey: publicOf(b.publicKey) })
      const shared = x25519.getSharedSecret(a.secret, b.publicKey)
      expect(bytesToHex(shared)).toBe(theirs.toString('hex'))
      const nonce = crypto.getRandomValues(new Uint8Array(12))
      const options = { authTagLength: 16 }
      const cipher = createCipheriv('chacha20-poly1305', shared, nonce, options)
      const plain = text('x'.repeat(i * 7))
      const whole = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
      expect(bytesToHex(chacha20poly1305(shared, nonce).encrypt(plain))).toBe(whole.toString('hex'))
      const decipher = createDecipheriv('chacha20-poly1305', shared, nonce, options)
      decipher.setAuthTag(whole.subarray(-16))
      expect(new Uint8Array(decipher.update(whole.subarray(0, -16)))).toEqual(plain)
    }
  })
})

describe('letters', () => {
  const letter = text('meet me at the pump')

  it('[Q1] travel in one room, whose id is the same for everybody', () => {
    expect(directRoom).toBe('2f11aed15afb4b23155566b86200c2df')
  })

  it('[Q2] a prekey is a generation, the first that its device can open, and 32 bytes; others are not sealed to', () => {
    const { publicKey } = pairOf(5)
    const prekey = { generation: 300, first: 297, publicKey }
    expect(bytesToHex(encodePrekey(prekey))).toBe(`01ac0203${bytesToHex(publicKey)}`)
    expect(decodePrekey(encodePrekey(prekey))).toEqual(prekey)
    expect(decodePrekey(Uint8Array.of(2, 1, 0, ...publicKey))).toBeUndefined()
    expect(decodePrekey(Uint8Array.of(1, 1, 2, ...publicKey))).toBeUndefined()
    expect(decodePrekey(Uint8Array.of(1, 1, 0, ...publicKey, 0))).toBeUndefined()
    expect(decodePrekey(new Uint8Array(0))).toBeUndefined()
    expect(admitsPrekey(publicKey)).toBe(true)
    expect(admitsPrekey(publicKey.slice(1))).toBe(false)
  })

  it('[Q3] the same letter is the same bytes', () => {
    const body = seal(
      letter,
      ana,
      [5, 6].map((fill) => ({ device: bob, publicKey: pairOf(fill).publicKey })),
      chance,
    )
    if (typeof body === 'string') throw new Error(body)
    expect(body.length).toBe(sealedBytes(letter.length, 2))
    expect(bytesToHex(sha256(body))).toBe('e47b18fa424a5deb6b94a4666cdb6a65f80ae6d80404ab74cc7195c85b0e22ee')
    expect(open(body, ana, bob, [pairOf(6)])).toEqual(letter)
  })

  it('[Q3] opens for each that it is sealed to, with any prekey that is still kept, and for nobody else', () => {
    const [phone, laptop, other] = [makePrekey(), makePrekey(), makePrekey()]
    const body = sealed(letter, phone, laptop)
    expect(open(body, ana, bob, [phone])).toEqual(letter)
    expect(open(body, ana, bob, [other, laptop])).toEqual(letter)
    expect(open(body, ana, bob, [other])).toBe('other')
    expect(open(body, ana, bob, [])).toBe('other')
  })

  it('[Q3] opens under no other name than its sender’s, and for nobody whom somebody has put in', () => {
    const [bill, mallory] = [makePrekey(), makePrekey()]
    const body = sealed(letter, bill)
    expect(open(body, eve, bob, [bill])).toBe('other')
    // Nor for another device that has the same prekey.
    expect(open(body, ana, eve, [bill])).toBe('other')
    // Mallory takes the ciphertext, and seals whatever key to herself and others under her own name.
    const parts = decodeSealed(body)
    const hers = decodeSealed(sealed(letter, mallory))
    const mixed = encodeSealed({ ...parts, recipients: [...parts.recipients, ...hers.recipients] })
    expect(open(mixed, ana, bob, [bill])).toBe('damaged')
    expect(open(mixed, ana, bob, [mallory])).toBe('other')
  })

  it('[Q3] one bit more or less anywhere, and it does not open', () => {
    const bill = makePrekey()
    const body = sealed(letter, bill)
    fc.assert(
      fc.property(fc.nat(body.length * 8 - 1), (bit) => {
        const changed = body.slice()
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        return ['other', 'damaged'].includes(open(changed, ana, bob, [bill]) as string)
      }),
      { numRuns: 200 },
    )
  })

  it('[Q3] whatever bytes come, they are no letter and nothing throws', () => {
    const bill = makePrekey()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) =>
        ['other', 'damaged'].includes(open(bytes, ana, bob, [bill]) as string),
      ),
    )
  })

  it('[Q4] keys of small order are sealed to by nobody, and open nothing', () => {
    const bill = makePrekey()
    for (const hex of smallOrder) {
      expect(admitsPrekey(hexToBytes(hex)), hex).toBe(false)
      expect(
        seal(
          letter,
          ana,
          [bill.publicKey, hexToBytes(hex)].map((publicKey) => ({ device: bob, publicKey })),
          drawChance(),
        ),
        hex,
      ).toBe('bad-key')
      const body = sealed(letter, bill)
      body.set(hexToBytes(hex), 1)
      expect(open(body, ana, bob, [bill]), hex).toBe('damaged')
    }
  })

  it('[Q5] a length shows as one of four, and every plaintext has one form', () => {
    for (const size of directLimits.paddings) {
      const most = new Uint8Array(size - 1).fill(7)
      expect(pad(most)?.length).toBe(size)
      expect(unpad(pad(most) ?? most)).toEqual(most)
      expect(sealedBytes(most.length, directLimits.recipientsMax)).toBeLessThanOrEqual(limits.bodyBytesMax)
    }
    expect(pad(new Uint8Array(14_000))).toBeUndefined()
    expect(seal(new Uint8Array(14_000), ana, [{ device: bob, publicKey: pairOf(5).publicKey }], chance)).toBe(
      'too-long',
    )
    const padded = pad(letter) ?? letter
    padded[200] = 1
    expect(() => unpad(padded)).toThrow(Malformed)
    const large = new Uint8Array(1_024)
    large.set((pad(letter) ?? letter).subarray(0, 100))
    expect(() => unpad(large)).toThrow(Malformed)
    expect(() => unpad(new Uint8Array(256))).toThrow(Malformed)
  })

  it('[Q5] takes 130 bytes for one device, and with its padding at most 340 more than the text', () => {
    const unpadded = (sealedBytes(58, 1) ?? 0) - 256
    expect(unpadded).toBe(130)
    expect((sealedBytes(58, 1) ?? 0) - 58).toBeLessThanOrEqual(340)
  })
})
