/**
 * Many seeds of the simulator, on all cores: every kept seed, then a range that no run before this one had to pass.
 *
 *   npm run sim                         2,000 seeds from the commit's hash
 *   npm run sim -- --seeds 20000        more of them
 *   npm run sim -- --from 441 --seeds 1 one again
 *   npm run sim -- --files all          with files in every world, not in every fourth; `none`: in none
 *   npm run sim -- --direct all         with direct messages in every world, not in every sixteenth; `none`: in none
 *   npm run sim -- --seeds 20000 --ledger   also writes the line down in tests/sim/LEDGER.md
 */
import { spawnSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { root } from '../../signal/setup.mjs'
import { bundleWorker } from './bundle.mjs'
import { keptSeeds } from './kept-seeds.mjs'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string' },
    files: { type: 'string' },
    direct: { type: 'string' },
    ledger: { type: 'boolean', default: false },
  },
})
/** Seeds that one worker takes at a time. */
const portion = 20
const failuresShown = 20

function commit() {
  const { stdout, status } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

/** The one place where the first fresh seed comes from: the commit, or the day where there is no repository. */
function firstSeed() {
  if (values.from !== undefined) return Number(values.from)
  const hash = commit()
  return hash === undefined
    ? Math.floor(Date.now() / 86_400_000) * 100_000
    : Number.parseInt(hash.slice(0, 7), 16)
}

const url = await bundleWorker('sim')
const startMs = Date.now()
const from = firstSeed()
const count = Number(values.seeds)
/** Files are exchanged in every fourth world: those of other seeds, and of what was found before, stay what they were. */
const hasFiles = (/** @type {number} */ seed) =>
  values.files === undefined ? seed % 4 === 0 : values.files === 'all'
/** And direct messages in some of the others. */
const hasDirect = (/** @type {number} */ seed) =>
  values.direct === undefined ? seed % 16 === 2 : values.direct === 'all'
const worldOf = (/** @type {number} */ seed) => ({
  seed,
  hasFiles: hasFiles(seed),
  hasDirect: hasDirect(seed),
})
const fresh = Array.from({ length: count }, (_, i) => worldOf(from + i))
const queue = values.from === undefined ? [...keptSeeds(), ...fresh] : fresh
const total = queue.length
const counts = { passed: 0, failed: 0, posted: 0, fetched: 0, letters: 0 }
let taken = 0

/** What a seed needs to be the same world again. @returns {string} */
function worldAgain(/** @type {number} */ seed) {
  const had = queue.find((one) => one.seed === seed) ?? worldOf(seed)
  const files = had.hasFiles === (seed % 4 === 0) ? '' : ` --files ${had.hasFiles ? 'all' : 'none'}`
  const direct = had.hasDirect === (seed % 16 === 2) ? '' : ` --direct ${had.hasDirect ? 'all' : 'none'}`
  return files + direct
}

/** @returns {Promise<void>} */
function work() {
  return new Promise((resolve, reject) => {
    const worker = new Worker(url)
    const next = () => {
      const seeds = queue.slice(taken, taken + portion)
      taken += seeds.length
      if (seeds.length === 0) void worker.terminate().then(() => resolve())
      else worker.postMessage(seeds)
    }
    worker.on('error', reject)
    worker.on(
      'message',
      (
        /** @type {{ seed: number, problems: string[], posted: number, fetched: number, letters: number }[]} */ outcomes,
      ) => {
        for (const { seed, problems, posted, fetched, letters } of outcomes) {
          counts.posted += posted
          counts.fetched += fetched
          counts.letters += letters
          if (problems.length === 0) counts.passed += 1
          else {
            counts.failed += 1
            if (counts.failed <= failuresShown) {
              console.log(
                `seed ${seed}: ${problems.join('; ')}\n  again: npm run sim -- --from ${seed} --seeds 1${worldAgain(seed)}`,
              )
            }
          }
        }
        const done = counts.passed + counts.failed
        if (done % 1_000 < portion) console.log(`${done} of ${total} seeds, ${counts.failed} with violations`)
        next()
      },
    )
    next()
  })
}

await Promise.all(Array.from({ length: availableParallelism() }, work))

const seconds = Math.round((Date.now() - startMs) / 1_000)
const line = `${count} fresh seeds from ${from}, ${total - count} kept; ${counts.posted} messages, ${counts.fetched} chunks of files, ${counts.letters} direct messages; ${counts.failed} violations; ${seconds} s`
console.log(line)
if (values.ledger) {
  const date = new Date().toISOString().slice(0, 10)
  appendFileSync(new URL('LEDGER.md', import.meta.url), `| ${date} | ${commit()?.slice(0, 10)} | ${line} |\n`)
}
console.log(`sim: ${counts.passed} passed, ${counts.failed} failed, 0 skipped`)
process.exitCode = counts.failed === 0 ? 0 : 1
