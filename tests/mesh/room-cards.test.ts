import { describe, expect, it } from 'vitest'
import type { RoomCard } from '../../src/mesh/effects.ts'
import { openRoomId, ownedRoomId, type RoomId } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import { keyOf } from './make.ts'
import { Peer, talk } from './peer.ts'

const nonce = 'ab'.repeat(16)
const owner = keyOf(2).peer
const owned = ownedRoomId(owner, nonce)
const logistics = openRoomId('logistics')

function two(): [Peer, Peer] {
  const [ana, bill] = [new Peer(1), new Peer(2)]
  for (const peer of [ana, bill])
    peer.give({ type: 'command', command: { type: 'rename', name: `P${peer.seed}` } })
  ana.link(bill)
  bill.give({ type: 'command', command: { type: 'join', name: 'Logistics' } })
  bill.give({
    type: 'command',
    command: { type: 'create', token: 't', nonce, name: 'shelter', purpose: 'Beds' },
  })
  talk([ana, bill], 5)
  return [ana, bill]
}

function cards(peer: Peer): RoomCard[] {
  return peer.of('emit').flatMap(({ event }) => (event.type === 'room-card' ? [event.card] : []))
}

function ask(peer: Peer, room: RoomId): void {
  peer.give({ type: 'command', command: { type: 'ask-room', room } })
}

function tell(peer: Peer, payload: string): void {
  const frame = { type: 'signal', from: owner, to: keyOf(peer.seed).peer, hops: 0, payload } as const
  peer.give({ type: 'received', link: 2, frame })
}

const cardOf = (...parts: readonly string[]) => `!room ${JSON.stringify(parts)}`

describe('what channels are called', () => {
  it('[M11] somebody who is in a room says what it is called, once for each question', () => {
    const [ana, bill] = two()
    for (const room of [logistics, owned]) ask(ana, room)
    talk([ana, bill], 2)
    expect(cards(ana)).toEqual([
      { room: logistics, name: 'logistics' },
      { room: owned, name: 'shelter', purpose: 'Beds', owner, nonce },
    ])
    tell(ana, cardOf(logistics, 'logistics', '', '', ''))
    expect(cards(ana)).toHaveLength(2)
  })

  it('[M11] nobody is asked about a room that nobody is in, and nobody answers for one', () => {
    const [ana, bill] = two()
    const elsewhere = openRoomId('elsewhere')
    const before = ana.sent.length
    ask(ana, elsewhere)
    expect(ana.sent).toHaveLength(before)
    tell(bill, `?room ${elsewhere}`)
    expect(bill.sent.some(({ frame }) => frame.type === 'signal')).toBe(false)
  })

  it('[M11] takes only what the id follows from, and only in time', () => {
    const [ana] = two()
    const lies = [
      cardOf(logistics, 'shelter', '', '', ''),
      cardOf(owned, 'shelter', '', keyOf(3).peer, nonce),
      cardOf(owned, 'shelter', '', owner, 'cd'.repeat(16)),
      cardOf(owned, 'shelter', '', owner, 'zz'.repeat(16)),
      cardOf(owned, 'shelter', '', 'nobody', nonce),
      cardOf(owned, '', '', owner, nonce),
      cardOf(owned, 'shelter', 'x'.repeat(limits.roomCardCharactersMax), owner, nonce),
      `!room ${JSON.stringify([owned, 5])}`,
      '!room {',
      '!room',
    ]
    for (const lie of lies) {
      ask(ana, owned)
      ask(ana, logistics)
      tell(ana, lie)
    }
    expect(cards(ana)).toEqual([])
    tell(ana, cardOf(owned, 'shelter', 'Be\u202eds', owner, nonce))
    expect(cards(ana)).toEqual([{ room: owned, name: 'shelter', purpose: 'Be ds', owner, nonce }])
    ask(ana, logistics)
    ana.pass(limits.roomAnswerMs + 1)
    tell(ana, cardOf(logistics, 'logistics', '', '', ''))
    expect(cards(ana)).toHaveLength(1)
  })

  it('[M7] a room is known by what its owner has said of it', () => {
    const [ana, bill] = two()
    ana.give({ type: 'command', command: { type: 'enter', room: owned, name: 'invited', owner, nonce } })
    expect(ana.engine.rooms.get(owned)).toMatchObject({ name: 'invited', owner, nonce })
    talk([ana, bill], 20)
    expect(ana.engine.rooms.get(owned)).toMatchObject({ name: 'shelter', purpose: 'Beds', owner, nonce })
  })
})
