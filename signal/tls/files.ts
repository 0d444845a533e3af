/** Where an authority and a certificate stand on the disk. A key is readable by its owner only, and written whole. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Authority, Certified } from './authority.ts'
import { meshPermits, parsePermits, permitsText } from './permits.ts'

const authorityFile = 'ca.crt'
const authorityKeyFile = 'ca.key'
const permitsFile = 'ca.json'

/** @returns undefined where there is none @throws when it cannot be read, or is only there in part */
export function readAuthority(folder: string): Authority | undefined {
  const certificate = readIfThere(join(folder, authorityFile))
  if (certificate === undefined) return undefined
  const key = readFileSync(join(folder, authorityKeyFile), 'utf8')
  const said = readIfThere(join(folder, permitsFile))
  const permits = said === undefined ? undefined : parsePermits(said)
  return { certificate, key, permits: permits ?? meshPermits }
}

export function writeAuthority(folder: string, { certificate, key, permits }: Authority): void {
  writeWhole(join(folder, permitsFile), permitsText(permits), 0o644)
  writeWhole(join(folder, authorityKeyFile), key, 0o600)
  // Last: with it the authority is there.
  writeWhole(join(folder, authorityFile), certificate, 0o644)
}

/** @returns the two files, certificate and key */
export function writeCertified(folder: string, name: string, { certificate, key }: Certified): string[] {
  const plain = name.replace(/[^A-Za-z0-9.-]/g, '_')
  const files = [join(folder, `${plain}.crt`), join(folder, `${plain}.key`)] as const
  writeWhole(files[1], key, 0o600)
  writeWhole(files[0], certificate, 0o644)
  return [...files]
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function writeWhole(file: string, text: string, mode: number): void {
  mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 })
  writeFileSync(`${file}.new`, text, { mode, flush: true })
  renameSync(`${file}.new`, file)
}
