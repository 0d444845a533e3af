import { describe, expect, it } from 'vitest'
import type { PeerId } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import type { SiteWord } from '../../src/mesh/overlay/site-word.ts'
import { acceptPresence } from '../../src/mesh/presence.ts'
import { keyOf, presenceOf } from './make.ts'
import { Peer } from './peer.ts'

const site = keyOf(99).peer
const other = keyOf(98).peer
const bill = keyOf(1).peer

/** Ana at her site, whose helper has Bill's socket; he is not linked. */
function placed(): Peer {
  const ana = new Peer(50)
  ana.give({ type: 'helper-up', helper: 'h', site, node: 'north' })
  acceptPresence(ana.engine.presence, presenceOf(1, { site }), 1, 1_000)
  acceptPresence(ana.engine.presence, presenceOf(2, { site: other }), 1, 1_000)
  const up = [
    { peer: bill, site },
    { peer: keyOf(2).peer, site: other },
  ]
  ana.give({ type: 'helper-peers', helper: 'h', up, down: [] })
  return ana
}

const goneSince = (peer: Peer, index: number) =>
  peer.engine.presence.known.get(keyOf(index).peer)?.goneSinceMs

describe('liveness', () => {
  it('[P4] whose socket is gone is suspected within 3 s, and gone 4 s later', () => {
    const ana = placed()
    ana.give({ type: 'helper-peers', helper: 'h', up: [], down: [bill, keyOf(2).peer] })
    expect(ana.engine.presence.known.get(bill)?.suspectedUntilMs).toBeUndefined()
    for (let ms = 0; ms <= limits.doubtSpreadMs + limits.suspicionMs + 1_000; ms += 500) ana.pass(500)
    expect(goneSince(ana, 1)).toBeDefined()
    // Of other sites their own people know best.
    expect(goneSince(ana, 2)).toBeUndefined()
  })

  it('[P4] a socket that comes back, or a link that is heard, ends the doubt', () => {
    const back = placed()
    back.give({ type: 'helper-peers', helper: 'h', up: [], down: [bill] })
    back.give({ type: 'helper-peers', helper: 'h', up: [{ peer: bill, site }], down: [] })
    const linked = placed()
    linked.give({ type: 'link-up', link: 7, peer: bill, version: 1 })
    linked.give({ type: 'helper-peers', helper: 'h', up: [], down: [bill] })
    for (const ana of [back, linked]) {
      for (let ms = 0; ms < 10_000; ms += 500) {
        ana.pass(500)
        const frame = { type: 'heartbeat', nowMs: 0, digests: digestsOfNothing } as const
        if (ana === linked && ms % 1_500 === 0) ana.give({ type: 'received', link: 7, frame })
      }
      expect(goneSince(ana, 1)).toBeUndefined()
      expect(ana.engine.doubted.size).toBe(0)
    }
  })

  it('[O5] a link that becomes that of the two who speak is heard more often first, and ended later', () => {
    const ana = placed()
    const heartbeat = { type: 'heartbeat', nowMs: 0, digests: digestsOfNothing } as const
    const heartbeats = () => ana.sent.filter(({ to, frame }) => to === 7 && frame.type === 'heartbeat').length
    const isEnded = () => ana.of('hang-up').some(({ link }) => link === 7)
    ana.give({ type: 'link-up', link: 7, peer: bill, version: 1 })
    ana.pass(500)
    ana.give({ type: 'received', link: 7, frame: heartbeat })
    // As long as links inside a site may be silent anyway.
    for (let ms = 0; ms < 4_500; ms += 500) ana.pass(500)
    const self = keyOf(50).peer
    const before = heartbeats()
    ana.engine.sites.words.set(site, wordOf(self, bill))
    ana.pass(500)
    expect(isEnded()).toBe(false)
    for (let ms = 0; ms < limits.heartbeatPairMs; ms += 500) ana.pass(500)
    expect(isEnded()).toBe(false)
    expect(heartbeats()).toBeGreaterThan(before)
    for (let ms = 0; ms < limits.linkSilentPairMs; ms += 500) ana.pass(500)
    expect(isEnded()).toBe(true)
  })
})

const digestsOfNothing = { log: '0000000000000000', sites: 0, presences: 0, receipts: 0, alive: 0 }

function wordOf(primary: PeerId, standby: PeerId): SiteWord {
  return {
    site,
    primary,
    standby,
    counter: 1,
    people: 2,
    meshPeople: 2,
    near: [],
    rooms: '00'.repeat(16),
    gone: [],
    signature: new Uint8Array(64),
  }
}
