/** Builds the app and bundles the helper into one file that runs without node_modules. */
import { build } from 'vite'
import { nodeFlags } from './flags.mjs'

/** The app. Its config stands in vite.config.ts. */
await build({ logLevel: 'warn' })

await build({
  configFile: false,
  logLevel: 'warn',
  build: {
    ssr: 'signal/main.ts',
    outDir: 'signal/dist',
    target: 'node20',
    minify: true,
    rollupOptions: {
      output: {
        entryFileNames: 'signal.mjs',
        codeSplitting: false,
        banner: `#!/usr/bin/env -S node ${nodeFlags.join(' ')}`,
      },
    },
  },
  ssr: { noExternal: true },
})
