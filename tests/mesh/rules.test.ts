import { describe, expect, it } from 'vitest'
import type { PlacedEvent } from '../../src/mesh/clock.ts'
import { feedAuthor, incarnationOf, ownedRoomId, type EventId } from '../../src/mesh/ids.ts'
import { encodeBody, eventKinds, readBody, type Body } from '../../src/mesh/timeline/body.ts'
import { fold } from '../../src/mesh/timeline/fold.ts'
import { ownerBy, pinned, rulesOf } from '../../src/mesh/timeline/rules.ts'
import { feedOf, keyOf, runOf } from './make.ts'
import { Peer, talk } from './peer.ts'

const [owner, mod, guest] = [1, 2, 3]
const nonce = 'ab'.repeat(16)
const room = ownedRoomId(keyOf(owner).peer, nonce)
let made = 0

/** What somebody says in the room, at a place in the order, with a number in their feed. */
function said(
  by: number,
  body: Body,
  parts: { readonly at?: number; readonly seq?: number } = {},
): PlacedEvent {
  made += 1
  const [event] = runOf({ seed: 200, count: 1, text: `${made}` }).events
  if (event === undefined) throw new Error('no event')
  const { kind, bytes } = encodeBody(body)
  const place = { effective: parts.at ?? made, storedAtMs: 0, audience: undefined }
  return { ...event, ...place, room, feed: feedOf(by), seq: parts.seq ?? made, kind, body: bytes }
}

const creation = said(owner, { type: 'create', nonce, name: 'shelter', purpose: 'Beds' }, { seq: 0 })
const target = creation.id
const appoint = (isOn: boolean, last?: number) => {
  const seen = last === undefined ? [] : [{ incarnation: incarnationOf(feedOf(mod)), last }]
  return said(owner, { type: 'appoint', target, peer: keyOf(mod).peer, isOn, seen })
}
const message = (by: number, text = 'hello') => said(by, { type: 'message', text })
const remove = (by: number, id: EventId, seq?: number) =>
  said(by, { type: 'remove', target: id }, seq === undefined ? {} : { seq })

function rules(...about: PlacedEvent[]) {
  const found = rulesOf(creation, about)
  if (found === undefined) throw new Error('no room')
  return found
}

