import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { guestText, parseGuestMessage } from '../../src/adapters/browser/door/door-dialect.ts'
import { limits } from '../../src/mesh/limits.ts'

describe('what programs say at the guest door', () => {
  it.each([
    [
      { type: 'hello', name: ' Weather  station ' },
      { type: 'hello', name: 'Weather station' },
    ],
    [
      { type: 'join', room: '#General' },
      { type: 'join', room: 'general' },
    ],
    [
      { type: 'post', room: 'general', text: 'x', extra: 1 },
      { type: 'post', room: 'general', text: 'x' },
    ],
    [{ type: 'hello', name: '\u202e' }, 'bad-message'],
    [{ type: 'hello' }, 'bad-message'],
    [{ type: 'join', room: '' }, 'unknown-room'],
    [{ type: 'post', room: 'general', text: ' ' }, 'bad-message'],
    [{ type: 'post', room: 'general', text: 'x'.repeat(4_000) }, 'too-long'],
    [{ type: 'destroy', room: 'general' }, 'bad-message'],
    ['{"type":"hello"}', 'bad-message'],
    [null, 'bad-message'],
    [[], 'bad-message'],
  ])('%j is %j', (value, expected) => {
    expect(parseGuestMessage(value)).toEqual(expected)
  })

  it('never throws, and what passes fits a message', () => {
    const field = fc.oneof(fc.string({ maxLength: 5_000 }), fc.anything())
    const type = fc.constantFrom('hello', 'join', 'post', 'x')
    fc.assert(
      fc.property(fc.record({ type, name: field, room: field, text: field }), (value) => {
        const message = parseGuestMessage(value)
        if (typeof message === 'string' || message.type !== 'post') return
        expect(guestText('n'.repeat(32), message.text).length).toBeLessThanOrEqual(
          limits.messageCharactersMax,
        )
      }),
      { seed: 8 },
    )
  })
})
