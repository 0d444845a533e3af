/**
 * One file in a folder of its own: `content` as it is, with holes; `blocks`, a slot for the hashes of each; `map`, which of
 * both are there; `about`, what it is. The map is written after what it speaks of is durable: a kill costs what came since.
 */
import { bytesEqual, encodeUtf8, Writer } from '#mesh/bytes.ts'
import { Bitmap } from '#mesh/files/bitmap.ts'
import type { FileRecord, Wish } from '#mesh/files/file-state.ts'
import { hashBytesLength, isContent, type Content } from '#mesh/files/content.ts'
import {
  blockCount,
  blockLength,
  chunkCount,
  chunkLength,
  isBlockOf,
  type Block,
} from '#mesh/files/hash-tree.ts'
import { fileLimits } from '#mesh/files/limits.ts'
import { bytesToHex, hexToBytes } from '#mesh/ids.ts'
import type { Folders, OpenFile } from './folder.ts'

/** Bytes of the path, then the hashes, then the path. */
const slotBytes = 2 + (fileLimits.blockChunks + fileLimits.pathMax) * hashBytesLength
/** guess: blocks whose chunks come now, 2.5 kB each; others are read again. */
const proofsMax = 16
/** Size, root and wish in decimal and hex digits. */
const aboutBytesMax = 120

/** The hash of a chunk, as the platform does it best (RFC 9162 §2.1.1: of a leaf). */
export type HashChunk = (chunk: Uint8Array) => Uint8Array | Promise<Uint8Array>

/** Where a file lies, and what it is checked with. */
export interface Ground {
  readonly folders: Folders
  readonly hash: HashChunk
  /** What came in so long may come again after a kill. */
  readonly flushMs: number
}

/** What is none of ours is kept for others, and asked for by nobody. */
function wishOf(text: string | undefined): Wish {
  return text === 'wanted' || text === 'paused' || text === 'kept' ? text : 'carried'
}

export class FolderFile {
  readonly content: Content
  private readonly ground: Ground
  private readonly folder: string
  private readonly held: Bitmap
  private readonly blocks: Bitmap
  /** Chunks that were seen to be right in this life of the process. */
  private readonly sound: Bitmap
  private readonly proofs = new Map<number, Block>()
  private wish: Wish
  private contentFile: Promise<OpenFile> | undefined
  private blocksFile: Promise<OpenFile> | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private flushing: Promise<void> = Promise.resolve()
  /** It is being removed: what is still under way must not make its folder again. */
  isGone = false

  private constructor(ground: Ground, folder: string, content: Content, wish: Wish, maps?: Maps) {
    this.ground = ground
    this.folder = folder
    this.content = content
    this.wish = wish
    this.held = maps?.held ?? new Bitmap(chunkCount(content.size))
    this.blocks = maps?.blocks ?? new Bitmap(blockCount(content.size))
    this.sound = new Bitmap(chunkCount(content.size))
  }

  /** All of it has just been hashed and written. */
  trust(): void {
    this.sound.fill(0, this.sound.size)
  }

  static async create(ground: Ground, folder: string, content: Content, wish: Wish): Promise<FolderFile> {
    const file = new FolderFile(ground, folder, content, wish)
    await file.writeAbout()
    return file
  }

  /** @returns undefined when what stands there is no file of ours, or not whole */
  static async read(ground: Ground, folder: string): Promise<FolderFile | undefined> {
    const about = await ground.folders.load(folder, 'about')
    if (about === undefined || about.length > aboutBytesMax) return undefined
    const [size, root, wish] = String.fromCharCode(...about).split(' ')
    const content = {
      size: Number(size),
      root: hexToBytes(/^[0-9a-f]{64}$/.test(root ?? '') ? (root ?? '') : ''),
    }
    if (!isContent(content)) return undefined
    const maps = mapsOf(content, (await ground.folders.load(folder, 'map')) ?? new Uint8Array())
    return new FolderFile(ground, folder, content, wishOf(wish), maps)
  }

  get record(): FileRecord {
    return { content: this.content, held: this.held, blocks: this.blocks, wish: this.wish }
  }

  get heldBytes(): number {
    return this.held.count * fileLimits.chunkBytes
  }

  async setWish(wish: Wish): Promise<void> {
    if (this.wish === wish) return
    this.wish = wish
    await this.writeAbout()
  }

  private async writeAbout(): Promise<void> {
    if (this.isGone) return
    const text = `${this.content.size} ${bytesToHex(this.content.root)} ${this.wish}`
    await this.ground.folders.replace(this.folder, 'about', encodeUtf8(text))
  }

  async keepBlock(block: number, { hashes, path }: Block): Promise<void> {
    const slot = new Uint8Array(2 + hashes.length + path.length)
    slot.set([path.length >>> 8, path.length & 255])
    slot.set(hashes, 2)
    slot.set(path, 2 + hashes.length)
    this.proofs.set(block, { hashes, path })
    await (await this.openBlocks()).write(block * slotBytes, slot)
    this.blocks.add(block)
    this.flushLater()
    const [oldest] = this.proofs.keys()
    if (this.proofs.size > proofsMax && oldest !== undefined && this.blocks.has(oldest))
      this.proofs.delete(oldest)
  }

