/**
 * Around `npm pack`: everything is in the one bundled file, so the package depends on nothing and installs without a
 * network. `prepack` builds and takes the dependencies out of package.json, `postpack` puts it back.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuild, ensurePackages, root } from '../setup.mjs'

const manifest = join(root, 'package.json')
const kept = join(root, 'package.json.unpacked')

if (process.argv[2] === 'prepack') {
  ensurePackages()
  ensureBuild()
  const text = readFileSync(manifest, 'utf8')
  const left = new Set(['dependencies', 'devDependencies', 'scripts', 'imports', 'private'])
  const rest = Object.fromEntries(Object.entries(JSON.parse(text)).filter(([part]) => !left.has(part)))
  writeFileSync(kept, text)
  writeFileSync(manifest, `${JSON.stringify(rest, undefined, 2)}\n`)
} else if (existsSync(kept)) renameSync(kept, manifest)
