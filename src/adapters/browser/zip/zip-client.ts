/** The page's side of the worker that packs. */
import { zipLimits, type Packed } from '../../zip.ts'

/** What the worker says: how much has been read; what has come of it. */
export type ZipWords = { readonly bytes: number } | { readonly blob: Blob } | { readonly fault: 'failed' }

/** @returns how it is stopped; `too-many`: nothing was begun */
export function startZip(
  files: readonly Packed[],
  heard: (words: ZipWords) => void,
): (() => void) | 'too-many' {
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0)
  if (files.length > zipLimits.filesMax || bytes > zipLimits.bytesMax) return 'too-many'
  const worker = new Worker(new URL('./zip-worker.ts', import.meta.url), { type: 'module' })
  const end = (words: ZipWords) => {
    heard(words)
    if (!('bytes' in words)) worker.terminate()
  }
  worker.onmessage = ({ data }: MessageEvent<ZipWords>) => end(data)
  worker.onerror = () => end({ fault: 'failed' })
  worker.postMessage(files)
  return () => worker.terminate()
}
