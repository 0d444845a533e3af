import { describe, expect, it } from 'vitest'
import { limits } from '../../src/mesh/limits.ts'
import type { PeerId } from '../../src/mesh/ids.ts'
import {
  acceptPresence,
  aliveDigest,
  audienceOf,
  createPresence,
  expireSuspicions,
  hear,
  hearSuspicion,
  listPeople,
  suspect,
  type PresenceState,
  type Reachability,
} from '../../src/mesh/presence.ts'
import { general, keyOf, presenceOf } from './make.ts'

const self = keyOf(50).peer
const peer = keyOf(1).peer
const site = keyOf(99).peer
const other = keyOf(98).peer

function atSite(): PresenceState {
  const state = createPresence([], self, { name: 'Me', box: false })
  state.own.site = site
  return state
}

const nobody: Reachability = {
  isLinked: () => false,
  isHeardThere: () => false,
  isOutOfReach: () => true,
  nodeOf: (link) => (link === 9 ? 'n9' : undefined),
}
const linkedTo = (one: PeerId): Reachability => ({ ...nobody, isLinked: (peer) => peer === one })
const people = (state: PresenceState, nowMs: number, reach = nobody) =>
  listPeople(state, reach, new Set(), nowMs)

describe('presence', () => {
  it('[P1] [P2] the larger counter counts, and only news is news', () => {
    const state = atSite()
    expect(acceptPresence(state, presenceOf(1, { counter: 5 }), 1, 0).isNews).toBe(true)
    expect(acceptPresence(state, presenceOf(1, { counter: 5 }), 1, 0).isNews).toBe(false)
    expect(acceptPresence(state, presenceOf(1, { counter: 4, name: 'Old' }), 1, 0).isNews).toBe(false)
    expect(people(state, 0)[0]?.name).toBe('Person 1')
  })

  it('[P3] equal rosters have equal digests, and a peer of another site is not in them', () => {
    const [a, b] = [atSite(), atSite()]
    for (const state of [a, b]) acceptPresence(state, presenceOf(1), 1, 0)
    expect(aliveDigest(a)).toBe(aliveDigest(b))
    acceptPresence(a, presenceOf(2, { site: other }), 1, 0)
    expect(aliveDigest(a)).toBe(aliveDigest(b))
    acceptPresence(a, presenceOf(3), 1, 0)
    expect(aliveDigest(a)).not.toBe(aliveDigest(b))
  })

  it('[P4] [P5] who is suspected and does not answer is gone; a later word or a link clears it', () => {
    const state = atSite()
    acceptPresence(state, presenceOf(1, { counter: 5 }), 1, 0)
    expect(suspect(state, peer, 1_000)).toBe(5)
    expect(suspect(state, peer, 1_001)).toBeUndefined()
    expect(hearSuspicion(state, peer, 4, 1_002)).toBe(false)
    expect(expireSuspicions(state, 1_000 + limits.suspicionMs - 1)).toBe(false)
    expect(people(state, 5_000)[0]?.status).toBe('here')
    expect(expireSuspicions(state, 1_000 + limits.suspicionMs)).toBe(true)
    expect(people(state, 5_000)[0]).toMatchObject({ status: 'left', sinceMs: 5_000, inReach: false })
    acceptPresence(state, presenceOf(1, { counter: 6 }), 1, 6_000)
    expect(people(state, 6_000)[0]?.status).toBe('here')
    hearSuspicion(state, peer, 6, 7_000)
    hear(state, peer)
    expect(expireSuspicions(state, 60_000)).toBe(false)
  })

  it('[P6] here while nobody says otherwise, and at other sites while their site is heard', () => {
    const state = atSite()
    acceptPresence(state, presenceOf(1), 1, 0)
    acceptPresence(state, presenceOf(2, { site: other }), 1, 0)
    const far = (reach: Reachability) => people(state, 1, reach).find((one) => one.peer === keyOf(2).peer)
    expect(people(state, 1)[0]).toMatchObject({ status: 'here', inReach: true })
    expect(far(nobody)?.status).toBe('left')
    expect(far(linkedTo(keyOf(2).peer))?.status).toBe('here')
    expect(far({ ...nobody, isHeardThere: (place) => place === other })?.status).toBe('here')
  })

  it('[P9] cut off is who was there, at a site that nothing reaches, for a day', () => {
    const state = atSite()
    acceptPresence(state, presenceOf(1), 1, 0)
    acceptPresence(state, presenceOf(2, { site: other }), 1, 0)
    acceptPresence(state, presenceOf(3, { site: other, status: 'left' }), 1, 0)
    acceptPresence(state, { ...presenceOf(4, { site: other }), box: true }, 1, 0)
    const cutOff = (reach: Reachability, nowMs = 1) =>
      people(state, nowMs, reach).flatMap((one) => (one.isCutOff ? [one.peer] : []))
    expect(cutOff(nobody)).toEqual([keyOf(2).peer])
    expect(cutOff({ ...nobody, isOutOfReach: (place) => place !== other })).toEqual([])
    expect(cutOff(linkedTo(keyOf(2).peer))).toEqual([])
    expect(cutOff(nobody, limits.asleepMaxMs + 1)).toEqual([])
    const restarted = createPresence([presenceOf(2, { site: other })], self, { name: 'Me', box: false })
    expect(people(restarted, 1)[0]?.isCutOff).toBe(false)
  })

  it('[P6] what a store remembers of others is no sign of life', () => {
    const state = createPresence([presenceOf(1, { counter: 32_000 })], self, { name: 'Me', box: false })
    expect(people(state, 5_000)[0]).toMatchObject({ status: 'left', sinceMs: 1_000 })
  })

  it('[P7] asleep for a day, in reach only while linked', () => {
    const state = atSite()
    acceptPresence(state, presenceOf(1, { status: 'asleep' }), 1, 0)
    expect(people(state, 3_600_000)[0]).toMatchObject({ status: 'asleep', inReach: false })
    expect(people(state, 3_600_000, linkedTo(peer))[0]).toMatchObject({ status: 'asleep', inReach: true })
    expect(people(state, limits.asleepMaxMs + 1)[0]?.status).toBe('left')
  })

  it('[P7] a clean leave shows at once, and boxes never count', () => {
    const state = atSite()
    acceptPresence(state, presenceOf(1, { status: 'left' }), 1, 0)
    hear(state, peer)
    expect(people(state, 1)[0]).toMatchObject({ status: 'left', sinceMs: 0 })
    acceptPresence(state, presenceOf(2, { box: true }), 1, 0)
    expect(people(state, 1).find((one) => one.box)).toMatchObject({ inReach: false })
    expect(audienceOf(state, general, 1)).toEqual([peer])
  })
})
