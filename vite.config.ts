import { sveltekit } from '@sveltejs/kit/vite'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin, type UserConfig } from 'vite'
import { fileLimits } from './src/mesh/files/limits.ts'
import { limits } from './src/mesh/limits.ts'

const importsLimits = /import \{[^}]*\b(limits|fileLimits)\b[^}]*\} from ['"][^'"]*\/limits\.ts['"]/

/** Writes the numbers of `limits.ts` where they are used: their names would be 2.5 kB of the first load, gzip. */
function inlineLimits(): Plugin {
  const valuesOf = (all: Readonly<Record<string, unknown>>) =>
    new Map(Object.entries(all).map(([name, value]) => [name, JSON.stringify(value)]))
  const values = { limits: valuesOf(limits), fileLimits: valuesOf(fileLimits) }
  return {
    name: 'inline-limits',
    apply: 'build',
    enforce: 'post',
    transform(code, id) {
      if (!/\/src\/.*\.(ts|svelte)$/.test(id) || !importsLimits.test(code)) return undefined
      return {
        code: code.replace(
          /\b(limits|fileLimits)\.(\w+)/g,
          (whole, of: keyof typeof values, name: string) => values[of].get(name) ?? whole,
        ),
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

/**
 * Parts of simple-peer's bundle that nothing of ours can reach, by the names under which others ask for them: its log,
 * text encodings, numbers with fractions, streams as iterators, pipelines, and streams that change what passes.
 */
const unreached = [
  'debug',
  './common',
  'ms',
  'string_decoder/',
  'ieee754',
  './internal/streams/async_iterator',
  './lib/internal/streams/end-of-stream.js',
  './lib/internal/streams/pipeline.js',
  './lib/_stream_transform.js',
  './lib/_stream_passthrough.js',
]

/** Leaves those parts out: 5 kB of the first load, gzip (measured). Another version of it that has them otherwise ends the build. */
function slimSimplePeer(): Plugin {
  return {
    name: 'slim-simple-peer',
    apply: 'build',
    transform(code, id) {
      if (!id.includes('/simplepeer.min.js')) return undefined
      const parts = code.split(/,(?=(?:\d+|"\/"):\[function\()/)
      for (const name of unreached) {
        const number = new RegExp(`(?:"${name}"|[{,]${name}):(\\d+)`).exec(code)?.[1]
        const at = parts.findIndex((part) => part.startsWith(`${number}:[function(`))
        if (number === undefined || at < 0) return this.error(`simple-peer has no ${name} any more`)
        // Its log is a function that makes a function that is told.
        const stub = name === 'debug' ? '()=>()=>{}' : '{}'
        parts[at] = `${number}:[function(e,t){t.exports=${stub}},{}]`
      }
      return { code: parts.join(','), map: null }
    },
  }
}

/** What the first load and late parts both need: each by itself in a file costs a hundred bytes more. */
const smallShared =
  /\/src\/(lib\/(browser\/(tier|clipboard)|place|feed|gaps|markdown|late-parts|sheets)|adapters\/timers|mesh\/files\/file-codes)\.ts$/

const app: UserConfig = {
  plugins: [sveltekit(), inlineLimits(), emojiNames(), slimSimplePeer()],
  resolve: { alias: [simplePeer] },
  build: {
    target: 'es2022',
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [{ name: 'small', test: (id: string) => smallShared.test(id) }],
        },
      },
    },
    modulePreload: {
      polyfill: false,
      // Names of what each late part imports were 1 kB of the first load, gzip; the engine, which comes with the first load, keeps them.
      resolveDependencies: (_file, deps, { hostId }) => {
        return /nodes\/0\./.test(hostId) ? deps : deps.filter((file) => file.endsWith('.css'))
      },
    },
  },
}

const workerClient = /\/(search|file|zip)-client\.ts$/

/** A file has nothing beside it that a worker could be fetched from. */
function inlineWorker(): Plugin {
  return {
    name: 'inline-worker',
    enforce: 'pre',
    transform(code, id) {
      const name = workerClient.exec(id)?.[1]
      if (name === undefined) return undefined
      const made = `new Worker(new URL('./${name}-worker.ts', import.meta.url), { type: 'module' })`
      if (!code.includes(made)) return this.error(`the ${name} worker is made in another way now`)
      const inlined = code.replace(made, 'new InlineWorker()')
      return { code: `import InlineWorker from './${name}-worker.ts?worker&inline'\n${inlined}`, map: null }
    },
  }
}

const from = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The app as one script and one sheet of styles, without the kit: what `signal/package/copy.mjs` makes a file of. */
const copy: UserConfig = {
  plugins: [
    svelte({ configFile: from('./svelte.config.js') }),
    inlineLimits(),
    emojiNames(),
    slimSimplePeer(),
    inlineWorker(),
  ],
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
