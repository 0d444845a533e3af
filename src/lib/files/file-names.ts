/** What files are called, for lists of what this device holds: the messages that say so may be far up in some channel. */
import type { FileId } from '#mesh/files/hash-tree.ts'

/** guess: more files than this are a library. The oldest names go. */
const namesMax = 500
const place = 'meshchat-file-names'

/** @returns what was remembered; nothing where storage is blocked or holds something else */
export function rememberedNames(): Map<FileId, string> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(place) ?? '[]')
    const rows: readonly unknown[] = Array.isArray(found) ? found : []
    return new Map(rows.flatMap((row) => (isRow(row) ? [row] : [])))
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof DOMException)) throw error
    return new Map()
  }
}

function isRow(row: unknown): row is [FileId, string] {
  return Array.isArray(row) && row.length === 2 && row.every((part) => typeof part === 'string')
}

export function rememberName(file: FileId, name: string): void {
  const names = rememberedNames()
  if (names.get(file) === name) return
  names.delete(file)
  names.set(file, name)
  try {
    localStorage.setItem(place, JSON.stringify([...names].slice(-namesMax)))
  } catch (error) {
    // Full or blocked: the list says how large it is.
    if (!(error instanceof DOMException)) throw error
  }
}
