import { describe, expect, it } from 'vitest'
import { ar } from '../../src/lib/i18n/ar.ts'
import { ar as arSheets } from '../../src/lib/i18n/sheets/ar.ts'
import { de } from '../../src/lib/i18n/de.ts'
import { de as deSheets } from '../../src/lib/i18n/sheets/de.ts'
import { en } from '../../src/lib/i18n/en.ts'
import { en as enSheets } from '../../src/lib/i18n/sheets/en.ts'
import { es } from '../../src/lib/i18n/es.ts'
import { es as esSheets } from '../../src/lib/i18n/sheets/es.ts'
import { fr } from '../../src/lib/i18n/fr.ts'
import { fr as frSheets } from '../../src/lib/i18n/sheets/fr.ts'

type Words = { readonly [key: string]: string | Words | readonly string[] | ((...parts: never[]) => string) }

/** Every sentence with sample parts, by its place. */
function sentences(words: Words, path = ''): Map<string, string> {
  const all = new Map<string, string>()
  for (const [key, value] of Object.entries(words)) {
    const place = `${path}${key}`
    if (typeof value === 'string') all.set(place, value)
    else if (typeof value === 'function') {
      const say = value as (...parts: unknown[]) => string
      for (const n of [0, 1, 2, 5, 11, 100]) all.set(`${place}(${n})`, say(n, n, n))
    } else for (const [inner, text] of sentences(value as Words, `${place}.`)) all.set(inner, text)
  }
  return all
}

const english = sentences({ ...en, sheets: enSheets })
/** The same in both languages: names of things, signs, and what is put in. */
const shared = new Set([
  'app.chats',
  'sheets.settings.clocks.utc',
  'message.reactedBy',
  'history.said',
  'people.direct',
  'sheets.search.example',
  'sheets.conditions.amount',
])

describe.each([
  ['de', { ...de, sheets: deSheets }],
  ['es', { ...es, sheets: esSheets }],
  ['fr', { ...fr, sheets: frSheets }],
  ['ar', { ...ar, sheets: arSheets }],
])('%s', (_code, words) => {
  const own = sentences(words)

  it('says everything, and nothing in English', () => {
    expect([...own.keys()]).toEqual([...english.keys()])
    const empty = [...own].filter(([, text]) => text.trim() === '')
    expect(empty).toEqual([])
    const same = [...own].filter(([place, text]) => text === english.get(place) && /\p{L}{3}/u.test(text))
    expect(same.map(([place]) => place.replace(/\(.*/, '')).filter((place) => !shared.has(place))).toEqual([])
  })

  it('puts in every part that the sentence has', () => {
    for (const [place, text] of own) {
      if (!/\((5|11|100)\)$/.test(place)) continue
      const n = place.replace(/.*\((\d+)\)$/, '$1')
      const times = (english.get(place) ?? '').split(n).length
      const digits = text.replace(/[٠-٩]/g, (digit) => String('٠١٢٣٤٥٦٧٨٩'.indexOf(digit)))
      expect([place, digits.split(n).length]).toEqual([place, times])
    }
  })
})

describe('what people are never told', () => {
  it('has no words of the trade (ux.md §4.2)', () => {
    const forbidden = /\b(peer|server|ICE|sync|offline|P2P|TURN|partition)\b/i
    const wrong = [...english].filter(([, text]) => forbidden.test(text.replace('offline start', '')))
    expect(wrong).toEqual([])
  })
})
