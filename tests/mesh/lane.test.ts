import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createLane,
  duePackets,
  enqueueNote,
  nextLaneMs,
  receivePacket,
  type Lane,
  type Packet,
} from '../../src/mesh/gossip/lane.ts'
import { itemOf, shortIdFrom } from '../../src/mesh/gossip/item.ts'
import { noteSize, type Note } from '../../src/mesh/gossip/note.ts'
import { encodeFrame } from '../../src/mesh/frame.ts'
import { limits } from '../../src/mesh/limits.ts'
import { runOf } from './make.ts'

const prune: Note = { type: 'prune' }
const item = (seed: number): Note => ({
  type: 'item',
  item: itemOf({ type: 'run', run: runOf({ seed, count: 1, text: 'x'.repeat(300) }) }),
  cost: 1,
})
const ihave: Note = { type: 'ihave', announcements: [{ id: shortIdFrom(new Uint8Array(6)), cost: 1 }] }

function sendNotes(lane: Lane, nowMs: number, ...notes: readonly Note[]): Packet[] {
  for (const note of notes) enqueueNote(lane, note)
  return duePackets(lane, nowMs)
}

describe('chat lane', () => {
  it('[A1] numbers what needs an answer; announcements alone have no number', () => {
    const lane = createLane(false)
    expect(sendNotes(lane, 0, prune)).toMatchObject([{ seq: 0 }])
    expect(sendNotes(lane, 0, ihave)).toMatchObject([{ seq: undefined }])
    expect(sendNotes(lane, 0, ihave, prune)).toMatchObject([{ seq: 1 }])
    expect(duePackets(lane, 0)).toEqual([])
    expect(sendNotes(createLane(true), 0, ihave)).toMatchObject([{ seq: 0 }])
  })

  it('[A2] what one turn brings shares packets of at most 1,160 bytes', () => {
    const lane = createLane(false)
    const packets = sendNotes(lane, 0, ...[1, 2, 3, 4, 5].map(item))
    expect(packets.length).toBeLessThan(5)
    for (const packet of packets) {
      const size = encodeFrame({ type: 'packet', ...packet }).length
      expect(size).toBeLessThanOrEqual(limits.packetPayloadBytesMax)
    }
    expect(packets.flatMap((packet) => packet.notes)).toHaveLength(5)
    expect(noteSize(item(1))).toBeGreaterThan(400)
  })

  it('[A3] answers every numbered packet once, and tells new from repeated', () => {
    const [a, b] = [createLane(false), createLane(false)]
    const [packet] = sendNotes(a, 0, prune)
    if (packet === undefined) throw new Error('no packet')
    expect(receivePacket(b, packet, 5)).toBe(true)
    expect(receivePacket(b, packet, 6)).toBe(false)
    const [answer] = duePackets(b, 6)
    expect(answer).toMatchObject({ seq: undefined, ack: { base: 0 }, notes: [] })
    expect(duePackets(b, 7)).toEqual([])
    if (answer !== undefined) receivePacket(a, answer, 10)
    expect(nextLaneMs(a)).toBeUndefined()
    expect(a.smoothedMs).toBe(10)
  })

  it('[A4] where answers get lost they are said twice', () => {
    const lane = createLane(false)
    const packet: Packet = { seq: 0, ack: undefined, notes: [prune] }
    receivePacket(lane, packet, 0)
    receivePacket(lane, packet, 1)
    expect(duePackets(lane, 1)).toMatchObject([{ ack: { base: 0 } }])
    expect(nextLaneMs(lane)).toBe(1 + limits.laneAckAgainMs)
    expect(duePackets(lane, 1 + limits.laneAckAgainMs)).toMatchObject([{ ack: { base: 0 } }])
    expect(nextLaneMs(lane)).toBeUndefined()
  })

  /** One packet goes, is lost so often, and is answered so soon after the last sending. */
  function roundTrip(lane: Lane, startMs: number, losses: number, rttMs: number): number {
    sendNotes(lane, startMs, prune)
    let nowMs = startMs
    for (let i = 0; i < losses; i++) {
      nowMs = nextLaneMs(lane) ?? Number.NaN
      duePackets(lane, nowMs)
    }
    const ack = { base: lane.sent & 0xffff, bits: 0 }
    receivePacket(lane, { seq: undefined, ack, notes: [] }, nowMs + rttMs)
    return nowMs + rttMs
  }

  it('[A5] what had to be repeated says nothing of the round trip, or loss would make everything wait', () => {
    const lane = createLane(false)
    let nowMs = 0
    for (let i = 0; i < 20; i++) nowMs = roundTrip(lane, nowMs + 200, 0, 10)
    for (let i = 0; i < 50; i++) nowMs = roundTrip(lane, nowMs + 200, i % 2, 4 + (i % 3))
    sendNotes(lane, nowMs, prune)
    // It gets lost often: repeated sooner than on a link that loses nothing.
    expect((nextLaneMs(lane) ?? 0) - nowMs).toBeLessThan(limits.laneTimeoutMinMs)
    expect((nextLaneMs(lane) ?? 0) - nowMs).toBeGreaterThanOrEqual(limits.laneTimeoutLossyMs)
  })

  it('[A5] a way that has become longer than the timeout is noticed', () => {
    const lane = createLane(false)
    let nowMs = 0
    for (let i = 0; i < 20; i++) nowMs = roundTrip(lane, nowMs + 1_000, 0, 100)
    // Each answer comes 20 ms after a repetition: it is to the first sending.
    for (let i = 0; i < 20; i++) nowMs = roundTrip(lane, nowMs + 1_000, 1, 20)
    sendNotes(lane, nowMs, prune)
    expect((nextLaneMs(lane) ?? 0) - nowMs).toBeGreaterThan(120)
  })

  it('[A5] a way that grows from 10 to 500 ms does not make everything go many times for ever', () => {
    const lane = createLane(false)
    let nowMs = 0
    for (let i = 0; i < 20; i++) nowMs = roundTrip(lane, nowMs + 1_000, 0, 10)
    const copies: number[] = []
    for (let i = 0; i < 20; i++) {
      const startMs = nowMs + 1_000
      sendNotes(lane, startMs, prune)
      let sent = 1
      for (let due = nextLaneMs(lane); due !== undefined && due < startMs + 500; due = nextLaneMs(lane)) {
        sent += duePackets(lane, due).length
      }
      nowMs = startMs + 500
      receivePacket(lane, { seq: undefined, ack: { base: lane.sent & 0xffff, bits: 0 }, notes: [] }, nowMs)
      copies.push(sent)
    }
    expect(copies[0]).toBeGreaterThan(2)
    expect(Math.max(...copies.slice(10))).toBeLessThanOrEqual(2)
  })

  it('[A5] repeats six times at most, later each time, and then lets go', () => {
    const lane = createLane(false)
    sendNotes(lane, 0, prune)
    const times: number[] = []
    for (let next = nextLaneMs(lane); next !== undefined; next = nextLaneMs(lane)) {
      if (duePackets(lane, next).length > 0) times.push(next)
    }
    expect(times).toHaveLength(limits.laneTriesMax - 1)
    const waits = times.map((ms, i) => ms - (times[i - 1] ?? 0))
    expect(waits).toEqual([...waits].sort((x, y) => x - y))
    expect(lane.inFlight.size).toBe(0)
  })

  it('[A6] holds at most 32 unanswered packets and a bounded queue', () => {
    const lane = createLane(false)
    let packets = 0
    for (let i = 0; i < 2_000; i++) packets += sendNotes(lane, 0, prune).length
    expect(packets).toBe(32)
    expect(lane.queue.length).toBe(limits.laneQueueMax)
  })

  it('[A3] over a link that loses, repeats and reorders, every note arrives once or not at all', () => {
    const plan = fc.array(fc.record({ lost: fc.boolean(), late: fc.nat(200), twice: fc.boolean() }), {
      minLength: 50,
      maxLength: 400,
    })
    fc.assert(
      fc.property(plan, fc.nat(60), (fates, count) => {
        const [a, b] = [createLane(false), createLane(false)]
        const arrived: Note[] = []
        const air: { atMs: number; to: Lane; packet: Packet }[] = []
        let fate = 0
        const put = (to: Lane, packet: Packet, nowMs: number) => {
          const { lost = false, late = 0, twice = false } = fates[fate++ % fates.length] ?? {}
          if (!lost) air.push({ atMs: nowMs + late, to, packet })
          if (twice) air.push({ atMs: nowMs + late * 2, to, packet })
        }
        for (let i = 0; i < count; i++)
          enqueueNote(a, { type: 'graft', id: shortIdFrom(new Uint8Array([i])) })
        for (let nowMs = 0; nowMs < 30_000; nowMs += 10) {
          for (const packet of duePackets(a, nowMs)) put(b, packet, nowMs)
          for (const packet of duePackets(b, nowMs)) put(a, packet, nowMs)
          for (const flight of air.filter(({ atMs }) => atMs <= nowMs)) {
            air.splice(air.indexOf(flight), 1)
            if (receivePacket(flight.to, flight.packet, nowMs) && flight.to === b) {
              arrived.push(...flight.packet.notes)
            }
          }
        }
        expect(new Set(arrived.map((note) => JSON.stringify(note))).size).toBe(arrived.length)
        expect(a.inFlight.size).toBe(0)
      }),
      { numRuns: 30, seed: 7 },
    )
  })
})
