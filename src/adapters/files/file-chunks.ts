/** Cuts what comes in pieces of any length into the chunks of a file. */
import { chunkCount, chunkLength } from '#mesh/files/hash-tree.ts'

/**
 * @param size that all of it is to have, bytes
 * @returns chunks in order, those that lie within a piece as a part of it; `changed`, and nothing more, where there are
 * fewer or more bytes
 */
export async function* chunksOf(
  size: number,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array | 'changed'> {
  const count = chunkCount(size)
  let index = 0
  /** The beginning of a chunk whose end comes with a later piece. */
  let begun = new Uint8Array()
  let filled = 0
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      if (index >= count) {
        yield 'changed'
        return
      }
      const length = chunkLength(size, index)
      const part = piece.subarray(at, at + length - filled)
      at += part.length
      if (part.length === length) {
        yield part
        index += 1
        continue
      }
      if (filled === 0) begun = new Uint8Array(length)
      begun.set(part, filled)
      filled += part.length
      if (filled < length) continue
      yield begun
      index += 1
      filled = 0
    }
  }
  if (index < count) yield 'changed'
}
