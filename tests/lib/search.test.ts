import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SearchIndex, searchLimits } from '../../src/adapters/browser/search/search-index.ts'
import { foldText, wordsOf } from '../../src/runtime/fold-text.ts'
import type { PlacedEvent } from '../../src/mesh/clock.ts'
import { openRoomId } from '../../src/mesh/ids.ts'
import { encodeBody, type Body } from '../../src/mesh/timeline/body.ts'
import { feedOf, general, keyOf, runOf } from '../mesh/make.ts'

let made = 0

function said(body: Body, by = 1, effective = ++made, room = general): PlacedEvent {
  made += 1
  const [event] = runOf({ seed: made, count: 1, text: `${made}` }).events
  if (event === undefined) throw new Error('no event')
  const { kind, bytes } = encodeBody(body)
  const placed = { effective, storedAtMs: 0, audience: undefined }
  return { ...event, ...placed, room, feed: feedOf(by), kind, body: bytes }
}

const message = (text: string, by?: number, effective?: number, room?: typeof general) =>
  said({ type: 'message', text }, by, effective, room)

function indexOf(...events: readonly PlacedEvent[]): SearchIndex {
  const index = new SearchIndex()
  for (const event of events) index.take(event)
  return index
}

describe('search', () => {
  it('finds all words anywhere, without case or marks, newest first', () => {
    const [a, b, c] = [message('Müller has the key'), message('the KEY is with muller'), message('no')]
    const index = indexOf(b, a, c)
    expect(index.find({ words: wordsOf('Muller key') }).ids).toEqual([b.id, a.id])
    expect(index.find({ words: wordsOf('  ') }).ids).toEqual([])
    expect(index.count).toBe(3)
  })

  it('within rooms and by people', () => {
    const shelter = openRoomId('shelter')
    const [a, b, c] = [message('fuel', 1), message('fuel', 2), message('fuel', 1, ++made, shelter)]
    const index = indexOf(a, b, c)
    expect(index.find({ words: ['fuel'], rooms: [shelter] }).ids).toEqual([c.id])
    expect(index.find({ words: ['fuel'], authors: [keyOf(2).peer] }).ids).toEqual([b.id])
  })

  it('finds what a message says since it was edited, in whatever order that came', () => {
    const a = message('forty litres')
    const edits = [30, 20].map((litres, i) =>
      said({ type: 'edit', target: a.id, text: `${litres} litres` }, 1, 100 + i),
    )
    for (const events of [
      [a, ...edits],
      [...edits.reverse(), a],
    ]) {
      const index = indexOf(...events)
      expect(index.find({ words: ['20'] }).ids).toEqual([a.id])
      expect(index.find({ words: ['30'] }).ids).toEqual([])
    }
  })

  it('is not led astray by somebody else’s edit', () => {
    const a = message('at dawn')
    const own = said({ type: 'edit', target: a.id, text: 'at dusk' }, 1, 100)
    const strange = said({ type: 'edit', target: a.id, text: 'never' }, 2, 200)
    expect(indexOf(a, own, strange).find({ words: ['dusk'] }).ids).toEqual([a.id])
  })

  it('takes an event once, and shows a bounded number', () => {
    const many = Array.from({ length: searchLimits.foundMax + 20 }, (_, i) => message('again', 1, 1_000 + i))
    const index = indexOf(...many, ...many)
    expect(index.count).toBe(many.length)
    const { ids, isMore } = index.find({ words: ['again'] })
    expect([ids.length, isMore]).toEqual([searchLimits.foundMax, true])
    expect(ids[0]).toBe(many.at(-1)?.id)
  })

  it('finds every message that has the words, whatever order they come in', () => {
    const text = fc.array(fc.constantFrom('fuel', 'Wasser', 'éau', 'ок'), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(text, fc.nat(50)), { maxLength: 20 }),
        fc.constantFrom('fuel', 'eau', 'OK'),
        (all, word) => {
          const events = all.map(([words, effective]) => message(words.join(' '), 1, effective))
          const wanted = events.filter((_, i) =>
            foldText(all[i]?.[0].join(' ') ?? '').includes(foldText(word)),
          )
          const { ids } = indexOf(...events).find({ words: wordsOf(word) })
          expect([...ids].sort()).toEqual(wanted.map(({ id }) => id).sort())
        },
      ),
    )
  })
})
