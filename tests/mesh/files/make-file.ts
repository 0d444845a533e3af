/** Files whose bytes follow from a number. */
import { hashBytesLength, type Content } from '../../../src/mesh/files/content.ts'
import { blocksOf, chunkHash, fileIdOf, type Block, type FileId } from '../../../src/mesh/files/hash-tree.ts'
import { fileLimits } from '../../../src/mesh/files/limits.ts'

export interface Made {
  readonly content: Content
  readonly id: FileId
  readonly bytes: Uint8Array
  readonly blocks: readonly Block[]
}

export function fileOf(seed: number, size: number): Made {
  const bytes = new Uint8Array(size)
  let x = seed + 1
  for (let i = 0; i < size; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = x >>> 24
  }
  const hashes = new Uint8Array(Math.ceil(size / fileLimits.chunkBytes) * hashBytesLength)
  for (let at = 0, i = 0; at < size; at += fileLimits.chunkBytes, i++)
    hashes.set(chunkHash(bytes.subarray(at, at + fileLimits.chunkBytes)), i * hashBytesLength)
  const { root, blocks } = blocksOf(hashes)
  const content = { size, root }
  return { content, id: fileIdOf(content), bytes, blocks }
}
