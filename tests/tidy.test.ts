import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { bugs } from './planted/bugs.mjs'
import { filesBelow, root } from './root.ts'

/** The style that a machine can check (`style.md` §4.3, §4.10). When it hurts, redesign; do not loosen. */
const sources = [...filesBelow('src'), ...filesBelow('signal')].filter((file) => /\.(ts|svelte)$/.test(file))
const texts = new Map(sources.map((file) => [file, readFileSync(join(root, file), 'utf8')]))

function textOf(file: string): string {
  return texts.get(file) ?? ''
}

interface Import {
  readonly target: string
  readonly isTypeOnly: boolean
}

/** Static and dynamic imports, with aliases resolved to paths from the root. */
function importsOf(file: string): Import[] {
  const found: Import[] = []
  const pattern = /\bimport\s+(type\s+)?(?:[^'"()]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/g
  for (const [, type, fixed, lazy] of textOf(file).matchAll(pattern)) {
    const name = fixed ?? lazy ?? ''
    found.push({ target: resolveImport(file, name), isTypeOnly: type !== undefined })
  }
  return found
}

function resolveImport(file: string, name: string): string {
  if (name.startsWith('.')) return relative(root, resolve(root, dirname(file), name))
  const alias = /^#(mesh|runtime|adapters)\/(.*)$/.exec(name)
  if (alias !== null) return `src/${alias[1]}/${alias[2]}`
  return name.startsWith('$lib/') ? `src/lib/${name.slice(5)}` : name
}

/** Code without comments and without the contents of texts. */
function bareCode(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
}

const layers: readonly { readonly of: RegExp; readonly may: readonly RegExp[] }[] = [
  { of: /^src\/mesh\//, may: [/^src\/mesh\//, /^@noble\/hashes\//] },
  { of: /^src\/runtime\//, may: [/^src\/(mesh|runtime)\//] },
  {
    of: /^src\/adapters\/(?!browser|node|memory)/,
    may: [/^src\/mesh\//, /^src\/runtime\//, /^src\/adapters\/(files\/|[^/]+$)/, /^@noble\//, /^fflate$/],
  },
  {
    of: /^src\/adapters\/browser\//,
    may: [
      /^src\/mesh\//,
      /^src\/runtime\//,
      /^src\/adapters\/(browser\/|files\/|[^/]+$)/,
      /^@noble\//,
      /^idb$/,
      /^(simple-peer|peerjs)$/,
    ],
  },
  {
    of: /^src\/adapters\/node\//,
    may: [/^src\/mesh\//, /^src\/runtime\//, /^src\/adapters\/(node\/|files\/|[^/]+$)/, /^node:/, /^ws$/],
  },
  {
    of: /^src\/adapters\/memory\//,
    may: [/^src\/mesh\//, /^src\/runtime\//, /^src\/adapters\/(memory\/|files\/|[^/]+$)/],
  },
  { of: /^src\/lib\/start\.ts$/, may: [/^src\/(mesh|runtime|adapters)\//, /^simple-peer$/] },
  {
    of: /^src\/lib\//,
    may: [
      /^src\/(mesh|runtime|lib)\//,
      /^\./,
      /^svelte/,
      /^\$app\//,
      /^workbox-window$/,
      /^qr$/,
      /^virtual:emoji\//,
    ],
  },
  { of: /^src\/routes\//, may: [/^src\/(mesh|lib)\//, /^src\/app\.css$/, /^svelte/, /^\$app\//] },
  {
    of: /^src\/copy\//,
    may: [/^src\/(copy|lib)\//, /^src\/routes\/\+page\.svelte$/, /^src\/app\.css$/, /^svelte/],
  },
  {
    of: /^src\/service-worker\.ts$/,
    may: [/^\$service-worker$/, /^workbox-/, /^src\/adapters\/browser\/files\/held-answers\.ts$/],
  },
  {
    of: /^signal\//,
    may: [
      /^signal\//,
      /^src\/mesh\//,
      /^src\/runtime\//,
      /^src\/adapters\/(node\/|files\/|[^/]+$)/,
      /^node:/,
      /^ws$/,
      /^(bonjour-service|@peculiar\/x509|reflect-metadata|qr)$/,
    ],
  },
]

describe('tidy', () => {
  it('imports point inwards only', () => {
    const wrong = sources.flatMap((file) => {
      const layer = layers.find((one) => one.of.test(file))
      if (layer === undefined) return []
      return importsOf(file)
        .filter(({ target }) => !layer.may.some((may) => may.test(target)))
        .map(({ target }) => `${file} → ${target}`)
    })
    expect(wrong).toEqual([])
  })

  it('nothing but the composition root knows both the screen and adapters', () => {
    const screen = sources.filter((file) => /^src\/(lib|routes)\//.test(file) && file !== 'src/lib/start.ts')
    const wrong = screen.filter((file) =>
      importsOf(file).some(({ target }) => target.startsWith('src/adapters/')),
    )
    expect(wrong).toEqual([])
  })

  it('no file imports itself in a ring', () => {
    const graph = new Map(
      sources.map((file) => [
        file,
        importsOf(file)
          .filter(({ isTypeOnly, target }) => !isTypeOnly && texts.has(target))
          .map(({ target }) => target),
      ]),
    )
    const rings: string[] = []
    const done = new Set<string>()
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) rings.push([...path.slice(path.indexOf(file)), file].join(' → '))
      if (path.includes(file) || done.has(file)) return
      for (const next of graph.get(file) ?? []) visit(next, [...path, file])
      done.add(file)
    }
    for (const file of graph.keys()) visit(file, [])
    expect(rings).toEqual([])
  })

  it('mesh and runtime know no clock, timer, chance, network, storage or console, and never wait', () => {
    const ambient =
      /\b(Date|Math\.random|performance|setTimeout|setInterval|queueMicrotask|console|globalThis|window|document|navigator|localStorage|indexedDB|crypto|fetch|WebSocket|process|async|await)\b/
    const wrong = sources
      .filter((file) => /^src\/(mesh|runtime)\//.test(file))
      .flatMap((file) =>
        bareCode(textOf(file))
          .split('\n')
          .filter((line) => ambient.test(line))
          .map((line) => `${file}: ${line.trim()}`),
      )
    expect(wrong).toEqual([])
    const promises = sources.filter(
      (file) => file.startsWith('src/mesh/') && /\bPromise\b/.test(bareCode(textOf(file))),
    )
    expect(promises).toEqual([])
  })

  it('mesh and runtime keep no state of their own, and nobody exports by default but configuration', () => {
    const wrong = sources.filter(
      (file) => /^src\/(mesh|runtime)\//.test(file) && /^(let|var)\s/m.test(textOf(file)),
    )
    expect(wrong).toEqual([])
    expect(sources.filter((file) => file.endsWith('.ts') && /^export default/m.test(textOf(file)))).toEqual(
      [],
    )
  })

  it('there is no `any`, no non-null `!`, and numbers of the protocol stand in limits.ts', () => {
    const any = sources.filter((file) => /(:\s*any\b|\bas any\b|<any>)/.test(bareCode(textOf(file))))
    expect(any).toEqual([])
    const numbers = sources
      .filter((file) => file.startsWith('src/mesh/') && !file.endsWith('limits.ts'))
      .flatMap((file) =>
        bareCode(textOf(file))
          .split('\n')
          .filter((line) => /\b\d{1,3}_\d{3}\b/.test(line) && !/1_000|60_000|0x/.test(line))
          .map((line) => `${file}: ${line.trim()}`),
      )
    expect(numbers).toEqual([])
  })

  it('one function begins every writing transaction of a database, so that a kill never finds two', () => {
    const begins = sources.flatMap((file) => {
      const text = textOf(file)
      if (!text.includes("'idb'")) return []
      return [...text.matchAll(/'readwrite', \{|\b[dD]atabase\(?\)?\)?\.(put|add|delete|clear)\(/g)].map(
        () => file,
      )
    })
    expect(begins).toEqual([
      'src/adapters/browser/direct/letters-database.ts',
      'src/adapters/browser/files/indexeddb-folders.ts',
      'src/adapters/browser/indexeddb-store.ts',
    ])
  })

  it('files stay readable: 400 lines, components 200, pages 200, 16 files a folder, 20 in mesh', () => {
    const long = sources.filter((file) => {
      const lines = textOf(file).split('\n').length
      const isStyled = file.endsWith('.svelte')
      const counted = isStyled
        ? textOf(file)
            .replace(/<style>[\s\S]*<\/style>/, '')
            .split('\n').length
        : lines
      return counted > (isStyled ? 200 : 400)
    })
    expect(long).toEqual([])
    const folders = new Map<string, number>()
    for (const file of sources) folders.set(dirname(file), (folders.get(dirname(file)) ?? 0) + 1)
    const full = [...folders].filter(([folder, count]) => count > (folder === 'src/mesh' ? 20 : 16))
    expect(full).toEqual([])
  })

  it('every planted bug still has its place', () => {
    const lost = bugs.filter(({ file, find }) => textOf(`src/mesh/${file}`).split(find).length !== 2)
    expect(lost.map(({ name }) => name)).toEqual([])
  })

  it('functions have at most 60 lines', () => {
    const long: string[] = []
    for (const file of sources.filter((one) => one.endsWith('.ts'))) {
      const tree = ts.createSourceFile(file, textOf(file), ts.ScriptTarget.Latest, true)
      const visit = (node: ts.Node): void => {
        const isFunction =
          ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node) || ts.isConstructorDeclaration(node)
        if (isFunction) {
          const first = tree.getLineAndCharacterOfPosition(node.getStart()).line
          const last = tree.getLineAndCharacterOfPosition(node.getEnd()).line
          if (last - first + 1 > 60) long.push(`${file}:${first + 1} ${last - first + 1} lines`)
        }
        ts.forEachChild(node, visit)
      }
      visit(tree)
    }
    expect(long.filter((one) => !composition.some((root) => one.startsWith(root)))).toEqual([])
  })

  it('every rule of PROTOCOL.md has a test that names it', () => {
    const rules = [
      ...readFileSync(join(root, 'src/mesh/PROTOCOL.md'), 'utf8').matchAll(/^\| ([A-Z]\d+) \|/gm),
    ]
    const tests = filesBelow('tests')
      .filter((file) => /\.(test|e2e)\.ts$/.test(file))
      .map((file) => readFileSync(join(root, file), 'utf8'))
      .join('\n')
    expect(rules.length).toBeGreaterThan(60)
    expect(rules.map(([, id]) => id).filter((id) => !tests.includes(`[${id}]`))).toEqual([])
  })

  it('every threat that is met has a test that names it, in a file that docs/threats.md names', () => {
    const rows = readFileSync(join(root, 'docs/threats.md'), 'utf8').split('\n')
    const met = rows.flatMap((row) => {
      const id = /^\| (T\d+) \|/.exec(row)?.[1]
      return id === undefined || row.includes('not yet') ? [] : [{ id, row }]
    })
    const named = filesBelow('tests').flatMap((file) => {
      const text = /\.(test|e2e)\.ts$/.test(file) ? readFileSync(join(root, file), 'utf8') : ''
      return met.filter(
        ({ id, row }) => text.includes(`[${id}]`) && row.includes(file.split('/').at(-1) ?? ''),
      )
    })
    expect(met.length).toBeGreaterThan(15)
    expect(met.filter((one) => !named.includes(one)).map(({ id }) => id)).toEqual([])
  })

  it('versions are exact, and the runtime has at most 15 dependencies', () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    ) as Record<'dependencies' | 'devDependencies', Record<string, string>>
    expect(Object.keys(dependencies).length).toBeLessThanOrEqual(15)
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, v]) => !/^\d+\.\d+\.\d+$/.test(v),
    )
    expect(loose).toEqual([])
  })
})

/** Composition roots wire everything once; they are long and have nothing to decide. */
const composition = ['src/lib/start.ts']
