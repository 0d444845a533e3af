import { describe, expect, it } from 'vitest'
import { limits } from '../../src/mesh/limits.ts'
import type { PeerId } from '../../src/mesh/ids.ts'
import { listPeople } from '../../src/mesh/presence.ts'
import { acceptPresence } from '../../src/mesh/presence.ts'
import { reachabilityOf } from '../../src/mesh/overlay/liveness.ts'
import { createSites, acceptWord, changed, treeNeighbors } from '../../src/mesh/overlay/sites.ts'
import type { SiteWord } from '../../src/mesh/overlay/site-word.ts'
import { noteDurable } from '../../src/mesh/delivery.ts'
import { general, keyOf, presenceOf, runOf } from './make.ts'
import { Peer } from './peer.ts'

const site = keyOf(99).peer
const other = keyOf(98).peer
const far = keyOf(97).peer

function placed(peer: Peer, up: readonly { peer: PeerId; site: PeerId }[], at?: PeerId): Peer {
  peer.give({ type: 'helper-up', helper: 'h', site, node: 'north', ...(at === undefined ? {} : { at }) })
  peer.give({ type: 'helper-peers', helper: 'h', up, down: [] })
  return peer
}

function wordOf(at: PeerId, people: number, near: readonly PeerId[]): SiteWord {
  return {
    site: at,
    primary: at,
    standby: undefined,
    counter: 1,
    people,
    meshPeople: people,
    near: near.map((one) => ({ site: one, cost: 10, linked: true })),
    rooms: '00'.repeat(16),
    gone: [],
    signature: new Uint8Array(64),
  }
}

/** Passes so much time. */
function run(peer: Peer, forMs: number): void {
  for (let ms = 0; ms < forMs; ms += 250) peer.pass(250)
}

const dialled = (peer: Peer) => peer.of('dial').map((effect) => effect.peer)

