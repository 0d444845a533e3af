/** What files cost a mesh, counted over the shipped engine in virtual time: no browser, no machine in the figures. */
import { describe, it } from 'vitest'
import { Prng } from '../sim/prng.ts'
import { fileOf, type Made } from '../mesh/files/make-file.ts'
import { Net, type Node } from '../mesh/files/net.ts'
import { printTable, type Row } from './table.ts'

const hourMs = 3_600_000

/** A 100 Mbit/s network card. */
const cardBytesPerSecond = 12_500_000

describe('files, counted', () => {
  it('one LAN: eight receivers beside one', () => {
    const file = fileOf(3, 20_000_000)
    const takenMs = [1, 8].map((count) => {
      const net = new Net()
      const ana = net.node('ana', 'a')
      const others = Array.from({ length: count }, (_, i) => net.node(`bill-${i}`, 'a'))
      const all = [ana, ...others]
      for (const one of all) one.cardBytesPerSecond = cardBytesPerSecond
      for (const [i, one] of all.entries())
        for (const other of all.slice(i + 1)) net.link(one, other, cardBytesPerSecond, 1, { loss: 0 })
      net.put(ana, file)
      for (const one of others) net.command(one, { type: 'get', content: file.content })
      if (!net.run(hourMs, () => others.every((one) => net.has(one, file)))) throw new Error('not whole')
      return net.nowMs
    })
    const [one = 0, eight = 0] = takenMs
    const least = (file.content.size / cardBytesPerSecond) * 1_000
    printTable('20 MB on one LAN of 100 Mbit/s, virtual time', [
      { what: 'one receiver, × what its card takes at least', value: '', against: '', ratio: one / least },
      { what: 'eight receivers, × one', value: '', against: 'goal 1.5', ratio: eight / one },
    ])
  })

  it('a tree of sites: what all radio links carry', () => {
    const file = fileOf(5, 10_000_000)
    const rows = [false, true].map((isCrowded): Row => {
      const radio = radioBytes(file, isCrowded)
      return {
        what: `10 MB to 9 other sites${isCrowded ? ' of four people each, who all want it' : ''}, × its size and links`,
        value: `${(radio / 1e6).toFixed(2)} MB`,
        against: 'goal 1.08',
        ratio: radio / (9 * file.content.size),
      }
    })
    printTable('10 MB over nine radio links of 1 Mbit/s, bytes of frames', rows)
  })

  it('twenty interruptions', () => {
    const rows: Row[] = []
    for (const [kind, name] of [
      ['restart', 'the receiver begins again'],
      ['cut', 'the link goes and comes back after 5 s'],
    ] as const)
      for (const bytesPerSecond of [125_000, 1_000_000, 12_500_000]) {
        const shares = [1, 2, 3].map((seed) => againShare(kind, bytesPerSecond, seed))
        const rate = `${(bytesPerSecond * 8) / 1e6} Mbit/s`
        rows.push({
          what: `${name}, ${rate}: content fetched again`,
          value: shares.map((share) => `${(100 * share).toFixed(2)} %`).join(', '),
          against: 'goal 1 %',
        })
      }
    printTable('20 MB, interrupted twenty times, three seeds', rows)
  })
})

/** @returns bytes of all frames over nine links between ten sites */
function radioBytes(file: Made, isCrowded: boolean): number {
  const net = new Net()
  const boxes = Array.from({ length: 10 }, (_, i) => net.node(`node-${i}`, `site-${i}`))
  const people = boxes.map((box, i) => {
    const here = Array.from({ length: isCrowded ? 4 : 1 }, (_, j) =>
      net.node(`person-${i}-${j}`, `site-${i}`),
    )
    for (const [j, one] of here.entries()) {
      net.link(box, one)
      for (const other of here.slice(j + 1)) net.link(one, other)
    }
    return here
  })
  const links = boxes.slice(1).map((box, i) => [boxes[Math.floor(i / 2)] ?? box, box] as const)
  for (const [a, b] of links) net.link(a, b, 125_000, 20)
  const [[ana] = [], ...others] = people
  if (ana === undefined) throw new Error('nobody')
  net.put(ana, file)
  for (const one of others.flat()) net.command(one, { type: 'get', content: file.content })
  if (!net.run(hourMs, () => others.flat().every((one) => net.has(one, file)))) throw new Error('not whole')
  return links.reduce((sum, [a, b]) => sum + net.carried(a, b) + net.carried(b, a), 0)
}

/** @returns content that came beyond what the file has, as a share of it */
function againShare(kind: 'restart' | 'cut', bytesPerSecond: number, seed: number): number {
  const dice = new Prng(seed)
  const file = fileOf(seed, 20_000_000)
  const net = new Net()
  const [ana, bill] = [net.node('ana', 'a'), net.node('bill', 'b')]
  const link = () => net.link(ana, bill, bytesPerSecond, 5, { loss: 0 })
  link()
  net.put(ana, file)
  net.command(bill, { type: 'get', content: file.content })
  const leastMs = (file.content.size / bytesPerSecond) * 1_000
  const shares = Array.from({ length: 20 }, () => dice.unit() * 0.95).sort((a, b) => a - b)
  const stored = (node: Node) => (node.store.get(file.id)?.chunks.size ?? 0) * 16_384
  for (const share of shares) {
    net.run(100 * leastMs, () => stored(bill) >= share * file.content.size)
    // Not just where a chunk has become whole.
    net.run(dice.unit() * (200_000 / bytesPerSecond) * 1_000)
    if (kind === 'restart') net.restart(bill)
    else net.unlink(ana, bill)
    net.run(5_000)
    link()
  }
  if (!net.run(100 * leastMs + hourMs, () => net.has(bill, file))) throw new Error('not whole')
  return net.partBytes / file.content.size - 1
}
