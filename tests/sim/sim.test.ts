import { describe, expect, it } from 'vitest'
import { runScenario } from './scenario.ts'

/** `npm run sim` runs the many; here only that a seed is a seed. */
describe('simulation', () => {
  it('gives the same trace for the same seed', () => {
    expect(runScenario(4711).trace).toBe(runScenario(4711).trace)
    expect(runScenario(4711).trace).not.toBe(runScenario(4712).trace)
  })
})
