import { describe, expect, it } from 'vitest'
import type { PeerId } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import {
  chooseStandby,
  compareRank,
  createGateways,
  electRole,
  gatewayWishes,
  isLinkUseful,
  type Candidate,
} from '../../src/mesh/overlay/gateways.ts'
import { addLink, createOverlay, noteDialFailed } from '../../src/mesh/overlay/links.ts'
import { mayHaveRoom, roomsDigest, type SiteWord } from '../../src/mesh/overlay/site-word.ts'
import {
  acceptWord,
  changed,
  costTo,
  createSites,
  isLargeMesh,
  isRoomWanted,
  peopleCount,
  reachableSites,
  treeNeighbors,
  type Sites,
} from '../../src/mesh/overlay/sites.ts'
import { openRoomId } from '../../src/mesh/ids.ts'
import { isSpareLink } from '../../src/mesh/overlay/upkeep.ts'
import { general, keyOf } from './make.ts'
import { Peer } from './peer.ts'

const site = (index: number): PeerId => keyOf(100 + index).peer
const person = (index: number): PeerId => keyOf(index).peer

function wordOf(
  index: number,
  near: readonly (readonly [number, number])[],
  change: Partial<SiteWord> = {},
): SiteWord {
  return {
    site: site(index),
    primary: person(10 * index + 1),
    standby: person(10 * index + 2),
    counter: 1,
    people: 3,
    meshPeople: 9,
    near: near.map(([other, cost]) => ({ site: site(other), cost, linked: true })),
    rooms: roomsDigest([general]),
    gone: [],
    signature: new Uint8Array(64),
    ...change,
  }
}

/** 0 – 1 – 2 in a row, 0 – 2 dear. */
function triangle(own = 0): Sites {
  const sites = createSites()
  sites.own = site(own)
  acceptWord(
    sites,
    wordOf(0, [
      [1, 10],
      [2, 30],
    ]),
  )
  acceptWord(
    sites,
    wordOf(1, [
      [0, 10],
      [2, 10],
    ]),
  )
  acceptWord(
    sites,
    wordOf(2, [
      [1, 10],
      [0, 30],
    ]),
  )
  return sites
}

describe('sites', () => {
  it('[X1] of two words on a site the one with the larger counter counts', () => {
    const sites = triangle()
    expect(acceptWord(sites, wordOf(1, []))).toBe(false)
    expect(acceptWord(sites, wordOf(1, [], { counter: 2 }))).toBe(true)
    expect(sites.words.get(site(1))?.near).toEqual([])
  })

  it('[X3] the number of sites is bounded; who is out of reach makes room', () => {
    const sites = triangle()
    for (let i = 0; i < limits.sitesMax + 10; i++) {
      const stranger = `${'a'.repeat(46)}${i
        .toString(32)
        .padStart(5, 'a')
        .replace(/[^a-v]/g, 'b')}${i % 2 ? 'a' : 'q'}`
      acceptWord(sites, { ...wordOf(3, []), site: stranger as PeerId })
    }
    expect(sites.words.size).toBeLessThanOrEqual(limits.sitesMax)
    for (const index of [0, 1, 2]) expect(sites.words.has(site(index))).toBe(true)
  })

  it('[X4] reached is what links that both ends name lead to', () => {
    const sites = triangle()
    expect(reachableSites(sites).size).toBe(3)
    expect(peopleCount(sites)).toBe(9)
    acceptWord(sites, wordOf(1, [[0, 10]], { counter: 2 }))
    acceptWord(sites, wordOf(0, [[1, 10]], { counter: 2 }))
    expect([...reachableSites(sites)]).toEqual([site(0), site(1)])
  })

  it('[X5] every site finds the same spanning tree, and one spare beside it', () => {
    expect(treeNeighbors(triangle(0), 'primary')).toMatchObject({ tree: [site(1)], spare: site(2) })
    expect(new Set(treeNeighbors(triangle(1), 'primary').tree)).toEqual(new Set([site(0), site(2)]))
    expect(treeNeighbors(triangle(2), 'primary')).toMatchObject({ tree: [site(1)], spare: site(0) })
    const cut = triangle(0)
    acceptWord(cut, wordOf(1, [], { counter: 2 }))
    expect(treeNeighbors(cut, 'primary')).toMatchObject({ tree: [site(2)], spare: undefined })
    cut.listed = new Set([site(1)])
    changed(cut)
    expect(treeNeighbors(cut, 'primary').tree).toContain(site(1))
    expect(costTo(cut, site(2))).toBe(30)
    expect(costTo(cut, site(0))).toBe(limits.lanCost)
  })

  it('[X5] what a site says that nobody reaches counts only where another one says it too', () => {
    const far = (sites: Sites) => treeNeighbors(sites, 'primary').costs.get(site(2))
    // 0 and 2 live; 1 and 3 do not, and stand between.
    const sites = createSites()
    sites.own = site(0)
    sites.near.set(site(1), 10)
    sites.listed = new Set([site(2)])
    changed(sites)
    expect(far(sites)).toBeUndefined()
    acceptWord(sites, { ...wordOf(2, [[3, 10]]) })
    acceptWord(
      sites,
      wordOf(1, [
        [0, 1],
        [3, 20],
      ]),
    )
    expect(far(sites)).toBeUndefined()
    acceptWord(
      sites,
      wordOf(3, [
        [1, 5],
        [2, 1],
      ]),
    )
    // Of two that nobody reaches the dearer word counts; theirs on their way to the living makes nothing cheaper.
    expect(far(sites)).toBe(10 + 20 + 10)
  })

  it('[X7] everybody of a site takes the mesh for as large as its gateway says', () => {
    const sites = triangle()
    expect(isLargeMesh(sites)).toBe(false)
    acceptWord(sites, wordOf(0, [], { counter: 2, meshPeople: limits.namedPeopleMax + 1 }))
    expect(isLargeMesh(sites)).toBe(true)
  })

  it('[X6] a room goes where somebody may have it, and not where nobody has', () => {
    const sites = triangle()
    const other = openRoomId('kitchen')
    expect(isRoomWanted(sites, site(1), general)).toBe(true)
    expect(isRoomWanted(sites, site(1), other)).toBe(mayHaveRoom(roomsDigest([general]), other))
    acceptWord(sites, wordOf(2, [[1, 10]], { counter: 2, rooms: roomsDigest([other]) }))
    expect(isRoomWanted(sites, site(1), other)).toBe(true)
    expect(mayHaveRoom(roomsDigest([]), general)).toBe(false)
  })

  it('[X2] digests of rooms never deny a room that is there', () => {
    const rooms = Array.from({ length: 50 }, (_, i) => openRoomId(`room ${i}`))
    const digest = roomsDigest(rooms)
    expect(rooms.every((room) => mayHaveRoom(digest, room))).toBe(true)
  })
})

