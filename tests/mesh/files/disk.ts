/** What a peer's store of files is, for engines in virtual time: bytes and hashes, checked when they come, as on a disk. */
import { bytesEqual } from '../../../src/mesh/bytes.ts'
import { Bitmap } from '../../../src/mesh/files/bitmap.ts'
import { hashBytesLength, type Content } from '../../../src/mesh/files/content.ts'
import type { FileRecord, Wish, WriteResult } from '../../../src/mesh/files/file-state.ts'
import {
  blockCount,
  chunkCount,
  chunkHash,
  fileIdOf,
  type Block,
  type FileId,
} from '../../../src/mesh/files/hash-tree.ts'
import { fileLimits } from '../../../src/mesh/files/limits.ts'
import type { Made } from './make-file.ts'

export interface Held {
  readonly content: Content
  wish: Wish
  readonly chunks: Map<number, Uint8Array>
  readonly blocks: Map<number, Block>
}

export class Disk extends Map<FileId, Held> {
  keep(content: Content, wish: Wish): void {
    const id = fileIdOf(content)
    const held = this.get(id) ?? { content, wish, chunks: new Map(), blocks: new Map() }
    held.wish = wish
    this.set(id, held)
  }

  /** All of a file, as whoever shares it has it. */
  put({ id, content, bytes, blocks }: Made): void {
    const held: Held = { content, wish: 'wanted', chunks: new Map(), blocks: new Map(blocks.entries()) }
    for (let at = 0, i = 0; at < bytes.length; at += fileLimits.chunkBytes, i++)
      held.chunks.set(i, bytes.slice(at, at + fileLimits.chunkBytes))
    this.set(id, held)
  }

  write(file: FileId, chunk: number, bytes: Uint8Array): WriteResult {
    const held = this.get(file)
    const block = held?.blocks.get(Math.floor(chunk / fileLimits.blockChunks))
    if (held === undefined || block === undefined) return 'unknown'
    const at = (chunk % fileLimits.blockChunks) * hashBytesLength
    if (!bytesEqual(chunkHash(bytes), block.hashes.subarray(at, at + hashBytesLength))) return 'damaged'
    held.chunks.set(chunk, bytes)
    return 'stored'
  }

  /** What whoever begins anew finds there. */
  records(): FileRecord[] {
    return [...this.values()].map(({ content, wish, chunks, blocks }) => {
      const record = { content, wish, held: new Bitmap(chunkCount(content.size)) }
      for (const chunk of chunks.keys()) record.held.add(chunk)
      const known = new Bitmap(blockCount(content.size))
      for (const block of blocks.keys()) known.add(block)
      return { ...record, blocks: known }
    })
  }

  copy(): Disk {
    const copies = [...this].map(
      ([id, held]) => [id, { ...held, chunks: new Map(held.chunks), blocks: new Map(held.blocks) }] as const,
    )
    return new Disk(copies)
  }
}
