/** Cuts what comes in pieces of any length into the chunks of a file. */
import { chunkCount, chunkLength } from '#mesh/files/hash-tree.ts'

/**
 * @param size that all of it is to have, bytes
 * @returns chunks in order, each of its own bytes; `changed`, and nothing more, where there are fewer or more bytes
 */
export async function* chunksOf(
  size: number,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array | 'changed'> {
  const count = chunkCount(size)
  let index = 0
  let chunk = new Uint8Array(count > 0 ? chunkLength(size, 0) : 0)
  let filled = 0
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      if (index >= count) {
        yield 'changed'
        return
      }
      const part = piece.subarray(at, at + chunk.length - filled)
      chunk.set(part, filled)
      filled += part.length
      at += part.length
      if (filled < chunk.length) continue
      yield chunk
      index += 1
      filled = 0
      chunk = new Uint8Array(index < count ? chunkLength(size, index) : 0)
    }
  }
  if (index < count) yield 'changed'
}
