import { describe, expect, it } from 'vitest'
import { mentionQuery, namesFor, withMention } from '../../src/lib/mention-input.ts'

const names = ['Ana Maria', 'Ana', 'Bill', 'here', 'all']

describe('naming somebody', () => {
  it('looks at what stands between the last @ and the caret', () => {
    expect(mentionQuery('hi @an there', 6)).toEqual({ from: 3, part: 'an' })
    expect(mentionQuery('hi @', 4)).toEqual({ from: 3, part: '' })
    for (const [text, caret] of [
      ['hi an', 5],
      ['me@an', 5],
      ['@an\nna', 6],
      [`@${'x'.repeat(40)}`, 41],
    ] as const)
      expect(mentionQuery(text, caret)).toBeUndefined()
  })

  it('offers names that begin so, and nothing when one is complete', () => {
    expect(namesFor('an', names)).toEqual(['Ana', 'Ana Maria'])
    expect(namesFor('', names)).toHaveLength(5)
    expect(namesFor('bill', names)).toEqual([])
    expect(namesFor('zoe', names)).toEqual([])
  })

  it('puts the name in, with one blank behind it', () => {
    const text = 'hi @an there'
    const query = mentionQuery(text, 6)
    if (query === undefined) throw new Error('no query')
    expect(withMention(text, query, 'Ana Maria')).toEqual({ text: 'hi @Ana Maria there', caret: 14 })
  })
})
