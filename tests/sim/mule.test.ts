import { describe, expect, it } from 'vitest'
import { openRoomId } from '../../src/mesh/ids.ts'
import { keepAll } from '../../src/mesh/sync/retention.ts'
import { general, transcript } from './checks.ts'
import type { SimPeer } from './peer.ts'
import { World, type Faults } from './world.ts'

const faults: Faults = {
  loss: 0.05,
  duplication: 0,
  latencyMinMs: 5,
  latencyMaxMs: 30,
  radioKbps: 1_000,
  diskMaxMs: 10,
  diskFull: 0,
  clockErrorMaxMs: 0,
}
const contactMs = 2_000

/** Two villages, and somebody who drives between them and is in none of their rooms. */
function villages(): {
  readonly world: World
  readonly ana: SimPeer
  readonly mule: SimPeer
  readonly bill: SimPeer
} {
  const world = new World(7, { near: [[1], [0, 2], [1]], people: [1, 1, 1], boxes: false }, { ...faults })
  world.packs = true
  const [ana, mule, bill] = world.peers
  if (ana === undefined || mule === undefined || bill === undefined) throw new Error('three peers')
  mule.retention = { ...keepAll, carriedRoomsMax: 4, carriedBytesMax: 10_000_000 }
  for (const [i, a] of world.sites.entries()) for (const b of world.sites.slice(i + 1)) world.cutSites(a, b)
  for (const peer of world.peers) world.start(peer)
  world.input(mule, { type: 'command', command: { type: 'leave', room: openRoomId('general') } })
  world.schedule.run(20_000, 1e6)
  return { world, ana, mule, bill }
}

/** From the moment that the link stands. */
function meet(world: World, one: SimPeer, other: SimPeer): void {
  world.heal()
  for (const site of world.sites)
    if (site !== one.site && site !== other.site) {
      world.cutSites(site, one.site)
      world.cutSites(site, other.site)
    }
  for (const peer of [one, other]) world.setHelper(true, peer.site)
  const isLinked = () => one.engine?.overlay.linksByPeer.has(other.self) === true
  for (let i = 0; i < 1_200 && !isLinked(); i++) world.schedule.run(world.schedule.nowMs + 50, 1e6)
  expect(isLinked()).toBe(true)
  world.schedule.run(world.schedule.nowMs + contactMs, 1e6)
  world.cutSites(one.site, other.site)
  world.schedule.run(world.schedule.nowMs + 60_000, 1e6)
}

describe('mules', () => {
  it('[N6] contacts of 2 s at 1 Mbit/s make progress until everything is across', () => {
    const { world, ana, mule, bill } = villages()
    for (let i = 0; i < 1_000; i++) {
      world.post(ana, general, `message ${i} `.padEnd(60, 'x'))
      if (i % 20 === 0) world.schedule.run(world.schedule.nowMs + 1_000, 1e6)
    }
    world.schedule.run(world.schedule.nowMs + 10_000, 1e6)
    const held: number[] = []
    while (held.length < 12 && (held.at(-1) ?? 0) < 1_000) {
      meet(world, ana, mule)
      meet(world, mule, bill)
      held.push(bill.tables.events.size)
    }
    // measured: 575 of them in the first contact
    expect(held[0]).toBeGreaterThan(200)
    expect(held.length).toBeLessThanOrEqual(3)
    expect(transcript(bill)).toBe(transcript(ana))
    expect(world.problems).toEqual([])
  })
})