describe('residents', () => {
  it('[B2] everybody with a name dials the resident of the own site, beside the view and without asking', () => {
    const ana = placed(new Peer(50), [{ peer: site, site }])
    run(ana, 4_000)
    expect(dialled(ana)).toContain(site)
    ana.give({ type: 'link-up', link: 1, peer: site, version: 1 })
    expect(ana.engine.overlay.links.get(1)?.purpose).toBe('resident')
    expect(ana.engine.near.has(site)).toBe(false)
  })

  it('[B2] nobody waits for a resident to dial, whose id is the smaller', () => {
    const sizes = new Set<boolean>()
    for (let seed = 50; seed < 60; seed++) {
      const peer = placed(new Peer(seed), [{ peer: site, site }])
      sizes.add(peer.engine.self < site)
      run(peer, limits.dialPolitenessMs / 2)
      expect(dialled(peer)).toContain(site)
    }
    expect(sizes.size).toBe(2)
  })

  it('[B2] dials that failed do not keep anybody from the own resident', () => {
    const up = Array.from({ length: 15 }, (_, i) => ({ peer: keyOf(i + 100).peer, site }))
    const ana = placed(new Peer(50), [{ peer: site, site }, ...up])
    const stumble = () => {
      for (let ms = 0; ms < 20_000; ms += 250) {
        ana.pass(250)
        for (const peer of dialled(ana).slice(-4)) ana.give({ type: 'dial-failed', peer })
        // The node comes and goes.
        if (ms % 2_000 !== 0) continue
        ana.give({ type: 'helper-down', helper: 'h' })
        placed(ana, [{ peer: site, site }, ...up])
      }
    }
    stumble()
    const before = dialled(ana)
    expect(before.filter((peer) => peer !== site).length).toBe(limits.dialsPerMinuteMax)
    stumble()
    const since = dialled(ana).slice(before.length)
    expect(since.length).toBeGreaterThan(4)
    expect(since.every((peer) => peer === site)).toBe(true)
  })

  it('[B2] a resident takes part with more links than a browser, and dials nobody of its site', () => {
    const box = new Peer(51, [], 1_000, { box: true })
    box.give({ type: 'helper-up', helper: 'h', site: box.engine.self, node: 'north' })
    const people = Array.from({ length: 40 }, (_, i) => keyOf(i + 100).peer)
    const up = people.map((peer) => ({ peer, site: box.engine.self }))
    box.give({ type: 'helper-peers', helper: 'h', up, down: [] })
    run(box, 10_000)
    expect(dialled(box)).toEqual([])
    people.forEach((peer, i) => {
      box.give({ type: 'link-up', link: i + 1, peer, version: 1 })
      const hello = { type: 'hello', purpose: 'resident', isUrgent: true, site: box.engine.self } as const
      box.give({ type: 'received', link: i + 1, frame: hello })
    })
    run(box, 2_000)
    expect(box.engine.overlay.links.size).toBe(40)
    expect(box.of('hang-up')).toEqual([])
    expect(box.engine.overlay.linksMax).toBe(limits.residentLinksMax)
  })

  it('[B2] who is no resident has no links to one: such a link needs a place in the view', () => {
    const ana = placed(new Peer(50), [{ peer: keyOf(3).peer, site }])
    ana.give({ type: 'link-up', link: 1, peer: keyOf(3).peer, version: 1 })
    const hello = { type: 'hello', purpose: 'resident', isUrgent: false, site } as const
    ana.give({ type: 'received', link: 1, frame: hello })
    expect(ana.engine.overlay.links.get(1)?.purpose).toBe('view')
  })

  it('[B1] a resident speaks for its site as soon as it is listed', () => {
    const box = new Peer(51, [], 1_000, { box: true })
    box.give({ type: 'helper-up', helper: 'h', site: box.engine.self, node: 'north' })
    box.give({ type: 'helper-sites', helper: 'h', near: [{ site: other, cost: 10 }] })
    const up = [keyOf(3).peer, keyOf(4).peer, other].map((peer) => ({ peer, site: other }))
    box.give({ type: 'helper-peers', helper: 'h', up, down: [] })
    run(box, 8_000)
    expect(dialled(box)[0]).toBe(other)
  })

  it('[B3] who is alone at its site links to the resident of the helper that it speaks through, until it is not', () => {
    const ana = placed(new Peer(50), [{ peer: other, site: other }], other)
    acceptWord(ana.engine.sites, wordOf(other, 1, []))
    run(ana, 4_000)
    expect(dialled(ana)).toContain(other)
    ana.give({ type: 'link-up', link: 1, peer: other, version: 1 })
    ana.give({
      type: 'received',
      link: 1,
      frame: { type: 'hello', purpose: undefined, isUrgent: false, site: other },
    })
    expect(ana.engine.tree.branches.get(1)).toMatchObject({ isSpare: false })
    ana.give({ type: 'link-up', link: 2, peer: keyOf(5).peer, version: 1 })
    ana.give({ type: 'received', link: 2, frame: { type: 'hello', purpose: 'view', isUrgent: false, site } })
    for (let ms = 0; ms < limits.linkIdleMs + 3_000; ms += 1_000) {
      ana.pass(1_000)
      for (const link of [1, 2]) {
        const digests = { log: '0000000000000000', sites: 0, presences: 0, receipts: 0, alive: 0 }
        ana.give({ type: 'received', link, frame: { type: 'heartbeat', nowMs: 0, digests } })
      }
    }
    const guest = ana.engine.overlay.links.get(1)
    expect(guest === undefined || guest.closingSinceMs !== undefined).toBe(true)
    expect(ana.engine.overlay.links.get(2)?.closingSinceMs).toBeUndefined()
  })

  it('[B4] what is in memory only is confirmed to nobody', () => {
    const run7 = runOf({ seed: 7, count: 2 })
    const confirmed = (isForgetful: boolean) => {
      const box = new Peer(51, [run7], 1_000, { box: true, isForgetful })
      noteDurable(box.engine.delivery, general, run7.feed)
      run(box, 3_000)
      const domain = 'meshchat/1/sign/receipt'
      return box
        .of('sign')
        .filter(({ message }) => new TextDecoder().decode(message.slice(0, domain.length)) === domain)
    }
    expect(confirmed(false).length).toBe(1)
    expect(confirmed(true).length).toBe(0)
  })

  it('[X5] standbys span the sites that have people, also across one where there is only a resident', () => {
    const sites = createSites()
    sites.own = site
    acceptWord(sites, wordOf(site, 1, [other]))
    acceptWord(sites, wordOf(other, 0, [site, far]))
    acceptWord(sites, wordOf(far, 2, [other]))
    changed(sites)
    expect(treeNeighbors(sites, 'primary').tree).toEqual([other])
    expect(treeNeighbors(sites, 'standby').tree).toEqual([far])
  })

  it('[P6] says through which node what comes from somebody gets here', () => {
    const ana = placed(new Peer(50), [{ peer: site, site }])
    ana.give({ type: 'link-up', link: 7, peer: site, version: 1 })
    const { presence } = ana.engine
    acceptPresence(presence, { ...presenceOf(99, { site, node: 'north' }), box: true }, 7, 0)
    acceptPresence(presence, presenceOf(2, { site }), 7, 0)
    const people = listPeople(presence, reachabilityOf(ana.engine), new Set(), 0)
    expect(people.map(({ direct, through }) => [direct, through])).toEqual([
      [true, undefined],
      [false, 'north'],
    ])
  })

  it('[P6] names a node that cannot be gone around when the link that somebody was heard over is gone', () => {
    const ana = placed(new Peer(50), [{ peer: site, site }])
    const through = () =>
      listPeople(ana.engine.presence, reachabilityOf(ana.engine), new Set(), 0).find(
        ({ peer }) => peer === keyOf(2).peer,
      )?.through
    for (const [link, peer] of [
      [7, site],
      [8, other],
    ] as const) {
      ana.give({ type: 'link-up', link, peer, version: 1 })
      const node = peer === site ? 'north' : 'south'
      acceptPresence(
        ana.engine.presence,
        { ...presenceOf(0, { peer, site: peer, node }), box: true },
        link,
        0,
      )
    }
    acceptPresence(ana.engine.presence, presenceOf(2, { site: far }), 8, 0)
    expect(through()).toBe('south')
    ana.give({ type: 'link-down', link: 8 })
    expect(through()).toBe('north')
    // A link to a person is another way.
    ana.give({ type: 'link-up', link: 9, peer: keyOf(3).peer, version: 1 })
    expect(through()).toBeUndefined()
  })

  it('[Y8] a resident lets go of a link to a browser that stood in, also among a few people', () => {
    const box = placed(new Peer(99, [], 1_000, { box: true }), [
      { peer: other, site: other },
      { peer: keyOf(2).peer, site: other },
    ])
    const { engine } = box
    acceptWord(engine.sites, wordOf(other, 1, [site]))
    changed(engine.sites)
    for (const [link, peer] of [
      [1, other],
      [2, keyOf(2).peer],
    ] as const) {
      box.give({ type: 'link-up', link, peer, version: 1 })
      Object.assign(engine.overlay.links.get(link) ?? {}, { site: other, isOwn: true, purpose: 'gateway' })
    }
    run(box, limits.linkIdleMs + 3_000)
    const ended = box.sent.filter(({ frame }) => frame.type === 'disconnect').map(({ to }) => to)
    expect(ended).toEqual([2])
  })
})
