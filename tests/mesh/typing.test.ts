import { describe, expect, it } from 'vitest'
import { decodeFrame, encodeFrame } from '../../src/mesh/frame.ts'
import { itemOf } from '../../src/mesh/gossip/item.ts'
import { openRoomId, type RoomId } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import { cleanProfile } from '../../src/mesh/record.ts'
import { general, keyOf, presenceOf, runOf } from './make.ts'
import { Peer, talk } from './peer.ts'

function two(kind: { readonly box?: boolean } = {}): [Peer, Peer] {
  const [ana, bill] = [new Peer(1), new Peer(2, [], 1_000, kind)]
  for (const peer of [ana, bill])
    peer.give({ type: 'command', command: { type: 'rename', name: `P${peer.seed}` } })
  ana.link(bill)
  talk([ana, bill], 5)
  return [ana, bill]
}

const type = (peer: Peer, room: RoomId = general) =>
  peer.give({ type: 'command', command: { type: 'typing', room } })
const typing = (peer: Peer) => peer.of('emit').filter(({ event }) => event.type === 'typing')

describe('who is writing', () => {
  it('[P10] is said to who is linked, once in a while, and by nobody who is not in the room', () => {
    const [ana, bill] = two()
    for (let i = 0; i < 5; i++) type(ana)
    type(ana, openRoomId('elsewhere'))
    talk([ana, bill], 1)
    expect(typing(bill).map(({ event }) => event)).toEqual([
      { type: 'typing', room: general, peer: keyOf(1).peer },
    ])
    talk([ana, bill], limits.typingIntervalMs / 1_000)
    type(ana)
    talk([ana, bill], 1)
    expect(typing(bill)).toHaveLength(2)
  })

  it('[P10] is not passed on, not repeated, and not told to boxes', () => {
    const [ana, bill] = two()
    const clara = new Peer(3)
    bill.link(clara)
    talk([ana, bill, clara], 5)
    type(ana)
    talk([ana, bill, clara], 20)
    expect(typing(bill)).toHaveLength(1)
    expect(typing(clara)).toHaveLength(0)
    const [other, box] = two({ box: true })
    type(other)
    talk([other, box], 5)
    expect(typing(box)).toHaveLength(0)
  })

  it('[P10] is heard only so often from one link, and only in rooms of one’s own', () => {
    const [, bill] = two()
    const hear = (room: RoomId) =>
      bill.give({
        type: 'received',
        link: 1,
        frame: { type: 'packet', seq: undefined, ack: undefined, notes: [{ type: 'typing', room }] },
      })
    for (let i = 0; i < 50; i++) hear(general)
    bill.pass(limits.typingIntervalMs)
    hear(openRoomId('elsewhere'))
    expect(typing(bill)).toHaveLength(1)
  })
})

describe('what somebody says of themselves', () => {
  it('[P11] reaches others with their presence, and goes when it is taken back', () => {
    const [ana, bill] = two()
    const set = (statusText: string, colour: number, emoji: string) =>
      ana.give({ type: 'command', command: { type: 'set-profile', statusText, colour, emoji } })
    const seen = () => {
      talk([ana, bill], 3)
      const events = bill.of('emit').flatMap(({ event }) => (event.type === 'people' ? [event] : []))
      return events.at(-1)?.people.find(({ peer }) => peer === keyOf(1).peer)?.profile
    }
    set('  on watch\u202e ', 4, '🧑‍🚒')
    expect(seen()).toEqual({ statusText: 'on watch', colour: 4, emoji: '🧑‍🚒' })
    set('', 0, '')
    expect(seen()).toBeUndefined()
  })

  it('[P11] is cleaned where it is said, and malformed where somebody else has not', () => {
    expect(cleanProfile({ statusText: 'x'.repeat(99), colour: 13, emoji: 'no' })).toEqual({
      statusText: 'x'.repeat(limits.statusCharactersMax),
      colour: 0,
      emoji: '',
    })
    for (const emoji of ['📻', '🇩🇪', '👩🏽‍🚒', '❤️']) {
      expect(cleanProfile({ statusText: '', colour: 0, emoji })?.emoji, emoji).toBe(emoji)
    }
    expect(cleanProfile({ statusText: ' ', colour: 0, emoji: '📻'.repeat(20) })).toBeUndefined()
    const lies = [
      { statusText: 'a\u0007b', colour: 0, emoji: '' },
      { statusText: 'x'.repeat(limits.statusCharactersMax + 1), colour: 0, emoji: '' },
      { statusText: '', colour: 13, emoji: '' },
      { statusText: '', colour: 0, emoji: '<b>' },
      { statusText: '', colour: 0, emoji: '' },
    ]
    for (const profile of lies) {
      const item = itemOf({ type: 'presence', record: presenceOf(1, { profile }) })
      expect(decodeFrame(encodeFrame({ type: 'items', items: [item] }))).toBe('malformed')
    }
  })
})

describe('what is missing', () => {
  it('[R9] a person’s question compares at once, and the holes of a room can be told', () => {
    const [ana, bill] = two()
    const sent = ana.sent.length
    ana.give({ type: 'command', command: { type: 'compare' } })
    const kinds = ana.sent.slice(sent).map(({ frame }) => frame.type)
    expect(kinds.some((kind) => kind === 'prints' || kind === 'sketch')).toBe(true)
    const gapsOf = (peer: Peer) => {
      peer.give({ type: 'command', command: { type: 'tell-gaps', room: general } })
      return peer
        .of('emit')
        .flatMap(({ event }) => (event.type === 'gaps' ? [event.gaps] : []))
        .at(-1)
    }
    expect(gapsOf(bill)).toEqual([])
    const late = new Peer(4, [runOf({ first: 3, count: 2 }), runOf({ first: 8, count: 1 })])
    expect(gapsOf(late)).toEqual([
      { feed: runOf({ count: 1 }).feed, first: 5, last: 7 },
      { feed: runOf({ count: 1 }).feed, first: 0, last: 2 },
    ])
  })
})
