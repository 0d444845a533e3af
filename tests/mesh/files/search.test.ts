import { describe, expect, it } from 'vitest'
import { fileNameOf, type FileFrame } from '../../../src/mesh/files/file-frame.ts'
import { fileOf, type Made } from './make-file.ts'
import { Net, type Node } from './net.ts'

const minuteMs = 60_000

/** Links between those of these numbers. */
function linkAll(net: Net, nodes: readonly Node[], pairs: readonly (readonly [number, number])[]): void {
  for (const [a, b] of pairs) {
    const [one, other] = [nodes[a], nodes[b]]
    if (one !== undefined && other !== undefined) net.link(one, other)
  }
}

function people(net: Net, count: number, site = 'a'): Node[] {
  return Array.from({ length: count }, (_, i) => net.node(`${site}-${i}`, site))
}

const isWhole = (net: Net, nodes: readonly (Node | undefined)[], made: Made) => () =>
  nodes.every((node) => node !== undefined && net.has(node, made))

describe('a site in which not everybody is linked to everybody', () => {
  it('[C18] is searched for who has a file, however it is linked', () => {
    for (const pairs of [
      // In a row; in a ring; as a mesh of triangles, in which ways lead in circles.
      [0, 1, 2, 3, 4].map((i) => [i, i + 1] as const),
      [0, 1, 2, 3, 4, 5].map((i) => [i, (i + 1) % 6] as const),
      [0, 1, 2, 3, 4].flatMap((i) => [[i, i + 1] as const, [i, i + 2] as const]).filter(([, b]) => b <= 5),
    ]) {
      const net = new Net()
      const nodes = people(net, 6)
      linkAll(net, nodes, pairs)
      const made = fileOf(1, 1_500_000)
      const [first, , , , , last] = nodes
      if (first === undefined || last === undefined) throw new Error('nobody')
      net.put(first, made)
      net.command(last, { type: 'get', content: made.content })
      expect(net.run(15_000, isWhole(net, [last], made))).toBe(true)
      expect(net.partBytes / made.bytes.length).toBeLessThan(5.01)
    }
  })

  it('[C18] has what is in two places of it put together', () => {
    const net = new Net()
    const nodes = people(net, 7)
    linkAll(
      net,
      nodes,
      [0, 1, 2, 3, 4, 5].map((i) => [i, i + 1]),
    )
    const made = fileOf(2, 1_500_000)
    for (const [at, isFirst] of [
      [0, true],
      [6, false],
    ] as const) {
      const node = nodes[at]
      node?.store.put(made)
      const chunks = node?.store.get(made.id)?.chunks
      for (const chunk of [...(chunks?.keys() ?? [])]) if (chunk < 46 !== isFirst) chunks?.delete(chunk)
      if (node !== undefined) net.restart(node)
    }
    linkAll(net, nodes, [
      [0, 1],
      [5, 6],
    ])
    const middle = nodes[3]
    if (middle === undefined) throw new Error('nobody')
    net.command(middle, { type: 'get', content: made.content })
    expect(net.run(20_000, isWhole(net, [middle], made))).toBe(true)
  })

  it('[C18] gets what another site has through those who are linked there, over that link once', () => {
    const net = new Net()
    const ana = net.node('ana', 'b')
    const nodes = people(net, 7)
    linkAll(
      net,
      nodes,
      [0, 1, 2, 3, 4, 5].map((i) => [i, i + 1]),
    )
    const [gate, , , bill, , , dora] = nodes
    if (gate === undefined || bill === undefined || dora === undefined) throw new Error('nobody')
    net.link(ana, gate, 125_000, 20)
    const made = fileOf(3, 1_500_000)
    net.put(ana, made)
    for (const one of [bill, dora]) net.command(one, { type: 'get', content: made.content })
    expect(net.run(minuteMs, isWhole(net, [bill, dora], made))).toBe(true)
    expect(net.carried(ana, gate) / made.bytes.length).toBeLessThan(1.05)
  })

  it('[C18] is searched for somebody of another site too', () => {
    const net = new Net()
    const ana = net.node('ana', 'b')
    const nodes = people(net, 5)
    linkAll(
      net,
      nodes,
      [0, 1, 2, 3].map((i) => [i, i + 1]),
    )
    const [gate, , , , holder] = nodes
    if (gate === undefined || holder === undefined) throw new Error('nobody')
    net.link(ana, gate, 125_000, 20)
    const made = fileOf(4, 300_000)
    net.put(holder, made)
    net.command(ana, { type: 'get', content: made.content })
    expect(net.run(minuteMs, isWhole(net, [ana], made))).toBe(true)
  })

  it('[C18] is not searched where those whom one is linked to have all of it', () => {
    const net = new Net()
    const nodes = people(net, 4)
    linkAll(
      net,
      nodes,
      [0, 1, 2].flatMap((i) => [1, 2, 3].filter((j) => j > i).map((j) => [i, j] as const)),
    )
    const [ana, bill, ...others] = nodes
    if (ana === undefined || bill === undefined) throw new Error('nobody')
    const made = fileOf(5, 6_000_000)
    net.put(ana, made)
    net.command(bill, { type: 'get', content: made.content })
    expect(net.run(minuteMs, isWhole(net, [bill], made))).toBe(true)
    for (const other of others) expect(other.store.get(made.id)?.chunks.size ?? 0).toBe(0)
    expect(net.partBytes).toBe(made.bytes.length)
  })
})

