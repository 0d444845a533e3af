/** Folders in the origin's private file system, for a worker of a secure page. No other tab has one of these files open. */
import { NoRoom, type Folders, type OpenFile } from '../../files/folder.ts'
import { hash32 } from '#mesh/ids.ts'

/** File System (WHATWG), as a worker has it: TypeScript's library for pages leaves it out, and that for workers a part. */
interface FileHandle extends Omit<FileSystemFileHandle, 'createSyncAccessHandle'> {
  createSyncAccessHandle(): Promise<Access>
  move(folder: FileSystemDirectoryHandle, name: string): Promise<void>
}

interface Access {
  read(bytes: Uint8Array, place: { readonly at: number }): number
  write(bytes: Uint8Array, place: { readonly at: number }): number
  truncate(length: number): void
  flush(): void
  getSize(): number
  close(): void
}

/** A small file is written to one of two in turn, so that a kill leaves the other one. */
const slots = ['0', '1'] as const
/** A number that rises, and what the bytes come to. */
const slotHeadBytes = 8

/**
 * measured (Chromium 156): a handle that nothing refers to any more may be collected while it opens, and whoever waits for
 * it waits for ever. They are referred to from here until they answer.
 */
const opening = new Set<FileHandle>()

async function accessOf(file: FileHandle): Promise<Access> {
  opening.add(file)
  try {
    return await file.createSyncAccessHandle()
  } finally {
    opening.delete(file)
  }
}

export class OpfsFolders implements Folders {
  private readonly root: Promise<FileSystemDirectoryHandle>
  /** Of small files the turn that was written last, by folder and name: reading both slots each time is half of the work. */
  private readonly turns = new Map<string, Map<string, number>>()

  /** @param name of the folder at the top that all of them lie in */
  constructor(name: string) {
    this.root = navigator.storage.getDirectory().then((top) => top.getDirectoryHandle(name, { create: true }))
    // Whoever asks for something is told.
    this.root.catch(() => undefined)
  }

  async list(): Promise<readonly string[]> {
    const names: string[] = []
    for await (const [name, { kind }] of (await this.root).entries())
      if (kind === 'directory') names.push(name)
    return names
  }

  private async file(folder: string, name: string): Promise<FileHandle> {
    return (await (await this.folder(folder)).getFileHandle(name, { create: true })) as FileHandle
  }

  private async folder(name: string): Promise<FileSystemDirectoryHandle> {
    return (await this.root).getDirectoryHandle(name, { create: true })
  }

  async open(folder: string, name: string): Promise<OpenFile> {
    const file = await withRoom(() => this.file(folder, name))
    const access = await accessOf(file)
    return {
      read: async (at, length) => {
        const bytes = new Uint8Array(length)
        return bytes.subarray(0, access.read(bytes, { at }))
      },
      write: (at, bytes) => withRoom(async () => writeAll(access, at, bytes)),
      sync: () => withRoom(async () => access.flush()),
      close: async () => access.close(),
    }
  }

  async load(folder: string, name: string): Promise<Uint8Array | undefined> {
    return (await this.newest(folder, name))?.bytes
  }

  /** @returns what was written last, and whole */
  private async newest(folder: string, name: string): Promise<Slot | undefined> {
    const found = await Promise.all(slots.map((slot) => this.readSlot(folder, name, slot)))
    return found
      .flatMap((one) => one ?? [])
      .sort((a, b) => b.turn - a.turn)
      .at(0)
  }

  private async readSlot(folder: string, name: string, slot: string): Promise<Slot | undefined> {
    try {
      const place = await (await this.root).getDirectoryHandle(folder)
      const file = await (await place.getFileHandle(`${name}.${slot}`)).getFile()
      const all = new Uint8Array(await file.arrayBuffer())
      if (all.length < slotHeadBytes) return undefined
      const head = new DataView(all.buffer)
      const bytes = all.slice(slotHeadBytes)
      const turn = head.getUint32(0)
      return head.getUint32(4) === checkOf(turn, bytes) ? { turn, bytes } : undefined
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotFoundError') return undefined
      throw error
    }
  }

  async replace(folder: string, name: string, bytes: Uint8Array): Promise<void> {
    const known = this.turns.get(folder)?.get(name) ?? (await this.newest(folder, name))?.turn ?? 0
    const turn = known + 1
    const all = new Uint8Array(slotHeadBytes + bytes.length)
    const head = new DataView(all.buffer)
    head.setUint32(0, turn)
    head.setUint32(4, checkOf(turn, bytes))
    all.set(bytes, slotHeadBytes)
    await withRoom(async () => {
      const file = await this.file(folder, `${name}.${slots[turn % 2] ?? ''}`)
      const access = await accessOf(file)
      try {
        access.truncate(all.length)
        writeAll(access, 0, all)
        access.flush()
      } finally {
        access.close()
      }
    })
    const turns = this.turns.get(folder) ?? new Map<string, number>()
    this.turns.set(folder, turns.set(name, turn))
  }

  async rename(from: string, to: string, last: string): Promise<void> {
    this.turns.delete(from)
    this.turns.delete(to)
    const root = await this.root
    const [source, target] = [await root.getDirectoryHandle(from), await this.folder(to)]
    const files: FileHandle[] = []
    for await (const handle of source.values()) if (handle.kind === 'file') files.push(handle as FileHandle)
    const isLast = ({ name }: FileHandle) => name.startsWith(`${last}.`)
    const inOrder = [...files.filter((one) => !isLast(one)), ...files.filter(isLast)]
    for (const file of inOrder) await file.move(target, file.name)
    await root.removeEntry(from, { recursive: true })
  }

  async remove(folder: string): Promise<void> {
    this.turns.delete(folder)
    try {
      await (await this.root).removeEntry(folder, { recursive: true })
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotFoundError') return
      throw error
    }
  }
}

interface Slot {
  readonly turn: number
  readonly bytes: Uint8Array
}

function checkOf(turn: number, bytes: Uint8Array): number {
  // Maps of large files have 128 kB: in parts, since each becomes arguments.
  let text = `${turn} ${bytes.length} `
  const part = 8_192
  for (let at = 0; at < bytes.length; at += part)
    text += String.fromCharCode(...bytes.subarray(at, at + part))
  return hash32(text)
}

function writeAll(access: Access, at: number, bytes: Uint8Array): void {
  if (access.write(bytes, { at }) < bytes.length) throw new NoRoom('less was written than there was')
}

async function withRoom<Result>(write: () => Promise<Result>): Promise<Result> {
  try {
    return await write()
  } catch (error) {
    if (error instanceof DOMException && error.name === 'QuotaExceededError')
      throw new NoRoom('the browser gives no more room', { cause: error })
    throw error
  }
}
