/** The contract of file stores inside a real worker: bundled, served from localhost, called by tests/e2e/contract.e2e.ts. */
import { FolderFileStore } from '../../src/adapters/files/folder-file-store.ts'
import type { Folders } from '../../src/adapters/files/folder.ts'
import { IndexedDbFolders } from '../../src/adapters/browser/files/indexeddb-folders.ts'
import { OpfsFolders } from '../../src/adapters/browser/files/opfs-folders.ts'
import { chunkHash } from '../../src/mesh/files/hash-tree.ts'
import { fileStoreContract } from './file-store-contract.ts'
import { reopening } from './reopening.ts'

export type Kind = 'file system' | 'IndexedDB'

function foldersOf(kind: Kind, name: string): Folders {
  return kind === 'file system' ? new OpfsFolders(name) : new IndexedDbFolders(name)
}

async function runAll(kind: Kind): Promise<string[]> {
  const lines: string[] = []
  for (const [i, { name, run }] of fileStoreContract.entries()) {
    const place = `contract-${Date.now()}-${i}`
    const create = () => {
      const ground = { folders: foldersOf(kind, place), hash: chunkHash, flushMs: 250 }
      return new FolderFileStore(ground, Number.POSITIVE_INFINITY)
    }
    const store = reopening(create)
    try {
      await run(store)
      lines.push(`ok ${name}`)
    } catch (error) {
      lines.push(`FAILED ${name}: ${String(error)}`)
    }
    await store.finish()
  }
  return lines
}

/** Small files are written while all that nothing refers to is collected all the time. Chromium with --expose-gc. */
async function writeCollected(): Promise<string[]> {
  const { gc } = globalThis as unknown as { readonly gc: () => void }
  const folders = new OpfsFolders(`collected-${Date.now()}`)
  const collecting = setInterval(gc, 5)
  // Functions are optimized after some 500 rounds; only then nothing refers to a handle that opens.
  for (let round = 0; round < 800; round++) await folders.replace('a', 'map', new Uint8Array(1_000))
  clearInterval(collecting)
  return ['ok']
}

onmessage = ({ data }: MessageEvent<Kind | 'collected'>) => {
  const run = data === 'collected' ? writeCollected() : runAll(data)
  run.then(postMessage, (error: unknown) => postMessage([`FAILED ${String(error)}`]))
}
