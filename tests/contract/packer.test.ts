import { deflateRawSync, inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryHub, MemoryLinks } from '../../src/adapters/memory/memory-links.ts'
import { PackedLinks } from '../../src/adapters/packed-links.ts'
import { Packer } from '../../src/adapters/packer.ts'
import { bytesToHex, hexToBytes } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import { keyOf } from '../mesh/make.ts'

const mark = 0xff
const text = (count: number) =>
  new TextEncoder().encode('the same words again and again, and ').subarray(0, count)
const repeated = (length: number) => new Uint8Array(length).map((_, i) => text(36)[i % 36] ?? 0)

/** As a frame that says that so many bytes are in it. */
function packedBy(bytes: Uint8Array, said: number): Uint8Array {
  return new Uint8Array([mark, (said - 1) >> 8, (said - 1) & 255, ...deflateRawSync(bytes)])
}

describe('packing', () => {
  it('[F7] frames come out as they went in, one after the other', () => {
    const frame = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.nat(20_000).map((length) => repeated(length + 1)),
    )
    const known = frame.filter((bytes) => bytes[0] !== mark)
    fc.assert(
      fc.property(fc.array(known, { maxLength: 12 }), (frames) => {
        const [out, back] = [new Packer(), new Packer()]
        for (const one of frames) {
          const packed = out.pack(one)
          expect(packed.length).toBeLessThanOrEqual(one.length)
          expect(back.unpack(packed)).toEqual(one)
        }
      }),
      { numRuns: 30, seed: 3 },
    )
  })

  it('[F7] what went before is the dictionary: the same words cost less the second time, and zlib reads them', () => {
    const packer = new Packer()
    const words = new Uint8Array(600).map((_, i) => 32 + ((i * i * 7) % 90))
    const first = packer.pack(words)
    const second = packer.pack(words)
    expect(second.length).toBeLessThan(first.length / 5)
    expect([...inflateRawSync(second.subarray(3), { dictionary: words })]).toEqual([...words])
  })

  it('[F7] what was packed yesterday is read today', () => {
    const packer = new Packer()
    const first = 'ff00c72bc94855284ecc4d5528cf2f4a2956484c4fcccc5348cc4b81b074c0cca1a00600'
    expect(packer.unpack(hexToBytes(first))).toEqual(repeated(200))
    expect(packer.unpack(hexToBytes('ff0063a387fd00'))).toEqual(repeated(100))
    expect(new Packer().pack(text(20))).toEqual(text(20))
  })

  it('[F7] the largest frame passes, and as much as it may be', () => {
    const [out, back] = [new Packer(), new Packer()]
    const largest = repeated(limits.frameBytesMax)
    expect(back.unpack(out.pack(largest))).toEqual(largest)
    expect(back.unpack(out.pack(largest))).toEqual(largest)
  })

  it('[F7] what makes more than it says, less, or nothing is refused by name', () => {
    const unpack = (bytes: Uint8Array) => new Packer().unpack(bytes)
    const million = packedBy(new Uint8Array(10_000_000), 65_536)
    expect(million.length).toBeLessThan(20_000)
    expect(unpack(million)).toBe('too-large')
    expect(unpack(packedBy(repeated(100), 99))).toBe('too-large')
    expect(unpack(packedBy(repeated(100), 101))).toBe('malformed')
    expect(unpack(packedBy(repeated(500), 500).slice(0, -1))).toBe('malformed')
    expect(unpack(new Uint8Array([mark]))).toBe('malformed')
    expect(unpack(new Uint8Array([mark, 0, 1]))).toBe('malformed')
    expect(unpack(new Uint8Array([mark, 0, 1, 7, 7, 7, 7]))).toBe('malformed')
  })

  it('[F7] no bytes throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const result = new Packer().unpack(new Uint8Array([mark, ...bytes]))
        expect(typeof result === 'string' || result.length <= limits.frameBytesMax).toBe(true)
      }),
      { numRuns: 2_000, seed: 4 },
    )
  })

  it('[F7] a link whose bulk lane cannot be unpacked is hung up, and other lanes are left alone', async () => {
    const hub = new MemoryHub()
    const [a, b] = [new MemoryLinks(hub, keyOf(1).peer), new PackedLinks(new MemoryLinks(hub, keyOf(2).peer))]
    const frames: string[] = []
    let cut: (reason: string) => void
    const refused = new Promise<string>((resolve) => (cut = resolve))
    const quiet = {
      down: () => undefined,
      drained: () => undefined,
      dialFailed: () => undefined,
      signal: () => undefined,
    }
    const up = new Promise<number>((resolve) => {
      a.start({ ...quiet, up: resolve, frame: () => undefined, refused: () => undefined })
    })
    b.start({
      ...quiet,
      up: () => undefined,
      frame: (_link, lane, bytes) => frames.push(`${lane} ${bytesToHex(bytes)}`),
      refused: (_peer, reason) => cut(reason),
    })
    a.dial(keyOf(2).peer)
    const link = await up
    a.send(link, 'control', new Uint8Array([mark, 1]))
    a.send(link, 'bulk', new Uint8Array([mark, 1]))
    a.send(link, 'bulk', new Uint8Array([5]))
    expect(await refused).toBe('malformed')
    expect(frames).toEqual(['control ff01'])
  })
})
