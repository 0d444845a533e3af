/** Files in a folder, for nodes: a folder each, named by its id. */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileRecord, WriteResult } from '#mesh/files/file-state.ts'
import {
  blocksOf,
  chunkCount,
  chunkHash,
  fileIdOf,
  hashBytesLength,
  parseFileId,
  type Block,
  type Content,
  type FileId,
} from '#mesh/files/hash-tree.ts'
import { fileLimits } from '#mesh/files/limits.ts'
import type { FileStore } from '#runtime/ports.ts'
import { chunksOf } from '../../file-chunks.ts'
import { DiskFile, isCode } from './disk-file.ts'

const takenInPattern = /^new-[0-9a-f]{16}$/

export class DiskFileStore implements FileStore {
  private readonly folder: string
  private readonly bytesMax: number
  /** Also those that are being made: what is said of them waits its turn. */
  private readonly files = new Map<FileId, Promise<DiskFile>>()
  private readonly made = new Set<DiskFile>()
  /** Those that are being removed: one of the same name begins when they are gone. */
  private readonly going = new Map<FileId, Promise<void>>()

  /** @param folder made when it is not there @param bytesMax of content; what would be more is `full` */
  constructor(folder: string, bytesMax: number) {
    this.folder = folder
    this.bytesMax = bytesMax
  }

  private path(file: FileId): string {
    return join(this.folder, file)
  }

  async open(): Promise<readonly FileRecord[]> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.folder)) {
      // What was being taken in when the process ended. Names that are none of ours are left alone.
      if (takenInPattern.test(name)) await rm(join(this.folder, name), { recursive: true, force: true })
      const id = parseFileId(name)
      const file = id === undefined ? undefined : await DiskFile.read(join(this.folder, name))
      if (id === undefined) continue
      if (file !== undefined && fileIdOf(file.content) === id) this.have(id, file)
      else await rm(join(this.folder, name), { recursive: true, force: true })
    }
    return [...this.made].map(({ record }) => record)
  }

  private have(id: FileId, file: DiskFile): void {
    this.files.set(id, Promise.resolve(file))
    this.made.add(file)
  }

  async keepFile(content: Content, isWanted: boolean): Promise<void> {
    const id = fileIdOf(content)
    const known = this.files.get(id)
    if (known !== undefined) return (await known).setWanted(isWanted)
    const create = () => DiskFile.create(this.path(id), content, isWanted)
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
    try {
      const known = await this.files.get(file)
      if (known === undefined || !(await known.isRight(chunk, bytes))) return 'damaged'
      if (this.usedBytes + bytes.length > this.bytesMax) return 'full'
      await known.write(chunk, bytes)
      return 'stored'
    } catch (error) {
      if (!(error instanceof Error)) throw error
      return isCode(error, 'ENOSPC') ? 'full' : 'failed'
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

  async add(
    size: number,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<Content | 'full' | 'failed' | 'changed'> {
    if (this.usedBytes + size > this.bytesMax) return 'full'
    // No name of a file: what is left of it after a kill goes at the next start.
    const folder = join(this.folder, `new-${randomBytes(8).toString('hex')}`)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    try {
      const content = await this.takeIn(folder, size, bytes)
      if (content === undefined) await rm(folder, { recursive: true })
      return content ?? 'changed'
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      if (!(error instanceof Error)) throw error
      return isCode(error, 'ENOSPC') ? 'full' : 'failed'
    }
  }

  private async takeIn(
    folder: string,
    size: number,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<Content | undefined> {
    const handle = await open(join(folder, 'content'), 'w', 0o600)
    const hashes = await writeAll(handle, size, bytes).finally(() => handle.close())
    if (hashes === undefined) return undefined
    const { root, blocks } = blocksOf(hashes)
    const content = { size, root }
    const id = fileIdOf(content)
    await this.forget(id)
    await rename(folder, this.path(id))
    const file = await DiskFile.create(this.path(id), content, true)
    for (const [block, proof] of blocks.entries()) await file.keepBlock(block, proof)
    file.record.held.fill(0, chunkCount(size))
    await file.flush()
    this.have(id, file)
    return content
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

/** @returns the hashes of the chunks; undefined when the length is another one */
async function writeAll(
  handle: FileHandle,
  size: number,
  bytes: AsyncIterable<Uint8Array>,
): Promise<Uint8Array | undefined> {
  const hashes = new Uint8Array(chunkCount(size) * hashBytesLength)
  let index = 0
  for await (const chunk of chunksOf(size, bytes)) {
    if (chunk === 'changed') return undefined
    await handle.write(chunk, 0, chunk.length, index * fileLimits.chunkBytes)
    hashes.set(chunkHash(chunk), index * hashBytesLength)
    index += 1
  }
  await handle.sync()
  return hashes
}
