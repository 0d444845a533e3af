/**
 * One file on disk: `content` as it is, with holes; `blocks`, a slot for the hashes of each; `map`, which of both are
 * there; `about`, what it is. The map is written after what it speaks of is durable: a kill costs what came since.
 */
import { mkdir, open, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesEqual } from '#mesh/bytes.ts'
import { Bitmap } from '#mesh/files/bitmap.ts'
import type { FileRecord } from '#mesh/files/file-state.ts'
import {
  blockCount,
  blockLength,
  chunkCount,
  chunkHash,
  chunkLength,
  hashBytesLength,
  isContent,
  type Block,
  type Content,
} from '#mesh/files/hash-tree.ts'
import { fileLimits } from '#mesh/files/limits.ts'
import { bytesToHex, hexToBytes } from '#mesh/ids.ts'

/** Bytes of the path, then the hashes, then the path. */
const slotBytes = 2 + (fileLimits.blockChunks + fileLimits.pathMax) * hashBytesLength
/** guess: blocks whose chunks come now, 2.5 kB each; others are read again. */
const proofsMax = 16
/** guess: so much of a transfer may come again after a kill. */
const flushMs = 1_000

export class DiskFile {
  readonly content: Content
  private readonly folder: string
  private readonly held: Bitmap
  private readonly blocks: Bitmap
  private readonly proofs = new Map<number, Block>()
  private isWanted: boolean
  private contentHandle: Promise<FileHandle> | undefined
  private blocksHandle: Promise<FileHandle> | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private flushing: Promise<void> = Promise.resolve()

  private constructor(folder: string, content: Content, isWanted: boolean, maps?: Maps) {
    this.folder = folder
    this.content = content
    this.isWanted = isWanted
    this.held = maps?.held ?? new Bitmap(chunkCount(content.size))
    this.blocks = maps?.blocks ?? new Bitmap(blockCount(content.size))
  }

