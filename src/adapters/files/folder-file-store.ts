/** Files in folders, for nodes and browsers: a folder each, named by its id. */
import type { FileRecord, Wish, WriteResult } from '#mesh/files/file-state.ts'
import { hashBytesLength, type Content } from '#mesh/files/content.ts'
import {
  blocksOf,
  chunkCount,
  fileIdOf,
  parseFileId,
  type Block,
  type FileId,
} from '#mesh/files/hash-tree.ts'
import { fileLimits } from '#mesh/files/limits.ts'
import type { Added, FileStore } from '#runtime/ports.ts'
import { chunksOf } from './file-chunks.ts'
import { FolderFile, type Ground } from './folder-file.ts'
import { NoRoom, type OpenFile } from './folder.ts'

const takenInPattern = /^new-[0-9a-z]{1,32}$/

export class FolderFileStore implements FileStore {
  private readonly ground: Ground
  private readonly bytesMax: number
  private takenIn = 0
  /** Also those that are being made: what is said of them waits its turn. */
  private readonly files = new Map<FileId, Promise<FolderFile>>()
  private readonly made = new Set<FolderFile>()
  /** Those that are being removed: one of the same name begins when they are gone. */
  private readonly going = new Map<FileId, Promise<void>>()

  /** @param bytesMax of content; what would be more is `full` */
  constructor(ground: Ground, bytesMax: number) {
    this.ground = ground
    this.bytesMax = bytesMax
  }

  async open(): Promise<readonly FileRecord[]> {
    for (const name of await this.ground.folders.list()) {
      // What was being taken in when the process ended. Names that are none of ours are left alone.
      if (takenInPattern.test(name)) await this.ground.folders.remove(name)
      const id = parseFileId(name)
      const file = id === undefined ? undefined : await FolderFile.read(this.ground, name)
      if (id === undefined) continue
      if (file !== undefined && fileIdOf(file.content) === id) this.have(id, file)
      else await this.ground.folders.remove(name)
    }
    return [...this.made].map(({ record }) => record)
  }

  private have(id: FileId, file: FolderFile): void {
    this.files.set(id, Promise.resolve(file))
    this.made.add(file)
  }

  async keepFile(content: Content, wish: Wish): Promise<void> {
    const id = fileIdOf(content)
    const known = this.files.get(id)
    if (known !== undefined) return (await known).setWish(wish)
    const create = () => FolderFile.create(this.ground, id, content, wish)
    const making = this.going.get(id)?.then(create) ?? create()
    this.files.set(id, making)
    try {
      this.made.add(await making)
    } catch (error) {
      this.files.delete(id)
      throw error
    }
  }

  async keepBlock(file: FileId, block: number, proof: Block): Promise<void> {
    await (await this.files.get(file))?.keepBlock(block, proof)
  }

  async readBlock(file: FileId, block: number): Promise<Block | undefined> {
    return (await this.files.get(file))?.readBlock(block)
  }

  async write(file: FileId, chunk: number, bytes: Uint8Array): Promise<WriteResult> {
    let known: FolderFile | undefined
    try {
      known = await this.files.get(file)
      const verdict = (await known?.check(chunk, bytes)) ?? 'unknown'
      if (known === undefined || verdict !== 'right') return verdict === 'right' ? 'unknown' : verdict
      if (this.usedBytes + bytes.length > this.bytesMax) return 'full'
      await known.write(chunk, bytes)
      return 'stored'
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if (known?.isGone === true) return 'unknown'
      return error instanceof NoRoom ? 'full' : 'failed'
    }
  }

  private get usedBytes(): number {
    let sum = 0
    for (const { heldBytes } of this.made) sum += heldBytes
    return sum
  }

  async read(file: FileId, chunk: number): Promise<Uint8Array | undefined> {
    return (await this.files.get(file))?.readChunk(chunk)
  }

  async add(size: number, bytes: AsyncIterable<Uint8Array>): Promise<Added | 'full' | 'failed' | 'changed'> {
    if (this.usedBytes + size > this.bytesMax) return 'full'
    // No name of a file: what is left of it after a kill goes at the next start.
    const folder = `new-${(++this.takenIn).toString(36)}`
    const { folders } = this.ground
    try {
      await folders.remove(folder)
      const content = await this.takeIn(folder, size, bytes)
      if (content === undefined) await folders.remove(folder)
      return content ?? 'changed'
    } catch (error) {
      await folders.remove(folder)
      if (!(error instanceof Error)) throw error
      return error instanceof NoRoom ? 'full' : 'failed'
    }
  }

  private async takeIn(
    folder: string,
    size: number,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<Added | undefined> {
    const { folders } = this.ground
    const open = await folders.open(folder, 'content')
    const hashes = await this.writeAll(open, size, bytes).finally(() => open.close())
    if (hashes === undefined) return undefined
    const { root, blocks } = blocksOf(hashes)
    const content = { size, root }
    const id = fileIdOf(content)
    const known = await this.files.get(id)
    if (known?.record.held.isFull === true) {
      // The copy that is there stays: it may be the only one anywhere.
      await folders.remove(folder)
      await known.setWish('wanted')
      return { ...content, wasKnown: true }
    }
    const file = await FolderFile.create(this.ground, folder, content, 'wanted')
    for (const [block, proof] of blocks.entries()) await file.keepBlock(block, proof)
    file.record.held.fill(0, chunkCount(size))
    await file.flush()
    await file.close()
    await this.forget(id)
    await folders.rename(folder, id, 'about')
    const kept = await FolderFile.read(this.ground, id)
    if (kept === undefined) return undefined
    kept.trust()
    this.have(id, kept)
    return { ...content, wasKnown: known !== undefined }
  }

  /** @returns the hashes of the chunks; undefined when the length is another one */
  private async writeAll(
    file: OpenFile,
    size: number,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<Uint8Array | undefined> {
    const hashes = new Uint8Array(chunkCount(size) * hashBytesLength)
    let written = 0
    let chunks: Uint8Array[] = []
    /** What was given out before, and is hashed and written while the next is read: one at most. */
    let before: Promise<unknown> = Promise.resolve()
    // Several at once where the platform can, and one write for all of them; bounded.
    const keep = async () => {
      const [first, taken] = [written, chunks]
      written += chunks.length
      chunks = []
      const hashing = taken.map(async (chunk, at) => {
        hashes.set(await this.ground.hash(chunk), (first + at) * hashBytesLength)
      })
      await before
      before = Promise.all([file.write(first * fileLimits.chunkBytes, joined(taken)), ...hashing])
      // Whoever waits for it next is told.
      before.catch(() => undefined)
    }
    for await (const chunk of chunksOf(size, bytes)) {
      if (chunk === 'changed') {
        await before
        return undefined
      }
      chunks.push(chunk)
      if (chunks.length === fileLimits.blockChunks) await keep()
    }
    await keep()
    await before
    await file.sync()
    return hashes
  }

  async forget(file: FileId): Promise<void> {
    const known = this.files.get(file)
    this.files.delete(file)
    if (known === undefined) return this.going.get(file)
    const going = known.then(async (one) => {
      this.made.delete(one)
      await one.remove()
    })
    this.going.set(file, going)
    await going.finally(() => {
      if (this.going.get(file) === going) this.going.delete(file)
    })
  }

  close(): void {
    // Nobody waits for it any more; what is not durable yet is fetched again.
    this.finish().catch(() => undefined)
  }

  /** Everything is durable. */
  async finish(): Promise<void> {
    for (const file of this.made) await file.close()
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
