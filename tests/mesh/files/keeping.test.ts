import { describe, expect, it } from 'vitest'
import { encodeFileFrame, fileNameOf } from '../../../src/mesh/files/file-frame.ts'
import type { FileEvent } from '../../../src/mesh/files/file-state.ts'
import { fileLimits } from '../../../src/mesh/files/limits.ts'
import { fileOf } from './make-file.ts'
import { Net, type Node } from './net.ts'

const minuteMs = 60_000
const made = fileOf(1, 1_000_000)

function answersOf({ events }: Node): Extract<FileEvent, { type: 'kept' }>[] {
  return events.flatMap((event) => (event.type === 'kept' ? [event] : []))
}

describe('files that a node is asked to keep', () => {
  it('[C19] are fetched by it, and stay there when who asked is gone', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'a', 2_000_000), net.node('bill', 'a')]
    net.link(ana, box)
    net.put(ana, made)
    net.command(ana, { type: 'ask-to-keep', content: made.content, peer: box.peer })
    expect(net.run(minuteMs, () => net.has(box, made))).toBe(true)
    net.run(1_000)
    expect(answersOf(ana)).toEqual([{ type: 'kept', file: made.id, peer: box.peer, answer: 'kept' }])
    const holders = ana.events.flatMap((event) => (event.type === 'progress' ? [event.holders] : [])).at(-1)
    expect(holders).toEqual([box.peer])
    net.kill(ana)
    net.restart(box)
    expect(box.engine.files.get(made.id)?.isKept).toBe(true)
    net.link(box, bill)
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => net.has(bill, made))).toBe(true)
  })

  it('[C19] are said to be there at once where they were carried before', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'a', 2_000_000), net.node('bill', 'b')]
    net.link(ana, box)
    net.link(box, bill, 125_000, 20)
    net.put(ana, made)
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => net.has(bill, made))).toBe(true)
    net.restart(box)
    net.link(ana, box)
    net.command(ana, { type: 'ask-to-keep', content: made.content, peer: box.peer })
    const holders = () =>
      ana.events.flatMap((event) => (event.type === 'progress' ? [event.holders] : [])).at(-1)
    expect(net.run(5_000, () => holders()?.includes(box.peer) === true)).toBe(true)
  })

  it('[C19] go before what is carried, and never make room for it', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'a', 2_000_000), net.node('bill', 'b')]
    net.link(ana, box)
    net.link(box, bill, 1_250_000, 5)
    const all = [made, ...[2, 3, 4, 5].map((seed) => fileOf(seed, 1_000_000))]
    for (const one of all) net.put(ana, one)
    // Room for two of them.
    const roomBytes = 2_100_000
    const usedBytes = () => [...box.store.values()].reduce((sum, { chunks }) => sum + chunks.size, 0) * 16_384
    const write = box.store.write.bind(box.store)
    box.store.write = (file, chunk, bytes) => {
      if (usedBytes() + bytes.length > roomBytes) return 'full'
      return write(file, chunk, bytes)
    }
    const carry = (one: (typeof all)[number]) => {
      net.command(bill, { type: 'get', content: one.content })
      expect(net.run(minuteMs, () => net.has(bill, one))).toBe(true)
      net.run(1_000)
    }
    const [, second, third, fourth, fifth] = all
    if (second === undefined || third === undefined || fourth === undefined || fifth === undefined)
      throw new Error('no file')
    carry(second)
    carry(third)
    net.command(ana, { type: 'ask-to-keep', content: made.content, peer: box.peer })
    expect(net.run(minuteMs, () => net.has(box, made))).toBe(true)
    carry(fourth)
    // By now it is what moved longest ago.
    carry(fifth)
    expect(net.has(box, made)).toBe(true)
    expect(box.store.has(fourth.id)).toBe(false)
    expect(box.store.has(second.id)).toBe(false)
  })

  it('[C19] are refused beyond its share, beyond their number, and by who keeps nothing for others', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'a', 1_500_000), net.node('bill', 'a')]
    net.link(ana, box)
    net.link(ana, bill)
    const second = fileOf(2, 1_000_000)
    for (const one of [made, second]) net.put(ana, one)
    net.command(ana, { type: 'ask-to-keep', content: made.content, peer: bill.peer })
    net.command(ana, { type: 'ask-to-keep', content: made.content, peer: box.peer })
    net.command(ana, { type: 'ask-to-keep', content: second.content, peer: box.peer })
    // Asked once more it is the same.
    net.run(5_000)
    net.command(ana, { type: 'ask-to-keep', content: made.content, peer: box.peer })
    net.run(5_000)
    const answers = answersOf(ana).map(({ file, peer, answer }) => [
      file === made.id,
      peer === box.peer,
      answer,
    ])
    expect(answers).toEqual([
      [true, false, 'refused'],
      [true, true, 'kept'],
      [false, true, 'refused'],
      [true, true, 'kept'],
    ])
    expect([bill.store.size, box.store.size]).toEqual([0, 1])
    // Each may ask for some, and all together for so many.
    const others = Array.from({ length: 10 }, (_, i) => net.node(`other-${i}`, 'a'))
    for (const other of others) net.link(other, box)
    for (const [i, link] of [...box.ways.keys()].entries())
      for (let j = 0; j < fileLimits.keptPerPeerMax + 3; j++)
        net.feed(box, {
          type: 'received',
          link,
          frame: { type: 'keep', content: fileOf(100 * i + j + 10, 100).content },
        })
    const kept = [...box.engine.files.values()].filter((one) => one.isKept)
    expect(kept).toHaveLength(fileLimits.keptMax)
    expect(kept.filter((one) => one.keptFor === ana.peer)).toHaveLength(fileLimits.keptPerPeerMax)
    // What nobody has is not waited for.
    net.run(fileLimits.keptUnseenMs + minuteMs)
    expect([...box.engine.files.values()].filter((one) => one.isKept).map(({ id }) => id)).toEqual([made.id])
    expect([...box.store.keys()]).toEqual([made.id])
  })

  it('[C19] go on when something can make room that could not before', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'a', 2_000_000), net.node('bill', 'b')]
    net.link(ana, box)
    net.link(box, bill, 1_250_000, 5)
    const second = fileOf(2, 1_000_000)
    for (const one of [made, second]) net.put(ana, one)
    // One chunk is nowhere, so that Bill waits for it as long as he is there.
    ana.engine.files.get(second.id)?.held.delete(60)
    net.command(ana, { type: 'pause', file: second.id })
    const usedBytes = () => [...box.store.values()].reduce((sum, { chunks }) => sum + chunks.size, 0) * 16_384
    const write = box.store.write.bind(box.store)
    box.store.write = (file, chunk, bytes) => (usedBytes() > 1_500_000 ? 'full' : write(file, chunk, bytes))
    net.command(bill, { type: 'get', content: second.content })
    net.run(minuteMs)
    net.command(ana, { type: 'ask-to-keep', content: made.content, peer: box.peer })
    net.run(minuteMs)
    expect([net.has(box, made), box.engine.files.get(made.id)?.isFull]).toEqual([false, true])
    net.kill(bill)
    expect(net.run(minuteMs, () => net.has(box, made))).toBe(true)
  })

  it('[C19] are believed to be kept by who was asked only', () => {
    const net = new Net()
    const [ana, box] = [net.node('ana', 'a'), net.node('box', 'a', 1_500_000)]
    net.link(ana, box)
    net.put(ana, made)
    const [link] = ana.ways.keys()
    if (link === undefined) throw new Error('no link')
    const frame = { type: 'kept', file: fileNameOf(made.id), isKept: true } as const
    expect(encodeFileFrame(frame)).toHaveLength(10)
    net.feed(ana, { type: 'received', link, frame })
    expect(answersOf(ana)).toEqual([])
    net.unlink(ana, box)
    net.command(ana, { type: 'ask-to-keep', content: made.content, peer: box.peer })
    expect(answersOf(ana).map(({ answer }) => answer)).toEqual(['unreached'])
    // Nor is anybody waited for who is gone.
    net.link(ana, box)
    net.command(ana, { type: 'ask-to-keep', content: made.content, peer: box.peer })
    net.unlink(ana, box)
    expect(answersOf(ana).map(({ answer }) => answer)).toEqual(['unreached', 'unreached'])
  })
})
