/** What lies in a folder that somebody has dropped or chosen. */

/** One file of it. */
export interface Packed {
  /** With the folders that it lies in, from the one that was chosen. */
  readonly path: string
  readonly file: File
}

/** guess: looked for in one folder; more than that are not packed. */
const filesMax = 5_000

/** What can be attached: a folder comes as its entry when it is dropped. */
export type Given = File | FileSystemDirectoryEntry

export function isFolder(given: Given): given is FileSystemDirectoryEntry {
  return !(given instanceof File)
}

/** @returns what lies in it, however deep; no more than so many */
export async function filesIn(folder: FileSystemDirectoryEntry): Promise<Packed[]> {
  const found: Packed[] = []
  const waiting = [folder]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const reader = next.createReader()
    // It gives some at a time, and none at the end.
    for (let entries = await entriesOf(reader); entries.length > 0; entries = await entriesOf(reader)) {
      for (const entry of entries) {
        if (found.length >= filesMax) return found
        if (entry.isDirectory) waiting.push(entry as FileSystemDirectoryEntry)
        else found.push({ path: entry.fullPath.slice(1), file: await fileOf(entry as FileSystemFileEntry) })
      }
    }
  }
  return found
}

function entriesOf(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject))
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject))
}

/** Of a folder that was chosen: the browser has looked through it. */
export function chosenFolder(files: readonly File[]): { readonly name: string; readonly files: Packed[] } {
  const packed = files.map((file) => ({ path: file.webkitRelativePath || file.name, file }))
  return { name: packed[0]?.path.split('/')[0] ?? '', files: packed }
}
