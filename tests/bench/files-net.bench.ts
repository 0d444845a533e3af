/** What files cost a mesh, counted over the shipped engine in virtual time: no browser, no machine in the figures. */
import { describe, it } from 'vitest'
import { Prng } from '../sim/prng.ts'
import { fileOf } from '../mesh/files/make-file.ts'
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
