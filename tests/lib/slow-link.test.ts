import { describe, expect, it } from 'vitest'
import { SlowLink } from '../../src/lib/state/slow-link.ts'

interface Second {
  /** What comes in it. */
  readonly bytes: number
  /** Nothing is awaited, it stands still, or goes on. */
  readonly is: 'idle' | 'stuck' | 'moving'
}

function watch(seconds: readonly Second[]) {
  const link = new SlowLink()
  let [bytes, steps] = [0, 0]
  return seconds.map((second, i) => {
    bytes += second.bytes
    if (second.is === 'moving') steps += 1
    const moved = second.is === 'idle' ? undefined : String(steps)
    link.look(i * 1_000, bytes, moved)
    // Several things come in one moment.
    link.look(i * 1_000, bytes, moved)
    return link.rate(i * 1_000)
  })
}
const times = (n: number, bytes: number, is: Second['is']) => Array.from({ length: n }, () => ({ bytes, is }))
const isSaid = (rate: number | undefined) => rate !== undefined

describe('a slow link', () => {
  it('is said once something was awaited, came for 24 seconds, and little of it', () => {
    const said = watch(times(28, 1_500, 'moving'))
    expect(said.slice(0, 24).some(isSaid)).toBe(false)
    expect(said.slice(24)).toEqual([1_500, 1_500, 1_500, 1_500])
  })

  it('is not said of a quiet channel, of a fast link, nor where nothing of what is awaited comes', () => {
    for (const seconds of [times(60, 100, 'idle'), times(60, 50_000, 'moving'), times(60, 300, 'stuck')])
      expect(watch(seconds).some(isSaid)).toBe(false)
  })

  it('is not said of a fast link whose other end falls asleep, or stops for a while', () => {
    const fast = times(30, 500_000, 'moving')
    expect(watch([...fast, ...times(60, 300, 'stuck')]).some(isSaid)).toBe(false)
    expect(watch([...fast, ...times(15, 300, 'stuck'), ...fast]).some(isSaid)).toBe(false)
  })

  it('is not measured across a pause', () => {
    const seconds = [...times(20, 100, 'moving'), ...times(1, 100, 'idle'), ...times(20, 100, 'moving')]
    expect(watch(seconds).some(isSaid)).toBe(false)
  })

  it('stays said for half a minute, and ends when it was fast', () => {
    const slow = times(25, 1_000, 'moving')
    expect(watch([...slow, ...times(40, 0, 'idle')]).findLastIndex(isSaid)).toBe(24 + 29)
    expect(watch([...slow, ...times(9, 100_000, 'moving')]).at(-1)).toBeUndefined()
  })
})
