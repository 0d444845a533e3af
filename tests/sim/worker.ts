/** Runs the seeds that it is told to, one after the other. */
import { parentPort } from 'node:worker_threads'
import { runScenario } from './scenario.ts'

parentPort?.on(
  'message',
  (seeds: readonly { readonly seed: number; readonly hasFiles: boolean; readonly hasDirect: boolean }[]) => {
    const outcomes = seeds.map(({ seed, hasFiles, hasDirect }) => {
      const { problems, posted, fetched, letters } = runScenario(seed, { hasFiles, hasDirect })
      return { seed, problems, posted, fetched, letters }
    })
    parentPort?.postMessage(outcomes)
  },
)
