/**
 * Brings a fresh clone to where it can run: packages as locked, app and helper built. Does nothing when that is
 * done already, so a node that was set up once starts without any network.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
const stamps = join(root, 'node_modules', '.meshchat')

/** @param {string[]} paths files and folders, relative to the root */
function fingerprint(paths) {
  const hash = createHash('sha256')
  const visit = (/** @type {string} */ path) => {
    const full = join(root, path)
    if (!existsSync(full)) return
    const entries = path.includes('.') ? undefined : readdirSync(full, { withFileTypes: true })
    if (entries === undefined) {
      hash.update(path).update(readFileSync(full))
      return
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const child = `${path}/${entry.name}`
      if (entry.isDirectory() && entry.name !== 'dist') visitFolder(child)
      else if (entry.isFile()) hash.update(child).update(readFileSync(join(root, child)))
    }
  }
  const visitFolder = (/** @type {string} */ path) => {
    for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
      const child = `${path}/${entry.name}`
      if (entry.isDirectory() && entry.name !== 'dist') visitFolder(child)
      else if (entry.isFile()) hash.update(child).update(readFileSync(join(root, child)))
    }
  }
  for (const path of paths) visit(path)
  return hash.digest('hex')
}

/** @param {string} name @param {string} value */
function isStamped(name, value) {
  const file = join(stamps, name)
  return existsSync(file) && readFileSync(file, 'utf8') === value
}

/** @param {string} name @param {string} value */
function stamp(name, value) {
  mkdirSync(stamps, { recursive: true })
  writeFileSync(join(stamps, name), value)
}

/** @param {string} command @param {string[]} args */
export function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    console.error(`${command} ${args.join(' ')} failed.`)
    process.exit(1)
  }
}

export function ensurePackages() {
  const wanted = fingerprint(['package.json', 'package-lock.json'])
  if (isStamped('packages', wanted)) return
  console.error('Installing packages …')
  run('npm', ['ci', '--no-audit', '--no-fund'])
  stamp('packages', wanted)
}

export function ensureBuild() {
  const wanted = fingerprint([
    'src',
    'static',
    'signal',
    'svelte.config.js',
    'vite.config.ts',
    'package-lock.json',
  ])
  const isThere =
    existsSync(join(root, 'build', 'index.html')) && existsSync(join(root, 'signal/dist/signal.mjs'))
  if (isThere && isStamped('build', wanted)) return
  console.error('Building …')
  run('node', ['signal/build.mjs'])
  stamp('build', wanted)
}
