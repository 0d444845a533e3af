import { describe, expect, it } from 'vitest'
import { missingAbove } from '../../src/lib/gaps.ts'
import type { EventId } from '../../src/mesh/ids.ts'
import { feedOf } from '../mesh/make.ts'

const said = (seed: number, ...numbers: readonly number[]) =>
  numbers.map((seq) => ({ id: `${seed}-${seq}` as EventId, feed: feedOf(seed), seq }))
const gap = (seed: number, first: number, last: number) => ({ feed: feedOf(seed), first, last })

describe('what is missing in a history', () => {
  it('is said above the next message of the same author', () => {
    const events = [...said(1, 0, 1), ...said(2, 0), ...said(1, 5), ...said(2, 4)]
    expect([...missingAbove(events, [gap(1, 2, 4), gap(2, 1, 3)])]).toEqual([
      ['1-5', 3],
      ['2-4', 3],
    ])
  })

  it('is said where both sides are loaded, or the very next message, and nowhere else', () => {
    // Reactions have numbers too: the next message need not have the next number.
    expect([...missingAbove(said(1, 1, 9), [gap(1, 2, 4)])]).toEqual([['1-9', 3]])
    expect([...missingAbove(said(1, 5, 9), [gap(1, 2, 4)])]).toEqual([['1-5', 3]])
    expect([...missingAbove(said(1, 900, 901), [gap(1, 2, 4)])]).toEqual([])
    expect([...missingAbove(said(1, 0, 1), [gap(1, 2, 4)])]).toEqual([])
  })

  it('adds up', () => {
    expect([...missingAbove(said(1, 0, 9), [gap(1, 1, 3), gap(1, 5, 6)])]).toEqual([['1-9', 5]])
  })
})
