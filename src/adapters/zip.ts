/** Several files as one zip: read and packed piece by piece, so that none of them has to fit into memory. For a worker. */
import { Zip, ZipDeflate, ZipPassThrough } from 'fflate'

/** One file within a zip. */
export interface Packed {
  /** With the folders that it lies in, from the one that was chosen. */
  readonly path: string
  readonly file: File
}

export const zipLimits = {
  /** guess: a folder of more is a backup, for which there are other ways. */
  filesMax: 2_000,
  /** The format without its extension ends here (APPNOTE 4.4.8). */
  bytesMax: 4_000_000_000,
} as const

/** guess: so much is handed to the browser at a time, which keeps it on disk. */
const handedBytes = 4_194_304

/** What is packed already does not get smaller. */
const packedTypes = /^(image\/(?!svg|bmp)|audio\/(?!wav)|video\/)|zip|7z|gzip|x-xz|pdf|officedocument/

/** @param onBytes is told how much has been read @throws DOMException for what cannot be read */
export async function zipOf(files: readonly Packed[], onBytes: (bytes: number) => void): Promise<Blob> {
  const parts: Blob[] = []
  let waiting: Uint8Array<ArrayBuffer>[] = []
  let waitingBytes = 0
  const hand = () => {
    parts.push(new Blob(waiting))
    waiting = []
    waitingBytes = 0
  }
  const failed: { error?: Error } = {}
  const zip = new Zip((error, bytes) => {
    if (error !== null) {
      failed.error = error
      return
    }
    waiting.push(bytes.slice())
    waitingBytes += bytes.length
    if (waitingBytes >= handedBytes) hand()
  })
  let read = 0
  for (const { path, file } of files) {
    const entry = packedTypes.test(file.type) ? new ZipPassThrough(path) : new ZipDeflate(path, { level: 6 })
    entry.mtime = file.lastModified
    zip.add(entry)
    const reader = file.stream().getReader()
    for (let isDone = false; !isDone;) {
      const { done, value } = await reader.read()
      isDone = done
      entry.push(value ?? new Uint8Array(), done)
      if (failed.error !== undefined) throw failed.error
      read += value?.length ?? 0
      onBytes(read)
    }
  }
  zip.end()
  hand()
  return new Blob(parts, { type: 'application/zip' })
}
