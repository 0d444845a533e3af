/** The content of a file that is held whole, for showing and saving: it stays where it lies until somebody reads it. */
import type { FileId } from '#mesh/files/hash-tree.ts'
import { filesPlace, hasFileSystem, safeType, storedContent } from './held-place.ts'
import { IndexedDbFolders } from './indexeddb-folders.ts'

/** guess: read at once, 1 MiB; the browser takes the parts of a blob out of the page's memory. */
const partBytes = 1_048_576

/** @param mime as its sender says @returns undefined when it is not here */
export async function blobOf(file: FileId, size: number, mime: string): Promise<Blob | undefined> {
  const content = hasFileSystem() ? await storedContent(file) : await paged(file, size)
  return content?.size === size ? content.slice(0, size, safeType(mime)) : undefined
}

async function paged(file: FileId, size: number): Promise<Blob> {
  const folders = new IndexedDbFolders(filesPlace)
  const parts: Blob[] = []
  try {
    const open = await folders.open(file, 'content')
    for (let at = 0; at < size; at += partBytes) {
      const bytes = await open.read(at, Math.min(partBytes, size - at))
      parts.push(new Blob([bytes.slice()]))
      if (bytes.length < Math.min(partBytes, size - at)) break
    }
  } finally {
    folders.close()
  }
  return new Blob(parts)
}
