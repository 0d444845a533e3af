import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  applySite,
  changeOwn,
  createDirectory,
  directoryLimits,
  placesOf,
  strandedSites,
  waysOf,
  wordsOf,
  type Directory,
} from '../../signal/relay/directory.ts'
import {
  admitHelper,
  admitPeer,
  createRelay,
  dismiss,
  flush,
  helperFrame,
  peerFrame,
  relayLimits,
  type Action,
  type Relay,
} from '../../signal/relay/relay.ts'
import { sampleLimits } from '../../signal/relay/sample.ts'
import { parsePeerId, peerIdFromBytes, type PeerId } from '../../src/mesh/ids.ts'
import { placedOf, signalLimits, type SignalFrame } from '../../src/runtime/signal-frame.ts'
import { keyOf } from '../mesh/make.ts'

const [a, b, c] = [keyOf(1).peer, keyOf(2).peer, keyOf(3).peer] as const
const [ana, bill] = [keyOf(11).peer, keyOf(12).peer] as const
let ids = 0
const newId = () => (++ids).toString(16).padStart(32, '0')

/** The server checks signatures; here they only have to differ. */
function directoryOf(self: PeerId, sequence = 1): Directory {
  const sign = () => newId().padStart(128, '0')
  const name = self.slice(0, 4)
  return createDirectory({ self, name, url: `http://${name}/`, secureUrl: '', sequence, sign })
}

/** Helpers in memory: a socket number names the way from one to the other. */
class Wires {
  readonly relays = new Map<PeerId, Relay>()
  private readonly ends = new Map<string, readonly [PeerId, number]>()
  private last = 100
  readonly toPeers: { readonly at: PeerId; readonly socket: number; readonly frame: SignalFrame }[] = []

  helper(key: PeerId): Relay {
    const relay = createRelay(directoryOf(key))
    this.relays.set(key, relay)
    return relay
  }

  link(one: PeerId, other: PeerId): readonly [number, number] {
    const [s, t] = [++this.last, ++this.last]
    this.ends.set(`${one} ${s}`, [other, t])
    this.ends.set(`${other} ${t}`, [one, s])
    const first = admitHelper(this.at(one), s, other)
    const second = admitHelper(this.at(other), t, one)
    this.run(one, first)
    this.run(other, second)
    return [s, t]
  }

  at(key: PeerId): Relay {
    const relay = this.relays.get(key)
    if (relay === undefined) throw new Error('no such helper')
    return relay
  }

  run(at: PeerId, actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.type !== 'send') continue
      const end = this.ends.get(`${at} ${action.socket}`)
      if (end === undefined) this.toPeers.push({ at, socket: action.socket, frame: action.frame })
      else this.run(end[0], helperFrame(this.at(end[0]), end[1], action.frame, 0))
    }
  }

  flushAll(): void {
    for (const [key, relay] of this.relays) this.run(key, flush(relay))
  }
}

