/** Of whom a device asks what, where several near fetch the same. */
import { describe, expect, it } from 'vitest'
import { decodeFileFrame } from '../../../src/mesh/files/file-frame.ts'
import { fileOf } from './make-file.ts'
import { Net } from './net.ts'

describe('a file', () => {
  it('[C10] is fetched by eight of one LAN from one another, hardly more than once from its source', () => {
    const net = new Net()
    const ana = net.node('ana', 'a')
    const others = Array.from({ length: 8 }, (_, i) => net.node(`bill-${i}`, 'a'))
    const all = [ana, ...others]
    // What a card sends to one it does not send to another.
    for (const one of all) one.cardBytesPerSecond = 12_500_000
    for (const [i, one] of all.entries())
      for (const other of all.slice(i + 1)) net.link(one, other, 12_500_000, 1, { loss: 0 })
    const file = fileOf(3, 10_000_000)
    net.put(ana, file)
    for (const one of others) net.command(one, { type: 'get', content: file.content })
    expect(net.run(60_000, () => others.every((one) => net.has(one, file)))).toBe(true)
    const sent = others.reduce((sum, one) => sum + net.carried(ana, one), 0)
    expect(sent).toBeLessThan(1.4 * file.content.size)
    // One alone takes 800 ms.
    expect(net.nowMs).toBeLessThan(1.5 * 800)
  })

  it.each([0, 305, 610, 915])('[C10] is had of who began elsewhere, at chunk %d, as well', (first) => {
    const net = new Net()
    const [ana, bill, cara] = ['ana', 'bill', 'cara'].map((name) => net.node(name, 'a'))
    if (ana === undefined || bill === undefined || cara === undefined) throw new Error('nobody')
    const file = fileOf(3, 20_000_000)
    net.put(ana, file)
    net.command(cara, { type: 'get', content: file.content })
    const chunks = ana.store.get(file.id)?.chunks ?? new Map<number, Uint8Array>()
    cara.store.set(file.id, {
      content: file.content,
      wish: 'wanted',
      chunks: new Map([...chunks].filter(([chunk]) => chunk >= first && chunk < first + 150)),
      blocks: new Map(file.blocks.entries()),
    })
    net.restart(cara)
    net.link(bill, cara)
    // It has everything, and next to no way for it.
    net.link(bill, ana, 10_000, 10)
    net.command(bill, { type: 'get', content: file.content })
    expect(net.run(10_000, () => (bill.store.get(file.id)?.chunks.size ?? 0) >= 150)).toBe(true)
  })

  it('[C9] comes with its hashes once into a site, whatever chunk each of its people needs them for', () => {
    const net = new Net()
    const ana = net.node('ana', 'a')
    const others = ['b1', 'b2', 'b3', 'b4'].map((name) => net.node(name, 'b'))
    for (const one of others) net.link(ana, one, 2_000_000, 5)
    for (const [i, one] of others.entries())
      for (const other of others.slice(i + 1)) net.link(one, other, 20_000_000, 1)
    const file = fileOf(3, 12_000_000)
    const given = new Map<number, number>()
    ana.spoil = (bytes) => {
      const frame = decodeFileFrame(bytes)
      if (typeof frame !== 'string' && frame.type === 'hashes')
        given.set(frame.block, (given.get(frame.block) ?? 0) + 1)
      return bytes
    }
    net.put(ana, file)
    for (const one of others) net.command(one, { type: 'get', content: file.content })
    expect(net.run(60_000, () => others.every((one) => net.has(one, file)))).toBe(true)
    // Before they know of one another two may ask.
    const total = [...given.values()].reduce((sum, count) => sum + count, 0)
    expect(total).toBeLessThan(1.6 * file.blocks.length)
  })

  it('[C14] stays paused when its device begins again, with all that it has, until somebody goes on', () => {
    const net = new Net()
    const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'b')]
    const file = fileOf(4, 1_000_000)
    net.put(ana, file)
    net.link(ana, bill, 125_000, 10)
    net.command(bill, { type: 'get', content: file.content })
    const held = () => bill.store.get(file.id)?.chunks.size ?? 0
    expect(net.run(10_000, () => held() >= 20)).toBe(true)
    net.command(bill, { type: 'pause', file: file.id })
    net.run(1_000)
    const before = held()
    net.restart(bill)
    net.link(ana, bill, 125_000, 10)
    net.run(60_000)
    expect(held()).toBe(before)
    expect(bill.events.at(-1)).toMatchObject({ progress: 'paused' })
    net.command(bill, { type: 'get', content: file.content })
    expect(net.run(10_000, () => net.has(bill, file))).toBe(true)
  })
})
