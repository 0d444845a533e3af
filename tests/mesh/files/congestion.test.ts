/** What is under way over a link whose queue nobody sees. */
import { describe, expect, it } from 'vitest'
import { partCode } from '../../../src/mesh/files/file-codes.ts'
import { fileNameOf } from '../../../src/mesh/files/file-frame.ts'
import {
  createArrivals,
  createCongestion,
  mayGive,
  noteArrived,
  noteGiven,
  takeGot,
  takeTimeout,
  type Congestion,
  type Got,
} from '../../../src/mesh/files/congestion.ts'
import { fileLimits } from '../../../src/mesh/files/limits.ts'
import { fileOf } from './make-file.ts'
import { Net } from './net.ts'

const minuteMs = 60_000
const least = fileLimits.windowParts * fileLimits.smallPartBytes

/** Ana gives Bill a file over a link whose router lets everything wait. */
function over(bytesPerSecond: number, delayMs: number, loss = 0) {
  const net = new Net()
  const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'b')]
  net.link(ana, bill, bytesPerSecond, delayMs, { loss })
  const file = fileOf(7, 3_000_000)
  net.put(ana, file)
  net.command(bill, { type: 'get', content: file.content })
  const atLeastMs = (file.content.size / bytesPerSecond) * 1_000
  net.run(atLeastMs * 0.1)
  net.deepest(ana, bill)
  net.run(atLeastMs * 0.6)
  const queuedBytes = net.deepest(ana, bill)
  expect(net.run(10 * minuteMs, () => net.has(bill, file))).toBe(true)
  return { queueMs: (queuedBytes / bytesPerSecond) * 1_000, goodput: atLeastMs / net.nowMs }
}

describe('what is under way', () => {
  it.each([
    [125_000, 2],
    [125_000, 40],
    [140_000, 5],
    [240_000, 5],
    [1_000_000, 5],
    [12_500_000, 1],
  ])('[C16] fills a link of %d B/s and %d ms, and leaves its queue short', (bytesPerSecond, delayMs) => {
    const { queueMs, goodput } = over(bytesPerSecond, delayMs)
    // 30 ms are aimed at; hashes of a block, 2 kB, come beside it.
    expect(queueMs).toBeLessThan(100)

    expect(goodput).toBeGreaterThan(0.9)
  })

  it('[C16] is four packets on a link that carries less than that in time', () => {
    const { queueMs, goodput } = over(16_000, 10)
    expect(queueMs).toBeLessThan(((least + 2_300) / 16_000) * 1_000)

    expect(goodput).toBeGreaterThan(0.9)
  })

  it.each([
    [0.01, 0.9],
    [0.05, 0.9],
    [0.2, 0.7],
  ])('[C16] is not made small by a loss of %d, and its queue stays short', (loss, share) => {
    const { queueMs, goodput } = over(125_000, 2, loss)
    expect(queueMs).toBeLessThan(110)
    expect(goodput).toBeGreaterThan(share)
  })
})

describe('parts of a chunk', () => {
  /** Bill has asked Ana, who is played, for a file of one chunk. */
  function asked() {
    const net = new Net()
    const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'b')]
    net.link(ana, bill)
    const file = fileOf(3, 16_384)
    net.put(ana, file)
    ana.spoil = (bytes) => (bytes[0] === partCode ? undefined : bytes)
    net.command(bill, { type: 'get', content: file.content })
    net.run(1_000)
    const [link] = bill.ways.keys()
    const take = (at: number, end: number) => {
      const frame = { type: 'part', file: fileNameOf(file.id), chunk: 0, at, number: at } as const
      net.feed(bill, {
        type: 'received',
        link: link ?? 0,
        frame: { ...frame, bytes: file.bytes.slice(at, end) },
      })
      net.run(100)
    }
    return { net, bill, file, take }
  }

  it('[C11] come in any order', () => {
    const { net, bill, file, take } = asked()
    for (let at = 16_384 - 1_024; at >= 0; at -= 2_048) take(at, at + 1_024)
    expect(net.has(bill, file)).toBe(false)
    for (let at = 0; at < 16_384; at += 2_048) take(at, at + 1_024)
    expect(net.has(bill, file)).toBe(true)
  })

  it('[C11] may lie over one another, as when it was asked for twice', () => {
    const { net, bill, file, take } = asked()
    take(0, 4_096)
    take(1_100, 8_192)
    take(0, 8_192)
    expect(net.has(bill, file)).toBe(false)
    take(8_000, 16_384)
    expect(net.has(bill, file)).toBe(true)
    expect(bill.engine.banned.size).toBe(0)
  })

  it('[C11] that lie apart are kept up to a bound', () => {
    const { bill, take } = asked()
    for (let at = 0; at < 16_384; at += 256) take(at, at + 1)
    const kept = [...bill.engine.links.values()].flatMap(({ coming }) => [...coming.values()])
    expect(kept.map(({ there }) => there.length)).toEqual([fileLimits.stretchesMax])
  })
})

