import { describe, expect, it } from 'vitest'
import { runScenario } from './scenario.ts'

/** `SEED=…` replays one; `SEEDS=…` runs that many. On failure the seed is in the message. */
const single = process.env['SEED']
const count = Number(process.env['SEEDS'] ?? 500)
const batch = 50

describe('simulation', () => {
  if (single !== undefined) {
    it(`seed ${single} holds`, () => {
      expect(runScenario(Number(single)).problems).toEqual([])
    })
    return
  }

  for (let from = 1; from <= count; from += batch) {
    it(`seeds ${from} to ${Math.min(count, from + batch - 1)} converge, lose nothing and tell the truth`, () => {
      let posted = 0
      for (let seed = from; seed < from + batch && seed <= count; seed++) {
        const outcome = runScenario(seed)
        expect(outcome.problems, `replay with SEED=${seed} npm run test:sim`).toEqual([])
        posted += outcome.posted
      }
      expect(posted).toBeGreaterThan(100)
    }, 300_000)
  }

  it('gives the same trace for the same seed', () => {
    expect(runScenario(4711).trace).toBe(runScenario(4711).trace)
    expect(runScenario(4711).trace).not.toBe(runScenario(4712).trace)
  })
})