  static async create(folder: string, content: Content, isWanted: boolean): Promise<DiskFile> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const file = new DiskFile(folder, content, isWanted)
    await file.writeAbout()
    return file
  }

  /** @returns undefined when what stands there is no file of ours, or not whole */
  static async read(folder: string): Promise<DiskFile | undefined> {
    const about = await bytesOf(join(folder, 'about'))
    const [size, root, isWanted] = (about?.toString('utf8') ?? '').split(' ')
    const content = {
      size: Number(size),
      root: hexToBytes(/^[0-9a-f]{64}$/.test(root ?? '') ? (root ?? '') : ''),
    }
    if (!isContent(content)) return undefined
    const maps = mapsOf(content, (await bytesOf(join(folder, 'map'))) ?? new Uint8Array())
    return new DiskFile(folder, content, isWanted === 'wanted', maps)
  }

  get record(): FileRecord {
    return { content: this.content, held: this.held, blocks: this.blocks, isWanted: this.isWanted }
  }

  get heldBytes(): number {
    return this.held.count * fileLimits.chunkBytes
  }

  async setWanted(isWanted: boolean): Promise<void> {
    if (this.isWanted === isWanted) return
    this.isWanted = isWanted
    await this.writeAbout()
  }

  private async writeAbout(): Promise<void> {
    const text = `${this.content.size} ${bytesToHex(this.content.root)} ${this.isWanted ? 'wanted' : 'carried'}`
    await replace(join(this.folder, 'about'), text)
  }

  async keepBlock(block: number, { hashes, path }: Block): Promise<void> {
    const slot = new Uint8Array(2 + hashes.length + path.length)
    slot.set([path.length >>> 8, path.length & 255])
    slot.set(hashes, 2)
    slot.set(path, 2 + hashes.length)
    this.proofs.set(block, { hashes, path })
    const handle = await (this.blocksHandle ??= openBoth(join(this.folder, 'blocks')))
    await handle.write(slot, 0, slot.length, block * slotBytes)
    this.blocks.add(block)
    this.flushLater()
    const [oldest] = this.proofs.keys()
    if (this.proofs.size > proofsMax && oldest !== undefined && this.blocks.has(oldest))
      this.proofs.delete(oldest)
  }

  async readBlock(block: number): Promise<Block | undefined> {
    const known = this.proofs.get(block)
    if (known !== undefined || !this.blocks.has(block)) return known
    const slot = await readAt(
      await (this.blocksHandle ??= openBoth(join(this.folder, 'blocks'))),
      block * slotBytes,
      slotBytes,
    )
    const hashBytes = blockLength(this.content.size, block) * hashBytesLength
    const pathBytes = (slot[0] ?? 0) * 256 + (slot[1] ?? 0)
    if (slot.length < 2 + hashBytes + pathBytes) return undefined
    return {
      hashes: slot.slice(2, 2 + hashBytes),
      path: slot.slice(2 + hashBytes, 2 + hashBytes + pathBytes),
    }
  }

  /** C3: @returns whether these are the bytes that the block says */
  async isRight(chunk: number, bytes: Uint8Array): Promise<boolean> {
    const proof = await this.readBlock(Math.floor(chunk / fileLimits.blockChunks))
    const at = (chunk % fileLimits.blockChunks) * hashBytesLength
    const expected = proof?.hashes.subarray(at, at + hashBytesLength)
    return expected !== undefined && bytesEqual(chunkHash(bytes), expected)
  }

  /** @param bytes that are right */
  async write(chunk: number, bytes: Uint8Array): Promise<void> {
    const handle = await (this.contentHandle ??= openBoth(join(this.folder, 'content')))
    await handle.write(bytes, 0, bytes.length, chunk * fileLimits.chunkBytes)
    this.held.add(chunk)
    this.flushLater()
  }

  /** @returns undefined for what is not held, or has been damaged since */
  async readChunk(chunk: number): Promise<Uint8Array | undefined> {
    if (!this.held.has(chunk)) return undefined
    const handle = await (this.contentHandle ??= openBoth(join(this.folder, 'content')))
    const bytes = await readAt(handle, chunk * fileLimits.chunkBytes, chunkLength(this.content.size, chunk))
    if (await this.isRight(chunk, bytes)) return bytes
    this.held.delete(chunk)
    this.flushLater()
    return undefined
  }

  private flushLater(): void {
    this.timer ??= setTimeout(() => {
      // What could not be said now is said with the next change, or fetched again.
      this.flush().catch(() => undefined)
    }, flushMs)
  }

  /** What is held so far is durable. */
  flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    this.flushing = this.flushing.catch(() => undefined).then(() => this.writeMap())
    return this.flushing
  }

  private async writeMap(): Promise<void> {
    const map = Uint8Array.of(...bitsOf(this.held), ...bitsOf(this.blocks))
    await (await this.contentHandle)?.sync()
    await (await this.blocksHandle)?.sync()
    await replace(join(this.folder, 'map'), map)
  }

  async close(): Promise<void> {
    if (this.timer !== undefined) await this.flush()
    await this.flushing
    await (await this.contentHandle)?.close()
    await (await this.blocksHandle)?.close()
    this.contentHandle = this.blocksHandle = undefined
  }

  async remove(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    await this.close()
    await rm(this.folder, { recursive: true, force: true })
  }
}

interface Maps {
  readonly held: Bitmap
  readonly blocks: Bitmap
}

function bitsOf(map: Bitmap): Uint8Array {
  const bits = new Uint8Array(Math.ceil(map.size / 8))
  for (let index = 0; index < map.size; index++) {
    if (map.has(index)) bits[index >>> 3] = (bits[index >>> 3] ?? 0) | (1 << (index & 7))
  }
  return bits
}

function mapsOf({ size }: Content, bytes: Uint8Array): Maps | undefined {
  const held = new Bitmap(chunkCount(size))
  const blocks = new Bitmap(blockCount(size))
  const heldBytes = Math.ceil(held.size / 8)
  if (bytes.length !== heldBytes + Math.ceil(blocks.size / 8)) return undefined
  const isSet = (at: number, index: number) => ((bytes[at + (index >>> 3)] ?? 0) & (1 << (index & 7))) !== 0
  for (let index = 0; index < held.size; index++) if (isSet(0, index)) held.add(index)
  for (let index = 0; index < blocks.size; index++) if (isSet(heldBytes, index)) blocks.add(index)
  return { held, blocks }
}

function openBoth(path: string): Promise<FileHandle> {
  return open(path, 'r+', 0o600).catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return open(path, 'w+', 0o600)
    throw error
  })
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

async function readAt(handle: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  const { bytesRead } = await handle.read(bytes, 0, length, at)
  return bytes.subarray(0, bytesRead)
}

async function replace(path: string, data: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.new`, data, { mode: 0o600, flush: true })
  await rename(`${path}.new`, path)
}

/** @returns undefined when there is none; @throws what else is the matter: what cannot be read now is not gone */
function bytesOf(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  })
}