describe('owned rooms', () => {
  it('[M7] a room is whose key its id was made from, and only its first event says so', () => {
    expect(ownerBy(creation)).toBe(keyOf(owner).peer)
    expect(rules()).toMatchObject({ owner: keyOf(owner).peer, name: 'shelter', purpose: 'Beds', maxAgeMs: 0 })
    expect(ownerBy({ ...creation, seq: 1 })).toBeUndefined()
    expect(ownerBy({ ...creation, feed: feedOf(guest) })).toBeUndefined()
    const other = encodeBody({ type: 'create', nonce: 'cd'.repeat(16), name: 'shelter', purpose: '' })
    expect(rulesOf({ ...creation, body: other.bytes }, [])).toBeUndefined()
    const loud = encodeBody({ type: 'create', nonce, name: 'Shelter', purpose: '' })
    expect(readBody({ ...creation, body: loud.bytes })).toBeUndefined()
  })

  it('[M8] the owner appoints and nobody else does', () => {
    const before = message(mod)
    const on = appoint(true)
    const after = message(mod)
    const { moderators, mayModerate } = rules(on)
    expect([...moderators]).toEqual([keyOf(mod).peer])
    expect(mayModerate(after)).toBe(true)
    expect(mayModerate(before)).toBe(false)
    expect(mayModerate(message(guest))).toBe(false)
    const self = said(guest, { type: 'appoint', target, peer: keyOf(guest).peer, isOn: true, seen: [] })
    expect(rules(self, on).mayModerate(message(guest))).toBe(false)
  })

  it('[M8] what a dismissed moderator wrote counts as far as the owner had seen it, whatever its clock said', () => {
    const on = appoint(true)
    const seen = said(mod, { type: 'message', text: 'seen' }, { seq: 4 })
    const early = said(mod, { type: 'message', text: 'unseen' }, { seq: 5, at: seen.effective })
    const off = appoint(false, 4)
    const late = said(mod, { type: 'message', text: 'late' }, { seq: 6 })
    const { mayModerate, moderators } = rules(off, on)
    expect([seen, early, late].map(mayModerate)).toEqual([true, false, false])
    expect([...moderators]).toEqual([])
    const again = appoint(true)
    const since = said(mod, { type: 'message', text: 'back' }, { seq: 7 })
    expect([seen, early, since].map(rules(on, off, again).mayModerate)).toEqual([true, false, true])
  })

  it('[M9] a moderator takes a message away, somebody else does not', () => {
    const on = appoint(true)
    const word = message(guest, 'rude')
    expect(fold(word, [remove(mod, word.id)], rules(on))).toMatchObject({ text: undefined, isDeleted: true })
    expect(fold(word, [remove(3, word.id)], rules(on)).text).toBe('rude')
    // In an open room nobody does.
    expect(fold(word, [remove(mod, word.id)]).text).toBe('rude')
  })

  it('[M9] in a closed room only moderators are heard from then on, until it is opened', () => {
    const on = appoint(true)
    const before = message(guest)
    const close = said(mod, { type: 'close', target, isOn: true })
    const [after, word] = [message(guest), message(mod)]
    expect([before, after, word].map(rules(on, close).isHeard)).toEqual([true, false, true])
    const open = said(owner, { type: 'close', target, isOn: false })
    expect(rules(on, close, open).isHeard(after)).toBe(true)
    expect(rules(said(guest, { type: 'close', target, isOn: true })).isHeard(after)).toBe(true)
  })

  it('[M9] the last settings and pins in the order count', () => {
    const day = said(owner, {
      type: 'settings',
      target,
      name: 'beds',
      purpose: 'Now full',
      maxAgeMs: 86_400_000,
    })
    const by = said(guest, { type: 'settings', target, name: 'mine', purpose: '', maxAgeMs: 1 })
    expect(rules(by, day)).toMatchObject({ name: 'beds', purpose: 'Now full', maxAgeMs: 86_400_000 })
    const [one, two] = [message(guest), message(guest)]
    const pins = [
      said(owner, { type: 'pin', target: one.id, isOn: true }),
      said(owner, { type: 'pin', target: two.id, isOn: true }),
      said(guest, { type: 'pin', target: by.id, isOn: true }),
    ]
    expect(pinned(rules(), room, pins)).toEqual([two.id, one.id])
    const off = said(owner, { type: 'pin', target: two.id, isOn: false })
    expect(pinned(rules(), room, [off, ...pins])).toEqual([one.id])
  })

  it('[M7] [M9] a device creates a room, another enters it, and its owner decides how long it keeps', () => {
    const nowMs = Date.UTC(2026, 10, 21)
    const [ana, bill] = [new Peer(50, [], nowMs), new Peer(51, [], nowMs)]
    const mine = ownedRoomId(ana.engine.self, nonce)
    const words = { name: 'shelter', purpose: 'Beds' }
    const typed = { name: '#Shelter', purpose: '  Beds\n' }
    ana.give({ type: 'command', command: { type: 'create', token: 'a', nonce, ...typed } })
    bill.give({
      type: 'command',
      command: { type: 'enter', room: mine, name: 'shelter', owner: ana.engine.self, nonce },
    })
    ana.link(bill)
    talk([ana, bill], 10)
    const [first] = bill.tables.inOrder(mine)
    expect(first?.kind).toBe(eventKinds.create)
    if (first === undefined) throw new Error('nothing came')
    expect(ownerBy(first)).toBe(ana.engine.self)
    expect(readBody(first)).toMatchObject(words)
    const settings = { type: 'settings', target: first.id, ...words, maxAgeMs: 3_600_000 } as const
    const post = (peer: Peer, body: Body) =>
      peer.give({ type: 'command', command: { type: 'post', token: 's', room: mine, body } })
    // Not the owner's word.
    post(bill, { ...settings, maxAgeMs: 5 })
    talk([ana, bill], 5)
    expect(ana.engine.rooms.get(mine)?.policy).toBeUndefined()
    post(ana, settings)
    talk([ana, bill], 5)
    for (const peer of [ana, bill]) {
      expect(peer.engine.rooms.get(mine)).toMatchObject({
        owner: ana.engine.self,
        policy: { maxAgeMs: 3_600_000 },
      })
      expect(peer.tables.rooms.find((one) => one.room === mine)?.policy?.maxAgeMs).toBe(3_600_000)
    }
    // Twice the same number makes the same room, which is there already.
    ana.give({ type: 'command', command: { type: 'create', token: 'b', nonce, ...words } })
    expect(ana.told.at(-1)).toBe('post-failed')
    expect(feedAuthor(first.feed)).toBe(ana.engine.self)
  })
})
