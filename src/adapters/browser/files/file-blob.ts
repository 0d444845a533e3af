/** The content of a file that is held whole, for showing and saving: it stays where it lies until somebody reads it. */
import type { FileId } from '#mesh/files/hash-tree.ts'
import { filesPlace, hasFileSystem } from './browser-ground.ts'
import { IndexedDbFolders } from './indexeddb-folders.ts'

/** guess: read at once, 1 MiB; the browser takes the parts of a blob out of the page's memory. */
const partBytes = 1_048_576

/** Safe types only: what could run as a page of this origin is handed out as bytes. */
const shownTypes = /^(image\/(png|jpeg|gif|webp|avif|bmp)|audio\/[\w.+-]+|video\/[\w.+-]+)$/

/** @param mime as its sender says @returns undefined when it is not here */
export async function blobOf(file: FileId, size: number, mime: string): Promise<Blob | undefined> {
  const type = shownTypes.test(mime) ? mime : 'application/octet-stream'
  const content = hasFileSystem() ? await stored(file) : await paged(file, size)
  return content?.size === size ? content.slice(0, size, type) : undefined
}

async function stored(file: FileId): Promise<Blob | undefined> {
  try {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(filesPlace)
    return await (await (await folder.getDirectoryHandle(file)).getFileHandle('content')).getFile()
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return undefined
    throw error
  }
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