describe('somebody who only says that it has a file', () => {
  it.each(['held', 'reach'] as const)('[C11] is not asked for ever: %s', (map) => {
    const net = new Net()
    const [bill, liar] = people(net, 2)
    const ana = net.node('ana', 'b')
    if (bill === undefined || liar === undefined) throw new Error('nobody')
    net.link(bill, liar)
    net.link(bill, ana, 15_000, 20)
    const made = fileOf(8, 600_000)
    net.put(ana, made)
    const frameOf = (runs: readonly number[]): FileFrame => {
      const offer = { type: 'offer', file: fileNameOf(made.id), hops: 1, held: [], reach: [] } as const
      return { ...offer, [map]: runs }
    }
    net.command(bill, { type: 'get', content: made.content })
    const claims = setClaims(net, bill, liar, () => frameOf([0, 37]))
    expect(net.run(minuteMs, isWhole(net, [bill], made))).toBe(true)
    expect(claims.count).toBeGreaterThan(300)
    expect(net.carried(bill, liar)).toBeLessThan(1_500)
  })
})

/** Says it again and again, ten times a second. */
function setClaims(net: Net, to: Node, liar: Node, frame: () => FileFrame): { count: number } {
  const claims = { count: 0 }
  const link = [...to.ways.values()].find((way) => way.to === liar)?.link
  const say = () => {
    claims.count += 1
    if (link !== undefined) net.feed(to, { type: 'received', link, frame: frame() })
    net.later(100, say)
  }
  say()
  return claims
}

describe('a wish that goes in a circle', () => {
  it('[C7] tells of no way that becomes longer and longer', () => {
    const net = new Net()
    const nodes = ['a', 'b', 'c', 'd'].map((site) => net.node(site, site))
    const pairs = [0, 1, 2, 3].flatMap((i) => [1, 2, 3].filter((j) => j > i).map((j) => [i, j] as const))
    const made = fileOf(7, 600_000)
    const [holder, wisher] = nodes
    if (holder === undefined || wisher === undefined) throw new Error('nobody')
    // Nobody has the other half.
    holder.store.put(made)
    const chunks = holder.store.get(made.id)?.chunks
    for (const chunk of [...(chunks?.keys() ?? [])]) if (chunk % 2 === 1) chunks?.delete(chunk)
    net.restart(holder)
    linkAll(net, nodes, pairs)
    net.command(wisher, { type: 'get', content: made.content })
    net.run(minuteMs)
    expect(wisher.store.get(made.id)?.chunks.size).toBe(19)
    const all = () =>
      pairs.reduce((sum, [i, j]) => {
        const [a, b] = [nodes[i], nodes[j]]
        return a === undefined || b === undefined ? sum : sum + net.carried(a, b) + net.carried(b, a)
      }, 0)
    const before = all()
    net.run(minuteMs)
    expect(all() - before).toBeLessThan(5_000)
  })

  it.each([
    ['of sites', ['a', 'b', 'c', 'd']],
    ['of one site', ['a', 'a', 'a', 'a']],
  ])('[C6] %s ends when nobody has it any more', (_name, sites) => {
    const net = new Net()
    const nodes = sites.map((site, i) => net.node(`${site}-${i}`, site))
    linkAll(
      net,
      nodes,
      [0, 1, 2, 3].map((i) => [i, (i + 1) % 4]),
    )
    const [wisher, ...rest] = nodes
    if (wisher === undefined) throw new Error('nobody')
    net.command(wisher, { type: 'get', content: fileOf(6, 100_000).content })
    net.run(minuteMs)
    expect(rest.every((node) => node.engine.files.size === 1)).toBe(true)
    net.command(wisher, { type: 'drop', file: fileOf(6, 100_000).id })
    const isOver = () => nodes.every((node) => node.engine.files.size === 0)
    expect(net.run(5 * minuteMs, isOver)).toBe(true)
  })
})