describe('relay', () => {
  it('[H3] the newest proven socket of a key replaces the older', () => {
    const relay = createRelay(directoryOf(a))
    expect(admitPeer(relay, 1, ana)).toEqual([])
    expect(admitPeer(relay, 2, ana)).toEqual([{ type: 'close', socket: 1, reason: 'replaced' }])
    expect(dismiss(relay, 1)).toEqual([])
    expect(relay.peersByKey.get(ana)?.socket).toBe(2)
  })

  it('[H4] carries a signal over two helpers to the third, and says when nobody has the peer', () => {
    const wires = new Wires()
    for (const key of [a, b, c]) wires.helper(key)
    wires.link(a, b)
    wires.link(b, c)
    admitPeer(wires.at(a), 1, ana)
    admitPeer(wires.at(c), 2, bill)
    wires.flushAll()
    wires.run(a, peerFrame(wires.at(a), 1, { type: 'signal', peer: bill, payload: 'hi' }, newId))
    expect(wires.toPeers).toContainEqual({
      at: c,
      socket: 2,
      frame: { type: 'signal', peer: ana, payload: 'hi' },
    })
    const unknown = { type: 'signal', peer: keyOf(77).peer, payload: 'hi' } as const
    expect(peerFrame(wires.at(a), 1, unknown, newId)).toMatchObject([{ frame: { type: 'unreachable' } }])
  })

  it('[H4] drops what it has seen, and what has come too far', () => {
    const wires = new Wires()
    for (const key of [a, b]) wires.helper(key)
    const [, t] = wires.link(a, b)
    admitPeer(wires.at(b), 2, bill)
    const relay = { type: 'relay', id: newId(), hops: 1, from: ana, to: bill, payload: 'x' } as const
    expect(helperFrame(wires.at(b), t, relay, 0)).toHaveLength(1)
    expect(helperFrame(wires.at(b), t, relay, 0)).toEqual([])
    expect(helperFrame(wires.at(b), t, { ...relay, id: newId(), hops: relayLimits.hopsMax }, 0)).toEqual([])
  })

  it('[H5] a gap is asked for, an older word stops', () => {
    const far = directoryOf(b)
    const directory = directoryOf(a)
    const first = changeOwn(far, { up: [bill] })
    const second = changeOwn(far, { up: [ana] })
    if (first === undefined || second === undefined) throw new Error('no word')
    expect(applySite(directory, second, 0)).toEqual({ type: 'gap' })
    for (const word of wordsOf(far, b)) expect(applySite(directory, word, 0)).toEqual({ type: 'news' })
    expect(applySite(directory, first, 0)).toEqual({ type: 'old' })
  })

  it('[H7] a ring loses a side and still reaches round; a dead helper is gone when its neighbours say so', () => {
    const wires = new Wires()
    for (const key of [a, b, c]) wires.helper(key)
    const [ab, ba] = wires.link(a, b)
    const [bc, cb] = wires.link(b, c)
    wires.link(c, a)
    admitPeer(wires.at(b), 2, bill)
    wires.flushAll()
    expect(waysOf(wires.at(a).directory).get(b)).toBe(b)
    wires.run(a, dismiss(wires.at(a), ab))
    wires.run(b, dismiss(wires.at(b), ba))
    expect(waysOf(wires.at(a).directory).get(b)).toBe(c)
    expect(placesOf(wires.at(a).directory).get(bill)).toBe(b)
    // b dies: its own last word still names c.
    wires.relays.delete(b)
    wires.run(c, dismiss(wires.at(c), cb))
    expect(bc).toBeGreaterThan(0)
    expect(placesOf(wires.at(a).directory).has(bill)).toBe(false)
  })

  it('[H10] sites whose helpers in between are gone are gone to directly, until there is another way', () => {
    const wires = new Wires()
    for (const key of [a, b, c]) wires.helper(key)
    const [ab] = wires.link(a, b)
    const [, cb] = wires.link(b, c)
    const stranded = () => strandedSites(wires.at(a).directory).map(({ site }) => site)
    // b is reached over the link to it alone: whether that one is needed, who holds it knows.
    expect(stranded()).toEqual([b])
    wires.relays.delete(b)
    wires.run(a, dismiss(wires.at(a), ab))
    wires.run(c, dismiss(wires.at(c), cb))
    expect(stranded().sort()).toEqual([b, c].sort())
    wires.link(a, c)
    expect(stranded().sort()).toEqual([b, c].sort())
    wires.helper(b)
    wires.link(a, b)
    wires.link(b, c)
    // Round the ring each is reached without the link to it.
    expect(stranded()).toEqual([])
  })

  it('[H8] a helper outdoes a later word of an earlier life, but not faster than every three seconds', () => {
    const directory = directoryOf(a, 5)
    const word = (sequence: number) => ({ ...earlier, sequence, signature: newId().padStart(128, '0') })
    const earlier = {
      type: 'site',
      site: a,
      name: 'a',
      url: '',
      secureUrl: '',
      neighbors: [],
      full: true,
      up: [],
      down: [],
      guestsUp: [],
      guestsDown: [],
    } as const
    expect(applySite(directory, word(900), 0)).toMatchObject({ type: 'own', word: { sequence: 901 } })
    expect(applySite(directory, word(950), 1)).toEqual({ type: 'old' })
    expect(applySite(directory, word(960), directoryLimits.outdoIntervalMs)).toMatchObject({ type: 'own' })
  })

  it('[H5] after some changes a site tells all of itself, and the oldest out of reach makes room', () => {
    const far = directoryOf(b)
    for (let i = 0; i < 40; i++) changeOwn(far, { up: [keyOf(i + 100).peer] })
    expect(wordsOf(far, b).length).toBeLessThanOrEqual(directoryLimits.changesMax + 1)
    const directory = directoryOf(a)
    for (const frame of wordsOf(far, b)) applySite(directory, frame, 0)
    expect(directory.sites.get(b)?.peers.size).toBe(40)
    const stray = wordsOf(far, b)[0]
    if (stray === undefined) throw new Error('no word')
    for (let i = 0; i < 600; i++) {
      const site =
        parsePeerId(
          b.slice(0, 48) +
            i
              .toString(32)
              .padStart(3, 'c')
              .replace(/[^a-z2-7]/g, 'x') +
            'a',
        ) ?? b
      applySite(directory, { ...stray, site, full: true }, 0)
    }
    expect(directory.sites.size).toBeLessThanOrEqual(directoryLimits.sitesMax)
  })

  it('[H9] tells who came and who went, once, within the sample', () => {
    const relay = createRelay(directoryOf(a))
    admitPeer(relay, 1, ana)
    admitPeer(relay, 2, bill)
    const told = flush(relay).filter((action) => action.type === 'send' && action.frame.type === 'peers')
    expect(told).toHaveLength(2)
    expect(flush(relay)).toEqual([])
    dismiss(relay, 2)
    expect(flush(relay)).toContainEqual({
      type: 'send',
      socket: 1,
      frame: { type: 'peers', up: [], down: [bill] },
    })
    for (let i = 0; i < 400; i++) admitPeer(relay, 10 + i, keyOf(i % 250).peer)
    for (const action of flush(relay)) {
      if (action.type === 'send' && action.frame.type === 'peers') {
        expect(placedOf(action.frame.up).length).toBeLessThanOrEqual(sampleLimits.aloneMax)
      }
    }
  })

  it('[H9] a large site leaves room for others: some of every site are told, nearest first', () => {
    const wires = new Wires()
    const relay = wires.helper(a)
    const there = wires.helper(b)
    const personOf = (index: number) => peerIdFromBytes(sha256(new TextEncoder().encode(`${index}`)))
    for (let i = 0; i < 300; i++) admitPeer(relay, 1_000 + i, personOf(i))
    const placed = (socket: number) => {
      const sites = new Map<PeerId, number>()
      for (const session of relay.peersBySocket.values()) {
        if (session.socket !== socket) continue
        for (const peer of relay.samples.peersOf(session.told)) {
          const site = placesOf(relay.directory).get(peer)
          if (site !== undefined) sites.set(site, (sites.get(site) ?? 0) + 1)
        }
      }
      return sites
    }
    flush(relay)
    expect(placed(1_000)).toEqual(new Map([[a, sampleLimits.aloneMax]]))
    for (let i = 0; i < 20; i++) admitPeer(there, 5_000 + i, personOf(400 + i))
    wires.link(a, b)
    for (const [key, one] of wires.relays) wires.run(key, flush(one))
    flush(relay)
    // Nobody who is there is told as gone: who joined before the other site keeps what it was told.
    const { aloneMax, ownMax, perSiteMax } = sampleLimits
    expect(placed(1_000)).toEqual(
      new Map([
        [a, aloneMax],
        [b, perSiteMax],
      ]),
    )
    admitPeer(relay, 2_000, personOf(500))
    flush(relay)
    expect(placed(2_000)).toEqual(
      new Map([
        [a, ownMax],
        [b, perSiteMax],
      ]),
    )
  })

  it('[H9] what browsers were told adds up to who is there, whoever comes and goes in between', () => {
    const person = (index: number) => keyOf(1_000 + index).peer
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.tuple(fc.nat(11), fc.boolean()), { maxLength: 8 }), { maxLength: 12 }),
        (rounds) => {
          const relay = createRelay(directoryOf(a))
          const knownBy = new Map<number, Set<PeerId>>()
          for (const round of rounds) {
            for (const [index, comes] of round) {
              if (comes === relay.peersByKey.has(person(index))) continue
              if (comes) knownBy.set(index, new Set())
              else knownBy.delete(index)
              if (comes) admitPeer(relay, index, person(index))
              else dismiss(relay, index)
            }
            for (const action of flush(relay)) {
              if (action.type !== 'send' || action.frame.type !== 'peers') continue
              const known = knownBy.get(action.socket)
              for (const { peer } of placedOf(action.frame.up)) known?.add(peer)
              for (const peer of action.frame.down) known?.delete(peer)
            }
            const present = [...knownBy.keys()].map(person).sort()
            for (const [index, known] of knownBy)
              expect([...known].sort()).toEqual(present.filter((peer) => peer !== person(index)))
          }
        },
      ),
    )
  })

  it('a whole site of the largest size fits one frame', () => {
    const many = Array.from(
      { length: signalLimits.peersPerFrameMax },
      (_, i) => ana.slice(0, 48) + i.toString(32).padStart(4, 'a'),
    )
    const frame = {
      type: 'site',
      site: a,
      sequence: 2 ** 48,
      signature: '0'.repeat(128),
      name: 'x'.repeat(64),
      url: 'x'.repeat(200),
      neighbors: Array(64).fill(a),
      full: true,
      up: many,
      down: [],
    }
    expect(JSON.stringify(frame).length).toBeLessThanOrEqual(signalLimits.frameBytesMax)
  })
})
