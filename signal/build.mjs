/** Builds the app, and bundles the helper and the demo into one file each that run without node_modules. */
import { build } from 'vite'
import { nodeFlags } from './flags.mjs'

/** The app. Its config stands in vite.config.ts. */
await build({ logLevel: 'warn' })

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
