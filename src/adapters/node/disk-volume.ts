/** A volume in a folder: one file per segment. */
import { closeSync, openSync, readSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { VolumeFault, type Volume } from './volume.ts'

const namePattern = /^(\d{8})\.journal$/

export class DiskVolume implements Volume {
  private readonly folder: string
  private readonly today: () => Date
  private readonly handles = new Map<number, Promise<FileHandle>>()
  private readonly readers = new Map<number, number>()
  private readonly lengths = new Map<number, number>()

  /** @param folder made when it is not there */
  constructor(folder: string, today: () => Date = () => new Date()) {
    this.folder = folder
    this.today = today
  }

  private path(segment: number): string {
    return join(this.folder, `${String(segment).padStart(8, '0')}.journal`)
  }

  async segments(): Promise<number[]> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 })
    const names = await readdir(this.folder)
    return names
      .flatMap((name) => {
        const number = namePattern.exec(name)?.[1]
        return number === undefined ? [] : [Number(number)]
      })
      .sort((a, b) => a - b)
  }

  async lengthOf(segment: number): Promise<number> {
    const { size } = await guarded(async () => (await this.handle(segment)).stat())
    this.lengths.set(segment, size)
    return size
  }

  async create(segment: number): Promise<void> {
    await guarded(async () => {
      await this.keepHandle(segment, open(this.path(segment), 'wx+', 0o600))
      this.lengths.set(segment, 0)
      await this.syncFolder()
    })
  }

  /** A new name in a folder is durable when the folder is. */
  private async syncFolder(): Promise<void> {
    const folder = await open(this.folder, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }

  /** Opened once, whoever asks first. */
  private handle(segment: number): Promise<FileHandle> {
    const known = this.handles.get(segment)
    if (known !== undefined) return known
    return this.keepHandle(segment, open(this.path(segment), 'r+'))
  }

  /** One that did not open is tried again. */
  private keepHandle(segment: number, handle: Promise<FileHandle>): Promise<FileHandle> {
    this.handles.set(segment, handle)
    handle.catch(() => this.handles.delete(segment))
    return handle
  }

  async append(segment: number, bytes: Uint8Array): Promise<void> {
    await guarded(async () => {
      const handle = await this.handle(segment)
      const at = this.lengths.get(segment) ?? (await handle.stat()).size
      try {
        for (let done = 0; done < bytes.length;) {
          const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done)
          done += bytesWritten
        }
      } catch (error) {
        await handle.truncate(at)
        throw error
      }
      this.lengths.set(segment, at + bytes.length)
    })
  }

  async truncate(segment: number, length: number): Promise<void> {
    await guarded(async () => {
      const handle = await this.handle(segment)
      await handle.truncate(length)
      await handle.sync()
      this.lengths.set(segment, length)
    })
  }

  async sync(segment: number): Promise<void> {
    await guarded(async () => (await this.handle(segment)).datasync())
  }

  async read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    await this.readInto(segment, offset, bytes)
    return bytes
  }

  async readInto(segment: number, offset: number, into: Uint8Array): Promise<void> {
    await guarded(async () => {
      const { bytesRead } = await (await this.handle(segment)).read(into, 0, into.length, offset)
      if (bytesRead < into.length) throw new VolumeFault('closed')
    })
  }

  readNow(segment: number, offset: number, length: number): Uint8Array {
    try {
      const reader = this.readers.get(segment) ?? openSync(this.path(segment), 'r')
      this.readers.set(segment, reader)
      const bytes = new Uint8Array(length)
      if (readSync(reader, bytes, 0, length, offset) < length) throw new VolumeFault('closed')
      return bytes
    } catch (error) {
      throw faultOf(error)
    }
  }

  async remove(segment: number): Promise<void> {
    await guarded(async () => {
      await this.forget(segment)
      await rm(this.path(segment), { force: true })
    })
  }

  private async forget(segment: number): Promise<void> {
    const reader = this.readers.get(segment)
    if (reader !== undefined) closeSync(reader)
    this.readers.delete(segment)
    const handle = this.handles.get(segment)
    this.handles.delete(segment)
    this.lengths.delete(segment)
    await (await handle)?.close()
  }

  async setAside(): Promise<string> {
    await this.close()
    const stamp = this.today().toISOString().replace(/[:.]/g, '-')
    const aside = `${this.folder}.damaged-${stamp}`
    await rename(this.folder, aside)
    await mkdir(this.folder, { recursive: true, mode: 0o700 })
    return aside
  }

  async close(): Promise<void> {
    for (const segment of new Set([...this.handles.keys(), ...this.readers.keys()]))
      await this.forget(segment)
  }
}

/** What a system says about a disk, in the two ways that make a difference. */
async function guarded<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw faultOf(error)
  }
}

function faultOf(error: unknown): VolumeFault {
  if (error instanceof VolumeFault) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return new VolumeFault(code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : 'closed', { cause: error })
}
