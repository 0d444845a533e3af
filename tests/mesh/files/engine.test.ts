import { describe, expect, it } from 'vitest'
import { fileOf } from './make-file.ts'
import { Net } from './net.ts'

const minuteMs = 60_000
const made = fileOf(1, 1_000_000)

describe('files', () => {
  it('[C8] goes from one who holds it to one who wants it', () => {
    const net = new Net()
    const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'a')]
    net.link(ana, bill)
    net.put(ana, made)
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => net.has(bill, made))).toBe(true)
    expect(net.carried(ana, bill)).toBeLessThan(1.02 * made.content.size)
  })

  it('[C15] tells who shared it that it is not the only one any more', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'a'), net.node('bill', 'b')]
    net.link(ana, box)
    net.link(box, bill, 125_000, 20)
    net.put(ana, made)
    const holders = () =>
      ana.events.flatMap((event) => (event.type === 'progress' ? [event.holders] : [])).at(-1)
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => net.has(bill, made))).toBe(true)
    expect(net.run(minuteMs, () => holders()?.includes(box.peer) === true)).toBe(true)
    expect(holders()).toEqual([box.peer])
  })

  it('[C9] crosses a link between sites once, whoever wants it there', () => {
    const net = new Net()
    const ana = net.node('ana', 'a')
    const others = ['b1', 'b2', 'b3'].map((name) => net.node(name, 'b'))
    for (const one of others) net.link(ana, one, 125_000, 20)
    for (const [i, one] of others.entries()) for (const other of others.slice(i + 1)) net.link(one, other)
    net.put(ana, made)
    for (const one of others) net.command(one, { type: 'get', content: made.content })
    expect(net.run(10 * minuteMs, () => others.every((one) => net.has(one, made)))).toBe(true)
    const crossed = others.map((one) => net.carried(ana, one))
    expect(crossed.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(1.08 * made.content.size)
  })

  it('[C9] is never waited for in a circle by those of one site, hashes neither', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const file = fileOf(seed, 6_000_000)
      const net = new Net()
      const ana = net.node(`ana-${seed}`, 'a')
      const others = ['b1', 'b2', 'b3', 'b4'].map((name) => net.node(`${name}-${seed}`, 'b'))
      for (const one of others) net.link(ana, one, 2_000_000, 5)
      for (const [i, one] of others.entries())
        for (const other of others.slice(i + 1)) net.link(one, other, 20_000_000, 1)
      net.put(ana, file)
      for (const one of others) net.command(one, { type: 'get', content: file.content })
      const isDone = () => others.every((one) => net.has(one, file))
      expect(net.run(15_000, isDone), `seed ${seed}`).toBe(true)
    }
  })

  it('[C7] is carried by those between who do not want it', () => {
    const net = new Net()
    const row = ['ana', 'node-a', 'node-m', 'node-b'].map((name, i) => net.node(name, 'aamb'[i] ?? ''))
    const readers = ['b1', 'b2', 'b3'].map((name) => net.node(name, 'b'))
    const [ana, a, m, b] = row
    if (ana === undefined || a === undefined || m === undefined || b === undefined) throw new Error('nobody')
    net.link(ana, a)
    net.link(a, m, 125_000, 20)
    net.link(m, b, 125_000, 20)
    for (const one of readers) net.link(b, one)
    net.put(ana, made)
    for (const one of readers) net.command(one, { type: 'get', content: made.content })
    expect(net.run(10 * minuteMs, () => readers.every((one) => net.has(one, made)))).toBe(true)
    for (const bytes of [net.carried(ana, a), net.carried(a, m), net.carried(m, b)])
      expect(bytes).toBeLessThan(1.03 * made.content.size)
  })

  it('[C7] goes over each radio link of a tree once, to every site', () => {
    const net = new Net()
    const boxes = Array.from({ length: 10 }, (_, i) => net.node(`node-${i}`, `site-${i}`))
    const people = boxes.map((box, i) => {
      const person = net.node(`person-${i}`, `site-${i}`)
      net.link(box, person)
      return person
    })
    const links = boxes.slice(1).map((box, i) => [boxes[Math.floor(i / 2)], box] as const)
    for (const [a, b] of links) if (a !== undefined) net.link(a, b, 125_000, 20)
    const [ana, ...others] = people
    if (ana === undefined) throw new Error('nobody')
    net.put(ana, made)
    for (const one of others) net.command(one, { type: 'get', content: made.content })
    expect(net.run(10 * minuteMs, () => others.every((one) => net.has(one, made)))).toBe(true)
    const radio = links.reduce(
      (sum, [a, b]) => sum + (a === undefined ? 0 : net.carried(a, b) + net.carried(b, a)),
      0,
    )
    expect(radio / (9 * made.content.size)).toBeLessThan(1.08)
  })

  /** Ana shares over a slow link with three who are near each other. */
  function slow() {
    const net = new Net()
    const ana = net.node('ana', 'a')
    const others = ['b1', 'b2', 'b3'].map((name) => net.node(name, 'b'))
    for (const one of others) net.link(ana, one, 125_000, 20)
    for (const [i, one] of others.entries()) for (const other of others.slice(i + 1)) net.link(one, other)
    net.put(ana, made)
    for (const one of others) net.command(one, { type: 'get', content: made.content })
    const chunksOf = (one: (typeof others)[number]) => one.store.get(made.id)?.chunks.size ?? 0
    return { net, ana, others, chunksOf }
  }

  it('[C10] is whole from parts that several have, when who shared it is gone', () => {
    const { net, ana, others, chunksOf } = slow()
    const all = Math.ceil(made.content.size / 16_384)
    const union = () =>
      new Set(others.flatMap((one) => [...(one.store.get(made.id)?.chunks.keys() ?? [])])).size
    expect(net.run(minuteMs, () => union() === all)).toBe(true)
    expect(others.every((one) => chunksOf(one) === all)).toBe(false)
    net.kill(ana)
    expect(net.run(minuteMs, () => others.every((one) => net.has(one, made)))).toBe(true)
  })

  it('goes on after a restart where it was', () => {
    const { net, ana, others, chunksOf } = slow()
    const [one] = others
    if (one === undefined) throw new Error('nobody')
    net.run(minuteMs, () => chunksOf(one) >= 36)
    const before = chunksOf(one)
    net.restart(one)
    const got = () => [ana, ...others].reduce((sum, other) => sum + net.carried(other, one), 0)
    const gotBefore = got()
    net.link(ana, one, 125_000, 20)
    for (const other of others.slice(1)) net.link(one, other)
    expect(net.run(minuteMs, () => net.has(one, made))).toBe(true)
    const missingBytes = made.content.size - before * 16_384
    // A chunk of which a part had come comes whole once more, and hashes come again where they were on their way.
    expect((got() - gotBefore) / missingBytes).toBeLessThan(1.08)
  })

  it('[C2] costs a source that sends something else its link, and nothing is kept of it', () => {
    const { net, ana, others } = slow()
    const [liar, ...honest] = others
    if (liar === undefined) throw new Error('nobody')
    // Content of a part only: behind type, name, number and place.
    liar.spoil = (bytes) =>
      bytes[0] === 39 ? bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte)) : bytes
    expect(net.run(10_000, () => honest.every((one) => net.has(one, made)))).toBe(true)
    const named = honest.flatMap(({ events }) =>
      events.flatMap((one) => (one.type === 'damaged' ? [one.peer] : [])),
    )
    expect([...new Set(named)]).toEqual([liar.peer])
    expect(honest.flatMap(({ ways }) => [...ways.values()]).some(({ to }) => to === liar)).toBe(false)
    expect(ana.engine.banned.size).toBe(0)
  })

  it('[C11] is asked of somebody else when a source is silent, and stops when it is not wanted', () => {
    const { net, others, chunksOf } = slow()
    const [mute, ...honest] = others
    if (mute === undefined) throw new Error('nobody')
    net.run(minuteMs, () => others.every((one) => chunksOf(one) > 5))
    // It still has its links, and sends nothing any more.
    for (const way of mute.ways.values()) way.isBusy = true
    expect(net.run(5 * minuteMs, () => honest.every((one) => net.has(one, made)))).toBe(true)
  })

  it('[C14] is called off, taken up again, and waits where the store is full', () => {
    const { net, ana, others, chunksOf } = slow()
    const [one, two, three] = others
    if (one === undefined || two === undefined || three === undefined) throw new Error('nobody')
    net.run(minuteMs, () => chunksOf(one) > 5)
    for (const other of others) net.command(other, { type: 'pause', file: made.id })
    net.run(5_000)
    const [held, carried] = [chunksOf(one), net.carried(ana, one)]
    const heldBytes = [...(one.store.get(made.id)?.chunks.values() ?? [])].reduce(
      (sum, { length }) => sum + length,
      0,
    )
    net.run(minuteMs)
    expect([chunksOf(one), net.carried(ana, one)]).toEqual([held, carried])
    expect(one.events.at(-1)).toMatchObject({ progress: 'paused', heldBytes })

    one.isStoreFull = true
    for (const other of others) net.command(other, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => [two, three].every((other) => net.has(other, made)))).toBe(true)
    expect(one.events.at(-1)).toMatchObject({ progress: 'full' })
    expect(chunksOf(one)).toBe(held)
    one.isStoreFull = false
    net.command(one, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => net.has(one, made))).toBe(true)
    expect(one.events.at(-1)).toMatchObject({ progress: 'complete', heldBytes: made.content.size })
  })

  it('[C6] is wanted as long as that is said, and forgotten where nobody wants it', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'b'), net.node('bill', 'b')]
    net.link(ana, box)
    net.link(box, bill)
    net.put(ana, made)
    const other = fileOf(9, 40_000)
    net.command(bill, { type: 'get', content: other.content })
    net.run(minuteMs)
    // Nobody has it: it stays wanted, and known to those between.
    for (const one of [ana, box]) expect(one.engine.files.has(other.id)).toBe(true)
    expect(bill.events.at(-1)).toMatchObject({ progress: 'waiting' })
    net.command(bill, { type: 'pause', file: other.id })
    net.run(1_000)
    expect(box.engine.files.has(other.id)).toBe(false)
    // One that says nothing any more is forgotten too.
    net.command(bill, { type: 'get', content: other.content })
    net.run(1_000)
    expect(box.engine.files.has(other.id)).toBe(true)
    for (const way of bill.ways.values()) way.isBusy = true
    net.run(minuteMs)
    expect(box.engine.files.has(other.id)).toBe(false)
  })

  it('[C6] carries so many files for one link and no more', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'b'), net.node('bill', 'b')]
    net.link(ana, box)
    net.link(box, bill)
    for (let i = 0; i < 40; i++) net.command(bill, { type: 'get', content: fileOf(100 + i, 100).content })
    net.run(5_000)
    expect(box.engine.files.size).toBe(16)
  })

  /** Bytes of parts, as they were given to the lane. */
  function partsOver(bytesPerSecond: number): number[] {
    const net = new Net()
    const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'b')]
    net.link(ana, bill, bytesPerSecond, 20)
    const sizes: number[] = []
    ana.spoil = (bytes) => {
      if (bytes[0] === 39) sizes.push(bytes.length)
      return bytes
    }
    net.put(ana, made)
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(10 * minuteMs, () => net.has(bill, made))).toBe(true)
    return sizes
  }

  it('[C13] goes in parts of one packet on a slow link, of more on a faster one, in whole chunks on a fast one', () => {
    expect(Math.max(...partsOver(125_000))).toBeLessThan(1_160)
    for (const [bytesPerSecond, packets] of [
      [170_000, 2],
      [225_000, 3],
    ] as const) {
      const most = Math.max(...partsOver(bytesPerSecond))
      expect(most).toBeGreaterThan((packets - 1) * 1_160)
      expect(most).toBeLessThan(packets * 1_160)
    }
    const fast = partsOver(12_500_000)
    expect(Math.max(...fast.slice(0, 4))).toBeLessThan(1_160)
    expect(fast.filter((bytes) => bytes > 16_384).length).toBeGreaterThan(20)
  })

  it('[C12] keeps as much under way as a link carries, and not more', () => {
    const net = new Net()
    const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'b')]
    // 1 MB/s and 100 ms there and back: 100 kB are under way, which is 6 chunks.
    net.link(ana, bill, 1_000_000, 50)
    const large = fileOf(3, 6_000_000)
    net.put(ana, large)
    net.command(bill, { type: 'get', content: large.content })
    let most = 0
    expect(
      net.run(minuteMs, () => {
        for (const link of bill.engine.links.values()) most = Math.max(most, link.outstanding)
        return net.has(bill, large)
      }),
    ).toBe(true)
    expect(net.nowMs).toBeLessThan(7_500)
    expect(most).toBeLessThan(33)
  })

  it('[C3] asks for no chunk before the hashes of its block are known', () => {
    const net = new Net()
    const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'a')]
    net.link(ana, bill)
    const large = fileOf(3, 3_000_000)
    net.put(ana, large)
    net.command(bill, { type: 'get', content: large.content })
    const isAhead = () =>
      [...bill.engine.files.values()].some(({ asked, blocks }) =>
        [...asked.keys()].some((chunk) => !blocks.has(Math.floor(chunk / 64))),
      )
    let wasAhead = false
    expect(
      net.run(minuteMs, () => {
        wasAhead ||= isAhead()
        return net.has(bill, large)
      }),
    ).toBe(true)
    expect(wasAhead).toBe(false)
  })

  it('[C3] asks again for hashes that its store has lost, and blames nobody', () => {
    const net = new Net()
    const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'a')]
    net.link(ana, bill)
    net.put(ana, made)
    bill.blocksToLose = 5
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => net.has(bill, made))).toBe(true)
    expect(bill.engine.banned.size).toBe(0)
    // A disk that always loses them is one that does not work.
    const carl = net.node('carl', 'a')
    net.link(ana, carl)
    carl.blocksToLose = Number.POSITIVE_INFINITY
    net.command(carl, { type: 'get', content: made.content })
    net.run(10 * minuteMs, () => carl.engine.files.get(made.id)?.isFull === true)
    expect(carl.engine.files.get(made.id)?.isFull).toBe(true)
    expect(carl.engine.banned.size).toBe(0)
  })

  it('[C2] costs a source with hashes of something else its link', () => {
    const net = new Net()
    const [liar, ana, bill] = [net.node('liar', 'a'), net.node('ana', 'a'), net.node('bill', 'a')]
    liar.spoil = (bytes) =>
      bytes[0] === 38 ? bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte)) : bytes
    net.put(liar, made)
    net.link(liar, bill)
    net.command(bill, { type: 'get', content: made.content })
    net.run(1_000)
    expect([...bill.ways.values()]).toEqual([])
    expect([...bill.engine.banned]).toEqual([liar.peer])
    expect(bill.store.get(made.id)?.chunks.size).toBe(0)
    net.put(ana, made)
    net.link(ana, bill)
    expect(net.run(minuteMs, () => net.has(bill, made))).toBe(true)
  })

  it('[C9] waits for a busy neighbour rather than to fetch from elsewhere what it has', () => {
    const net = new Net()
    const [ana, near, bill] = [net.node('ana', 'a'), net.node('near', 'b'), net.node('bill', 'b')]
    net.put(ana, made)
    net.put(near, made)
    // All but one: whoever has everything is asked alone.
    near.store.get(made.id)?.chunks.delete(0)
    net.restart(near)
    net.link(near, bill, 500_000)
    net.link(ana, bill, 125_000, 20)
    // What is near is known first.
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => net.has(bill, made))).toBe(true)
    expect(net.carried(ana, bill)).toBeLessThan(16_384 + 5_000)
  })

  it('[C6] is not asked for any more where it is left', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'b'), net.node('bill', 'b')]
    net.link(ana, box, 50_000, 20)
    net.link(box, bill)
    net.put(ana, made)
    net.command(bill, { type: 'get', content: made.content })
    const outstanding = () => [...box.engine.links.values()].reduce((sum, link) => sum + link.outstanding, 0)
    const held = () => box.store.get(made.id)?.chunks.size ?? 0
    expect(net.run(minuteMs, () => outstanding() > 1 && held() > 2)).toBe(true)
    net.unlink(box, bill)
    net.run(1_000)
    expect(outstanding()).toBe(0)
    net.link(box, bill)
    expect(net.run(minuteMs, () => net.has(bill, made))).toBe(true)
  })

  it('[C14] passes on what the one between has no room for, once', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'b'), net.node('bill', 'b')]
    net.link(ana, box, 125_000, 20)
    net.link(box, bill)
    net.put(ana, made)
    box.isStoreFull = true
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => net.has(bill, made))).toBe(true)
    expect(net.carried(ana, box)).toBeLessThan(1.03 * made.content.size)
    expect(box.store.get(made.id)?.chunks.size).toBe(0)
  })

  it('[C8] fetches so much for one link and no more, whatever it asks for', () => {
    const net = new Net()
    const [ana, box, bill] = [net.node('ana', 'a'), net.node('box', 'b'), net.node('bill', 'b')]
    const large = fileOf(3, 6_000_000)
    net.link(ana, box, 1_000, 20)
    net.link(box, bill)
    net.put(ana, large)
    net.command(bill, { type: 'get', content: large.content })
    net.run(10_000)
    const [link] = box.engine.links.values()
    const asker = [...box.engine.links.values()].find(({ peer }) => peer === bill.peer)
    if (link === undefined || asker === undefined) throw new Error('no link')
    const name = [...box.engine.byName.keys()][0]
    if (name === undefined) throw new Error('no file')
    const chunks = Array.from({ length: 5 }, (_, i) => ({ first: i * 64, count: 64 }))
    net.feed(box, {
      type: 'received',
      link: asker.id,
      frame: { type: 'ask', file: name, chunks, blocks: [] },
    })
    const waiting = [...box.engine.files.values()].reduce((sum, { pending }) => sum + pending.size, 0)
    expect(waiting + asker.serving.length).toBeGreaterThan(0)
    expect(waiting + asker.serving.length).toBeLessThanOrEqual(128)
  })

  it('[C11] asks others where one never gives the hashes', () => {
    const net = new Net()
    const [mute, ana, bill] = [net.node('mute', 'a'), net.node('ana', 'a'), net.node('bill', 'a')]
    mute.spoil = (bytes) => (bytes[0] === 38 ? undefined : bytes)
    for (const one of [mute, ana]) {
      net.put(one, made)
      net.link(one, bill)
    }
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => net.has(bill, made))).toBe(true)
  })

  it('[C10] asks first for what the fewest have', () => {
    const net = new Net()
    const [ana, b, c, bill] = ['ana', 'b', 'c', 'bill'].map((name) => net.node(name, 'a'))
    if (ana === undefined || b === undefined || c === undefined || bill === undefined)
      throw new Error('nobody')
    const small = fileOf(4, 20 * 16_384)
    for (const one of [ana, b, c]) net.put(one, small)
    for (const one of [b, c])
      for (const { held } of one.engine.files.values())
        for (let chunk = 1; chunk < 20; chunk += 2) held.delete(chunk)
    for (const one of [b, c]) net.link(one, bill, 200_000)
    // Both are heard before the one who has all.
    net.command(bill, { type: 'get', content: small.content })
    net.run(20)
    net.link(ana, bill, 200_000)
    const link = () => [...bill.engine.links.values()].find(({ peer }) => peer === ana.peer)
    expect(net.run(minuteMs, () => (link()?.outstanding ?? 0) > 0)).toBe(true)
    const ofAna = [...bill.engine.files.values()].flatMap(({ asked }) =>
      [...asked].flatMap(([chunk, links]) => (links.has(link()?.id ?? -1) ? [chunk] : [])),
    )
    expect(ofAna.length).toBeGreaterThan(0)
    expect(ofAna.filter((chunk) => chunk % 2 === 0)).toEqual([])
  })

  it('[C8] does not read again and again what it has let go of meanwhile', () => {
    const net = new Net()
    const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'a')]
    net.link(ana, bill, 10_000)
    net.put(ana, made)
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(minuteMs, () => (bill.store.get(made.id)?.chunks.size ?? 0) > 1)).toBe(true)
    ana.store.delete(made.id)
    net.command(ana, { type: 'drop', file: made.id })
    net.run(5_000)
    expect(
      [...ana.engine.links.values()].flatMap(({ serving }) =>
        serving.filter(({ bytes }) => bytes === undefined),
      ),
    ).toEqual([])
    expect(ana.engine.reads.size).toBe(0)
  })
})
