/** What a manifest says of the bytes of a file. Rule C1. Apart from the tree: who only shows messages needs no more. */
import { fileLimits } from './limits.ts'

export const hashBytesLength = 32

/** What a manifest says of the bytes. */
export interface Content {
  /** Bytes, at least 1. */
  readonly size: number
  /** 32 bytes: the root of the tree over the hashes of its chunks. */
  readonly root: Uint8Array
}

/** C1: whether there can be such a content. */
export function isContent({ size, root }: Content): boolean {
  return (
    Number.isSafeInteger(size) &&
    size > 0 &&
    size <= fileLimits.chunksMax * fileLimits.chunkBytes &&
    root.length === hashBytesLength
  )
}
