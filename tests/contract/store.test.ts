import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { createMemoryStore } from '../../src/adapters/memory/memory-store.ts'
import { DiskVolume } from '../../src/adapters/node/disk-volume.ts'
import { JournalStore } from '../../src/adapters/node/journal-store.ts'
import { MemoryVolume } from '../../src/adapters/node/memory-volume.ts'
import type { Volume } from '../../src/adapters/node/volume.ts'
import type { Store } from '../../src/runtime/ports.ts'
import { storeContract } from './store-contract.ts'

describe('store contract: memory', () => {
  it.each(storeContract.map((one) => [one.name, one] as const))('%s', async (_title, one) => {
    await one.run(createMemoryStore(new Uint8Array(16), () => 0))
  })
})

const options = { nowMs: () => 1_000, onDamaged: () => undefined, flushIntervalMs: 0 }

/** Closes the store and reads everything back from the volume before each opening but the first. */
function reopening(volume: () => Volume): Store & { finish(): Promise<void> } {
  let store = new JournalStore(volume(), options)
  let isFirst = true
  return {
    open: async () => {
      if (!isFirst) {
        await store.finish()
        store = new JournalStore(volume(), options)
      }
      isFirst = false
      return store.open()
    },
    write: (write) => store.write(write),
    load: (room, feed, first, last) => store.load(room, feed, first, last),
    history: (query) => store.history(query),
    find: (ids) => store.find(ids),
    about: (targets) => store.about(targets),
    rulings: (room, author) => store.rulings(room, author),
    countAfter: (room, after, except, limit) => store.countAfter(room, after, except, limit),
    draft: (room) => store.draft(room),
    saveDraft: (room, text) => store.saveDraft(room, text),
    readMark: (room) => store.readMark(room),
    saveReadMark: (room, position) => store.saveReadMark(room, position),
    close: () => store.close(),
    finish: () => store.finish(),
  }
}

describe('store contract: journal in memory', () => {
  it.each(storeContract.map((one) => [one.name, one] as const))('%s', async (_title, one) => {
    const volume = new MemoryVolume()
    await one.run(reopening(() => volume))
  })
})

describe('store contract: journal on disk', () => {
  it.each(storeContract.map((one) => [one.name, one] as const))('%s', async (_title, one) => {
    const folder = await mkdtemp(join(tmpdir(), 'meshchat-journal-'))
    const store = reopening(() => new DiskVolume(join(folder, 'store')))
    try {
      await one.run(store)
    } finally {
      await store.finish()
      await rm(folder, { recursive: true })
    }
  })
})
