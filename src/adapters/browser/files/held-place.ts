/** Where the files of an origin lie, for its pages, their workers and the service worker. */
import type { FileId } from '#mesh/files/hash-tree.ts'

/** The folder or the database that all files are in. */
export const filesPlace = 'meshchat-files'

/** Secure pages of browsers that have a file system; else IndexedDB. A page that is a file itself has none of its own. */
export function hasFileSystem(): boolean {
  const isServed = location.protocol.startsWith('http')
  return isServed && isSecureContext && typeof navigator.storage.getDirectory === 'function'
}

/** Safe types only: what could run as a page of this origin is handed out as bytes. */
const shownTypes = /^(image\/(png|jpeg|gif|webp|avif|bmp)|audio\/[\w.+-]+|video\/[\w.+-]+)$/

/** @param mime as its sender says */
export function safeType(mime: string): string {
  return shownTypes.test(mime) ? mime : 'application/octet-stream'
}

/** @returns what lies in the file system of it, whole or not: it stays there until somebody reads it */
export async function storedContent(file: FileId): Promise<Blob | undefined> {
  try {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(filesPlace)
    return await (await (await folder.getDirectoryHandle(file)).getFileHandle('content')).getFile()
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return undefined
    throw error
  }
}
