import { sveltekit } from '@sveltejs/kit/vite'
import { defineConfig, type Plugin } from 'vite'
import { limits } from './src/mesh/limits.ts'

const importsLimits = /import \{[^}]*\blimits\b[^}]*\} from ['"][^'"]*\/limits\.ts['"]/

/** Writes the numbers of `limits.ts` where they are used: their names would be 2.5 kB of the first load, gzip. */
function inlineLimits(): Plugin {
  const values = new Map(Object.entries(limits).map(([name, value]) => [name, JSON.stringify(value)]))
  return {
    name: 'inline-limits',
    apply: 'build',
    enforce: 'post',
    transform(code, id) {
      if (!/\/src\/.*\.(ts|svelte)$/.test(id) || !importsLimits.test(code)) return undefined
      return {
        code: code.replace(/\blimits\.(\w+)/g, (whole, name: string) => values.get(name) ?? whole),
        map: null,
      }
    },
  }
}

export default defineConfig({
  plugins: [sveltekit(), inlineLimits()],
  // simple-peer's main file needs Node's globals; its own browser bundle does not.
  resolve: { alias: [{ find: /^simple-peer$/, replacement: 'simple-peer/simplepeer.min.js' }] },
  build: { target: 'es2022' },
})
