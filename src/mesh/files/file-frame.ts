/**
 * What peers say about files. Frames of their own beside those of the chat: whoever carries the chat need not know them.
 * Decoding is total, as in `../frame.ts`. Rules C4 to C6 in PROTOCOL.md.
 */
import { Malformed, Reader, Writer } from '../bytes.ts'
import { unreachable } from '../effects.ts'
import type { FrameFault, Lane } from '../frame.ts'
import { bytesToHex, hexToBytes } from '../ids.ts'
import type { Got } from './congestion.ts'
import { gotCode, partCode } from './file-codes.ts'
import { readRuns, writeRuns, type Runs } from './bitmap.ts'
import { hashBytesLength, isContent, type Content } from './content.ts'
import type { Block, FileId } from './hash-tree.ts'
import { fileLimits } from './limits.ts'

/** The first 8 bytes of a file's id as hex: enough between two who have spoken of it. */
export type FileName = string & { readonly brand: 'FileName' }

/** Chunks in a row. */
export interface Chunks {
  readonly first: number
  readonly count: number
}

/** A file that is wanted; over how many others, and over how many of a site (C18), that may be passed on. */
export interface Wanted {
  readonly content: Content
  readonly hops: number
  readonly siteHops: number
}

/** What can be had from a peer. */
export interface Offer {
  /** What it holds itself. */
  readonly held: Runs
  /** What it would fetch from others for somebody, and over how many peers at most. */
  readonly reach: Runs
  readonly hops: number
  /** C18: what others of the same site hold, over how many of them at most; and what they reach, over how many all the way. */
  readonly site?: {
    readonly held: Runs
    readonly hops: number
    readonly reach: Runs
    readonly reachHops: number
  }
}

export type FileFrame =
  /** Whoever says it wants these, or somebody behind it does. */
  | { readonly type: 'want-files'; readonly files: readonly Wanted[] }
  | { readonly type: 'leave-files'; readonly files: readonly FileName[] }
  | ({ readonly type: 'offer'; readonly file: FileName } & Offer)
  | {
      readonly type: 'ask'
      readonly file: FileName
      readonly chunks: readonly Chunks[]
      /** Blocks whose hashes are wanted. */
      readonly blocks: readonly number[]
    }
  /** What was asked for is not wanted any more. */
  | { readonly type: 'stop'; readonly file: FileName; readonly chunks: readonly Chunks[] }
  /** What was asked for is not to be had here. */
  | {
      readonly type: 'none'
      readonly file: FileName
      readonly chunks: readonly Chunks[]
      readonly blocks: readonly number[]
    }
  | ({ readonly type: 'hashes'; readonly file: FileName; readonly block: number } & Block)
  /** A chunk, or a part of one: what fits between two messages on a slow link. */
  | {
      readonly type: 'part'
      readonly file: FileName
      readonly chunk: number
      readonly at: number
      /** Counts the parts of this direction of the link, from 0. */
      readonly number: number
      readonly bytes: Uint8Array
    }

  /** Parts that have come. */
  | ({ readonly type: 'got' } & Got)
  /** C19: whoever carries for others is asked to keep this one. */
  | { readonly type: 'keep'; readonly content: Content }
  /** C19: whether it does. */
  | { readonly type: 'kept'; readonly file: FileName; readonly isKept: boolean }

/** C4: the first byte of each. */
const fileCodes = {
  'want-files': 32,
  'leave-files': 33,
  offer: 34,
  ask: 35,
  stop: 36,
  none: 37,
  hashes: 38,
  part: partCode,
  got: gotCode,
  keep: 41,
  kept: 42,
} as const

const nameBytesLength = 8

export function fileNameOf(id: FileId): FileName {
  return id.slice(0, 2 * nameBytesLength) as unknown as FileName
}

/** C5: what carries content takes the bulk lane. */
export function fileLaneOf({ type }: FileFrame): Lane {
  return type === 'part' || type === 'got' || type === 'hashes' ? 'bulk' : 'control'
}

/** guess: what a part says before its bytes. */
const partHeadBytes = 32

export function encodeFileFrame(frame: FileFrame): Uint8Array {
  const writer = new Writer(frame.type === 'part' ? frame.bytes.length + partHeadBytes : undefined).u8(
    fileCodes[frame.type],
  )
  if (frame.type === 'want-files') {
    writer.varint(frame.files.length)
    for (const { content, hops, siteHops } of frame.files)
      writer
        .varint(content.size)
        .fixed(content.root)
        .u8(hops * scopeStep + siteHops)
    return writer.finish()
  }
  if (frame.type === 'leave-files') {
    writer.varint(frame.files.length)
    for (const name of frame.files) writer.fixed(hexToBytes(name))
    return writer.finish()
  }
  if (frame.type === 'keep') return writer.varint(frame.content.size).fixed(frame.content.root).finish()
  if (frame.type === 'got')
    return writer.varint(frame.newest).u32(frame.before[0]).u32(frame.before[1]).finish()
  writeAbout(writer.fixed(hexToBytes(frame.file)), frame)
  return writer.finish()
}

function writeAbout(
  writer: Writer,
  frame: Exclude<FileFrame, { type: 'want-files' | 'leave-files' | 'got' | 'keep' }>,
): void {
  switch (frame.type) {
    case 'offer':
      return writeOffer(writer, frame)
    case 'ask':
    case 'none':
      writeChunks(writer, frame.chunks)
      writer.varint(frame.blocks.length)
      for (const block of frame.blocks) writer.varint(block)
      return
    case 'stop':
      return writeChunks(writer, frame.chunks)
    case 'hashes':
      writer.varint(frame.block).block(frame.hashes).fixed(frame.path)
      return
    case 'part':
      writer.varint(frame.chunk).varint(frame.at).varint(frame.number).fixed(frame.bytes)
      return
    case 'kept':
      writer.u8(frame.isKept ? 1 : 0)
      return
    default:
      unreachable(frame)
  }
}

