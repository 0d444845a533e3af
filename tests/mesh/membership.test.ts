import { describe, expect, it } from 'vitest'
import type { PeerId } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import { addLink, createOverlay, type Link, type Overlay } from '../../src/mesh/overlay/links.ts'
import {
  addPassive,
  admitView,
  closeRing,
  createMembership,
  draw,
  dueShuffle,
  forgetPassive,
  forwardJoin,
  forwardJoinTargets,
  passShuffle,
  promise,
  shuffleSample,
  viewTarget,
  viewWishes,
} from '../../src/mesh/overlay/membership.ts'
import { keyOf } from './make.ts'

const self = keyOf(200).peer
const peers = Array.from({ length: 40 }, (_, i) => keyOf(i + 1).peer)

function at(index: number): PeerId {
  const peer = peers[index]
  if (peer === undefined) throw new Error(`no peer ${index}`)
  return peer
}

function withLinks(count: number): Overlay {
  const overlay = createOverlay(self)
  for (let i = 0; i < count; i++)
    addLink(overlay, { id: i, peer: at(i), version: 1 }, 0).link.purpose = 'view'
  return overlay
}

const none = () => false

describe('membership', () => {
  it('[V1] all links up to five people, six in a small site, four in a large one', () => {
    expect([0, 1, 4, 5, 7, 8, 99].map(viewTarget)).toEqual([0, 1, 4, 6, 6, 4, 4])
  })

  it('[V2] alone it dials one contact at once; lacking links it asks a few at a time', () => {
    const near = new Set(peers)
    const membership = createMembership(1, 0)
    expect(viewWishes(membership, withLinks(0), near, 0)).toMatchObject([{ isUrgent: true }])
    const wishes = viewWishes(membership, withLinks(1), near, 0)
    expect(wishes).toHaveLength(3)
    expect(wishes.every((wish) => !wish.isUrgent)).toBe(true)
    expect(viewWishes(membership, withLinks(4), near, 0)).toEqual([])
    expect(viewWishes(membership, withLinks(1), new Set(peers.slice(0, 4)), 0)).toHaveLength(4)
  })

  it('[V3] promises places while there are some, and keeps them free', () => {
    const membership = createMembership(1, 0)
    const overlay = withLinks(3)
    expect(promise(membership, overlay, at(10), 99, 0)).toBe(true)
    expect(promise(membership, overlay, at(11), 99, 0)).toBe(false)
    expect(promise(membership, overlay, at(10), 99, 0)).toBe(true)
    expect(promise(membership, overlay, at(11), 99, limits.promiseMs)).toBe(true)
  })

  it('[V4] who is alone or was promised a place pushes another out, anybody else has to go', () => {
    const membership = createMembership(1, 0)
    const overlay = withLinks(5)
    const newest = overlay.links.get(4)
    if (newest === undefined) throw new Error('link')
    const parts = { others: 99, isKept: none }
    expect(admitView(membership, overlay, newest, { ...parts, isUrgent: false })).toBe(newest)
    expect(admitView(membership, overlay, newest, { ...parts, isUrgent: true })).not.toBe(newest)
    const isKept = (link: Link) => link.id !== 2
    expect(admitView(membership, overlay, newest, { others: 99, isUrgent: true, isKept })?.id).toBe(2)
    membership.promised.set(newest.peer, 99)
    expect(admitView(membership, overlay, newest, { ...parts, isUrgent: false })).not.toBe(newest)
  })

  it('[V5] a newcomer is told on, remembered three steps before the end, and taken at the end', () => {
    const membership = createMembership(1, 0)
    const overlay = withLinks(3)
    expect(forwardJoinTargets(overlay, at(0)).map((link) => link.id)).toEqual([1, 2])
    const passed = forwardJoin(membership, overlay, at(20), limits.passiveWalk, 99, 0)
    expect(passed).toMatchObject({ type: 'pass', ttl: limits.passiveWalk - 1 })
    expect(membership.passive.has(at(20))).toBe(true)
    expect(forwardJoin(membership, overlay, at(20), 0, 99, 0)).toEqual({ type: 'take' })
    expect(forwardJoin(membership, withLinks(4), at(20), 0, 99, 0)).toEqual({ type: 'end' })
    expect(forwardJoin(membership, overlay, self, 3, 99, 0)).toEqual({ type: 'end' })
    expect(forwardJoin(membership, overlay, at(1), 0, 99, 0)).toEqual({ type: 'end' })
  })

  it('[V6] [V8] the passive view is bounded, without links and without those who are not to be had', () => {
    const membership = createMembership(1, 0)
    const overlay = withLinks(3)
    for (const peer of [...peers, self]) addPassive(membership, overlay, peer)
    expect(membership.passive.size).toBe(limits.passiveViewMax)
    expect([at(0), at(1), at(2), self].some((peer) => membership.passive.has(peer))).toBe(false)
    const [one] = membership.passive
    if (one !== undefined) forgetPassive(membership, one)
    expect(membership.passive.size).toBe(limits.passiveViewMax - 1)
  })

  it('[V7] a shuffle starts now and then, carries a sample, walks on, and comes by once', () => {
    const membership = createMembership(1, 0)
    const overlay = withLinks(4)
    for (const peer of peers.slice(10)) addPassive(membership, overlay, peer)
    expect(dueShuffle(membership, overlay, limits.shuffleFirstMs - 1)).toBeUndefined()
    const due = dueShuffle(membership, overlay, limits.shuffleFirstMs)
    expect(due).toBeDefined()
    const sample = shuffleSample(membership, overlay)
    expect(sample[0]).toBe(self)
    expect(sample).toHaveLength(1 + limits.shuffleActive + limits.shufflePassive)
    expect(passShuffle(membership, overlay, 77, 3, 0)?.id).not.toBe(0)
    expect(passShuffle(membership, overlay, 77, 3, 1)).toBeUndefined()
    expect(passShuffle(membership, overlay, 78, 0, 1)).toBeUndefined()
  })

  it('draws evenly enough, and the same for the same seed', () => {
    const [a, b] = [createMembership(9, 0), createMembership(9, 0)]
    const counts = [0, 0, 0, 0]
    for (let i = 0; i < 4_000; i++) {
      const drawn = draw(a, 4)
      expect(draw(b, 4)).toBe(drawn)
      counts[drawn] = (counts[drawn] ?? 0) + 1
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150)
  })

  it('[V9] the next one in the order of ids is dialled when it has been the same for 3 s, and let in', () => {
    const near = new Set(peers)
    const all = [self, ...peers].sort()
    const next = all[(all.indexOf(self) + 1) % all.length] ?? self
    const membership = createMembership(1, 0)
    const overlay = createOverlay(self)
    closeRing(membership, self, near, 0)
    const wishes = (nowMs: number) =>
      viewWishes(membership, overlay, near, nowMs).filter((wish) => wish.isInvited === true)
    expect(wishes(limits.ringSettleMs - 1)).toEqual([])
    expect(wishes(limits.ringSettleMs)).toMatchObject([{ peer: next, isUrgent: false }])
    closeRing(membership, self, new Set([...near].filter((peer) => peer !== next)), 4_000)
    expect(wishes(4_000)).toEqual([])

    const full = withLinks(limits.activeViewMax)
    const before = membership.ring?.before ?? self
    const link = addLink(full, { id: 99, peer: before, version: 1 }, 0).link
    link.purpose = 'view'
    const gone = admitView(membership, full, link, { isUrgent: false, others: 40, isKept: none })
    expect([gone === undefined, gone === link]).toEqual([false, false])
  })

  it('[V9] however many there are, everybody with somebody after makes one ring', () => {
    const all = [self, ...peers].sort()
    const after = new Map(
      all.map((one) => {
        const membership = createMembership(1, 0)
        closeRing(membership, one, new Set(all.filter((other) => other !== one)), 0)
        return [one, membership.ring?.after ?? one]
      }),
    )
    const walked = new Set<PeerId>()
    for (let at = self; !walked.has(at); at = after.get(at) ?? at) walked.add(at)
    expect(walked.size).toBe(all.length)
  })
})
