import { describe, expect, it } from 'vitest'
import { SlowLink } from '../../src/lib/state/slow-link.ts'

/** A second each: what comes in it, and whether anything is awaited. */
function watch(seconds: readonly (readonly [bytes: number, isAwaited: boolean])[]) {
  const link = new SlowLink()
  let bytes = 0
  return seconds.map(([more, isAwaited], i) => {
    bytes += more
    link.look(i * 1_000, bytes, isAwaited)
    return link.rate(i * 1_000)
  })
}
const times = <T>(n: number, one: T) => Array.from({ length: n }, () => one)

describe('a slow link', () => {
  it('is said once something was awaited for eight seconds and little came', () => {
    const said = watch(times(12, [1_500, true] as const))
    expect(said.slice(0, 8)).toEqual(times(8, undefined))
    expect(said.slice(8)).toEqual(times(4, 1_500))
  })

  it('is not said of a quiet channel, of a fast link, nor of one that brings nothing', () => {
    for (const seconds of [
      times(20, [100, false] as const),
      times(20, [50_000, true] as const),
      times(20, [0, true] as const),
    ])
      expect(watch(seconds).every((rate) => rate === undefined)).toBe(true)
  })

  it('is not measured across a pause', () => {
    const seconds = [
      ...times(6, [100, true] as const),
      [100, false] as const,
      ...times(6, [100, true] as const),
    ]
    expect(watch(seconds).every((rate) => rate === undefined)).toBe(true)
  })

  it('stays said for half a minute, and ends at once when it was fast', () => {
    const slow = times(9, [1_000, true] as const)
    const after = watch([...slow, ...times(40, [0, false] as const)])
    expect(after.findLastIndex((rate) => rate !== undefined)).toBe(8 + 29)
    const fast = watch([...slow, ...times(9, [100_000, true] as const)])
    expect(fast.at(-1)).toBeUndefined()
  })
})
