import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex, hexToBytes } from '../../../src/mesh/ids.ts'
import { hashBytesLength, isContent } from '../../../src/mesh/files/content.ts'
import {
  blockCount,
  blocksOf,
  chunkCount,
  chunkHash,
  chunkLength,
  fileIdOf,
  isBlockOf,
  parseFileId,
  rootOf,
} from '../../../src/mesh/files/hash-tree.ts'
import { fileLimits } from '../../../src/mesh/files/limits.ts'
import { fileOf } from './make-file.ts'

/** The leaves and roots of Certificate Transparency's own tests of the same tree, for 1 to 8 leaves. */
const leaves = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
]
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

function hashesOf(count: number): Uint8Array {
  const hashes = new Uint8Array(count * hashBytesLength)
  for (let i = 0; i < count; i++) hashes.set(chunkHash(Uint8Array.of(i & 255, i >>> 8)), i * hashBytesLength)
  return hashes
}

/** A size that makes so many chunks. */
const sizeOf = (count: number) => (count - 1) * fileLimits.chunkBytes + 2

describe('the tree of a file', () => {
  it('[C1] is that of RFC 9162', () => {
    for (const [i, root] of roots.entries()) {
      const hashes = leaves.slice(0, i + 1).map((leaf) => chunkHash(hexToBytes(leaf)))
      expect(bytesToHex(rootOf(Uint8Array.from(hashes.flatMap((hash) => [...hash]))))).toBe(root)
    }
  })

  it('[C1] names the content and its size', () => {
    const { content } = fileOf(1, 20_000)
    expect(fileIdOf(content)).toBe('9772853682869f3ce2adade8696a57d7f7b355e9a19e35d84d341e603013f153')
    expect(fileIdOf({ ...content, size: 20_001 })).not.toBe(fileIdOf(content))
    expect(parseFileId(fileIdOf(content))).toBe(fileIdOf(content))
    for (const text of [undefined, 7, '', 'ab', fileIdOf(content).toUpperCase(), `${fileIdOf(content)}0`])
      expect(parseFileId(text)).toBeUndefined()
    const most = fileLimits.chunksMax * fileLimits.chunkBytes
    for (const size of [0, -1, 1.5, most + 1, Number.NaN]) expect(isContent({ ...content, size })).toBe(false)
    for (const size of [1, most]) expect(isContent({ ...content, size })).toBe(true)
    expect(isContent({ size: 1, root: content.root.subarray(1) })).toBe(false)
  })

  it('[C1] has whole chunks but the last', () => {
    expect([1, 16_384, 16_385].map(chunkCount)).toEqual([1, 1, 2])
    expect([chunkLength(16_385, 0), chunkLength(16_385, 1), chunkLength(16_384, 0)]).toEqual([
      16_384, 1, 16_384,
    ])
    expect([blockCount(sizeOf(64)), blockCount(sizeOf(65))]).toEqual([1, 2])
  })

  it('[C2] shows each block to be part of it, and nothing else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.nat(), fc.nat(), (count, which, where) => {
        const size = sizeOf(count)
        const { root, blocks } = blocksOf(hashesOf(count))
        expect(blocks.length).toBe(blockCount(size))
        const block = which % blocks.length
        const proof = blocks[block]
        if (proof === undefined) throw new Error('no block')
        expect(isBlockOf({ size, root }, block, proof)).toBe(true)
        const spoil = (bytes: Uint8Array) =>
          bytes.map((byte, i) => (i === where % bytes.length ? byte ^ 4 : byte))
        expect(isBlockOf({ size, root }, block, { ...proof, hashes: spoil(proof.hashes) })).toBe(false)
        if (proof.path.length > 0) {
          expect(isBlockOf({ size, root }, block, { ...proof, path: spoil(proof.path) })).toBe(false)
          const short = proof.path.subarray(hashBytesLength)
          expect(isBlockOf({ size, root }, block, { ...proof, path: short })).toBe(false)
        }
        const long = Uint8Array.of(...proof.path, ...proof.path, ...root)
        expect(isBlockOf({ size, root }, block, { ...proof, path: long })).toBe(false)
        for (const other of [block + 1, block - 1, blocks.length])
          expect(isBlockOf({ size, root }, other, proof)).toBe(false)
      }),
    )
  })

  it('[C2] does not fit a size that is a lie', () => {
    const { root, blocks } = blocksOf(hashesOf(100))
    const [first] = blocks
    if (first === undefined) throw new Error('no block')
    expect(isBlockOf({ size: sizeOf(100), root }, 0, first)).toBe(true)
    for (const count of [1, 64, 129, 1_000])
      expect(isBlockOf({ size: sizeOf(count), root }, 0, first)).toBe(false)
  })
})
