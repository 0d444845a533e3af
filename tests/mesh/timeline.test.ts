import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/mesh/limits.ts'
import {
  checkBody,
  encodeBody,
  eventKinds,
  messageText,
  readBody,
  targetOf,
  type Body,
} from '../../src/mesh/timeline/body.ts'
import { fold } from '../../src/mesh/timeline/fold.ts'
import { feedOf, keyOf } from './make.ts'
import { said } from './said.ts'

const message = said({ type: 'message', text: 'as written' })
const target = message.id
const edit = (text: string, by = 1, at?: number) =>
  said({ type: 'edit', target, text }, { by, ...(at && { at }) })
const react = (by: number, emoji: string, isOn = true) =>
  said({ type: 'reaction', target, emoji, isOn }, { by })
const people = (...numbers: number[]) => numbers.map((by) => feedOf(by).slice(0, 52))

describe('what events say', () => {
  it('[M1] each body reads as it was written, and what does not fit its kind says nothing', () => {
    const bodies: Body[] = [
      { type: 'message', text: 'ça va 😀' },
      { type: 'message', text: 'so do I', replyTo: target },
      { type: 'edit', target, text: 'better' },
      { type: 'delete', target },
      { type: 'reaction', target, emoji: '👍🏽', isOn: true },
      { type: 'reaction', target, emoji: '👍🏽', isOn: false },
      { type: 'create', nonce: '0f'.repeat(16), name: 'shelter-3', purpose: 'Who sleeps where' },
      { type: 'appoint', target, peer: keyOf(3).peer, isOn: true, seen: [] },
      {
        type: 'appoint',
        target,
        peer: keyOf(3).peer,
        isOn: false,
        seen: [{ incarnation: '01'.repeat(16), last: 70_000 }],
      },
      { type: 'pin', target, isOn: true },
      { type: 'remove', target },
      { type: 'close', target, isOn: false },
      { type: 'settings', target, name: 'shelter', purpose: '', maxAgeMs: 86_400_000 },
    ]
    for (const body of bodies) expect(readBody(said(body))).toEqual(body)
    const event = said({ type: 'delete', target })
    expect(readBody({ ...event, body: event.body.slice(1) })).toBeUndefined()
    expect(readBody({ ...event, body: new Uint8Array(40) })).toBeUndefined()
    expect(readBody({ ...event, kind: 200 })).toBeUndefined()
    expect(readBody({ ...event, epoch: 1 })).toBeUndefined()
  })

  it('[M1] no bytes of a stranger make it fail', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 12 }), fc.uint8Array({ maxLength: 80 }), (kind, body) => {
        const read = readBody({ kind, body, epoch: 0 })
        if (read !== undefined) expect(encodeBody(read)).toEqual({ kind, bytes: body })
      }),
    )
  })

  it('[M1] what cannot be said is refused with its reason', () => {
    expect(checkBody({ type: 'edit', target, text: ' ' })).toBe('empty')
    expect(checkBody({ type: 'message', text: 'x'.repeat(limits.messageCharactersMax + 1) })).toBe('too-long')
    const wide = (count: number): Body => ({ type: 'edit', target, text: '😀'.repeat(count) })
    expect([checkBody(wide(3_992)), checkBody(wide(3_993))]).toEqual([undefined, 'too-long'])
    expect(checkBody({ type: 'reaction', target, emoji: '', isOn: true })).toBe('empty')
    expect(checkBody({ type: 'reaction', target, emoji: 'x'.repeat(65), isOn: true })).toBe('too-long')
  })

  it('[M2] messages stand by themselves, the rest stands at its message', () => {
    expect(targetOf(message)).toBeUndefined()
    expect(targetOf(edit('x'))).toBe(target)
    expect(targetOf(said({ type: 'message', text: 'x', replyTo: target }))).toBeUndefined()
    expect(targetOf({ ...message, kind: eventKinds.delete })).toBeUndefined()
  })
})

describe('what is shown of a message', () => {
  it('[M10] an answer stands by itself, is changed like any message, and needs not what it answers', () => {
    const reply = { ...message, ...said({ type: 'message', text: 'me too', replyTo: target }) }
    expect(messageText(reply)).toBe('me too')
    const better = said({ type: 'edit', target: reply.id, text: 'me neither' })
    expect(fold(reply, [{ ...reply, ...better, effective: reply.effective + 1 }]).text).toBe('me neither')
    const wide = { type: 'message', text: '😀'.repeat(4_000), replyTo: target } as const
    expect(checkBody(wide)).toBe('too-long')
    expect(checkBody({ type: 'message', text: wide.text })).toBeUndefined()
  })

  it('[M3] the last edit of its author counts; the others are kept', () => {
    const folded = fold(message, [
      edit('third', 1, 900),
      edit('second', 1, 800),
      edit('somebody else', 2, 1_000),
    ])
    expect(folded.text).toBe('third')
    expect(folded.versions.map((one) => one.text)).toEqual(['as written', 'second', 'third'])
  })

  it('[M4] a deletion by its author outdoes every edit, also a later one; nobody else can', () => {
    const deletion = said({ type: 'delete', target })
    expect(fold(message, [deletion, edit('after', 1, 9_999)])).toMatchObject({
      text: undefined,
      isDeleted: true,
      versions: [],
    })
    expect(fold(message, [said({ type: 'delete', target }, { by: 2 })])).toMatchObject({
      text: 'as written',
      isDeleted: false,
    })
  })

  it('[M5] each person has one reaction per emoji, on or off, the last one counts', () => {
    const about = [
      react(2, '👍'),
      react(3, '👍'),
      react(2, '❤️'),
      react(3, '👍', false),
      react(3, '👍'),
      react(2, '❤️', false),
    ]
    expect([...fold(message, about).reactions]).toEqual([['👍', people(2, 3)]])
  })

  it('[M6] in whatever order it came, the same is shown', () => {
    const about = [edit('a'), edit('b'), react(2, '👍'), react(2, '👍', false), react(3, '👍'), edit('c', 4)]
    const expected = fold(message, about)
    fc.assert(
      fc.property(fc.shuffledSubarray(about, { minLength: about.length }), (shuffled) => {
        expect(fold(message, shuffled)).toEqual(expected)
      }),
    )
    const elsewhere = { ...edit('in another room'), room: feedOf(9).slice(0, 32) as typeof message.room }
    expect(fold(message, [...about, elsewhere])).toEqual(expected)
  })
})
