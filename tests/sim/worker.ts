/** Runs the seeds that it is told to, one after the other. */
import { parentPort } from 'node:worker_threads'
import { runScenario } from './scenario.ts'

parentPort?.on('message', (seeds: readonly number[]) => {
  const outcomes = seeds.map((seed) => {
    const { problems, posted } = runScenario(seed)
    return { seed, problems, posted }
  })
  parentPort?.postMessage(outcomes)
})
