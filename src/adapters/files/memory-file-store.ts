/** Files in memory: for the simulator, tests, and nodes that keep nothing. */
import { bytesEqual } from '#mesh/bytes.ts'
import { Bitmap } from '#mesh/files/bitmap.ts'
import type { FileRecord, Wish, WriteResult } from '#mesh/files/file-state.ts'
import { hashBytesLength, type Content } from '#mesh/files/content.ts'
import {
  blockCount,
  blocksOf,
  chunkCount,
  chunkHash,
  fileIdOf,
  type Block,
  type FileId,
} from '#mesh/files/hash-tree.ts'
import { fileLimits } from '#mesh/files/limits.ts'
import type { Added, FileStore } from '#runtime/ports.ts'
import { chunksOf } from './file-chunks.ts'

interface Kept {
  readonly content: Content
  wish: Wish
  readonly chunks: Map<number, Uint8Array>
  readonly blocks: Map<number, Block>
}

export class MemoryFileStore implements FileStore {
  private readonly files = new Map<FileId, Kept>()
  private bytes = 0
  private readonly bytesMax: number

  /** @param bytesMax of content; what would be more is `full` */
  constructor(bytesMax = Number.POSITIVE_INFINITY) {
    this.bytesMax = bytesMax
  }

  async open(): Promise<readonly FileRecord[]> {
    return [...this.files.values()].map(({ content, wish, chunks, blocks }) => {
      const held = new Bitmap(chunkCount(content.size))
      for (const chunk of chunks.keys()) held.add(chunk)
      const known = new Bitmap(blockCount(content.size))
      for (const block of blocks.keys()) known.add(block)
      return { content, wish, held, blocks: known }
    })
  }

  async keepFile(content: Content, wish: Wish): Promise<void> {
    const id = fileIdOf(content)
    const kept = this.files.get(id)
    if (kept === undefined) this.files.set(id, { content, wish, chunks: new Map(), blocks: new Map() })
    else kept.wish = wish
  }

  async keepBlock(file: FileId, block: number, proof: Block): Promise<void> {
    this.files.get(file)?.blocks.set(block, proof)
  }

  async readBlock(file: FileId, block: number): Promise<Block | undefined> {
    return this.files.get(file)?.blocks.get(block)
  }

  async write(file: FileId, chunk: number, bytes: Uint8Array): Promise<WriteResult> {
    const kept = this.files.get(file)
    const block = kept?.blocks.get(Math.floor(chunk / fileLimits.blockChunks))
    const at = (chunk % fileLimits.blockChunks) * hashBytesLength
    const expected = block?.hashes.subarray(at, at + hashBytesLength)
    if (kept === undefined || expected === undefined) return 'unknown'
    if (!bytesEqual(chunkHash(bytes), expected)) return 'damaged'
    if (kept.chunks.has(chunk)) return 'stored'
    if (this.bytes + bytes.length > this.bytesMax) return 'full'
    this.bytes += bytes.length
    kept.chunks.set(chunk, bytes)
    return 'stored'
  }

  async read(file: FileId, chunk: number): Promise<Uint8Array | undefined> {
    return this.files.get(file)?.chunks.get(chunk)
  }

  async add(size: number, bytes: AsyncIterable<Uint8Array>): Promise<Added | 'full' | 'failed' | 'changed'> {
    if (this.bytes + size > this.bytesMax) return 'full'
    const chunks: Uint8Array[] = []
    const hashes = new Uint8Array(chunkCount(size) * hashBytesLength)
    for await (const chunk of chunksOf(size, bytes)) {
      if (chunk === 'changed') return 'changed'
      hashes.set(chunkHash(chunk), chunks.length * hashBytesLength)
      chunks.push(chunk.slice())
    }
    const { root, blocks } = blocksOf(hashes)
    const content = { size, root }
    const id = fileIdOf(content)
    const wasKnown = this.files.has(id)
    await this.forget(id)
    this.bytes += size
    this.files.set(id, {
      content,
      wish: 'wanted',
      chunks: new Map(chunks.entries()),
      blocks: new Map(blocks.entries()),
    })
    return { ...content, wasKnown }
  }

  async forget(file: FileId): Promise<void> {
    for (const chunk of this.files.get(file)?.chunks.values() ?? []) this.bytes -= chunk.length
    this.files.delete(file)
  }

  close(): void {}

  /** Nothing outlasts it. */
  async finish(): Promise<void> {}
}
