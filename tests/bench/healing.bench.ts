/**
 * What happens when much of the mesh is gone at once, and when its halves meet again: exact counters of the shipped
 * engine. `SITES`, `PEOPLE` and `SEEDS` change the mesh.
 */
import { describe, it } from 'vitest'
import { MemoryTables } from '../../src/adapters/memory/memory-store.ts'
import { encodeUtf8 } from '../../src/mesh/bytes.ts'
import { eventIdOf, eventWireBytes, type Event } from '../../src/mesh/event.ts'
import { branchFeed, feedIdFrom, peerIdFromBytes, type EventId } from '../../src/mesh/ids.ts'
import { writeOf } from '../contract/store-contract.ts'
import { general, transcript } from '../sim/checks.ts'
import { Gathering } from '../sim/gathering.ts'
import { Prng } from '../sim/prng.ts'
import type { SimPeer } from '../sim/peer.ts'
import type { World } from '../sim/world.ts'
import { printFigures, type Figure } from './table.ts'

const sites = Number(process.env['SITES'] ?? 20)
const people = Number(process.env['PEOPLE'] ?? 10)
const seeds = Number(process.env['SEEDS'] ?? 3)
const hour = 3_600_000
const yearMs = 365 * 86_400_000

function gather(seed: number, count = people): Gathering {
  const gathering = new Gathering({ seed, sites, people: count, boxes: false, joinMs: 60_000, loss: 0 })
  gathering.run(180_000)
  return gathering
}

/** Which of the living hold a message, from the moment it is posted. */
class Watch {
  readonly holders = new Map<string, Set<SimPeer>>()
  readonly lastMs = new Map<string, number>()
  private readonly world: World

  constructor(world: World) {
    this.world = world
    world.onStored = (peer, write) => {
      for (const event of write.events) {
        const text = new TextDecoder().decode(event.body)
        const holders = this.holders.get(text) ?? new Set()
        this.holders.set(text, holders.add(peer))
        this.lastMs.set(text, world.schedule.nowMs)
      }
    }
  }

  /** Parts of those living now that hold it, 0 to 1. */
  share(text: string): number {
    const alive = this.world.peers.filter((peer) => peer.engine !== undefined)
    const holders = this.holders.get(text) ?? new Set()
    return alive.filter((peer) => holders.has(peer)).length / alive.length
  }
}

function alive(gathering: Gathering): SimPeer[] {
  return gathering.people.filter((peer) => peer.engine !== undefined)
}

