import { describe, expect, it } from 'vitest'
import type { Effect, Input } from '../../src/mesh/effects.ts'
import { createEngine, handle, type Engine } from '../../src/mesh/engine.ts'
import type { Frame } from '../../src/mesh/frame.ts'
import { limits } from '../../src/mesh/limits.ts'
import { peerHint } from '../../src/mesh/presence.ts'
import { general, keyOf, presenceOf, runOf } from './make.ts'

const self = keyOf(50).peer
const other = keyOf(1).peer

function start(name = 'Ana'): Engine {
  const rooms = [{ room: general, name: 'general', joinedAtMs: 0 }]
  const stored = { rooms, feeds: [], presences: [], receipts: [], name }
  const input: Input = { type: 'start', self, incarnation: new Uint8Array(16), seed: 0, stored }
  const engine = createEngine(input, 0)
  handle(engine, input, 0)
  return engine
}

function sent(effects: readonly Effect[], link?: number): Frame[] {
  return effects.flatMap((effect) =>
    effect.type === 'send' && (link === undefined || effect.link === link) ? [effect.frame] : [],
  )
}

function linked(engine: Engine, link: number, seed: number): void {
  handle(engine, { type: 'link-up', link, peer: keyOf(seed).peer }, 0)
  handle(engine, { type: 'received', link, frame: { type: 'rooms', rooms: [general] } }, 0)
}

