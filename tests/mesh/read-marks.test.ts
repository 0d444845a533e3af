import { describe, expect, it } from 'vitest'
import type { EventId } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import { acceptPresence } from '../../src/mesh/presence.ts'
import {
  acceptMark,
  createReadMarks,
  readersOf,
  type ReadPosition,
} from '../../src/mesh/timeline/read-marks.ts'
import { general, keyOf, presenceOf, runOf } from './make.ts'
import { Peer, talk } from './peer.ts'

const nowMs = 1_780_000_000_000
const positions = runOf({ count: 3 }).events.map(({ id, hlc }): ReadPosition => ({ id, effective: hlc }))

function read(peer: Peer, index: number): void {
  const position = positions[index]
  if (position === undefined) throw new Error('three positions')
  peer.give({ type: 'command', command: { type: 'read', room: general, position } })
}

const tell = (peer: Peer, isOn: boolean) =>
  peer.give({ type: 'command', command: { type: 'tell-read', room: general, isOn } })
const seenBy = (peer: Peer) => readersOf(peer.engine.readMarks, general).map(({ id }) => id)

function pair(): readonly [Peer, Peer] {
  const [ana, bill] = [new Peer(50, [], nowMs), new Peer(51, [], nowMs)]
  ana.link(bill)
  talk([ana, bill], 10)
  return [ana, bill]
}

describe('read marks', () => {
  it('[D11] nobody is told before it is switched on, and nothing new after it is switched off', () => {
    const [ana, bill] = pair()
    read(ana, 0)
    talk([ana, bill], 20)
    expect(seenBy(bill)).toEqual([])
    tell(ana, true)
    read(ana, 1)
    talk([ana, bill], 20)
    expect(seenBy(bill)).toEqual([positions[1]?.id])
    expect(bill.told).toContain('readers')
    expect(bill.tables.state().readMarks).toHaveLength(1)
    tell(ana, false)
    read(ana, 2)
    talk([ana, bill], 20)
    expect(seenBy(bill)).toEqual([positions[1]?.id])
  })

  it('[D11] a mark never goes back, and what comes quickly is told once', () => {
    const [ana, bill] = pair()
    tell(ana, true)
    for (const index of [0, 1, 2, 1, 0]) read(ana, index)
    talk([ana, bill], 20)
    expect(seenBy(bill)).toEqual([positions[2]?.id])
    const before = ana.engine.recordCounter
    read(ana, 0)
    talk([ana, bill], 20)
    expect(seenBy(bill)).toEqual([positions[2]?.id])
    expect(readersOf(ana.engine.readMarks, general)).toHaveLength(1)
    expect(ana.engine.recordCounter).toBe(before)
  })

  it('[D11] in a room of many nobody tells', () => {
    const [ana, bill] = pair()
    for (let i = 0; i <= limits.receiptPeopleMax; i++) {
      const record = { ...presenceOf(100), peer: keyOf(100 + i).peer }
      acceptPresence(ana.engine.presence, record, undefined, nowMs)
    }
    tell(ana, true)
    read(ana, 0)
    talk([ana, bill], 20)
    expect(seenBy(bill)).toEqual([])
  })

  it('[D11] of two of a device the larger counter counts, and a room has a bound', () => {
    const marks = createReadMarks([])
    const markOf = (seed: number, counter: number) => ({
      device: keyOf(seed).peer,
      room: general,
      counter,
      effective: counter,
      id: positions[0]?.id as EventId,
      signature: new Uint8Array(64),
    })
    expect(acceptMark(marks, markOf(1, 5))).toBe(true)
    expect(acceptMark(marks, markOf(1, 5))).toBe(false)
    expect(acceptMark(marks, markOf(1, 4))).toBe(false)
    expect(acceptMark(marks, markOf(1, 6))).toBe(true)
    for (let i = 2; i < 100; i++) acceptMark(marks, markOf(i, 1))
    expect(marks.known.get(general)?.size).toBe(limits.receiptPeopleMax)
  })
})