function postSome(gathering: Gathering, name: string, count: number): string[] {
  const names = Array.from({ length: count }, (_, i) => `${name} ${i}`)
  for (const text of names) {
    const author = gathering.random.pick(alive(gathering))
    if (author !== undefined) gathering.world.post(author, general, text)
  }
  return names
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Half of the sites, found from the first one outwards, so that they hang together. */
function halfOf(world: World): Set<World['sites'][number]> {
  const found = new Set(world.sites.slice(0, 1))
  for (const site of found) {
    for (const { site: next } of site.near) {
      const there = world.sites[next]
      if (there !== undefined && found.size < world.sites.length / 2) found.add(there)
    }
  }
  return found
}

/** What has to come into each site at least: events that nobody there has, each with a signature of its own. */
function lackingBytes(world: World): number {
  const sizes = new Map<string, number>()
  for (const peer of world.peers) {
    for (const event of peer.tables.byId.values()) sizes.set(event.id, eventWireBytes(event) + 64)
  }
  let bytes = 0
  for (const site of world.sites) {
    for (const [id, size] of sizes) {
      if (!site.peers.some((peer) => peer.tables.byId.has(id as EventId))) bytes += size
    }
  }
  return bytes
}

describe(`healing, ${sites} sites × ${people} browsers`, () => {
  for (const dead of [0.5, 0.8, 0.9, 0.95]) {
    it(
      `${dead * 100} % fail at once`,
      () => {
        const goals = { 0.5: [100, 100], 0.8: [100, 100], 0.9: [99.5, 100], 0.95: [99, 100] }[String(dead)]
        const rows: Figure[][] = []
        for (let seed = 1; seed <= seeds; seed++) {
          const gathering = gather(seed)
          const watch = new Watch(gathering.world)
          for (const peer of gathering.random
            .shuffled(gathering.people)
            .slice(Math.ceil((1 - dead) * gathering.people.length))) {
            gathering.world.crash(peer)
          }
          const row: Figure[] = []
          const all: string[] = []
          let nowMs = 0
          for (const [i, atMs] of [30_000, 60_000].entries()) {
            gathering.run(atMs - nowMs)
            const texts = postSome(gathering, `after ${atMs}`, 10)
            gathering.run(10_000)
            nowMs = atMs + 10_000
            all.push(...texts)
            const value = 100 * mean(texts.map((text) => watch.share(text)))
            row.push({
              id: 'B7',
              what: `% reached within 10 s, ${atMs / 1_000} s after`,
              value,
              goal: goals?.[i],
            })
          }
          gathering.run(240_000)
          row.push({
            id: 'B7',
            what: '% in the end',
            value: 100 * mean(all.map((text) => watch.share(text))),
            goal: 100,
          })
          rows.push(row)
        }
        printFigures(
          `${dead * 100} % of ${sites * people} browsers fail at once (goals are lower bounds)`,
          rows,
        )
      },
      hour,
    )
  }

  for (const [what, goal] of [
    ['the primary gateway of a site', 5],
    ['the primary gateways of a quarter of the sites', undefined],
    ['all helpers', 30],
  ] as const) {
    it(
      `${what} die at once`,
      () => {
        const rows: Figure[][] = []
        for (let seed = 1; seed <= seeds; seed++) {
          const gathering = gather(seed)
          const { world, random } = gathering
          const watch = new Watch(world)
          if (what === 'all helpers') for (const site of world.sites) world.setHelper(false, site)
          else {
            const count = what === 'the primary gateway of a site' ? 1 : Math.ceil(sites / 4)
            for (const site of world.sites.slice(0, count)) {
              const primary = site.peers.find((peer) => peer.engine?.gateways.role === 'primary')
              if (primary !== undefined) world.crash(primary)
            }
          }
          const killedMs = world.schedule.nowMs
          const texts: string[] = []
          for (let i = 0; i < 10; i++) {
            texts.push(...postSome(gathering, `at ${i}`, 2))
            gathering.run(1_000)
          }
          gathering.run(110_000)
          const first =
            Math.max(...texts.slice(0, 4).map((text) => watch.lastMs.get(text) ?? Number.NaN)) - killedMs
          rows.push([
            {
              id: 'B8',
              what: 'seconds until what was posted at once is everywhere',
              value: first / 1_000,
              goal,
            },
            {
              id: 'B8',
              what: 'messages not everywhere after 120 s',
              value: texts.filter((text) => watch.share(text) < 1).length,
              goal: 0,
            },
          ])
          random.unit()
        }
        printFigures(`${what} of ${sites * people} browsers die at once`, rows)
      },
      hour,
    )
  }

  it(
    'two halves meet again',
    () => {
      const rows: Figure[][] = []
      const perHalf = 500
      for (let seed = 1; seed <= seeds; seed++) {
        const gathering = gather(seed)
        const { world } = gathering
        const left = halfOf(world)
        for (const a of left) for (const b of world.sites) if (!left.has(b)) world.cutSites(a, b)
        gathering.run(60_000)
        for (let i = 0; i < perHalf; i++) {
          for (const isLeft of [true, false]) {
            const author = gathering.random.pick(
              gathering.people.filter((peer) => left.has(peer.site) === isLeft),
            )
            if (author !== undefined) world.post(author, general, `${isLeft} ${i} `.padEnd(60, 'x'))
          }
          gathering.run(100)
        }
        gathering.run(60_000)
        const floor = lackingBytes(world)
        const before = world.counters.copy()
        const startMs = world.schedule.nowMs
        world.heal()
        // Helpers find each other again, and list who is there.
        for (const site of world.sites) world.setHelper(true, site)
        let isOne = false
        while (!isOne && world.schedule.nowMs < startMs + 600_000) {
          gathering.run(1_000)
          const counts = new Set(world.peers.map((peer) => peer.tables.events.size))
          isOne = counts.size === 1
        }
        const spent = world.counters.since(before)
        const expected = world.peers[0] === undefined ? '' : transcript(world.peers[0])
        rows.push([
          {
            id: 'B13',
            what: 'radio bytes × the events that sites lack, each with a signature',
            value: spent.radioBytes / floor,
            goal: 1.15,
          },
          {
            id: 'B13',
            what: 'seconds until all hold all',
            value: (world.schedule.nowMs - startMs) / 1_000,
            goal: undefined,
          },
          {
            id: 'B13',
            what: 'peers with another history',
            value: world.peers.filter((peer) => transcript(peer) !== expected).length,
            goal: 0,
          },
        ])
      }
      printFigures(`two halves of ${(sites * people) / 2} browsers with ${perHalf} messages each`, rows)
    },
    hour,
  )

  it('order with clocks a year off and forks', () => {
    let differing = 0
    let violations = 0
    const graphs = 1_000
    for (let seed = 1; seed <= graphs; seed++) {
      const random = new Prng(seed)
      const events = forkedHistory(random)
      const orders = [0, 1, 2].map(() => {
        const tables = new MemoryTables()
        let rest = random.shuffled(events)
        while (rest.length > 0) {
          const some = rest.slice(0, random.between(1, 8))
          rest = rest.slice(some.length)
          tables.apply(writeOf({ events: some.map((event) => ({ ...event, audience: undefined })) }), 0)
        }
        return tables.inOrder(general)
      })
      const [first = [], ...others] = orders.map((order) => order.map((event) => event.id).join())
      differing += others.filter((order) => order !== first).length
      const place = new Map(orders[0]?.map((event, i) => [event.id, i]))
      for (const event of events) {
        for (const parent of [event.prev, ...event.deps]) {
          if (parent !== undefined && (place.get(parent) ?? -1) > (place.get(event.id) ?? 0)) violations += 1
        }
      }
    }
    printFigures(
      `${graphs} histories, 5 % of clocks a year off, 20 % of feeds forked, three orders of arrival each`,
      [
        [
          { id: 'B17', what: 'orders that differ', value: differing, goal: 0 },
          { id: 'B17', what: 'events before their ancestors', value: violations, goal: 0 },
        ],
      ],
    )
  })
})

/** 20 feeds of up to 8 events that name each other; one in five goes on in two ways from somewhere. */
function forkedHistory(random: Prng): Event[] {
  const events: Event[] = []
  const heads = new Map<string, { readonly event: Event; readonly author: Uint8Array }>()
  for (let i = 0; i < 20; i++) {
    const key = random.bytes(32)
    const author = peerIdFromBytes(key)
    const origin = feedIdFrom(author, random.bytes(16).fill(0, 0, 1))
    const offsetMs = random.chance(0.05) ? random.between(-1, 1) * yearMs : 0
    const forkAt = random.chance(0.2) ? random.between(0, 5) : -1
    const write = (feed: typeof origin, from: number, prev: EventId | undefined, text: string): void => {
      let before = prev
      let keeper = feed
      for (let seq = from; seq < 8; seq++) {
        const deps = [...heads.values()]
          .map(({ event }) => event.id)
          .filter(() => random.chance(0.15))
          .slice(0, 4)
        const hlc = (yearMs * 50 + offsetMs + events.length * 1_000 + seq) * 32
        const fields = {
          room: general,
          feed: origin,
          seq,
          prev: before,
          hlc,
          deps,
          kind: 1,
          flags: 0,
          epoch: 0,
          body: encodeUtf8(`${text} ${i} ${seq}`),
        }
        const id = eventIdOf(fields)
        if (seq === forkAt) {
          if (text === 'one') write(origin, seq, before, 'two')
          keeper = branchFeed(author, id)
        }
        const event: Event = { ...fields, feed: keeper, id, signature: new Uint8Array(64) }
        events.push(event)
        heads.set(keeper, { event, author: key })
        before = id
      }
    }
    write(origin, 0, undefined, 'one')
  }
  return events
}
