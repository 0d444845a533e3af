import { readFileSync } from 'node:fs'

/** @returns {number[]} the seeds that once found something */
export function keptSeeds() {
  const lines = readFileSync(new URL('kept-seeds.txt', import.meta.url), 'utf8').split('\n')
  return lines.flatMap((line) => (/^\d+/.test(line) ? [Number.parseInt(line, 10)] : []))
}
