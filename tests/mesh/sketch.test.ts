import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { differenceOf, fieldSize, sketchOf, toField, type Element } from '../../src/mesh/sync/sketch.ts'
import { Prng } from '../sim/prng.ts'

function randomSet(random: Prng, count: number): Element[] {
  return Array.from({ length: count }, () => ({
    name: toField(random.uint32()),
    state: toField(random.uint32()),
  }))
}

describe('sketch', () => {
  it('[R10] tells exactly whose state differs, and what it is there', () => {
    const sizes = fc.tuple(fc.nat(15), fc.nat(15), fc.nat(15), fc.nat(300))
    fc.assert(
      fc.property(fc.nat(1_000_000), sizes, (seed, [a, b, c, common]) => {
        const random = new Prng(seed)
        const [onlyOurs, onlyTheirs, changed, both] = [a, b, c, common].map((n) => randomSet(random, n))
        if (!onlyOurs || !onlyTheirs || !changed || !both) return
        const theirChanged = changed.map(({ name }) => ({ name, state: toField(random.uint32()) }))
        const theirs = sketchOf([...both, ...theirChanged, ...onlyTheirs], 200)
        const found = differenceOf([...both, ...changed, ...onlyOurs], theirs)
        const expected = new Map(onlyOurs.map(({ name }) => [name, 0]))
        for (const { name, state } of [...theirChanged, ...onlyTheirs]) expected.set(name, state)
        expect(new Map(found?.map(({ name, theirs: state }) => [name, state]))).toEqual(expected)
      }),
      { numRuns: 300, seed: 3 },
    )
  })

  it('[R10] needs about one and a half symbols for each difference, whatever the sets are', () => {
    for (const common of [0, 2_000]) {
      const random = new Prng(7)
      let decoded = 0
      for (let i = 0; i < 200; i++) {
        const both = randomSet(random, common)
        const theirs = sketchOf([...both, ...randomSet(random, 10)], 25)
        if (differenceOf(both, theirs) !== undefined) decoded += 1
      }
      expect(decoded).toBeGreaterThan(180)
    }
  })

  it('[R11] says so when there are too few symbols, and never loops on hostile ones', () => {
    const random = new Prng(1)
    expect(differenceOf([], sketchOf(randomSet(random, 100), 40))).toBeUndefined()
    for (let i = 0; i < 300; i++) {
      const any = () => random.uint32() % fieldSize
      const hostile = Array.from({ length: 40 }, () => ({ sum: any(), product: any(), check: any() }))
      expect(differenceOf(randomSet(random, 5), hostile)).toBeUndefined()
    }
  })
})
