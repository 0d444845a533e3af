import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PeerId } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import { spanningTree, type Way } from '../../src/mesh/overlay/span.ts'

const name = (index: number) => `site ${String(index).padStart(2, '0')}` as PeerId

function wayOf(one: number, other: number, cost: number): Way {
  const [a, b] = one < other ? [one, other] : [other, one]
  return { a: name(a), b: name(b), cost }
}

/** All shortest ways (Floyd 1962), then Prim 1957 over the living: what the faster way must weigh. */
function weigh(count: number, live: readonly number[], ways: readonly Way[]): number | undefined {
  const costs = Array.from({ length: count }, (_, i) =>
    Array.from({ length: count }, (_, j) => (i === j ? 0 : Number.POSITIVE_INFINITY)),
  )
  const set = (i: number, j: number, cost: number) => {
    const row = costs[i]
    if (row !== undefined && cost < (row[j] ?? 0)) row[j] = cost
  }
  const at = (i: number, j: number) => costs[i]?.[j] ?? Number.POSITIVE_INFINITY
  for (const { a, b, cost } of ways) {
    const [i, j] = [Number(a.slice(5)), Number(b.slice(5))]
    set(i, j, cost)
    set(j, i, cost)
  }
  for (let k = 0; k < count; k++)
    for (let i = 0; i < count; i++) for (let j = 0; j < count; j++) set(i, j, at(i, k) + at(k, j))
  const [first, ...open] = live
  if (first === undefined) return 0
  const tree = [first]
  let sum = 0
  while (open.length > 0) {
    const next = open
      .map((site) => ({ site, cost: Math.min(...tree.map((one) => at(one, site))) }))
      .reduce((best, one) => (one.cost < best.cost ? one : best))
    if (next.cost === Number.POSITIVE_INFINITY) return undefined
    sum += next.cost
    tree.push(next.site)
    open.splice(open.indexOf(next.site), 1)
  }
  return sum
}

describe('the spanning tree over living sites', () => {
  it('[X5] leads through sites where nobody is left, at what all the hops cost together', () => {
    // 0 – 1 – 2 – 3 in a row; nobody is left at 1 and 2.
    const ways = [wayOf(0, 1, 10), wayOf(1, 2, 20), wayOf(2, 3, 10), wayOf(0, 3, 90)]
    const span = spanningTree(name(0), new Set([name(0), name(3)]), ways)
    expect(span.tree).toEqual([name(3)])
    expect(span.costs.get(name(3))).toBe(40)
    expect(spanningTree(name(0), new Set([name(0), name(2), name(3)]), ways).tree).toEqual([name(2)])
    expect(spanningTree(name(0), new Set([name(0)]), ways)).toMatchObject({ tree: [], spare: undefined })
  })

  /** Twenty sites around one in the middle, all as near. */
  const around = Array.from({ length: 20 }, (_, i) => wayOf(i + 1, 0, 10))
  const outer = Array.from({ length: 20 }, (_, i) => name(i + 1))
  const degrees = (live: ReadonlySet<PeerId>) =>
    [...live].map((site) => spanningTree(site, live, around).tree.length)

  it('[X5] an empty site in the middle of many makes no star around one of them', () => {
    const counts = degrees(new Set(outer))
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2 * 19)
    expect(Math.max(...counts)).toBeLessThanOrEqual(limits.treeDegreeMax)
  })

  it('[X5] where all ways lead through one site where people are, it has them all: nobody is left out', () => {
    const counts = degrees(new Set([name(0), ...outer]))
    expect(counts[0]).toBe(20)
    expect(counts.slice(1)).toEqual(outer.map(() => 1))
  })

  it('[X5] weighs no more than any other, joins all that can be joined, and is the same at both ends', () => {
    const graph = fc.integer({ min: 2, max: 9 }).chain((count) =>
      fc.record({
        count: fc.constant(count),
        live: fc.subarray(
          Array.from({ length: count }, (_, i) => i),
          { minLength: 1 },
        ),
        ways: fc.array(
          fc
            .tuple(fc.nat(count - 1), fc.nat(count - 1), fc.integer({ min: 1, max: 30 }))
            .filter(([a, b]) => a !== b)
            .map(([a, b, cost]) => wayOf(a, b, cost)),
          { maxLength: 30 },
        ),
      }),
    )
    fc.assert(
      fc.property(graph, ({ count, live, ways }) => {
        const living = new Set(live.map(name))
        let sum = 0
        let ends = 0
        for (const site of live) {
          const { tree, costs, spare } = spanningTree(name(site), living, ways)
          for (const other of tree) {
            sum += costs.get(other) ?? 0
            ends += 1
            expect(spanningTree(other, living, ways).tree).toContain(name(site))
          }
          if (spare !== undefined) expect(tree).not.toContain(spare)
        }
        const weight = weigh(count, live, ways)
        if (weight === undefined) return
        expect(ends / 2).toBe(live.length - 1)
        expect(sum / 2).toBe(weight)
      }),
      { numRuns: 300 },
    )
  })
})
