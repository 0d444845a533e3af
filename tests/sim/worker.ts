/** Runs the seeds that it is told to, one after the other. */
import { parentPort } from 'node:worker_threads'
import { runScenario } from './scenario.ts'

parentPort?.on('message', (seeds: readonly { readonly seed: number; readonly hasFiles: boolean }[]) => {
  const outcomes = seeds.map(({ seed, hasFiles }) => {
    const { problems, posted, fetched } = runScenario(seed, { hasFiles })
    return { seed, problems, posted, fetched }
  })
  parentPort?.postMessage(outcomes)
})