describe('engine', () => {
  it('[W3] an own message is stored before it is sent, and told when it is durable', () => {
    const engine = start()
    linked(engine, 1, 1)
    const command = { type: 'post', token: 't', room: general, text: 'hello' } as const
    const asked = handle(engine, { type: 'command', command }, 1_000)
    const sign = asked.find((effect) => effect.type === 'sign')
    if (sign?.type !== 'sign') throw new Error('nothing to sign')
    expect(sent(asked).filter((frame) => frame.type === 'events')).toEqual([])
    const signature = new Uint8Array(64)
    const storing = handle(engine, { type: 'signed', token: sign.token, signature }, 1_001)
    const store = storing.find((effect) => effect.type === 'store')
    if (store?.type !== 'store') throw new Error('nothing to store')
    expect(store.write.clearDrafts).toEqual([general])
    expect(sent(storing).filter((frame) => frame.type === 'events')).toEqual([])
    const stored = handle(engine, { type: 'stored', token: store.token, added: [], moved: [] }, 1_002)
    expect(sent(stored, 1).filter((frame) => frame.type === 'events')).toHaveLength(1)
    const told = stored.flatMap((effect) => (effect.type === 'emit' ? [effect.event] : []))
    expect(told.filter((event) => event.type === 'posted').map((event) => event.token)).toEqual(['t'])
  })

  it('[G1] [G2] pushes news on, not back, not to its author, and not twice', () => {
    const engine = start()
    for (const seed of [1, 2, 3]) linked(engine, seed, seed)
    const frame: Frame = { type: 'events', answer: false, runs: [runOf({ seed: 1, count: 1 })] }
    const first = handle(engine, { type: 'received', link: 2, frame }, 1)
    const targets = first.flatMap((effect) =>
      effect.type === 'send' && effect.frame.type === 'events' ? [effect.link] : [],
    )
    expect(targets).toEqual([3])
    const again = handle(engine, { type: 'received', link: 3, frame }, 2)
    expect(sent(again).filter((one) => one.type === 'events')).toEqual([])
  })

  it('[G3] [P2] passes a record on once', () => {
    const engine = start()
    for (const seed of [1, 2]) linked(engine, seed, seed)
    const frame: Frame = { type: 'presence', records: [presenceOf(7)] }
    expect(sent(handle(engine, { type: 'received', link: 1, frame }, 1), 2)).toContainEqual(frame)
    expect(sent(handle(engine, { type: 'received', link: 1, frame }, 1), 2)).toEqual([])
  })

  it('[P1] a device that is told of a later life of its own speaks again, later', () => {
    const engine = start()
    linked(engine, 1, 1)
    const later = presenceOf(50, { counter: 2 ** 45 })
    const effects = handle(
      engine,
      { type: 'received', link: 1, frame: { type: 'presence', records: [later] } },
      1,
    )
    expect(effects.filter((effect) => effect.type === 'sign')).toHaveLength(2)
    expect(engine.recordCounter).toBeGreaterThan(2 ** 45)
  })

  it('[P7] without a name it neither speaks nor dials; with one it has its farewell ready', () => {
    const engine = start('')
    handle(engine, { type: 'helper-up', helper: 'h', site: keyOf(9).peer, node: 'n' }, 0)
    const peers: Input = { type: 'helper-peers', helper: 'h', up: [other], down: [] }
    expect(handle(engine, peers, 0).filter((effect) => effect.type !== 'schedule')).toEqual([])
    const named = handle(
      engine,
      { type: 'command', command: { type: 'rename', name: 'Ana' } },
      limits.dialPolitenessMs,
    )
    const signs = named.filter((effect) => effect.type === 'sign')
    expect(signs).toHaveLength(2)
    const tick = handle(engine, { type: 'tick' }, 2 * limits.dialPolitenessMs)
    expect([...named, ...tick]).toContainEqual({ type: 'dial', peer: other })
    for (const sign of signs) {
      const signature = new Uint8Array(64).fill(sign.token)
      handle(engine, { type: 'signed', token: sign.token, signature }, 3_000)
    }
    linked(engine, 1, 1)
    const farewell = sent(handle(engine, { type: 'command', command: { type: 'depart' } }, 4_000), 1)
    expect(farewell).toContainEqual(
      expect.objectContaining({ type: 'presence', records: [expect.objectContaining({ status: 'left' })] }),
    )
  })

  it('[O6] dials a peer that only a linked one has heard, through it', () => {
    const engine = start()
    linked(engine, 1, 1)
    const far = keyOf(7)
    const records = [presenceOf(7, { peer: far.peer })]
    handle(engine, { type: 'received', link: 1, frame: { type: 'presence', records } }, 1)
    const heard = [{ hint: peerHint(far.peer), ageS: 2 }]
    const heartbeat: Frame = { type: 'heartbeat', nowMs: 0, digest: '0'.repeat(16), heard }
    const now = handle(engine, { type: 'received', link: 1, frame: heartbeat }, 2)
    const soon = handle(engine, { type: 'tick' }, 2 + limits.dialPolitenessMs)
    expect([...now, ...soon]).toContainEqual({ type: 'dial', peer: far.peer })
    const out = handle(engine, { type: 'signal-out', to: far.peer, payload: 'offer' }, 3_000)
    expect(sent(out, 1)).toContainEqual({
      type: 'signal',
      from: self,
      to: far.peer,
      hops: 0,
      payload: 'offer',
    })
  })

  it('[R7] an answer brings its author’s record first', () => {
    const engine = start()
    for (const seed of [1, 2]) linked(engine, seed, seed)
    const run = runOf({ seed: 1, count: 2 })
    handle(engine, { type: 'received', link: 1, frame: { type: 'presence', records: [presenceOf(1)] } }, 1)
    const want: Frame = { type: 'want', room: general, feed: run.feed, first: 0, last: 1 }
    const asked = handle(engine, { type: 'received', link: 2, frame: want }, 2)
    const load = asked.find((effect) => effect.type === 'load')
    if (load?.type !== 'load') throw new Error('nothing loaded')
    const answer = handle(engine, { type: 'loaded', token: load.token, events: run.events }, 3)
    expect(sent(answer, 2).map((frame) => frame.type)).toEqual(['presence', 'events'])
    handle(engine, { type: 'received', link: 2, frame: want }, 4)
    const empty = handle(engine, { type: 'loaded', token: load.token + 1, events: [] }, 5)
    expect(sent(empty, 2).map((frame) => frame.type)).toEqual(['lacking'])
  })

  it('drops what comes from a link that is gone', () => {
    const engine = start()
    linked(engine, 1, 1)
    handle(engine, { type: 'link-down', link: 1 }, 1)
    const frame: Frame = { type: 'events', answer: false, runs: [runOf({ count: 1 })] }
    expect(sent(handle(engine, { type: 'received', link: 1, frame }, 2))).toEqual([])
    expect(engine.journal.events).toEqual([])
  })
})
