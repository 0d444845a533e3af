/** Addresses of files that are held whole: a page makes them, the service worker answers them (`held-answers.ts`). */
import type { FileId } from '#mesh/files/hash-tree.ts'
import { hasFileSystem } from './held-place.ts'

/** Below the app, where no node has anything. */
export const heldFolder = 'held/'

/** @returns where it plays and seeks from, the same each time; undefined where no service worker answers */
export function heldAddress(file: FileId, mime: string): string | undefined {
  if (!hasFileSystem() || !navigator.serviceWorker.controller) return undefined
  return `${heldFolder}${file}?${new URLSearchParams({ type: mime }).toString()}`
}
