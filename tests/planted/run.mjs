/**
 * Plants each bug of bugs.mjs and says which check catches it: a rule's test, or a seed of the simulator.
 * A bug that nothing catches is a hole in the tests, and fails the run.
 *
 *   npm run test:planted            all of them
 *   npm run test:planted -- ring    those whose name has this in it
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { root } from '../../signal/setup.mjs'
import { bundleWorker } from '../sim/bundle.mjs'
import { keptSeeds } from '../sim/kept-seeds.mjs'
import { bugs } from './bugs.mjs'
import { plant } from './plugin.mjs'

const seedsMax = 120
/** What never ends must end soon: a file of rules, and all of them, which take about 45 s by themselves. */
const endlessMs = 40_000
const endlessAllMs = 240_000
const heap = { NODE_OPTIONS: '--max-old-space-size=512' }
const portion = 10
const startMs = Date.now()

/**
 * @param {string} name
 * @param {string} file which of the rules' tests, by the start of its name; all without
 * @returns {Promise<string | undefined>} the first one that fails
 */
function byRules(name, file) {
  return new Promise((resolve) => {
    const args = [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--config',
      'vitest.planted.config.ts',
      '--reporter=json',
      ...(file === '' ? [] : [file]),
    ]
    // A group of its own, so that what runs for ever ends with all that it started.
    const env = { ...process.env, ...heap, PLANTED: name }
    const child = spawn(process.execPath, args, { cwd: root, env, detached: true })
    const stop = () => process.kill(-(child.pid ?? 0), 'SIGKILL')
    const limit = setTimeout(stop, file === '' ? endlessAllMs : endlessMs)
    // Nothing goes on running when this ends early.
    process.once('exit', stop)
    let text = ''
    child.stdout.on('data', (/** @type {Buffer} */ chunk) => (text += chunk.toString()))
    child.once('exit', (code, signal) => {
      clearTimeout(limit)
      process.off('exit', stop)
      if (signal === 'SIGKILL') return resolve('a test that does not end')
      if (code === 0) return resolve(undefined)
      const report = JSON.parse(text.slice(text.indexOf('{')))
      const tests = report.testResults.flatMap(
        (/** @type {{ assertionResults: object[] }} */ one) => one.assertionResults,
      )
      const failed = tests.find((/** @type {{ status: string }} */ one) => one.status === 'failed')
      const broken = report.testResults.find((/** @type {{ message: string }} */ one) => one.message !== '')
      if (failed === undefined && broken !== undefined) throw new Error(`"${name}": ${broken.message}`)
      // Neither passed nor failed: it ran until its memory was full.
      if (failed === undefined) return resolve('a test that does not end')
      resolve(failed.title)
    })
  })
}

/** @param {string} name @param {number} index @returns {Promise<string | undefined>} */
async function bySeeds(name, index) {
  const url = await bundleWorker(`planted-${index}`, [plant(name)])
  const seeds = [
    ...keptSeeds(),
    ...Array.from({ length: seedsMax }, (_, i) => ({
      seed: i + 1,
      hasFiles: i % 4 === 0,
      hasDirect: i % 4 === 2,
    })),
  ]
  return new Promise((resolve) => {
    const worker = new Worker(url)
    const next = () => {
      if (seeds.length === 0) void worker.terminate().then(() => resolve(undefined))
      else worker.postMessage(seeds.splice(0, portion))
    }
    worker.once('error', (error) => resolve(`an assertion: ${error.message}`))
    worker.on('message', (/** @type {{ seed: number, problems: string[] }[]} */ outcomes) => {
      const found = outcomes.find(({ problems }) => problems.length > 0)
      if (found === undefined) return next()
      void worker.terminate().then(() => resolve(`seed ${found.seed}: ${found.problems[0]}`))
    })
    next()
  })
}

const wanted = bugs.filter(({ name }) => name.includes(process.argv[2] ?? ''))
const counts = { passed: 0, failed: 0 }
let taken = 0

async function work() {
  for (let i = taken++; i < wanted.length; i = taken++) {
    const name = wanted[i]?.name ?? ''
    const by = wanted[i]?.by ?? ''
    const sinceMs = Date.now()
    const caught =
      (by === 'sim' ? undefined : await byRules(name, `/${by}.test`)) ??
      (await bySeeds(name, i)) ??
      (await byRules(name, ''))
    counts[caught === undefined ? 'failed' : 'passed'] += 1
    const outcome = caught === undefined ? `SURVIVES: ${name}` : `caught: ${name} — ${caught}`
    console.log(`${outcome} (${Math.round((Date.now() - sinceMs) / 1_000)} s)`)
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, work))
console.log(
  `${wanted.length} planted bugs, ${counts.failed} survive, ${Math.round((Date.now() - startMs) / 1_000)} s`,
)
console.log(`planted: ${counts.passed} passed, ${counts.failed} failed, 0 skipped`)
process.exitCode = counts.failed === 0 ? 0 : 1
