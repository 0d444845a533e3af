/** Folders on the disk of a node. */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ground, HashChunk } from '../../files/folder-file.ts'
import { NoRoom, type Folders, type OpenFile } from '../../files/folder.ts'

const leafPrefix = Uint8Array.of(0)

/** RFC 9162 §2.1.1: the hash of a leaf. */
const hash: HashChunk = (chunk) => createHash('sha256').update(leafPrefix).update(chunk).digest()

/** guess: a card wears out by what is made durable, not by what is written. */
const flushMs = 1_000

export function diskGround(folder: string): Ground {
  return { folders: new DiskFolders(folder), hash, flushMs }
}

class DiskFolders implements Folders {
  private readonly root: string

  /** @param root made when something is written there */
  constructor(root: string) {
    this.root = root
  }

  async list(): Promise<readonly string[]> {
    try {
      return await readdir(this.root)
    } catch (error) {
      if (isCode(error, 'ENOENT')) return []
      throw error
    }
  }

  async open(folder: string, name: string): Promise<OpenFile> {
    const path = join(await this.made(folder), name)
    const handle = await open(path, 'r+', 0o600).catch((error: unknown) => {
      if (isCode(error, 'ENOENT')) return open(path, 'w+', 0o600)
      throw error
    })
    return {
      read: (at, length) => readAt(handle, at, length),
      write: (at, bytes) => withRoom(() => writeAll(handle, at, bytes)),
      sync: () => withRoom(() => handle.sync()),
      close: () => handle.close(),
    }
  }

  private async made(folder: string): Promise<string> {
    const path = join(this.root, folder)
    await mkdir(path, { recursive: true, mode: 0o700 })
    return path
  }

  async load(folder: string, name: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(join(this.root, folder, name))
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw error
    }
  }

  async replace(folder: string, name: string, bytes: Uint8Array): Promise<void> {
    const path = join(await this.made(folder), name)
    await withRoom(() => writeFile(`${path}.new`, bytes, { mode: 0o600, flush: true }))
    await rename(`${path}.new`, path)
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(join(this.root, from), join(this.root, to))
  }

  async remove(folder: string): Promise<void> {
    await rm(join(this.root, folder), { recursive: true, force: true })
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

async function withRoom(write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (isCode(error, 'ENOSPC') || isCode(error, 'EDQUOT'))
      throw new NoRoom('the disk is full', { cause: error })
    throw error
  }
}

/** A disk that becomes full takes a part of it first. */
async function writeAll(handle: FileHandle, at: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done)
    done += bytesWritten
  }
}

async function readAt(handle: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  const { bytesRead } = await handle.read(bytes, 0, length, at)
  return bytes.subarray(0, bytesRead)
}
