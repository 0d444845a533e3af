import { nameOf } from '../../src/mesh/sync/held.ts'
import { describe, expect, it } from 'vitest'
import type { Effect, Input } from '../../src/mesh/effects.ts'
import { handle } from '../../src/mesh/engine.ts'
import { createEngine, type Engine } from '../../src/mesh/state.ts'
import type { Frame } from '../../src/mesh/frame.ts'
import { itemOf, type Content } from '../../src/mesh/gossip/item.ts'
import { limits } from '../../src/mesh/limits.ts'
import type { Receipt } from '../../src/mesh/record.ts'
import { feedOf, general, keyOf, presenceOf, runOf } from './make.ts'

const self = keyOf(50).peer
const other = keyOf(1).peer

function start(name = 'Ana'): Engine {
  const rooms = [{ room: general, name: 'general', joinedAtMs: 0 }]
  const stored = { rooms, feeds: [], presences: [], receipts: [], counts: [], readMarks: [], name }
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
  handle(engine, { type: 'link-up', link, peer: keyOf(seed).peer, version: 1 }, 0)
  const hello: Frame = { type: 'hello', purpose: 'view', isUrgent: true, site: undefined }
  handle(engine, { type: 'received', link, frame: hello }, 0)
  handle(engine, { type: 'received', link, frame: { type: 'rooms', rooms: [general] } }, 0)
}

let lastSeq = 0

/** An item as it comes over the chat lane. */
function packet(content: Content): Frame {
  const note = { type: 'item', item: itemOf(content), cost: 0 } as const
  return { type: 'packet', seq: lastSeq++ & 0xffff, ack: undefined, notes: [note] }
}

function items(effects: readonly Effect[], link?: number): Content[] {
  return sent(effects, link).flatMap((frame) =>
    frame.type === 'packet'
      ? frame.notes.flatMap((note) => (note.type === 'item' ? [note.item.content] : []))
      : [],
  )
}

