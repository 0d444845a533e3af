import { describe, expect, it } from 'vitest'
import { bytesEqual } from '../../../src/mesh/bytes.ts'
import { fileOf, type Made } from './make-file.ts'
import { Net, type Node } from './net.ts'

const minuteMs = 60_000
const seeds = 150

/** Numbers from 0 to below 1 that follow from a seed (mulberry32). */
function chanceOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Sites in a tree, each with a box that the others of the site are linked to, and with each other. */
function world(chance: () => number) {
  const net = new Net()
  const pick = (most: number) => Math.floor(chance() * most)
  const boxes: Node[] = []
  const people: Node[] = []
  const pairs: (readonly [Node, Node, boolean])[] = []
  for (let site = 0; site < 2 + pick(3); site++) {
    const box = net.node(`box-${site}`, `site-${site}`)
    const to = boxes[pick(boxes.length)]
    if (to !== undefined) pairs.push([to, box, true])
    boxes.push(box)
    const here: Node[] = [box]
    for (let i = 0; i < 1 + pick(3); i++) {
      const person = net.node(`person-${site}-${i}`, `site-${site}`)
      for (const other of here) if (other === box || chance() < 0.7) pairs.push([other, person, false])
      here.push(person)
      people.push(person)
    }
  }
  const open = ([a, b, isFar]: readonly [Node, Node, boolean]) =>
    isFar ? net.link(a, b, 50_000 + pick(400_000), 5 + pick(100)) : net.link(a, b)
  for (const pair of pairs) open(pair)
  return { net, pick, boxes, people, pairs, open }
}

function isRight(net: Net, node: Node, made: Made): boolean {
  for (const [chunk, bytes] of node.store.get(made.id)?.chunks ?? [])
    if (!bytesEqual(bytes, made.bytes.subarray(chunk * 16_384, chunk * 16_384 + bytes.length))) return false
  return net.nodes.size > 0
}

describe('files in a mesh that fails', () => {
  it('[C11] are whole at everybody in the end, and nothing wrong is kept', () => {
    let fetched = 0
    let needed = 0
    for (let seed = 1; seed <= seeds; seed++) {
      const chance = chanceOf(seed)
      const { net, pick, people, pairs, open } = world(chance)
      const made = fileOf(seed, 1 + pick(700_000))
      const [first, ...others] = people
      if (first === undefined) continue
      net.put(first, made)
      for (const one of others) net.command(one, { type: 'get', content: made.content })
      const liar = chance() < 0.3 ? others[pick(others.length)] : undefined
      if (liar !== undefined)
        liar.spoil = (bytes) => bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte))
      for (let fault = 0; fault < 6; fault++) {
        net.run(500 + pick(4_000))
        const pair = pairs[pick(pairs.length)]
        if (pair === undefined) continue
        const [a, b] = pair
        if (chance() < 0.6) {
          net.unlink(a, b)
          net.run(pick(8_000))
          open(pair)
        } else {
          const node = chance() < 0.5 ? a : b
          net.restart(node)
          for (const one of pairs) if (one[0] === node || one[1] === node) open(one)
        }
      }
      // Whoever was cut off from a liar finds the others: every link stands again, and the liar is out of the way.
      if (liar !== undefined) net.kill(liar)
      const honest = others.filter((one) => one !== liar)
      const isDone = net.run(20 * minuteMs, () => honest.every((one) => net.has(one, made)))
      expect([seed, isDone]).toEqual([seed, true])
      for (const node of net.nodes.values())
        expect([seed, node.name, isRight(net, node, made)]).toEqual([seed, node.name, true])
      fetched += net.partBytes
      needed += net.storedBytes
    }
    expect(fetched / needed).toBeLessThan(1.01)
  })
})