describe('gateways', () => {
  const candidate = (index: number, change: Partial<Candidate> = {}): Candidate => ({
    peer: person(index),
    box: false,
    visible: true,
    ...change,
  })
  const self = person(1)
  const all = [1, 2, 3, 4].map((index) => candidate(index))

  it('[Y1] a box ranks before who looks, who looks before who does not, and everybody ranks alike', () => {
    expect(compareRank(site(0), candidate(1, { box: true }), candidate(2))).toBeLessThan(0)
    expect(compareRank(site(0), candidate(1), candidate(2, { visible: false }))).toBeLessThan(0)
    const order = [...all].sort((a, b) => compareRank(site(0), a, b)).map(({ peer }) => peer)
    const back = [...all]
      .reverse()
      .sort((a, b) => compareRank(site(0), a, b))
      .map(({ peer }) => peer)
    expect(order).toEqual(back)
  })

  it('[Y2] a site that nobody speaks for is claimed by rank, the first first', () => {
    const ranked = [...all].sort((a, b) => compareRank(site(0), a, b))
    ranked.forEach(({ peer }, rank) => {
      const gateways = createGateways()
      const waitMs = limits.claimDelayMs + rank * limits.claimStepMs
      expect(electRole(gateways, site(0), peer, undefined, all, 0)).toBe('none')
      expect(electRole(gateways, site(0), peer, undefined, all, waitMs - 1)).toBe('none')
      expect(electRole(gateways, site(0), peer, undefined, all, waitMs)).toBe('primary')
    })
    expect(electRole(createGateways(), site(0), person(9), undefined, all, 99_999)).toBe('none')
  })

  it('[Y3] while the primary is heard others stand back; when it is not, the standby takes over at once', () => {
    const word = wordOf(0, [], { primary: person(2), standby: self })
    expect(electRole(createGateways(), site(0), self, word, all, 0)).toBe('standby')
    expect(electRole(createGateways(), site(0), person(3), word, all, 0)).toBe('none')
    expect(electRole(createGateways(), site(0), person(2), word, all, 0)).toBe('primary')
    const without = all.filter(({ peer }) => peer !== person(2))
    expect(electRole(createGateways(), site(0), self, word, without, 0)).toBe('primary')
    expect(electRole(createGateways(), site(0), person(3), word, without, 0)).toBe('none')
  })

  it('[Y4] [Y5] a better class takes over from a primary that is there', () => {
    const word = wordOf(0, [], { primary: person(2), standby: person(3) })
    const box = candidate(7, { box: true })
    expect(electRole(createGateways(), site(0), box.peer, word, [...all, box], 0)).toBe('primary')
    // Two of one class: whoever spoke last goes on, whatever the ranks.
    for (const speaker of [self, person(2)]) {
      const last = wordOf(0, [], { primary: speaker, standby: undefined })
      for (const { peer } of all) {
        expect(electRole(createGateways(), site(0), peer, last, all, 0)).toBe(
          peer === speaker ? 'primary' : 'none',
        )
      }
    }
  })

  it('[Y6] the standby stays while it looks, and is a person', () => {
    const chosen = chooseStandby(site(0), self, undefined, all)
    expect(chosen).not.toBe(self)
    expect(chooseStandby(site(0), self, person(4), all)).toBe(person(4))
    const asleep = all.map((one) => (one.peer === person(4) ? { ...one, visible: false } : one))
    expect(chooseStandby(site(0), self, person(4), asleep)).not.toBe(person(4))
    expect(chooseStandby(site(0), self, undefined, [candidate(7, { box: true })])).toBeUndefined()
  })

  it('[Y7] the primary wants the primaries of the tree and one spare, the standby the standbys of the tree', () => {
    const sites = triangle()
    const overlay = createOverlay(self)
    expect(gatewayWishes('none', sites, overlay, new Map(), 0)).toEqual([])
    const primary = gatewayWishes('primary', sites, overlay, new Map(), 0)
    expect(primary.map(({ peer, purpose }) => [peer, purpose])).toEqual([
      [person(11), 'gateway'],
      [person(21), 'gateway'],
    ])
    const standby = gatewayWishes('standby', sites, overlay, new Map(), 0)
    expect(standby.map(({ peer, purpose }) => [peer, purpose])).toEqual([[person(12), 'standby']])
    const { link } = addLink(overlay, { id: 1, peer: person(11), version: 1 }, 0)
    link.site = site(1)
    expect(gatewayWishes('primary', sites, overlay, new Map(), 0)).toHaveLength(1)
  })

  it('[Y7] a primary that could not be dialled is stood in for until it is to be tried again', () => {
    const sites = triangle()
    const overlay = createOverlay(self)
    noteDialFailed(overlay, person(11), 0)
    const first = (nowMs: number) => gatewayWishes('primary', sites, overlay, new Map(), nowMs)[0]?.peer
    expect(first(1)).toBe(person(12))
    const { link } = addLink(overlay, { id: 1, peer: person(12), version: 1 }, 1)
    link.site = site(1)
    expect(first(2)).toBe(person(21))
    expect(first(limits.redialMinMs + 1)).toBe(person(11))
  })

  it('[Y7] a site without a word is found through anybody whom a helper lists there', () => {
    const sites = createSites()
    sites.own = site(0)
    sites.near.set(site(1), 10)
    sites.listed = new Set([site(1)])
    const listed = new Map([[site(1), [person(15)]]])
    const overlay = createOverlay(self)
    expect(gatewayWishes('primary', sites, overlay, listed, 0)).toMatchObject([{ peer: person(15) }])
    expect(gatewayWishes('standby', sites, overlay, listed, 0)).toEqual([])
  })

  it("[G1] until the other site's primary is linked, whoever is linked there carries copies", () => {
    const { engine } = new Peer(10, [])
    Object.assign(engine.sites, triangle())
    const { link } = addLink(engine.overlay, { id: 1, peer: person(12), version: 1 }, 0)
    link.site = site(1)
    const isSpare = () => isSpareLink(engine, link)
    expect(isSpare()).toBe(true)
    engine.gateways.role = 'primary'
    expect(isSpare()).toBe(false)
    addLink(engine.overlay, { id: 2, peer: person(11), version: 1 }, 0).link.site = site(1)
    expect(isSpare()).toBe(true)
    const { link: beside } = addLink(engine.overlay, { id: 3, peer: person(22), version: 1 }, 0)
    beside.site = site(2)
    expect(isSpareLink(engine, beside)).toBe(true)
  })

  it('[Y8] somebody who stands in for a primary that is not linked is of use', () => {
    const sites = triangle()
    const overlay = createOverlay(self)
    const { link } = addLink(overlay, { id: 1, peer: person(12), version: 1 }, 0)
    link.site = site(1)
    expect(isLinkUseful('primary', sites, overlay, link)).toBe(true)
    addLink(overlay, { id: 2, peer: person(11), version: 1 }, 0).link.site = site(1)
    expect(isLinkUseful('primary', sites, overlay, link)).toBe(false)
  })

  it('[Y8] a link between sites is of use to the role that wanted it', () => {
    const sites = triangle()
    const overlay = createOverlay(self)
    const { link } = addLink(overlay, { id: 1, peer: person(11), version: 1 }, 0)
    link.site = site(1)
    expect(isLinkUseful('primary', sites, overlay, link)).toBe(true)
    expect(isLinkUseful('standby', sites, overlay, link)).toBe(false)
    expect(isLinkUseful('none', sites, overlay, link)).toBe(false)
  })
})
