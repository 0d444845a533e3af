import { describe, expect, it } from 'vitest'
import { runScenario } from './scenario.ts'

/** `npm run sim` runs the many; here that a seed is a seed, and each attack by the id of `reliability.md` §2.2. */
describe('simulation', () => {
  it('gives the same trace for the same seed', () => {
    expect(runScenario(4711).trace).toBe(runScenario(4711).trace)
    expect(runScenario(4711).trace).not.toBe(runScenario(4712).trace)
  })

  it(
    '[C11] has files whole at everybody who wants them, and nothing else suffers',
    { timeout: 60_000 },
    () => {
      let fetched = 0
      for (let seed = 400; seed < 430; seed++) {
        const outcome = runScenario(seed, { hasFiles: true })
        expect(outcome.problems).toEqual([])
        fetched += outcome.fetched
      }
      expect(fetched).toBeGreaterThan(500)
    },
  )

  it('[Q6, Q7, Q8] has letters with their addressee once, and its author knows', { timeout: 60_000 }, () => {
    let letters = 0
    for (let seed = 700; seed < 712; seed++) {
      const outcome = runScenario(seed, { hasDirect: true })
      expect(outcome.problems).toEqual([])
      letters += outcome.letters
    }
    expect(letters).toBeGreaterThan(80)
  })

  it.each([
    ['[T2] breaks frames', 'garbage'],
    ['[T4] passes nothing on', 'withhold'],
    ['[T4] lies about what it has', 'lie'],
    ['[T6] floods', 'flood'],
    ['[T7] says again what was said', 'replay'],
    ['[T8] writes two messages under one number', 'equivocate'],
  ] as const)('%s: everybody else has everything', { timeout: 60_000 }, (_name, attack) => {
    let attacked = 0
    for (let seed = 9_000; attacked < 8; seed++) {
      const { problems } = runScenario(seed, {
        attack,
        seen: (world) => (attacked += world.peers.length >= 5 ? 1 : 0),
      })
      expect(problems).toEqual([])
    }
  })
})
