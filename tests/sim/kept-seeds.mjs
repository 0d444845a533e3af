import { readFileSync } from 'node:fs'

/** @returns {{ seed: number, hasFiles: boolean }[]} the seeds that once found something; `f` behind one: with files */
export function keptSeeds() {
  const lines = readFileSync(new URL('kept-seeds.txt', import.meta.url), 'utf8').split('\n')
  return lines.flatMap((line) =>
    /^\d+/.test(line) ? [{ seed: Number.parseInt(line, 10), hasFiles: /^\d+f/.test(line) }] : [],
  )
}