it('[C16] counts as arrived what nobody waits for any more', () => {
  const net = new Net()
  const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'b')]
  net.link(ana, bill, 125_000, 20, { loss: 0 })
  const file = fileOf(7, 3_000_000)
  net.put(ana, file)
  for (let i = 0; i < 40; i++) {
    net.command(bill, { type: 'get', content: file.content })
    net.run(400)
    net.command(bill, { type: 'pause', file: file.id })
    net.run(200)
  }
  for (const { congestion } of ana.engine.links.values()) expect(congestion.underWayBytes).toBe(0)
  net.command(bill, { type: 'get', content: file.content })
  expect(net.run(minuteMs, () => net.has(bill, file))).toBe(true)
})

describe('what is said of arrivals', () => {
  const part = fileLimits.smallPartBytes
  const bytes = new Uint8Array(fileLimits.chunkBytes)
  const file = fileOf(1, 1).id

  /** Gives until it may not any more. @returns numbers of what was given */
  function giveAll(state: Congestion, nowMs: number): number[] {
    const given: number[] = []
    while (mayGive(state, nowMs))
      given.push(noteGiven(state, { file, chunk: 0, at: 0, end: part, bytes }, nowMs))
    return given
  }

  /** All up to there has arrived but these. */
  function got(newest: number, missing: readonly number[] = []): Got {
    const bits = [0, 0] as [number, number]
    for (let bit = 0; bit < 64; bit++)
      if (!missing.includes(newest - 1 - bit)) bits[bit >> 5] = (bits[bit >> 5] ?? 0) | (1 << (bit & 31))
    return { newest, before: bits }
  }

  it('[C16] is not believed of what was never sent', () => {
    const state = createCongestion(0)
    const given = giveAll(state, 0)
    expect(given).toEqual([0, 1, 2])
    for (const newest of [3, Number.MAX_SAFE_INTEGER]) expect(takeGot(state, got(newest), 10)).toEqual([])
    expect(state.underWayBytes).toBe(3 * part)
    takeGot(state, got(1), 10)
    expect(state.underWayBytes).toBe(part)
    takeGot(state, got(0), 20)
    expect(state.underWayBytes).toBe(part)
  })

  it('[C16] once a minute nothing is sent until what is under way has arrived', () => {
    const state = createCongestion(0)
    let newest = giveAll(state, 0).at(-1) ?? 0
    for (let nowMs = 10; nowMs < minuteMs; nowMs += 10) {
      takeGot(state, got(newest), nowMs)
      newest = giveAll(state, nowMs).at(-1) ?? newest
    }
    expect(state.isDraining).toBe(false)
    takeGot(state, got(newest - 2), minuteMs + 10)
    expect(state.isDraining).toBe(true)
    expect(mayGive(state, minuteMs + 10)).toBe(false)
    takeGot(state, got(newest), minuteMs + 20)
    expect(mayGive(state, minuteMs + 20)).toBe(true)
  })

  it('[C16] never is more under way than may be asked for', () => {
    const state = createCongestion(0)
    for (let nowMs = 1; nowMs < 3_000; nowMs += 1) {
      const newest = giveAll(state, nowMs).at(-1)
      expect(state.underWayBytes).toBeLessThan(fileLimits.windowBytesMax + part)
      if (newest !== undefined) takeGot(state, got(newest), nowMs + 1)
      for (const number of [...state.marks.keys()]) {
        state.marks.delete(number)
        state.underWayBytes -= part
      }
    }
    expect(state.windowBytes).toBe(fileLimits.windowBytesMax)
  })

  it('[C17] a part that three later ones have overtaken is lost', () => {
    const state = createCongestion(0)
    state.windowBytes = 10 * part
    giveAll(state, 0)
    expect(takeGot(state, got(2, [0]), 10)).toEqual([])
    expect(takeGot(state, got(3, [0]), 10).length).toBe(1)
    expect(takeGot(state, got(9, [4, 7, 8]), 10).length).toBe(1)
    expect([...state.marks.keys()]).toEqual([7, 8])
    expect(takeGot(state, got(9), 10)).toEqual([])
    expect(state.underWayBytes).toBe(0)
  })

  it('[C17] when nothing is heard the oldest is sent again, ever more seldom', () => {
    const state = createCongestion(0)
    giveAll(state, 0)
    const times: number[] = []
    for (let nowMs = 0; nowMs < minuteMs; nowMs += 10) {
      const again = takeTimeout(state, nowMs)
      if (again === undefined) continue
      times.push(nowMs)
      noteGiven(state, again, nowMs)
    }
    expect(times.slice(0, 4)).toEqual([1_000, 3_000, 7_000, 12_000])
    expect(times.length).toBeLessThan(20)
    expect(state.marks.size).toBe(3)
  })

  it.each([1, 2, 3, 64, 65, 200])('[C16] tells which of the last 64 have come, %d at a time', (step) => {
    const arrivals = createArrivals()
    const came: number[] = []
    for (let number = 0; number < 400; number += step) {
      noteArrived(arrivals, number, 1_100)
      came.push(number)
      const late = number - 5
      if (step === 3 && late > 0) {
        noteArrived(arrivals, late, 1_100)
        came.push(late)
      }
      const told = Array.from({ length: 64 }, (_, bit) => bit).filter(
        (bit) => ((arrivals.before[bit < 32 ? 0 : 1] >>> (bit & 31)) & 1) === 1,
      )
      const expected = Array.from({ length: 64 }, (_, bit) => bit).filter((bit) =>
        came.includes(number - 1 - bit),
      )
      expect(arrivals.newest).toBe(number)
      expect(told).toEqual(expected)
    }
  })
})
