/** Builds the app, and bundles the helper and the demo into one file each that run without node_modules. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import zopfli from '@gfx/zopfli'
import { build } from 'vite'
import { nodeFlags } from './flags.mjs'
import { writeCopy } from './package/copy.mjs'

// Whoever starts it: a test's environment would make a larger app (measured: 98 kB instead of 86 until one can type).
process.env['NODE_ENV'] = 'production'

// Two builds that differ have two names: the service worker tells the pages that it keeps apart by them.
process.env['MESHCHAT_VERSION'] ??=
  `${JSON.parse(readFileSync('package.json', 'utf8')).version}-${sourcesHash()}`

/** @returns 8 hex digits over everything that the app is made of */
function sourcesHash() {
  const hash = createHash('sha256')
  const folders = ['src', 'static'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name)),
  )
  for (const file of [...folders, 'vite.config.ts', 'svelte.config.js', 'package-lock.json'].sort())
    hash.update(`${file}\0`).update(readFileSync(file))
  return hash.digest('hex').slice(0, 8)
}

/** The app. Its config stands in vite.config.ts. */
await build({ logLevel: 'warn' })
await build({ mode: 'copy', logLevel: 'warn' })
writeCopy('.svelte-kit/copy', 'build/meshchat.html')
await packTighter('build')

/**
 * Plain http gets gzip only, and over a radio link every kilobyte is a wait: the same DEFLATE with more care takes 3.4 %
 * less (measured), and seconds here instead of there.
 * @param {string} folder
 */
async function packTighter(folder) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.gz')) continue
    const file = join(folder, name)
    const packed = await zopfli.gzipAsync(readFileSync(file.slice(0, -3)), { numiterations: 15 })
    if (packed.length < readFileSync(file).length) writeFileSync(file, packed)
  }
}

/** @param {string} entry @param {string} name @param {boolean} isFirst */
async function bundle(entry, name, isFirst) {
  await build({
    configFile: false,
    logLevel: 'warn',
    build: {
      ssr: entry,
      outDir: 'signal/dist',
      emptyOutDir: isFirst,
      target: 'node20',
      minify: true,
      rollupOptions: {
        output: {
          entryFileNames: name,
          codeSplitting: false,
          banner: `#!/usr/bin/env -S node ${nodeFlags.join(' ')}`,
        },
      },
    },
    ssr: { noExternal: true },
  })
}

await bundle('signal/main.ts', 'signal.mjs', true)
await bundle('signal/demo/demo.ts', 'demo.mjs', false)
