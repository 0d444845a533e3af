/** B16: what it takes until a newcomer sees the newest messages of a room with a long history. */
import { describe, it } from 'vitest'
import { encodeUtf8 } from '../../src/mesh/bytes.ts'
import { eventIdOf } from '../../src/mesh/event.ts'
import type { NewEvent } from '../../src/mesh/effects.ts'
import { feedIdFrom, peerIdFromBytes, type EventId } from '../../src/mesh/ids.ts'
import { commit, createLog, recordWith } from '../../src/mesh/log.ts'
import { writeOf } from '../contract/store-contract.ts'
import { general } from '../sim/checks.ts'
import { Prng } from '../sim/prng.ts'
import { World, type SimPeer } from '../sim/world.ts'
import { printFigures, type Figure } from './table.ts'

const newest = 50
const bytesPerMs = 125
const startMs = 1_780_000_000_000

/** Authors who spoke in turn, as chance had it. */
function fill(peer: SimPeer, random: Prng, authors: number, count: number): void {
  const log = createLog([])
  const feeds = Array.from({ length: authors }, () => {
    const feed = feedIdFrom(peerIdFromBytes(random.bytes(32)), random.bytes(16).fill(0, 0, 1))
    return { feed, seq: 0, prev: undefined as EventId | undefined, events: [] as NewEvent[] }
  })
  for (let i = 0; i < count; i++) {
    const author = feeds[random.between(0, authors - 1)]
    if (author === undefined) continue
    const { feed, seq, prev } = author
    const body = encodeUtf8(`message ${i} `.padEnd(60, 'x'))
    const hlc = (startMs + i * 1_000) * 32
    const fields = { room: general, feed, seq, prev, hlc, deps: [], kind: 1, flags: 0, epoch: 0, body }
    const id = eventIdOf(fields)
    author.events.push({ ...fields, id, signature: new Uint8Array(64), audience: undefined })
    author.seq += 1
    author.prev = id
  }
  for (const { feed, events } of feeds) {
    if (events.length === 0) continue
    const record = recordWith(log, events, general, feed)
    commit(log, record)
    peer.tables.apply(writeOf({ events, feeds: [record] }), startMs)
  }
}

function firstScreen(authors: number, count: number): Figure[] {
  const faults = {
    loss: 0,
    duplication: 0,
    latencyMinMs: 5,
    latencyMaxMs: 5,
    diskMaxMs: 2,
    diskFull: 0,
    clockErrorMaxMs: 0,
  }
  const world = new World(1, 2, faults, true)
  const [old, fresh] = world.peers
  if (old === undefined || fresh === undefined) throw new Error('two peers')
  fill(old, new Prng(7), authors, count)
  const wanted = old.tables.inOrder(general).slice(-newest)
  world.start(old)
  world.schedule.run(5_000, 1e9)
  world.start(fresh)
  const isLinked = () => fresh.conduits.size > 0
  while (!isLinked()) world.schedule.run(world.schedule.nowMs + 1, 1e9)
  const { nowMs } = world.schedule
  const before = world.counters.copy()
  const hasAll = () => wanted.every(({ id }) => fresh.tables.byId.has(id))
  while (!hasAll() && world.schedule.nowMs < nowMs + 60_000) world.schedule.run(world.schedule.nowMs + 1, 1e9)
  const { bytes, frames } = world.counters.since(before)
  const seconds = (world.schedule.nowMs - nowMs + bytes / bytesPerMs) / 1_000
  const name = `newest ${newest} of ${count} by ${authors}`
  return [
    { id: 'B16', what: `kB until the ${name}`, value: bytes / 1_000, goal: 20 },
    { id: 'B16', what: '  seconds at 1 Mbit/s, 10 ms round trip', value: seconds, goal: 1 },
    {
      id: '',
      what: `  events that came, in ${frames} frames`,
      value: fresh.tables.byId.size,
      goal: undefined,
    },
  ]
}

describe('first screen', () => {
  it('the newest messages of a long room', { timeout: 600_000 }, () => {
    for (const [authors, count] of [
      [20, 100_000],
      [100, 100_000],
      [1_000, 100_000],
    ] as const) {
      printFigures('a newcomer meets one peer', [firstScreen(authors, count)])
    }
  })
})
