/** What this device remembers of files beside their content: what they are called, and which it does not want. */
import type { FileId } from '#mesh/files/hash-tree.ts'

/** guess: more files than this are a library. The oldest go. */
const rowsMax = 500
/** For lists of what is held: the messages that say so may be far up in some channel. */
const namesPlace = 'meshchat-file-names'
/** Called off or removed by hand: they do not come by themselves again. */
const declinedPlace = 'meshchat-declined-files'

/** @returns what was remembered; nothing where storage is blocked or holds something else */
export function rememberedNames(): Map<FileId, string> {
  return rowsAt(namesPlace)
}

export function rememberName(file: FileId, name: string): void {
  change(namesPlace, file, name)
}

export function declinedFiles(): Set<FileId> {
  return new Set(rowsAt(declinedPlace).keys())
}

export function rememberDeclined(file: FileId, isDeclined: boolean): void {
  change(declinedPlace, file, isDeclined ? '' : undefined)
}

function rowsAt(place: string): Map<FileId, string> {
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

/** @param text undefined: it is forgotten */
function change(place: string, file: FileId, text: string | undefined): void {
  const rows = rowsAt(place)
  if (rows.get(file) === text) return
  rows.delete(file)
  if (text !== undefined) rows.set(file, text)
  try {
    localStorage.setItem(place, JSON.stringify([...rows].slice(-rowsMax)))
  } catch (error) {
    // Full or blocked: it counts until the page is closed.
    if (!(error instanceof DOMException)) throw error
  }
}
