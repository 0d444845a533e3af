import { readFileSync } from 'node:fs'

/** @returns {{ seed: number, hasFiles: boolean, hasDirect: boolean }[]} the seeds that once found something; `f` behind one: with files, `d`: with direct messages */
export function keptSeeds() {
  const lines = readFileSync(new URL('kept-seeds.txt', import.meta.url), 'utf8').split('\n')
  return lines.flatMap((line) =>
    /^\d+/.test(line)
      ? [{ seed: Number.parseInt(line, 10), hasFiles: /^\d+f/.test(line), hasDirect: /^\d+d/.test(line) }]
      : [],
  )
}
