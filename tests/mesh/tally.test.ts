import { describe, expect, it } from 'vitest'
import { signPlainly } from '../../src/adapters/signature.ts'
import { decodeFrame, encodeFrame } from '../../src/mesh/frame.ts'
import { itemOf } from '../../src/mesh/gossip/item.ts'
import type { PlacedEvent } from '../../src/mesh/clock.ts'
import type { Effect } from '../../src/mesh/effects.ts'
import { holdersOf, messageState } from '../../src/mesh/delivery.ts'
import { limits } from '../../src/mesh/limits.ts'
import { acceptWord } from '../../src/mesh/overlay/sites.ts'
import { roomsDigest, siteWordSigningBytes, type SiteWordFields } from '../../src/mesh/overlay/site-word.ts'
import { acceptPresence } from '../../src/mesh/presence.ts'
import { tallySigningBytes, type Tally, type TallyFields, type TallyStretch } from '../../src/mesh/record.ts'
import { acceptTally, isLargeRoom, noteSaid, tallyLevel, tellTallies } from '../../src/mesh/sync/tally.ts'
import { feedOf, general, keyOf, presenceOf, runOf } from './make.ts'
import { Peer } from './peer.ts'

const nowMs = 1_780_000_000_000
const site = keyOf(99).peer
const away = keyOf(98).peer

function tallyOf(seed: number, change: Partial<TallyFields> = {}): Tally {
  const fields: TallyFields = {
    signer: keyOf(seed).peer,
    site: undefined,
    room: general,
    counter: 1,
    people: 1,
    stretches: [],
    ...change,
  }
  return { ...fields, signature: signPlainly(keyOf(seed), tallySigningBytes(fields)) }
}

/** A device in a room of so many others at its own site. */
function inRoomOf(people: number): Peer {
  const peer = new Peer(50, [], nowMs)
  peer.engine.sites.own = site
  peer.engine.presence.own.site = site
  for (let i = 0; i < people; i++) {
    const record = { ...presenceOf(100), peer: keyOf(100 + i).peer }
    acceptPresence(peer.engine.presence, record, undefined, nowMs)
  }
  return peer
}

/** What somebody said at that time. */
function said(seed: number, count: number, startMs: number): PlacedEvent[] {
  return runOf({ seed, count, startMs }).events.map((event) => {
    return { ...event, effective: event.hlc, storedAtMs: 0, audience: undefined }
  })
}

/** What the device tells of itself, as it would sign it. */
function told(peer: Peer, atMs: number): TallyFields[] {
  const out: Effect[] = []
  peer.engine.tallyAtMs = 0
  tellTallies(peer.engine, atMs, out)
  return out.flatMap((effect) => {
    const purpose = effect.type === 'sign' ? peer.engine.signing.get(effect.token) : undefined
    return purpose?.type === 'tally' ? [purpose.fields] : []
  })
}

const own = feedOf(50)
const stateOf = ({ engine }: Peer, seq: number) =>
  messageState({ feed: own, seq, audience: [] }, holdersOf(engine.delivery, engine.log, general, own), true)

/** Own messages in one minute, and what that minute's print is. */
function withOwn(): { readonly peer: Peer; readonly stretch: TallyStretch } {
  const peer = inRoomOf(70)
  for (const event of said(50, 2, nowMs)) noteSaid(peer.engine, event, nowMs)
  const [stretch] = told(peer, nowMs + 60_000)[0]?.stretches ?? []
  if (stretch === undefined) throw new Error('nothing told')
  return { peer, stretch }
}

