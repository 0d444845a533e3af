import { sveltekit } from '@sveltejs/kit/vite'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin, type UserConfig } from 'vite'
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

interface Emoji {
  readonly unicode: string
  readonly label: string
  readonly group?: number
  readonly order?: number
}

/** Skin tones and the like are no emoji by themselves. */
const componentGroup = 2

/**
 * `virtual:emoji/de`: every emoji with its name in that language (CLDR, by emojibase), a line each; an empty line
 * parts the groups.
 */
function emojiNames(): Plugin {
  const prefix = '\0virtual:emoji/'
  const require = createRequire(import.meta.url)
  return {
    name: 'emoji-names',
    resolveId: (id) => (id.startsWith(prefix.slice(1)) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(prefix)) return undefined
      const file = require.resolve(`emojibase-data/${id.slice(prefix.length)}/compact.json`)
      const all = JSON.parse(readFileSync(file, 'utf8')) as readonly Emoji[]
      const groups = new Map<number, Emoji[]>()
      for (const one of [...all].sort((a, b) => (a.order ?? 0) - (b.order ?? 0))) {
        if (one.group === undefined || one.group === componentGroup) continue
        groups.set(one.group, [...(groups.get(one.group) ?? []), one])
      }
      const text = [...groups.values()]
        .map((group) => group.map(({ unicode, label }) => `${unicode} ${label}`).join('\n'))
        .join('\n\n')
      return `export default ${JSON.stringify(text)}`
    },
  }
}

// simple-peer's main file needs Node's globals; its own browser bundle does not.
const simplePeer = { find: /^simple-peer$/, replacement: 'simple-peer/simplepeer.min.js' }

const app: UserConfig = {
  plugins: [sveltekit(), inlineLimits(), emojiNames()],
  resolve: { alias: [simplePeer] },
  build: { target: 'es2022' },
}

const searchWorker = "new Worker(new URL('./search-worker.ts', import.meta.url), { type: 'module' })"

/** A file has nothing beside it that a worker could be fetched from. */
function inlineWorker(): Plugin {
  return {
    name: 'inline-worker',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith('/search-client.ts')) return undefined
      if (!code.includes(searchWorker)) return this.error('the search worker is made in another way now')
      const inlined = code.replace(searchWorker, 'new InlineWorker()')
      return { code: `import InlineWorker from './search-worker.ts?worker&inline'\n${inlined}`, map: null }
    },
  }
}

const from = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The app as one script and one sheet of styles, without the kit: what `signal/package/copy.mjs` makes a file of. */
const copy: UserConfig = {
  plugins: [svelte({ configFile: from('./svelte.config.js') }), inlineLimits(), emojiNames(), inlineWorker()],
  publicDir: false,
  define: { meshchatVersion: JSON.stringify(process.env['MESHCHAT_VERSION'] ?? '0.1.0') },
  resolve: {
    alias: [
      simplePeer,
      { find: '$app/state', replacement: from('./src/copy/app/state.svelte.ts') },
      { find: /^\$app\/(environment|navigation|paths)$/, replacement: from('./src/copy/app/$1.ts') },
      { find: /^\$lib\//, replacement: from('./src/lib/') },
    ],
  },
  build: {
    target: 'es2022',
    outDir: '.svelte-kit/copy',
    cssCodeSplit: false,
    modulePreload: false,
    // One chunk is what is wanted.
    chunkSizeWarningLimit: 2_000,
    rolldownOptions: {
      input: from('./src/copy/main.ts'),
      output: { codeSplitting: false, entryFileNames: 'copy.js', assetFileNames: 'copy[extname]' },
    },
  },
}

export default defineConfig(({ mode }) => (mode === 'copy' ? copy : app))