  async readBlock(block: number): Promise<Block | undefined> {
    const known = this.proofs.get(block)
    if (known !== undefined || !this.blocks.has(block)) return known
    const slot = await (await this.openBlocks()).read(block * slotBytes, slotBytes)
    const hashBytes = blockLength(this.content.size, block) * hashBytesLength
    const pathBytes = (slot[0] ?? 0) * 256 + (slot[1] ?? 0)
    const proof = {
      hashes: slot.slice(2, 2 + hashBytes),
      path: slot.slice(2 + hashBytes, 2 + hashBytes + pathBytes),
    }
    if (isBlockOf(this.content, block, proof)) return proof
    // The disk gives back something else: it is not known any more, and may come again.
    this.blocks.delete(block)
    this.flushLater()
    return undefined
  }

  /** C3: whether these are the bytes that the block says. */
  async check(chunk: number, bytes: Uint8Array): Promise<'right' | 'damaged' | 'unknown'> {
    const proof = await this.readBlock(Math.floor(chunk / fileLimits.blockChunks))
    const at = (chunk % fileLimits.blockChunks) * hashBytesLength
    const expected = proof?.hashes.subarray(at, at + hashBytesLength)
    if (expected === undefined) return 'unknown'
    return bytesEqual(await this.ground.hash(bytes), expected) ? 'right' : 'damaged'
  }

  /** @param bytes that are right */
  async write(chunk: number, bytes: Uint8Array): Promise<void> {
    await (await this.openContent()).write(chunk * fileLimits.chunkBytes, bytes)
    this.held.add(chunk)
    this.sound.add(chunk)
    if (!this.held.isFull) return this.flushLater()
    // Nobody is told that a file is there which the next start would not find.
    try {
      await this.flush()
    } catch (error) {
      this.held.delete(chunk)
      throw error
    }
  }

  /** @returns undefined for what is not held, or has been damaged since */
  async readChunk(chunk: number): Promise<Uint8Array | undefined> {
    if (!this.held.has(chunk)) return undefined
    const length = chunkLength(this.content.size, chunk)
    const bytes = await (await this.openContent()).read(chunk * fileLimits.chunkBytes, length)
    // Hashing each time that somebody wants it would cost as much as sending it.
    if (this.sound.has(chunk) && bytes.length === length) return bytes
    if ((await this.check(chunk, bytes)) === 'right') {
      this.sound.add(chunk)
      return bytes
    }
    this.held.delete(chunk)
    this.flushLater()
    return undefined
  }

  private flushLater(): void {
    if (this.isGone) return
    this.timer ??= setTimeout(() => {
      // What could not be said now is said with the next change, or fetched again.
      this.flush().catch(() => undefined)
    }, this.ground.flushMs)
  }

  /** What is held so far is durable. */
  flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    this.flushing = this.flushing.catch(() => undefined).then(() => this.writeMap())
    return this.flushing
  }

  private async writeMap(): Promise<void> {
    if (this.isGone) return
    const map = new Writer().fixed(this.held.bytes).fixed(this.blocks.bytes).finish()
    await (await this.contentFile)?.sync()
    await (await this.blocksFile)?.sync()
    await this.ground.folders.replace(this.folder, 'map', map)
  }

  private async openContent(): Promise<OpenFile> {
    if (this.isGone) throw new Error('the file is gone')
    return (this.contentFile ??= this.ground.folders.open(this.folder, 'content').catch((error: unknown) => {
      // The next one tries again.
      this.contentFile = undefined
      throw error
    }))
  }

  private async openBlocks(): Promise<OpenFile> {
    if (this.isGone) throw new Error('the file is gone')
    return (this.blocksFile ??= this.ground.folders.open(this.folder, 'blocks').catch((error: unknown) => {
      this.blocksFile = undefined
      throw error
    }))
  }

  async close(): Promise<void> {
    if (this.timer !== undefined) await this.flush()
    await this.flushing
    await (await this.contentFile)?.close()
    await (await this.blocksFile)?.close()
    this.contentFile = this.blocksFile = undefined
  }

  async remove(): Promise<void> {
    this.isGone = true
    clearTimeout(this.timer)
    this.timer = undefined
    const ignore = () => undefined
    // What cannot be made durable any more need not be: all of it goes.
    await this.flushing.catch(ignore)
    for (const open of [this.contentFile, this.blocksFile])
      await open?.then((file) => file.close()).catch(ignore)
    this.contentFile = this.blocksFile = undefined
    await this.ground.folders.remove(this.folder)
  }
}

interface Maps {
  readonly held: Bitmap
  readonly blocks: Bitmap
}

function mapsOf({ size }: Content, bytes: Uint8Array): Maps | undefined {
  const heldBytes = Math.ceil(chunkCount(size) / 8)
  const held = Bitmap.ofBytes(chunkCount(size), bytes.subarray(0, heldBytes))
  const blocks = Bitmap.ofBytes(blockCount(size), bytes.subarray(heldBytes))
  return held === undefined || blocks === undefined ? undefined : { held, blocks }
}
