/** Where a browser keeps files, and how it hashes their chunks. For a worker. */
import { chunkHash } from '#mesh/files/hash-tree.ts'
import type { Ground, HashChunk } from '../../files/folder-file.ts'
import { filesPlace, hasFileSystem } from './held-place.ts'
import { IndexedDbFolders } from './indexeddb-folders.ts'
import { OpfsFolders } from './opfs-folders.ts'

/** guess: so little is fetched again after a kill that 20 of them cost less than a hundredth of a file. */
const flushMs = 250

/** RFC 9162 §2.1.1: the hash of a leaf. WebCrypto takes 16 KiB at twice the rate of JavaScript (`gossip.md` §1). */
const fastHash: HashChunk = async (chunk) => {
  const prefixed = new Uint8Array(chunk.length + 1)
  prefixed.set(chunk, 1)
  return new Uint8Array(await crypto.subtle.digest('SHA-256', prefixed))
}

export function browserGround(): Ground {
  const folders = hasFileSystem() ? new OpfsFolders(filesPlace) : new IndexedDbFolders(filesPlace)
  return { folders, hash: isSecureContext ? fastHash : chunkHash, flushMs }
}
