import { sveltekit } from '@sveltejs/kit/vite'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
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

export default defineConfig({
  plugins: [sveltekit(), inlineLimits(), emojiNames()],
  // simple-peer's main file needs Node's globals; its own browser bundle does not.
  resolve: { alias: [{ find: /^simple-peer$/, replacement: 'simple-peer/simplepeer.min.js' }] },
  build: { target: 'es2022' },
})
