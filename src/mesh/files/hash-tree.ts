/**
 * What a file is: chunks of 16 KiB under the tree of their hashes, so that each one can be checked as it comes, from
 * whoever. Rules C1 to C3 in PROTOCOL.md.
 *
 * Source: the tree and the paths in it are those of RFC 9162 (Certificate Transparency) §2.1.1 and §2.1.3, over blocks of
 * 64 chunks: an aligned block is one node of that tree, and its path that of a leaf in the tree of blocks.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesEqual, encodeUtf8, Writer } from '../bytes.ts'
import { bytesToHex } from '../ids.ts'
import { hashBytesLength, type Content } from './content.ts'
import { fileLimits } from './limits.ts'

/** SHA-256("meshchat/1/file" ‖ size u64 ‖ root) as 64 hex digits: the same content is the same file, wherever it came from. */
export type FileId = string & { readonly brand: 'FileId' }

/** The hashes of one block's chunks, and what leads from there to the root. */
export interface Block {
  /** 32 bytes for each chunk. */
  readonly hashes: Uint8Array
  /** 32 bytes for each step. */
  readonly path: Uint8Array
}

const domain = encodeUtf8('meshchat/1/file')

export function fileIdOf({ size, root }: Content): FileId {
  return bytesToHex(sha256(new Writer().fixed(domain).u64(size).fixed(root).finish())) as FileId
}

/** @returns the file id, or undefined: the text comes from outside. */
export function parseFileId(text: unknown): FileId | undefined {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text) ? (text as FileId) : undefined
}

export function chunkCount(size: number): number {
  return Math.ceil(size / fileLimits.chunkBytes)
}

/** @returns how many bytes that chunk has: all but the last one are whole */
export function chunkLength(size: number, index: number): number {
  return Math.min(fileLimits.chunkBytes, size - index * fileLimits.chunkBytes)
}

export function blockCount(size: number): number {
  return Math.ceil(chunkCount(size) / fileLimits.blockChunks)
}

/** @returns how many chunks that block has */
export function blockLength(size: number, block: number): number {
  return Math.min(fileLimits.blockChunks, chunkCount(size) - block * fileLimits.blockChunks)
}

/** RFC 9162 §2.1.1: the hash of a leaf. */
export function chunkHash(chunk: Uint8Array): Uint8Array {
  const prefixed = new Uint8Array(chunk.length + 1)
  prefixed.set(chunk, 1)
  return sha256(prefixed)
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(new Writer().u8(1).fixed(left).fixed(right).finish())
}

/** RFC 9162 §2.1.1: the largest power of two below a number of at least 2. */
function splitOf(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1))
}

/** RFC 9162 §2.1.1, MTH over nodes that are hashes already. @param nodes 32 bytes each, at least one */
export function rootOf(nodes: Uint8Array): Uint8Array {
  const count = nodes.length / hashBytesLength
  if (count === 1) return nodes
  const split = splitOf(count) * hashBytesLength
  return nodeHash(rootOf(nodes.subarray(0, split)), rootOf(nodes.subarray(split)))
}

/** @param hashes of all chunks @returns 32 bytes for each block */
function blockRoots(hashes: Uint8Array): Uint8Array {
  const blockBytes = fileLimits.blockChunks * hashBytesLength
  const writer = new Writer()
  for (let at = 0; at < hashes.length; at += blockBytes)
    writer.fixed(rootOf(hashes.subarray(at, at + blockBytes)))
  return writer.finish()
}

/** What everybody can be shown of a file whose chunks have been hashed. @param hashes of all chunks, 32 bytes each */
export function blocksOf(hashes: Uint8Array): {
  readonly root: Uint8Array
  readonly blocks: readonly Block[]
} {
  const roots = blockRoots(hashes)
  const blockBytes = fileLimits.blockChunks * hashBytesLength
  const blocks = Array.from({ length: roots.length / hashBytesLength }, (_, block) => ({
    hashes: hashes.slice(block * blockBytes, (block + 1) * blockBytes),
    path: pathOf(roots, block),
  }))
  return { root: rootOf(roots), blocks }
}

/** RFC 9162 §2.1.3.1: from the leaf up. */
function pathOf(nodes: Uint8Array, index: number): Uint8Array {
  const count = nodes.length / hashBytesLength
  if (count === 1) return new Uint8Array()
  const split = splitOf(count)
  const [left, right] = [nodes.subarray(0, split * hashBytesLength), nodes.subarray(split * hashBytesLength)]
  const writer = new Writer()
  if (index < split) writer.fixed(pathOf(left, index)).fixed(rootOf(right))
  else writer.fixed(pathOf(right, index - split)).fixed(rootOf(left))
  return writer.finish()
}

/** C2: @returns whether these are the hashes of that block. The bytes are a stranger's. */
export function isBlockOf({ size, root }: Content, block: number, { hashes, path }: Block): boolean {
  const count = blockCount(size)
  if (block < 0 || block >= count) return false
  if (hashes.length !== blockLength(size, block) * hashBytesLength) return false
  const found = climb(rootOf(hashes), { block, count, path, at: 0 })
  return found.at === path.length && bytesEqual(found.root, root)
}

interface Climb {
  readonly block: number
  readonly count: number
  readonly path: Uint8Array
  /** Bytes of the path that are used up. */
  readonly at: number
}

/** The way that `pathOf` has written, in the same order: the steps nearest to the leaf first. */
function climb(node: Uint8Array, way: Climb): { readonly root: Uint8Array; readonly at: number } {
  const { block, count, path } = way
  if (count === 1) return { root: node, at: way.at }
  const split = splitOf(count)
  const isLeft = block < split
  const below = isLeft ? { ...way, count: split } : { ...way, block: block - split, count: count - split }
  const { root, at } = climb(node, below)
  const other = path.subarray(at, at + hashBytesLength)
  return { root: isLeft ? nodeHash(root, other) : nodeHash(other, root), at: at + other.length }
}