/** Above the hops: a site follows. */
const siteBit = 0x80
/** Hops in the upper half of a byte, those of a site in the lower one. */
const scopeStep = 16

function writeOffer(writer: Writer, { hops, held, reach, site }: Offer): void {
  writeRuns(writer.u8(hops + (site === undefined ? 0 : siteBit)), held)
  writeRuns(writer, reach)
  if (site === undefined) return
  writeRuns(writer.u8(site.hops), site.held)
  writeRuns(writer.u8(site.reachHops), site.reach)
}

function writeChunks(writer: Writer, chunks: readonly Chunks[]): void {
  writer.varint(chunks.length)
  for (const { first, count } of chunks) writer.varint(first).varint(count)
}

/** @returns the frame, or why it is none. Never throws: bytes from a link are untrusted. */
export function decodeFileFrame(bytes: Uint8Array): FileFrame | FrameFault {
  const reader = new Reader(bytes)
  try {
    const frame = readFrame(reader, reader.u8())
    if (frame === undefined) return 'unknown-type'
    reader.end()
    return frame
  } catch (error) {
    if (error instanceof Malformed) return 'malformed'
    throw error
  }
}

function readFrame(reader: Reader, code: number): FileFrame | undefined {
  switch (code) {
    case fileCodes['want-files']:
      return {
        type: 'want-files',
        files: reader.list(fileLimits.filesPerFrameMax, () => readWanted(reader)),
      }
    case fileCodes['leave-files']:
      return { type: 'leave-files', files: reader.list(fileLimits.filesPerFrameMax, () => readName(reader)) }
    case fileCodes.offer:
      return readOffer(reader)
    case fileCodes.ask:
    case fileCodes.none: {
      const type = code === fileCodes.ask ? 'ask' : 'none'
      const about = { file: readName(reader), chunks: readChunks(reader) }
      const blocks = reader.list(fileLimits.blocksPerFrameMax, () => reader.varint(fileLimits.chunksMax))
      return { type, ...about, blocks }
    }
    case fileCodes.stop:
      return { type: 'stop', file: readName(reader), chunks: readChunks(reader) }
    case fileCodes.hashes: {
      const about = { file: readName(reader), block: reader.varint(fileLimits.chunksMax) }
      const hashes = reader.block(fileLimits.blockChunks * hashBytesLength)
      const path = reader.rest()
      if (hashes.length % hashBytesLength !== 0 || path.length % hashBytesLength !== 0)
        throw new Malformed('hashes')
      if (path.length > fileLimits.pathMax * hashBytesLength) throw new Malformed('path')
      return { type: 'hashes', ...about, hashes, path }
    }
    case fileCodes.part:
      return readPart(reader)
    case fileCodes.got: {
      const newest = reader.varint(Number.MAX_SAFE_INTEGER)
      return { type: 'got', newest, before: [reader.u32(), reader.u32()] }
    }
    case fileCodes.keep:
      return { type: 'keep', content: readContent(reader) }
    case fileCodes.kept:
      return { type: 'kept', file: readName(reader), isKept: readFlag(reader) }
    default:
      return undefined
  }
}

function readOffer(reader: Reader): FileFrame {
  const [file, first] = [readName(reader), reader.u8()]
  const hops = first % siteBit
  if (hops > fileLimits.hopsMax) throw new Malformed('hops')
  const offer = { type: 'offer', file, hops, held: readRuns(reader), reach: readRuns(reader) } as const
  if (first < siteBit) return offer
  const near = { hops: reader.u8(), held: readRuns(reader) }
  const site = { ...near, reachHops: reader.u8(), reach: readRuns(reader) }
  if (site.hops > fileLimits.siteHopsMax || site.reachHops > fileLimits.hopsMax)
    throw new Malformed('site hops')
  return { ...offer, site }
}

function readWanted(reader: Reader): Wanted {
  const [content, scope] = [readContent(reader), reader.u8()]
  const [hops, siteHops] = [Math.floor(scope / scopeStep), scope % scopeStep]
  if (hops > fileLimits.hopsMax || siteHops > fileLimits.siteHopsMax) throw new Malformed('hops')
  return { content, hops, siteHops }
}

function readPart(reader: Reader): FileFrame {
  const file = readName(reader)
  const chunk = reader.varint(fileLimits.chunksMax - 1)
  const at = reader.varint(fileLimits.chunkBytes - 1)
  const number = reader.varint(Number.MAX_SAFE_INTEGER)
  const bytes = reader.rest()
  if (bytes.length === 0 || at + bytes.length > fileLimits.chunkBytes) throw new Malformed('part')
  return { type: 'part', file, chunk, at, number, bytes }
}

function readFlag(reader: Reader): boolean {
  const flag = reader.u8()
  if (flag > 1) throw new Malformed('flag')
  return flag === 1
}

function readName(reader: Reader): FileName {
  return bytesToHex(reader.fixed(nameBytesLength)) as FileName
}

function readContent(reader: Reader): Content {
  const size = reader.varint(fileLimits.chunksMax * fileLimits.chunkBytes)
  const content = { size, root: reader.fixed(hashBytesLength) }
  if (!isContent(content)) throw new Malformed('content')
  return content
}

function readChunks(reader: Reader): Chunks[] {
  return reader.list(fileLimits.rangesPerFrameMax, () => {
    const first = reader.varint(fileLimits.chunksMax - 1)
    const count = reader.varint(fileLimits.depthMax)
    if (count === 0 || first + count > fileLimits.chunksMax) throw new Malformed('chunks')
    return { first, count }
  })
}
