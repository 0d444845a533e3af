/** The helper's Ed25519 key: its name as a site. Kept in the data directory, or new at each start. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { plainKey, type PlainKey } from '../src/adapters/signature.ts'
import type { Log } from './log.ts'

const keyBytes = 32

/** @throws when the directory cannot be written. A damaged key file is moved aside, never overwritten. */
export function openHelperKey(dataDir: string | undefined, log: Log): PlainKey {
  if (dataDir === undefined) return plainKey(randomBytes(keyBytes))
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const file = join(dataDir, 'helper.key')
  const kept = readKey(file)
  if (kept?.length === keyBytes) return plainKey(kept)
  if (kept !== undefined) {
    renameSync(file, `${file}.damaged`)
    // Devices and neighbours take this node for another one from now on.
    log.warn('key-damaged', { file, movedTo: `${file}.damaged` })
  }
  const secret = randomBytes(keyBytes)
  // Written whole or not at all: a crash must not leave half a key.
  writeFileSync(`${file}.new`, secret, { mode: 0o600, flush: true })
  renameSync(`${file}.new`, file)
  return plainKey(secret)
}

function readKey(file: string): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(file))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