describe('tallies', () => {
  it('[D8] a device tells its site of minutes that have settled, twice, and again when something late comes', () => {
    const peer = inRoomOf(70)
    for (const event of said(1, 3, nowMs)) noteSaid(peer.engine, event, nowMs)
    expect(told(peer, nowMs + limits.tallySettleMs / 2)).toEqual([])
    const [first] = told(peer, nowMs + 2 * limits.tallySettleMs)
    expect(first).toMatchObject({ site: undefined, people: 1 })
    expect(first?.stretches).toMatchObject([{ minute: Math.floor(nowMs / 60_000), level: 0, readers: 1 }])
    expect(told(peer, nowMs + limits.tallyIntervalMs)).toEqual([])
    expect(told(peer, nowMs + 2 * limits.tallyIntervalMs)).toMatchObject([{ stretches: first?.stretches }])
    expect(told(peer, nowMs + 10 * limits.tallyIntervalMs)).toEqual([])
    for (const event of said(2, 1, nowMs)) noteSaid(peer.engine, event, nowMs + 20 * limits.tallyIntervalMs)
    const [again] = told(peer, nowMs + 21 * limits.tallyIntervalMs)
    expect(again?.stretches[0]?.print).not.toBe(first?.stretches[0]?.print)
  })

  it('[D3] in a room of few, receipts by name say it, and nothing is counted', () => {
    const peer = inRoomOf(limits.receiptPeopleMax)
    for (const event of said(1, 3, nowMs)) noteSaid(peer.engine, event, nowMs)
    expect(told(peer, nowMs + 60_000)).toEqual([])
  })

  it('[D3] in a large mesh every open room counts as one of many, an owned one only if it is', () => {
    const { engine } = inRoomOf(3)
    expect(isLargeRoom(engine, general, nowMs)).toBe(false)
    engine.sites.cache.isLarge = true
    expect(isLargeRoom(engine, general, nowMs)).toBe(true)
    engine.rooms.set(general, { room: general, name: 'shelter', joinedAtMs: 0, owner: keyOf(1).peer })
    expect(isLargeRoom(engine, general, nowMs)).toBe(false)
  })

  it('[D9] the primary gateway counts whose minutes are its own, and says so when the number changes', () => {
    const { peer, stretch } = withOwn()
    peer.engine.gateways.role = 'primary'
    const counts = (atMs: number) => told(peer, atMs).filter((fields) => fields.site === site)
    expect(counts(nowMs + 60_001)).toMatchObject([{ people: 71, stretches: [{ readers: 1 }] }])
    acceptTally(peer.engine, tallyOf(100, { stretches: [stretch] }))
    acceptTally(peer.engine, tallyOf(101, { stretches: [{ ...stretch, print: '0011223344556677' }] }))
    expect(counts(nowMs + 60_002)).toEqual([])
    expect(counts(nowMs + 120_002)).toMatchObject([{ people: 71, stretches: [{ readers: 2 }] }])
    expect(counts(nowMs + 240_002)).toEqual([])
  })

  it('[D9] stretches grow with the number of sites, and what all tell together does not', () => {
    expect(tallyLevel(1)).toBe(0)
    for (let sites = 1; sites <= limits.sitesMax; sites++) {
      const seconds = 60 * 2 ** tallyLevel(sites)
      const isMost = tallyLevel(sites) === limits.tallyLevelMax
      if (!isMost) expect((sites * limits.tallyBytes) / seconds).toBeLessThanOrEqual(25)
    }
  })

  it('[D9] nobody but the primary that a site names speaks for it, and nothing earlier is heard', () => {
    const { peer } = withOwn()
    const fields: SiteWordFields = {
      site: away,
      primary: keyOf(7).peer,
      standby: undefined,
      counter: 1,
      people: 5,
      meshPeople: 5,
      near: [],
      rooms: roomsDigest([general]),
      gone: [],
    }
    const word = { ...fields, signature: signPlainly(keyOf(7), siteWordSigningBytes(fields)) }
    acceptWord(peer.engine.sites, word)
    expect(acceptTally(peer.engine, tallyOf(8, { site: away, counter: 9 }))).toBe(false)
    expect(acceptTally(peer.engine, tallyOf(7, { site: away, counter: 5 }))).toBe(true)
    expect(acceptTally(peer.engine, tallyOf(7, { site: away, counter: 5 }))).toBe(false)
    expect(acceptTally(peer.engine, tallyOf(7, { site: away, counter: 4 }))).toBe(false)
  })

  it('[D10] own messages are confirmed by who holds the same minute, and by nobody else', () => {
    const { peer, stretch } = withOwn()
    expect(stateOf(peer, 0)).toEqual({ type: 'sending' })
    const other = { ...stretch, print: '0011223344556677' }
    acceptTally(peer.engine, tallyOf(100, { stretches: [other] }))
    acceptTally(peer.engine, tallyOf(7, { site: away, people: 9, stretches: [{ ...other, readers: 9 }] }))
    told(peer, nowMs + 70_000)
    expect(stateOf(peer, 0)).toEqual({ type: 'sending' })
    acceptTally(peer.engine, tallyOf(101, { site, people: 3, stretches: [{ ...stretch, readers: 2 }] }))
    acceptTally(
      peer.engine,
      tallyOf(7, { site: away, counter: 2, people: 9, stretches: [{ ...stretch, readers: 6 }] }),
    )
    told(peer, nowMs + 80_000)
    expect(stateOf(peer, 0)).toEqual({ type: 'delivered', to: 7, of: 9 })
    expect(stateOf(peer, 1)).toEqual({ type: 'delivered', to: 7, of: 9 })
    expect(stateOf(peer, 2)).toEqual({ type: 'sending' })
    expect([...peer.engine.journal.counts.values()]).toHaveLength(2)
  })

  it('[D10] what was once confirmed stays, also when something late makes the minute another one', () => {
    const { peer, stretch } = withOwn()
    acceptTally(peer.engine, tallyOf(7, { site: away, people: 9, stretches: [{ ...stretch, readers: 6 }] }))
    told(peer, nowMs + 70_000)
    const fewer = [{ ...stretch, readers: 2 }]
    acceptTally(peer.engine, tallyOf(7, { site: away, counter: 2, people: 9, stretches: fewer }))
    told(peer, nowMs + 75_000)
    expect(stateOf(peer, 0)).toEqual({ type: 'delivered', to: 6, of: 9 })
    for (const event of said(2, 1, nowMs)) noteSaid(peer.engine, event, nowMs + 80_000)
    acceptTally(
      peer.engine,
      tallyOf(7, { site: away, counter: 3, people: 9, stretches: [{ ...stretch, readers: 9 }] }),
    )
    told(peer, nowMs + 90_000)
    expect(stateOf(peer, 0)).toEqual({ type: 'delivered', to: 6, of: 9 })
  })

  it('[D10] a longer stretch confirms what was said in all of its minutes', () => {
    const peer = inRoomOf(70)
    const firstMs = Math.floor(nowMs / 240_000) * 240_000
    const [one, two] = said(50, 2, firstMs)
    if (one === undefined || two === undefined) throw new Error('two events')
    const later = { ...two, hlc: (firstMs + 180_000) * 32 }
    for (const event of [one, later]) noteSaid(peer.engine, event, nowMs)
    const stretches = told(peer, nowMs + 60_000)[0]?.stretches ?? []
    const [a, b] = stretches.map(({ print }) => BigInt(`0x${print}`))
    if (a === undefined || b === undefined) throw new Error('two minutes')
    const print = (a ^ b).toString(16).padStart(16, '0')
    const stretch = { minute: firstMs / 60_000, level: 2, print, readers: 4 }
    acceptTally(peer.engine, tallyOf(7, { site: away, people: 4, stretches: [stretch] }))
    told(peer, nowMs + 70_000)
    expect([stateOf(peer, 0), stateOf(peer, 1)]).toMatchObject([{ to: 4 }, { to: 4 }])
  })

  it('[D8] minutes, devices and stretches have a bound, and what is far from now goes first', () => {
    const peer = inRoomOf(70)
    for (let i = 0; i < 400; i++) {
      const [event] = said(1, 1, nowMs - i * 60_000)
      if (event !== undefined) noteSaid(peer.engine, event, nowMs)
    }
    const [far] = said(2, 1, nowMs + 5 * 365 * 86_400_000)
    if (far !== undefined) noteSaid(peer.engine, far, nowMs)
    const tally = peer.engine.tallies.get(general)
    expect(tally?.minutes.size).toBe(limits.tallyMinutesMax)
    expect(Math.min(...(tally?.minutes.keys() ?? []))).toBe(
      Math.floor(nowMs / 60_000) - limits.tallyMinutesMax + 1,
    )
    expect(told(peer, nowMs + 60_000)[0]?.stretches).toHaveLength(limits.tallyStretchesMax)
    const stretchesFrom = (first: number) =>
      Array.from({ length: limits.tallyStretchesMax }, (_, i) => {
        return { minute: first + i, level: 0, print: '0000000000000001', readers: 1 }
      })
    for (let i = 1; i <= 20; i++) {
      acceptTally(peer.engine, tallyOf(100, { counter: i, stretches: stretchesFrom(i * 100) }))
      acceptTally(peer.engine, tallyOf(7, { site: away, counter: i, stretches: stretchesFrom(i * 100) }))
    }
    expect(tally?.devices.get(keyOf(100).peer)?.prints.size).toBe(limits.tallyMinutesMax)
    expect(tally?.sites.get(away)?.stretches.size).toBe(limits.tallyStretchesMax)
  })

  it('[D8] who is not of this site and room is neither counted nor remembered', () => {
    const { peer, stretch } = withOwn()
    expect(acceptTally(peer.engine, tallyOf(7, { stretches: [stretch] }))).toBe(false)
    expect(peer.engine.tallies.get(general)?.devices.size).toBe(0)
    expect(acceptTally(peer.engine, tallyOf(100, { stretches: [stretch] }))).toBe(true)
  })

  it('[F1] a tally of more readers than people, or of a stretch that does not begin where it may, is malformed', () => {
    const bytesOf = (record: Tally) =>
      encodeFrame({ type: 'items', items: [itemOf({ type: 'tally', record })] })
    const stretch = { minute: 8, level: 3, print: '0011223344556677', readers: 2 }
    const good = tallyOf(7, { site: away, people: 2, stretches: [stretch] })
    expect(decodeFrame(bytesOf(good))).toMatchObject({ items: [{ content: { record: good } }] })
    for (const change of [
      { people: 1 },
      { stretches: [{ ...stretch, minute: 9 }] },
      { stretches: [{ ...stretch, level: 8 }] },
    ])
      expect(decodeFrame(bytesOf(tallyOf(7, { ...good, ...change })))).toBe('malformed')
  })
})
