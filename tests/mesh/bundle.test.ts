import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eventIdOf, type Event, type Run } from '../../src/mesh/event.ts'
import { decodeFrame, encodeFrame } from '../../src/mesh/frame.ts'
import type { EventId } from '../../src/mesh/ids.ts'
import { encodeUtf8 } from '../../src/mesh/bytes.ts'
import { feedOf, general, runOf } from './make.ts'

/** People who speak in turn, each naming what was said before by somebody else. Signatures are not looked at here. */
function talk(turns: readonly number[], from = 0): Run[] {
  const runs = new Map<number, Event[]>()
  let before: { readonly author: number; readonly id: EventId } | undefined
  turns.forEach((author, i) => {
    const events = runs.get(author) ?? []
    const deps = before === undefined || before.author === author ? [] : [before.id]
    const last = events.at(-1)
    const prev = last?.id ?? (from === 0 ? undefined : runOf({ count: 1, seed: 9 }).events[0]?.id)
    const hlc = (last?.hlc ?? 1_000_000) + i + 1
    const place = { room: general, feed: feedOf(author + 1), seq: from + events.length, prev }
    const fields = { ...place, hlc, deps, kind: 1, flags: 0, epoch: 0, body: encodeUtf8(`line ${i}`) }
    const id = eventIdOf(fields)
    events.push({ ...fields, id, signature: undefined })
    runs.set(author, events)
    before = { author, id }
  })
  return [...runs].map(([author, events]) => ({
    room: general,
    feed: feedOf(author + 1),
    events: events.map((event, i) => ({
      ...event,
      signature: i === events.length - 1 ? new Uint8Array(64).fill(author) : undefined,
    })),
  }))
}

const bytesOf = (runs: readonly Run[]) => encodeFrame({ type: 'events', runs })

describe('runs in one frame', () => {
  it('[E7] come out as they went in, whoever named whom, in whatever order the runs stand', () => {
    const turns = fc.array(fc.nat(4), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(turns, fc.boolean(), fc.nat(100), (who, isTurned, from) => {
        const runs = isTurned ? talk(who, from).reverse() : talk(who, from)
        expect(decodeFrame(bytesOf(runs))).toEqual({ type: 'events', runs })
      }),
      { numRuns: 200, seed: 7 },
    )
  })

  it('[E7] an ancestor in the same frame takes one byte, one that stands elsewhere all 32', () => {
    const runs = talk([0, 1, 0, 1, 0, 1])
    const without = runs.map((run) => ({ ...run, events: run.events.map((one) => ({ ...one, deps: [] })) }))
    expect(bytesOf(runs).length - bytesOf(without).length).toBe(5)
    const [first, second] = runs
    if (first === undefined || second === undefined) throw new Error('two runs')
    expect(bytesOf([first]).length + bytesOf([second]).length - bytesOf(runs).length).toBe(2 + 5 * 32)
  })

  it('[E7] an event that stands there twice does not move the places of others', () => {
    const [first, second] = talk([0, 1, 0, 1])
    if (first === undefined || second === undefined) throw new Error('two runs')
    const runs = [first, first, second]
    expect(decodeFrame(bytesOf(runs))).toEqual({ type: 'events', runs })
  })

  it('[E7] ancestors in a ring, places where nothing stands and stamps that fall are malformed', () => {
    const [run] = talk([0])
    if (run === undefined) throw new Error('a run')
    const [event] = run.events
    if (event === undefined) throw new Error('an event')
    // Count, room, feed, number, count, stamp: then the number of ancestors.
    const whole = bytesOf([run])
    const at = whole.length - 64 - event.body.length - 1 - 3 - 1
    expect(whole[at]).toBe(0)
    for (const place of [1, 2, 2_048]) {
      const named = place < 128 ? [place] : [(place & 127) | 128, place >> 7]
      const bytes = new Uint8Array([...whole.slice(0, at), 1, ...named, ...whole.slice(at + 1)])
      expect(decodeFrame(bytes)).toBe('malformed')
    }
    const falling = talk([0, 0]).map((one) => ({
      ...one,
      events: one.events.map((each) => ({ ...each, hlc: 5 })),
    }))
    expect(decodeFrame(bytesOf(falling))).toBe('malformed')
  })

  it('[E7] an ancestor that has a place and is told in whole is malformed: there is one form', () => {
    const [first, second] = talk([0, 1])
    if (first === undefined || second === undefined) throw new Error('two runs')
    const whole = bytesOf([first, second])
    const alone = bytesOf([second])
    // The second run as it is told alone, with the whole id, behind the first one.
    const bytes = new Uint8Array([...bytesOf([first]), ...alone.slice(2)])
    bytes[1] = 2
    expect(decodeFrame(bytes)).toBe('malformed')
    expect(decodeFrame(whole)).toEqual({ type: 'events', runs: [first, second] })
  })
})
