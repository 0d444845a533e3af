import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { NoRoom, type Folders } from '../../src/adapters/files/folder.ts'
import { MemoryFileStore } from '../../src/adapters/files/memory-file-store.ts'
import type { HashChunk } from '../../src/adapters/files/folder-file.ts'
import { FolderFileStore } from '../../src/adapters/files/folder-file-store.ts'
import { diskGround } from '../../src/adapters/node/files/disk-folders.ts'
import { fileOf } from '../mesh/files/make-file.ts'
import { fileStoreContract } from './file-store-contract.ts'
import { reopening } from './reopening.ts'

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function onDisk(folder: string, bytesMax = Number.POSITIVE_INFINITY): FolderFileStore {
  return new FolderFileStore(diskGround(folder), bytesMax)
}

describe('file store contract: memory', () => {
  it.each(fileStoreContract.map((one) => [one.name, one] as const))('%s', async (_title, one) => {
    await one.run(new MemoryFileStore())
  })

  it('is full above what it may hold', async () => {
    const store = new MemoryFileStore(40_000)
    const [first, second] = [fileOf(1, 30_000), fileOf(2, 30_000)]
    expect(await store.add(30_000, whole(first.bytes))).toEqual({ ...first.content, wasKnown: false })
    expect(await store.add(30_000, whole(second.bytes))).toBe('full')
    await store.forget(first.id)
    expect(await store.add(30_000, whole(second.bytes))).toEqual({ ...second.content, wasKnown: false })
  })
})

describe('files on disk', () => {
  it('are told from what else stands in the folder, which is left alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshchat-files-'))
    try {
      await mkdir(join(folder, 'holiday'))
      await writeFile(join(folder, 'letter.txt'), 'mine')
      await mkdir(join(folder, 'new-0123456789abcdef'))
      expect(await onDisk(folder, 1_000).open()).toEqual([])
      expect((await readdir(folder)).sort()).toEqual(['holiday', 'letter.txt'])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('leave nothing of what was being written when they were forgotten', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshchat-files-'))
    const ground = diskGround(folder)
    let finishHash = (): void => undefined
    const hashing = new Promise<void>((done) => (finishHash = done))
    const hash: HashChunk = async (chunk) => {
      await hashing
      return ground.hash(chunk)
    }
    const store = new FolderFileStore({ ...ground, hash }, Number.POSITIVE_INFINITY)
    const { id, content, blocks, bytes } = fileOf(1, 60_000)
    const [block] = blocks
    if (block === undefined) throw new Error('no block')
    await store.keepFile(content, 'carried')
    await store.keepBlock(id, 0, block)
    const writing = store.write(id, 1, bytes.slice(16_384, 32_768))
    await store.forget(id)
    finishHash()
    expect(await writing).toBe('unknown')
    await store.finish()
    expect(await readdir(folder)).toEqual([])
    await rm(folder, { recursive: true })
  })

  it('says that something is damaged before it says that it has no room', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshchat-files-'))
    const store = onDisk(folder, 0)
    const { id, content, blocks, bytes } = fileOf(1, 100)
    const [block] = blocks
    if (block === undefined) throw new Error('no block')
    await store.keepFile(content, 'carried')
    await store.keepBlock(id, 0, block)
    expect(
      await store.write(
        id,
        0,
        bytes.map((byte) => byte ^ 1),
      ),
    ).toBe('damaged')
    expect(await store.write(id, 0, bytes)).toBe('full')
    await store.finish()
    await rm(folder, { recursive: true })
  })
})

describe('a file that is shared once more', () => {
  it('is held all the time, whatever becomes of the new copy', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshchat-files-'))
    const ground = diskGround(folder)
    const { id, content, bytes } = fileOf(1, 100_000)
    const first = new FolderFileStore(ground, Number.POSITIVE_INFINITY)
    expect(await first.add(100_000, whole(bytes))).toEqual({ ...content, wasKnown: false })
    await first.finish()
    // From now on nothing can be put in its place.
    const rename = () => Promise.reject(new NoRoom('gone meanwhile'))
    const folders = { ...bound(ground.folders), rename }
    const store = new FolderFileStore({ ...ground, folders }, Number.POSITIVE_INFINITY)
    await store.open()
    expect(await store.add(100_000, whole(bytes))).toEqual({ ...content, wasKnown: true })
    expect(await store.read(id, 1)).toEqual(bytes.slice(16_384, 32_768))
    await store.finish()
    expect(await readdir(folder)).toEqual([id])
    await rm(folder, { recursive: true })
  })
})

/** Its methods without itself. */
function bound(folders: Folders): Folders {
  return {
    list: () => folders.list(),
    open: (folder, name) => folders.open(folder, name),
    load: (folder, name) => folders.load(folder, name),
    replace: (folder, name, bytes) => folders.replace(folder, name, bytes),
    rename: (from, to, last) => folders.rename(from, to, last),
    remove: (folder) => folders.remove(folder),
  }
}

describe('file store contract: disk', () => {
  it.each(fileStoreContract.map((one) => [one.name, one] as const))('%s', async (_title, one) => {
    const folder = await mkdtemp(join(tmpdir(), 'meshchat-files-'))
    const store = reopening(() => onDisk(join(folder, 'files')))
    try {
      await one.run(store)
    } finally {
      await store.finish()
      await rm(folder, { recursive: true })
    }
  })
})
