import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { ensurePackages, root } from '../../signal/setup.mjs'

/**
 * The simulator and the engine in one file that a worker can run.
 * @param {string} name of the folder in tests/.cache
 * @param {import('vite').Plugin[]} [plugins]
 * @param {string} [entry]
 * @returns {Promise<URL>}
 */
export async function bundleWorker(name, plugins = [], entry = 'tests/sim/worker.ts') {
  ensurePackages()
  // What tsconfig.json extends is made by SvelteKit.
  if (!existsSync(`${root}.svelte-kit/tsconfig.json`)) {
    spawnSync('node_modules/.bin/svelte-kit', ['sync'], { cwd: root, stdio: 'inherit' })
  }
  const { build } = await import('vite')
  const outDir = `tests/.cache/${name}`
  await build({
    configFile: false,
    root,
    logLevel: 'error',
    plugins,
    build: {
      ssr: entry,
      outDir,
      emptyOutDir: true,
      target: 'node20',
      rollupOptions: { output: { entryFileNames: 'worker.mjs' } },
    },
    ssr: { noExternal: true },
  })
  return new URL(`../.cache/${name}/worker.mjs`, import.meta.url)
}
