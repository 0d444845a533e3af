import { describe, expect, it } from 'vitest'
import { limits } from '../../src/mesh/limits.ts'
import type { PeerId } from '../../src/mesh/ids.ts'
import {
  addLink,
  admitConnection,
  admitted,
  createOverlay,
  declined,
  dueDials,
  forgiveDial,
  nextDialMs,
  noteDialFailed,
  removeLink,
  type Wish,
} from '../../src/mesh/overlay/links.ts'
import { keyOf } from './make.ts'

const self = keyOf(50).peer
const urgent = (peers: readonly PeerId[]): Wish[] =>
  peers.map((peer) => ({ peer, purpose: 'gateway', isUrgent: true }))
const dialled = (due: readonly { readonly peer: PeerId; readonly ask: boolean }[]) =>
  due.filter(({ ask }) => !ask).map(({ peer }) => peer)

describe('links and dials', () => {
  it('[O1] a second link to a peer replaces the first', () => {
    const overlay = createOverlay(self)
    expect(addLink(overlay, { id: 1, peer: keyOf(1).peer, version: 1 }, 0).older).toBeUndefined()
    expect(addLink(overlay, { id: 2, peer: keyOf(1).peer, version: 1 }, 0).older?.id).toBe(1)
    removeLink(overlay, 1)
    expect(overlay.linksByPeer.get(keyOf(1).peer)?.id).toBe(2)
  })

  it('[O2] dials within the budget of links and of a minute', () => {
    const overlay = createOverlay(self)
    const many = Array.from({ length: 60 }, (_, i) => keyOf(100 + i).peer).filter((peer) => self < peer)
    expect(many.length).toBeGreaterThan(limits.linksMax)
    expect(dueDials(overlay, urgent(many), 0)).toHaveLength(limits.linksMax)
    expect(dueDials(overlay, urgent(many), 1)).toHaveLength(0)
    for (const peer of many) noteDialFailed(overlay, peer, 1)
    const soon = dueDials(overlay, urgent(many), limits.redialMinMs + 1)
    expect(soon).toHaveLength(limits.dialsPerMinuteMax - limits.linksMax)
  })

  it('[O2] lets nobody in beyond sixteen links, and keeps a place while a connection is made', () => {
    const overlay = createOverlay(self)
    for (let i = 0; i < limits.linksMax - 1; i++)
      addLink(overlay, { id: i, peer: keyOf(100 + i).peer, version: 1 }, 0)
    expect(admitConnection(overlay, keyOf(1).peer, 0)).toBe(true)
    expect(admitConnection(overlay, keyOf(1).peer, 1)).toBe(true)
    expect(admitConnection(overlay, keyOf(2).peer, 1)).toBe(false)
    expect(dueDials(overlay, urgent([keyOf(3).peer]), limits.dialPolitenessMs)).toEqual([])
    expect(admitConnection(overlay, keyOf(2).peer, limits.promiseMs)).toBe(true)
    expect(admitConnection(overlay, keyOf(100).peer, limits.promiseMs)).toBe(true)
  })

  it('[O3] the smaller id dials at once, the larger one waits', () => {
    const [small, large] = [keyOf(1).peer, keyOf(2).peer].sort()
    if (small === undefined || large === undefined) throw new Error('keys')
    expect(dialled(dueDials(createOverlay(small), urgent([large]), 0))).toEqual([large])
    const patient = createOverlay(large)
    expect(dueDials(patient, urgent([small]), 0)).toEqual([])
    expect(nextDialMs(patient, 0)).toBe(limits.dialPolitenessMs)
    expect(dialled(dueDials(patient, urgent([small]), limits.dialPolitenessMs))).toEqual([small])
  })

  it('[O4] failures wait twice as long each time, until there is news', () => {
    const overlay = createOverlay(self)
    const peer = keyOf(1).peer
    noteDialFailed(overlay, peer, 0)
    noteDialFailed(overlay, peer, 0)
    expect(dueDials(overlay, urgent([peer]), limits.redialMinMs)).toEqual([])
    expect(dialled(dueDials(overlay, urgent([peer]), 2 * limits.redialMinMs))).toEqual([peer])
    noteDialFailed(overlay, peer, 0)
    forgiveDial(overlay, peer)
    expect(dueDials(overlay, urgent([peer]), limits.dialPolitenessMs)).toHaveLength(self < peer ? 1 : 0)
  })

  it('[O7] who is not alone asks for a place first, and dials when there is one', () => {
    const overlay = createOverlay(self)
    const peers = [1, 2, 3].map((seed) => keyOf(seed).peer)
    const wishes: Wish[] = peers.map((peer) => ({ peer, purpose: 'view', isUrgent: false }))
    const due = dueDials(overlay, wishes, limits.dialPolitenessMs)
    const later = dueDials(overlay, wishes, 2 * limits.dialPolitenessMs)
    expect([...due, ...later].map(({ ask }) => ask)).toEqual([true, true, true])
    const [one, two] = peers
    if (one === undefined || two === undefined) throw new Error('keys')
    expect(admitted(overlay, one, 6_000)).toBe(true)
    expect(admitted(overlay, one, 6_000)).toBe(false)
    declined(overlay, two, 6_000)
    expect(overlay.dials.get(two)).toMatchObject({ phase: 'waiting', atMs: 6_000 + limits.declinedMs })
    expect(dueDials(overlay, wishes, 6_001)).toEqual([])
  })
})
