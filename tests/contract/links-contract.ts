/** What every kind of link guarantees (design decision 3), per lane. */
import type { LinkId } from '../../src/mesh/effects.ts'
import type { Lane } from '../../src/mesh/frame.ts'
import type { PeerId } from '../../src/mesh/ids.ts'
import type { LinkEvents, Links } from '../../src/runtime/ports.ts'
import { Fact, equal, type ContractCase } from './check.ts'

export interface LinkPair {
  readonly a: Links
  readonly b: Links
  readonly peerA: PeerId
  readonly peerB: PeerId
  /** Carries signals between the two, where there are any. */
  readonly signal: (to: 'a' | 'b', from: PeerId, payload: string) => void
  readonly close: () => Promise<void>
}

class Side {
  readonly up = new Fact<{ readonly link: LinkId; readonly peer: PeerId }>()
  readonly down = new Fact<LinkId>()
  readonly frames = new Fact<{ readonly lane: Lane; readonly bytes: Uint8Array }>()
  readonly drained = new Fact<LinkId>()
  readonly failed = new Fact<PeerId>()
  readonly refused = new Fact<string>()

  events(signal: (payload: string) => void): LinkEvents {
    return {
      up: (link, peer) => this.up.add({ link, peer }),
      down: (link) => this.down.add(link),
      frame: (_link, lane, bytes) => this.frames.add({ lane, bytes }),
      drained: (link) => this.drained.add(link),
      dialFailed: (peer) => this.failed.add(peer),
      signal: (_to, payload) => signal(payload),
      refused: (_peer, reason) => this.refused.add(reason),
    }
  }
}

interface Connected {
  readonly pair: LinkPair
  readonly a: Side
  readonly b: Side
  readonly linkA: LinkId
  readonly linkB: LinkId
}

function begin(pair: LinkPair): { readonly a: Side; readonly b: Side } {
  const a = new Side()
  const b = new Side()
  pair.a.start(a.events((payload) => pair.signal('b', pair.peerA, payload)))
  pair.b.start(b.events((payload) => pair.signal('a', pair.peerB, payload)))
  return { a, b }
}

async function connect(pair: LinkPair): Promise<Connected> {
  const { a, b } = begin(pair)
  pair.a.dial(pair.peerB)
  const [upA] = await a.up.count(1, 'a link at the dialling side')
  const [upB] = await b.up.count(1, 'a link at the other side')
  equal([upA?.peer, upB?.peer], [pair.peerB, pair.peerA], 'who is at the other end')
  return { pair, a, b, linkA: upA?.link ?? 0, linkB: upB?.link ?? 0 }
}

function frame(seed: number, length: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => (seed * 31 + i) & 255)
}

export const linksContract: readonly ContractCase<LinkPair>[] = [
  {
    name: 'both sides learn who is there, and frames arrive whole and in the order of their lane',
    run: async (pair) => {
      const { b, linkA } = await connect(pair)
      for (const lane of ['control', 'chat', 'bulk'] as const) {
        for (let i = 0; i < 20; i++) pair.a.send(linkA, lane, frame(i, 1 + i * 40))
      }
      const all = await b.frames.count(60, 'frames')
      for (const lane of ['control', 'chat', 'bulk'] as const) {
        const got = all.filter((one) => one.lane === lane).map((one) => one.bytes)
        equal(
          got,
          Array.from({ length: 20 }, (_, i) => frame(i, 1 + i * 40)),
          `frames of ${lane}`,
        )
      }
    },
  },
  {
    name: 'a frame of 64 KiB arrives whole on every lane, both ways',
    run: async (pair) => {
      const { a, b, linkA, linkB } = await connect(pair)
      for (const lane of ['control', 'chat', 'bulk'] as const) {
        pair.a.send(linkA, lane, frame(1, 65_536))
        pair.b.send(linkB, lane, frame(2, 65_536))
      }
      const there = await b.frames.count(3, 'large frames')
      const back = await a.frames.count(3, 'large frames back')
      equal(
        there.every((one) => one.bytes.length === 65_536 && one.bytes[5] === frame(1, 6)[5]),
        true,
        'bytes',
      )
      equal(
        back.every((one) => one.bytes.length === 65_536 && one.bytes[5] === frame(2, 6)[5]),
        true,
        'bytes back',
      )
    },
  },
  {
    name: 'bulk says when it is full and when it has room again, and loses nothing',
    run: async (pair) => {
      const { a, b, linkA } = await connect(pair)
      let sent = 0
      while (sent < 1_000 && pair.a.send(linkA, 'bulk', frame(sent, 16_384))) sent += 1
      sent += 1
      equal(sent < 1_000, true, 'bulk says that it is full')
      await a.drained.count(1, 'room again')
      await b.frames.count(sent, 'bulk frames')
    },
  },
  {
    name: 'control overtakes bulk that waits',
    run: async (pair) => {
      const { b, linkA } = await connect(pair)
      let sent = 0
      while (sent < 1_000 && pair.a.send(linkA, 'bulk', frame(sent, 16_384))) sent += 1
      for (let i = 0; i < 30; i++) pair.a.send(linkA, 'bulk', frame(i, 16_384))
      pair.a.send(linkA, 'control', frame(1, 10))
      const all = await b.frames.count(sent + 32, 'frames')
      const at = all.findIndex((one) => one.lane === 'control')
      equal(at >= 0 && at < sent + 31, true, 'control is not last')
    },
  },
  {
    name: 'hanging up is told to the other side once, and to nobody here',
    run: async (pair) => {
      const { a, b, linkA, linkB } = await connect(pair)
      pair.a.hangUp(linkA, 'silent')
      equal(await b.down.count(1, 'the end of the link'), [linkB], 'which link')
      equal(a.refused.all, ['silent'], 'the reason')
      pair.a.hangUp(linkA, 'silent')
      equal(pair.a.send(linkA, 'chat', frame(1, 1)), true, 'sending on a dead link')
      equal(b.down.all.length, 1, 'told once')
    },
  },
  {
    name: 'a peer that nobody knows is a failed dial',
    run: async (pair) => {
      const { a } = begin(pair)
      const nobody = pair.peerA
      pair.a.dial(nobody)
      pair.a.signalLost(nobody)
      setTimeout(() => pair.a.signalLost(nobody), 500)
      equal(await a.failed.count(1, 'a failed dial'), [nobody], 'which peer')
    },
  },
  {
    name: 'closing ends every link, and is safe twice',
    run: async (pair) => {
      const { b } = await connect(pair)
      pair.a.close()
      pair.a.close()
      await b.down.count(1, 'the end of the link')
    },
  },
]