describe('engine', () => {
  it('[W3] what a program wrote leaves the draft in the composer alone', () => {
    const engine = start()
    const body = { type: 'message', text: 'hello' } as const
    const command = { type: 'post', token: 't', room: general, body, keepsDraft: true } as const
    const asked = handle(engine, { type: 'command', command }, 1_000)
    const token = asked.flatMap((effect) => (effect.type === 'sign' ? [effect.token] : []))[0] ?? 0
    const storing = handle(engine, { type: 'signed', token, signature: new Uint8Array(64) }, 1_001)
    const drafts = storing.flatMap((effect) => (effect.type === 'store' ? [effect.write.clearDrafts] : []))
    expect(drafts).toEqual([[]])
  })

  it('[W3] an own message is stored before it is sent, and told when it is durable', () => {
    const engine = start()
    linked(engine, 1, 1)
    const command = {
      type: 'post',
      token: 't',
      room: general,
      body: { type: 'message', text: 'hello' },
    } as const
    const asked = handle(engine, { type: 'command', command }, 1_000)
    const sign = asked.find((effect) => effect.type === 'sign')
    if (sign?.type !== 'sign') throw new Error('nothing to sign')
    expect(items(asked)).toEqual([])
    const signature = new Uint8Array(64)
    const storing = handle(engine, { type: 'signed', token: sign.token, signature }, 1_001)
    const store = storing.find((effect) => effect.type === 'store')
    if (store?.type !== 'store') throw new Error('nothing to store')
    expect(store.write.clearDrafts).toEqual([general])
    expect(items(storing)).toEqual([])
    const stored = handle(engine, { type: 'stored', token: store.token, added: [], moved: [] }, 1_002)
    expect(items(stored, 1).map((content) => content.type)).toEqual(['run'])
    const told = stored.flatMap((effect) => (effect.type === 'emit' ? [effect.event] : []))
    expect(told.filter((event) => event.type === 'posted').map((event) => event.token)).toEqual(['t'])
  })

  it('[G3] pushes news on, not back, and not twice', () => {
    const engine = start()
    for (const seed of [1, 2, 3]) linked(engine, seed, seed)
    const run = packet({ type: 'run', run: runOf({ seed: 1, count: 1 }) })
    const first = handle(engine, { type: 'received', link: 2, frame: run }, 1)
    expect(items(first, 2)).toEqual([])
    expect(items(first, 3).map((content) => content.type)).toEqual(['run'])
    const again = packet({ type: 'run', run: runOf({ seed: 1, count: 1 }) })
    expect(items(handle(engine, { type: 'received', link: 3, frame: again }, 2))).toEqual([])
  })

  it('[A8] what goes to a peer without the room goes in whole', () => {
    const engine = start()
    for (const seed of [1, 2, 3]) linked(engine, seed, seed)
    handle(engine, { type: 'received', link: 3, frame: { type: 'rooms', rooms: [] } }, 0)
    const frame = packet({ type: 'run', run: runOf({ seed: 1, first: 4, count: 1 }) })
    const effects = handle(engine, { type: 'received', link: 1, frame }, 1)
    const isWhole = (link: number) =>
      sent(effects, link).flatMap((one) =>
        one.type === 'packet'
          ? one.notes.flatMap((note) => (note.type === 'item' ? [note.isWhole === true] : []))
          : [],
      )
    expect([isWhole(2), isWhole(3)]).toEqual([[false], [true]])
  })

  it('[P2] passes a record on once', () => {
    const engine = start()
    for (const seed of [1, 2]) linked(engine, seed, seed)
    const record = presenceOf(7)
    const frame = () => packet({ type: 'presence', record })
    expect(items(handle(engine, { type: 'received', link: 1, frame: frame() }, 1), 2)).toContainEqual({
      type: 'presence',
      record,
    })
    expect(items(handle(engine, { type: 'received', link: 1, frame: frame() }, 1), 2)).toEqual([])
  })

  it('[D3] receipts go to links whose peer has the room', () => {
    const engine = start()
    for (const seed of [1, 2, 3]) linked(engine, seed, seed)
    handle(engine, { type: 'received', link: 3, frame: { type: 'rooms', rooms: [] } }, 0)
    const record: Receipt = {
      device: keyOf(1).peer,
      room: general,
      counter: 1,
      role: 'reader',
      entries: [{ feed: feedOf(2), first: 0, last: 1 }],
      signature: new Uint8Array(64),
    }
    const frame = packet({ type: 'receipt', record })
    const effects = handle(engine, { type: 'received', link: 1, frame }, 1)
    expect([items(effects, 2), items(effects, 3)].map((list) => list.length)).toEqual([1, 0])
  })

  it('[P1] a device that is told of a later life of its own speaks again, later', () => {
    const engine = start()
    linked(engine, 1, 1)
    const later = presenceOf(50, { counter: 2 ** 45 })
    const effects = handle(
      engine,
      { type: 'received', link: 1, frame: packet({ type: 'presence', record: later }) },
      1,
    )
    expect(effects.filter((effect) => effect.type === 'sign')).toHaveLength(2)
    expect(engine.recordCounter).toBeGreaterThan(2 ** 45)
  })

  it('[P8] without a name it neither speaks nor dials; with one it has its farewell ready', () => {
    const engine = start('')
    handle(engine, { type: 'helper-up', helper: 'h', site: keyOf(9).peer, node: 'n' }, 0)
    const peers: Input = {
      type: 'helper-peers',
      helper: 'h',
      up: [{ peer: other, site: keyOf(9).peer }],
      down: [],
    }
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
    const farewell = items(handle(engine, { type: 'command', command: { type: 'depart' } }, 4_000), 1)
    const left = farewell.filter((content) => content.type === 'presence' && content.record.status === 'left')
    expect(left).toHaveLength(1)
  })

  it('[O6] dials a peer that is known only through a linked one, and signals through it', () => {
    const engine = start()
    linked(engine, 1, 1)
    const far = keyOf(7)
    const frame = packet({ type: 'presence', record: presenceOf(7, { peer: far.peer, site: undefined }) })
    const now = handle(engine, { type: 'received', link: 1, frame }, 2)
    const next = handle(engine, { type: 'tick' }, 1_000)
    const soon = handle(engine, { type: 'tick' }, 1_000 + limits.dialPolitenessMs)
    expect([...now, ...next, ...soon]).toContainEqual({ type: 'dial', peer: far.peer })
    const out = handle(engine, { type: 'signal-out', to: far.peer, payload: 'offer' }, 5_000)
    expect(sent(out, 1)).toContainEqual({
      type: 'signal',
      from: self,
      to: far.peer,
      hops: 0,
      payload: 'offer',
    })
  })

  it('[O5] hangs up a link that is silent, later when it wakes late itself, and suspects aloud', () => {
    const engine = start()
    for (const seed of [1, 2]) linked(engine, seed, seed)
    const frame = packet({ type: 'presence', record: presenceOf(1, { site: undefined }) })
    handle(engine, { type: 'received', link: 1, frame }, 1)
    const heartbeat = (nowMs: number) => {
      const digests = { log: '0'.repeat(16), sites: 0, presences: 0, receipts: 0, alive: 0 }
      return handle(
        engine,
        { type: 'received', link: 2, frame: { type: 'heartbeat', nowMs, digests } },
        nowMs,
      )
    }
    for (let nowMs = 1_000; nowMs <= limits.linkSilentMs; nowMs += 1_000) {
      heartbeat(nowMs)
      expect(handle(engine, { type: 'tick' }, nowMs).filter(({ type }) => type === 'hang-up')).toEqual([])
    }
    heartbeat(limits.linkSilentMs + 900)
    const effects = handle(engine, { type: 'tick' }, limits.linkSilentMs + 1_000)
    expect(effects).toContainEqual({ type: 'hang-up', link: 1, reason: 'silent' })
    expect(items(effects, 2)).toMatchObject([{ type: 'suspicion', peer: keyOf(1).peer }])
    handle(engine, { type: 'tick' }, 40_000)
    expect(engine.patience).toBeGreaterThan(1)
  })

  it('[P12] people are told of within a second, however much comes in between the ticks', () => {
    const engine = start()
    for (const seed of [1, 2]) linked(engine, seed, seed)
    handle(engine, { type: 'tick' }, 0)
    const record = presenceOf(1, { site: undefined })
    const news = { type: 'received', link: 1, frame: packet({ type: 'presence', record }) } as const
    let effects = handle(engine, news, 1)
    // What comes is always a little earlier than the tick that was asked for.
    for (let nowMs = 100; nowMs <= 1_100; nowMs += 100) {
      effects = [...effects, ...handle(engine, { type: 'heard', link: 2 }, nowMs)]
      effects = [...effects, ...handle(engine, { type: 'tick' }, nowMs + 1)]
    }
    const told = effects.flatMap((effect) => (effect.type === 'emit' ? [effect.event] : []))
    const people = told.flatMap((event) => (event.type === 'people' ? [event.people] : []))
    expect(people.at(-1)?.map(({ name }) => name)).toEqual(['Person 1'])
  })

  it('[V3] answers who asks for a place, and dials who has one', () => {
    const engine = start()
    handle(engine, { type: 'helper-up', helper: 'h', site: keyOf(9).peer, node: 'n' }, 0)
    const up = Array.from({ length: 12 }, (_, i) => ({ peer: keyOf(i + 1).peer, site: keyOf(9).peer }))
    handle(engine, { type: 'helper-peers', helper: 'h', up, down: [] }, 0)
    const ask: Input = { type: 'signal-in', helper: 'h', from: keyOf(5).peer, payload: '?ask' }
    const answer = { type: 'signal-helper', helper: 'h', to: keyOf(5).peer }
    expect(handle(engine, ask, 1)).toContainEqual({ ...answer, payload: '?yes' })
    for (const seed of [1, 2, 3, 4]) linked(engine, seed, seed)
    const late: Input = { type: 'signal-in', helper: 'h', from: keyOf(6).peer, payload: '?ask' }
    expect(handle(engine, late, 2)).toContainEqual({ ...answer, to: keyOf(6).peer, payload: '?no' })
    const ping: Input = { type: 'signal-in', helper: 'h', from: keyOf(6).peer, payload: '?ping' }
    expect(handle(engine, ping, 3)).toContainEqual({ ...answer, to: keyOf(6).peer, payload: '?pong' })
  })

  it('[R7] an answer brings its author’s record first', () => {
    const engine = start()
    for (const seed of [1, 2]) linked(engine, seed, seed)
    const run = runOf({ seed: 1, count: 2 })
    const record = packet({ type: 'presence', record: presenceOf(1) })
    handle(engine, { type: 'received', link: 1, frame: record }, 1)
    handle(engine, { type: 'received', link: 1, frame: packet({ type: 'run', run }) }, 1)
    const parts = [{ name: nameOf(run.feed), first: 0, last: 1 }]
    const want: Frame = { type: 'want', room: general, parts }
    const asked = handle(engine, { type: 'received', link: 2, frame: want }, 2)
    const load = asked.find((effect) => effect.type === 'load')
    if (load?.type !== 'load') throw new Error('nothing loaded')
    const answer = handle(engine, { type: 'loaded', token: load.token, events: run.events }, 3)
    expect(sent(answer, 2).map((frame) => frame.type)).toEqual(['items', 'events'])
    handle(engine, { type: 'received', link: 2, frame: want }, 4)
    const empty = handle(engine, { type: 'loaded', token: load.token + 1, events: [] }, 5)
    expect(sent(empty, 2).map((frame) => frame.type)).toEqual(['lacking'])
  })

  it('drops what comes from a link that is gone', () => {
    const engine = start()
    linked(engine, 1, 1)
    handle(engine, { type: 'link-down', link: 1 }, 1)
    const frame: Frame = { type: 'events', runs: [runOf({ count: 1 })] }
    expect(sent(handle(engine, { type: 'received', link: 1, frame }, 2))).toEqual([])
    expect(engine.journal.events).toEqual([])
  })
})
