import { describe, expect, it } from 'vitest'
import { closest } from '../../src/lib/palette.ts'

const choices = ['#general', '#logistics', 'Ana', 'Big Lou', 'Jump to a date', 'Über Köln'].map((label) => ({
  id: label,
  label,
  hint: '',
}))
const found = (typed: string) => closest(typed, choices).map(({ label }) => label)

describe('go to', () => {
  it('finds what has the letters in their order, the closest first', () => {
    expect(found('log')).toEqual(['#logistics'])
    expect(found('jtd')).toEqual(['Jump to a date'])
    expect(found('lo')).toEqual(['#logistics', 'Big Lou'])
    // At the beginning of a word before within one.
    expect(found('l')[0]).toBe('#logistics')
  })

  it('knows no capitals and no accents, and shows all while nothing is typed', () => {
    expect(found('uber')).toEqual(['Über Köln'])
    expect(found('KOLN')).toEqual(['Über Köln'])
    expect(found('')).toEqual(choices.map(({ label }) => label))
    expect(found('zz')).toEqual([])
  })

  it('shows a bounded number', () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ id: String(i), label: `room ${i}`, hint: '' }))
    expect(closest('room', many)).toHaveLength(12)
    expect(closest('', many)).toHaveLength(12)
  })
})
