import { describe, expect, it } from 'vitest'
import { createClock } from '../../src/mesh/clock.ts'
import {
  acceptReceipt,
  createDelivery,
  dueReceipts,
  messageState,
  noteDurable,
  receiptsFor,
  type Holder,
} from '../../src/mesh/delivery.ts'
import type { StoreWrite } from '../../src/mesh/effects.ts'
import { createJournal, hasSpace, nextWrite, settleFailed, settleStored } from '../../src/mesh/journal.ts'
import { limits } from '../../src/mesh/limits.ts'
import { acceptRun, commit, createLog, heldRanges, recordWith } from '../../src/mesh/log.ts'
import { createOutbox, enqueue, failBatch, finishBatch, openBatch, sealBatch } from '../../src/mesh/outbox.ts'
import {
  addLink,
  createOverlay,
  dueDials,
  forgiveDial,
  nextDialMs,
  noteDialFailed,
  removeLink,
  silentLinks,
} from '../../src/mesh/overlay.ts'
import {
  acceptPresence,
  audienceOf,
  createPresence,
  hear,
  hearThrough,
  hearings,
  listPeople,
  peerHint,
} from '../../src/mesh/presence.ts'
import {
  noteAnswer,
  createReconcile,
  digestOf,
  dueHaves,
  dueWants,
  enqueueServing,
  expireWants,
  missingCount,
  nextServing,
  noteDigest,
  noteGiven,
  noteHave,
  noteLacking,
  openSession,
} from '../../src/mesh/reconcile.ts'
import type { Receipt } from '../../src/mesh/record.ts'
import { createSignalling, notePath, passSignal, routeSignal } from '../../src/mesh/signalling.ts'
import { feedOf, general, keyOf, presenceOf, runOf } from './make.ts'

const self = keyOf(50).peer

function queued(count: number, seed = 1): ReturnType<typeof createJournal> {
  const journal = createJournal()
  journal.events.push(...runOf({ seed, count }).events.map((event) => ({ ...event, audience: undefined })))
  return journal
}

describe('journal', () => {
  it('[J1] has one transaction in flight, and the next one takes what collected', () => {
    const log = createLog([])
    const journal = queued(3)
    acceptRun(log, runOf({ count: 5 }))
    expect(nextWrite(journal, log, 1, 0)?.events).toHaveLength(3)
    journal.events.push(
      ...runOf({ first: 3, count: 2 }).events.map((event) => ({ ...event, audience: undefined })),
    )
    expect(nextWrite(journal, log, 2, 0)).toBeUndefined()
    expect(settleStored(journal, log, 1)?.feeds).toMatchObject([{ ranges: [{ first: 0, last: 2 }] }])
    expect(nextWrite(journal, log, 2, 0)?.feeds).toMatchObject([{ ranges: [{ first: 0, last: 4 }] }])
  })

  it('[J2] says when it is full', () => {
    const journal = createJournal()
    expect(hasSpace(journal)).toBe(true)
    const [event] = runOf({ count: 1 }).events
    if (event === undefined) throw new Error('no event')
    for (let i = 0; i < limits.journalEventsMax; i++) journal.events.push({ ...event, audience: undefined })
    expect(hasSpace(journal)).toBe(false)
  })

  it('[J3] a failure holds nothing, keeps settings, and waits before it tries again', () => {
    const log = createLog([])
    const run = runOf({ count: 3 })
    acceptRun(log, run)
    const journal = queued(3)
    journal.name = 'Ana'
    nextWrite(journal, log, 1, 0)
    expect(settleFailed(journal, log, { token: 1, cause: 'full' }, 1_000)?.events).toHaveLength(3)
    expect(heldRanges(log, general, run.feed)).toEqual([])
    expect(acceptRun(log, run).type).toBe('new')
    expect(nextWrite(journal, log, 2, 1_001)).toBeUndefined()
    const retry: StoreWrite | undefined = nextWrite(journal, log, 2, 1_000 + limits.storeRetryMs)
    expect(retry).toMatchObject({ name: 'Ana', events: [] })
  })
})

describe('outbox', () => {
  const author = { feed: feedOf(50), audienceOf: () => [keyOf(1).peer] }

  it('[W1] refuses at once what cannot become a message', () => {
    const outbox = createOutbox()
    expect(enqueue(outbox, { token: 'a', room: general, text: ' ' })).toBe('empty')
    expect(enqueue(outbox, { token: 'a', room: general, text: 'x'.repeat(4_001) })).toBe('too-long')
    for (let i = 0; i < limits.outboxMax; i++) enqueue(outbox, { token: `${i}`, room: general, text: 'x' })
    expect(enqueue(outbox, { token: 'a', room: general, text: 'x' })).toBe('busy')
  })

  it('[W2] [W3] waiting posts become one chain with one signature, and are told only when finished', () => {
    const outbox = createOutbox()
    const log = createLog([])
    for (const text of ['one', 'two', 'three']) enqueue(outbox, { token: text, room: general, text })
    const last = openBatch(outbox, { log, clock: createClock(), author }, 9, 1_000)
    const events = sealBatch(outbox, 9, new Uint8Array(64))
    expect(events?.map((event) => event.seq)).toEqual([0, 1, 2])
    expect(events?.map((event) => event.signature !== undefined)).toEqual([false, false, true])
    expect(events?.at(-1)?.id).toBe(last)
    expect(events?.[0]?.audience).toEqual([keyOf(1).peer])
    expect(finishBatch(outbox)?.told.map((event) => event.type)).toEqual(['posted', 'posted', 'posted'])
    expect(openBatch(outbox, { log, clock: createClock(), author }, 10, 1_000)).toBeUndefined()
  })

  it('[W4] a refused batch goes back to its composers', () => {
    const outbox = createOutbox()
    enqueue(outbox, { token: 'one', room: general, text: 'one' })
    openBatch(outbox, { log: createLog([]), clock: createClock(), author }, 9, 1_000)
    expect(failBatch(outbox, 'full')).toEqual([{ type: 'post-failed', token: 'one', cause: 'full' }])
    expect(outbox.batch).toBeUndefined()
  })
})

describe('overlay', () => {
  it('[O1] a second link to a peer replaces the first', () => {
    const overlay = createOverlay(self)
    expect(addLink(overlay, 1, keyOf(1).peer, 0)).toBeUndefined()
    expect(addLink(overlay, 2, keyOf(1).peer, 0)?.id).toBe(1)
    removeLink(overlay, 1)
    expect(overlay.linksByPeer.get(keyOf(1).peer)?.id).toBe(2)
  })

  it('[O2] dials within the budget of links and of a minute', () => {
    const overlay = createOverlay(self)
    const many = Array.from({ length: 60 }, (_, i) => keyOf(100 + i).peer).filter((peer) => self < peer)
    expect(many.length).toBeGreaterThan(limits.linksMax)
    expect(dueDials(overlay, many, 0)).toHaveLength(limits.linksMax)
    expect(dueDials(overlay, many, 1)).toHaveLength(0)
    for (const peer of many) noteDialFailed(overlay, peer, 1)
    const soon = dueDials(overlay, many, limits.redialMinMs + 1)
    expect(soon).toHaveLength(limits.dialsPerMinuteMax - limits.linksMax)
  })

  it('[O3] the smaller id dials at once, the larger one waits', () => {
    const [small, large] = [keyOf(1).peer, keyOf(2).peer].sort()
    if (small === undefined || large === undefined) throw new Error('keys')
    expect(dueDials(createOverlay(small), [large], 0)).toEqual([large])
    const patient = createOverlay(large)
    expect(dueDials(patient, [small], 0)).toEqual([])
    expect(nextDialMs(patient, 0)).toBe(limits.dialPolitenessMs)
    expect(dueDials(patient, [small], limits.dialPolitenessMs)).toEqual([small])
  })

  it('[O4] failures wait twice as long each time, until there is news', () => {
    const overlay = createOverlay(self)
    const peer = keyOf(1).peer
    noteDialFailed(overlay, peer, 0)
    noteDialFailed(overlay, peer, 0)
    expect(dueDials(overlay, [peer], limits.redialMinMs)).toEqual([])
    expect(dueDials(overlay, [peer], 2 * limits.redialMinMs)).toEqual([peer])
    noteDialFailed(overlay, peer, 0)
    forgiveDial(overlay, peer)
    expect(dueDials(overlay, [peer], limits.dialPolitenessMs)).toHaveLength(self < peer ? 1 : 0)
  })

  it('[O5] finds links that have gone silent', () => {
    const overlay = createOverlay(self)
    addLink(overlay, 1, keyOf(1).peer, 0)
    expect(silentLinks(overlay, limits.silentMs)).toHaveLength(0)
    expect(silentLinks(overlay, limits.silentMs + 1)).toHaveLength(1)
  })
})

function held(count: number): ReturnType<typeof createLog> {
  const log = createLog([])
  const run = runOf({ count })
  acceptRun(log, run)
  commit(log, recordWith(log, run.events, general, run.feed))
  return log
}

describe('reconciliation', () => {
  const feed = feedOf(1)
  const entry = { feed, newest: 9, ranges: [{ first: 0, last: 199 }] }

  it('[R1] tells what is new to the other side, once', () => {
    const log = held(5)
    const session = openSession(createReconcile(), 1)
    expect(dueHaves(session, log, [general])).toMatchObject([
      { entries: [{ ranges: [{ first: 0, last: 4 }] }] },
    ])
    expect(dueHaves(session, log, [general])).toEqual([])
    const other = openSession(createReconcile(), 1)
    noteGiven(other, { room: general, feed, first: 0, last: 4 })
    expect(dueHaves(other, log, [general])).toEqual([])
  })

  it('[R2] [R3] asks for the newest missing part, one want per feed, never of two peers', () => {
    const reconcile = createReconcile()
    const one = openSession(reconcile, 1)
    const two = openSession(reconcile, 2)
    const log = createLog([])
    noteHave(one, general, [{ ...entry, ranges: [{ first: 0, last: 3 }] }])
    noteHave(one, general, [entry])
    noteHave(two, general, [entry])
    expect(dueWants(reconcile, one, log, [general], 0)).toMatchObject([{ first: 136, last: 199 }])
    expect(dueWants(reconcile, one, log, [general], 0)).toEqual([])
    expect(dueWants(reconcile, two, log, [general], 0)).toMatchObject([{ first: 72, last: 135 }])
    expect(missingCount(reconcile, log, new Set([general]))).toBe(200)
    expect(missingCount(reconcile, log, new Set())).toBe(0)
  })

  it('[R3] the newest feeds come first, four at a time', () => {
    const reconcile = createReconcile()
    const session = openSession(reconcile, 1)
    const entries = [1, 2, 3, 4, 5, 6].map((seed) => ({ ...entry, feed: feedOf(seed), newest: seed }))
    noteHave(session, general, entries)
    const wants = dueWants(reconcile, session, createLog([]), [general], 0)
    expect(wants.map((want) => want.feed)).toEqual([6, 5, 4, 3].map((seed) => feedOf(seed)))
  })

  it('[R4] [R5] an answer closes the want; what cannot be served is not asked again', () => {
    const reconcile = createReconcile()
    const session = openSession(reconcile, 1)
    noteHave(session, general, [{ ...entry, ranges: [{ first: 0, last: 3 }] }])
    const [want] = dueWants(reconcile, session, createLog([]), [general], 0)
    if (want === undefined) throw new Error('no want')
    expect(noteAnswer(session, { ...want, last: 1 }, 1)).toBe(true)
    expect(session.wants.size).toBe(1)
    expect(noteAnswer(session, { ...want, first: 2 }, 1)).toBe(true)
    expect(session.wants.size).toBe(0)
    expect(noteAnswer(session, want, 1)).toBe(false)
    noteLacking(session, want)
    expect(dueWants(reconcile, session, createLog([]), [general], 0)).toEqual([])
  })

  it('[R6] an unanswered want is asked elsewhere', () => {
    const reconcile = createReconcile()
    const one = openSession(reconcile, 1)
    const two = openSession(reconcile, 2)
    noteHave(one, general, [{ ...entry, ranges: [{ first: 0, last: 3 }] }])
    noteHave(two, general, [{ ...entry, ranges: [{ first: 0, last: 3 }] }])
    dueWants(reconcile, one, createLog([]), [general], 0)
    expect(dueWants(reconcile, two, createLog([]), [general], 0)).toEqual([])
    expireWants(reconcile, limits.wantTimeoutMs + 1)
    expect(dueWants(reconcile, two, createLog([]), [general], 0)).toHaveLength(1)
  })

  it('[R7] serves one want at a time, bounded, and only while the lane is free', () => {
    const session = openSession(createReconcile(), 1)
    for (let i = 0; i < 100; i++) enqueueServing(session, { room: general, feed, first: i, last: i + 1_000 })
    expect(session.serving).toHaveLength(limits.servingQueueMax)
    expect(nextServing(session)).toMatchObject({ first: 0, last: limits.runEventsMax - 1 })
    expect(nextServing(session)).toBeUndefined()
    session.loading = false
    session.congested = true
    expect(nextServing(session)).toBeUndefined()
  })

  it('[R8] digests are equal for equal histories only', () => {
    expect(digestOf(held(5), [general])).toBe(digestOf(held(5), [general]))
    expect(digestOf(held(5), [general])).not.toBe(digestOf(held(6), [general]))
  })

  it('[R9] the second difference in a row tells everything again', () => {
    const session = openSession(createReconcile(), 1)
    expect(noteDigest(session, 'a', 'b')).toBe(false)
    expect(noteDigest(session, 'a', 'b')).toBe(true)
    expect(noteDigest(session, 'a', 'b')).toBe(false)
    expect(noteDigest(session, 'a', 'a')).toBe(false)
  })
})

describe('presence', () => {
  const peer = keyOf(1).peer
  const people = (state: ReturnType<typeof createPresence>, nowMs: number, linked = new Set<typeof peer>()) =>
    listPeople(state, linked, new Set(), nowMs)

  it('[P1] [P2] the larger counter counts, and only news is news', () => {
    const state = createPresence([], self, '')
    expect(acceptPresence(state, presenceOf(1, { counter: 5 }), 0)).toBe(true)
    expect(acceptPresence(state, presenceOf(1, { counter: 5 }), 0)).toBe(false)
    expect(acceptPresence(state, presenceOf(1, { counter: 4, name: 'Old' }), 0)).toBe(false)
    expect(people(state, 0)[0]?.name).toBe('Person 1')
  })

  it('[P3] hearing travels with its age, and an echo cannot keep a peer alive', () => {
    const a = createPresence([], self, '')
    const b = createPresence([], self, '')
    for (const state of [a, b]) acceptPresence(state, presenceOf(1), 0)
    hear(a, peer, 0)
    let nowMs = 0
    for (; nowMs < 60_000; nowMs += 1_000) {
      hearThrough(b, hearings(a, nowMs), nowMs)
      hearThrough(a, hearings(b, nowMs), nowMs)
    }
    expect(people(a, nowMs)[0]?.status).toBe('left')
    expect(people(b, nowMs)[0]?.status).toBe('left')
    expect(hearings(a, nowMs)).toEqual([])
  })

  it('[P4] here while heard within 20 s', () => {
    const state = createPresence([], self, '')
    acceptPresence(state, presenceOf(1), 0)
    expect(people(state, 0)[0]?.status).toBe('left')
    hear(state, peer, 1_000)
    expect(people(state, 21_000)[0]).toMatchObject({ status: 'here', inReach: true })
    expect(people(state, 21_001)[0]).toMatchObject({ status: 'left', inReach: false })
  })

  it('[P5] asleep for a day, in reach only while linked', () => {
    const state = createPresence([], self, '')
    acceptPresence(state, presenceOf(1, { status: 'asleep' }), 0)
    hear(state, peer, 0)
    expect(people(state, 3_600_000)[0]).toMatchObject({ status: 'asleep', inReach: false })
    expect(people(state, 3_600_000, new Set([peer]))[0]).toMatchObject({ status: 'asleep', inReach: true })
    expect(people(state, limits.asleepMaxMs + 1)[0]?.status).toBe('left')
  })

  it('[P6] a clean leave shows at once, and boxes never count', () => {
    const state = createPresence([], self, '')
    acceptPresence(state, presenceOf(1, { status: 'left' }), 0)
    hear(state, peer, 0)
    expect(people(state, 1)[0]).toMatchObject({ status: 'left', sinceMs: 0 })
    acceptPresence(state, presenceOf(2, { box: true }), 0)
    hear(state, keyOf(2).peer, 0)
    expect(people(state, 1).find((one) => one.box)).toMatchObject({ inReach: false })
    expect(audienceOf(state, general, 1)).toEqual([peer])
  })
})

describe('delivery', () => {
  const feed = feedOf(50)
  const receipt = (seed: number, counter: number, last: number): Receipt => ({
    device: keyOf(seed).peer,
    room: general,
    counter,
    role: 'reader',
    entries: [{ feed, first: 0, last }],
    signature: new Uint8Array(64).fill(counter),
  })

  it('[D1] confirms the durable ranges of what changed, once', () => {
    const log = held(5)
    const delivery = createDelivery([])
    noteDurable(delivery, general, feedOf(1))
    expect(dueReceipts(delivery, log, self, () => 3)).toMatchObject([
      { counter: 3, entries: [{ first: 0, last: 4 }] },
    ])
    expect(dueReceipts(delivery, log, self, () => 4)).toEqual([])
  })

  it('[D2] the larger counter counts, also when it says less', () => {
    const delivery = createDelivery([])
    expect(acceptReceipt(delivery, receipt(1, 5, 9))).toBe(true)
    expect(acceptReceipt(delivery, receipt(1, 4, 99))).toBe(false)
    expect(acceptReceipt(delivery, receipt(1, 6, 3))).toBe(true)
  })

  it('[D3] a peer that enters a room is given the receipts for its own feeds', () => {
    const delivery = createDelivery([receipt(1, 1, 1), receipt(2, 1, 1)])
    expect(receiptsFor(delivery, self, [general])).toHaveLength(2)
    expect(receiptsFor(delivery, keyOf(1).peer, [general])).toHaveLength(0)
    expect(receiptsFor(delivery, self, [])).toHaveLength(0)
  })

  it('[D4] [D5] [D6] states follow from receipts and reach alone', () => {
    const [ana, bill, cara] = [1, 2, 3].map((seed) => keyOf(seed).peer)
    if (ana === undefined || bill === undefined || cara === undefined) throw new Error('keys')
    const message = { feed, seq: 4, audience: [ana, bill] }
    const holder = (device: typeof ana, role: Holder['role'], last: number): Holder => ({
      device,
      role,
      feed,
      ranges: [{ first: 0, last }],
    })
    expect(messageState(message, [], false)).toEqual({ type: 'waiting' })
    expect(messageState(message, [], true)).toEqual({ type: 'sending' })
    expect(messageState(message, [holder(ana, 'reader', 3)], true)).toEqual({ type: 'sending' })
    expect(messageState(message, [holder(cara, 'carrier', 4)], false)).toEqual({ type: 'carried', by: 1 })
    expect(messageState(message, [holder(ana, 'reader', 4)], false)).toEqual({
      type: 'delivered',
      to: 1,
      of: 2,
    })
    const all = [holder(ana, 'reader', 4), holder(cara, 'reader', 9)]
    expect(messageState(message, all, false)).toEqual({ type: 'delivered', to: 2, of: 3 })
  })
})

describe('signals in-band', () => {
  const [to, between] = [keyOf(1).peer, keyOf(2).peer]

  function withLink(): {
    signalling: ReturnType<typeof createSignalling>
    overlay: ReturnType<typeof createOverlay>
  } {
    const overlay = createOverlay(self)
    addLink(overlay, 7, between, 0)
    return { signalling: createSignalling(self), overlay }
  }

  it('[S1] an answer goes back the way that the offer came', () => {
    const { signalling, overlay } = withLink()
    expect(routeSignal(signalling, overlay, to, 'x', 0)).toEqual({ type: 'signal-lost', to })
    notePath(signalling, to, { link: 7 }, 0)
    expect(routeSignal(signalling, overlay, to, 'x', limits.signalPathMs)).toMatchObject({
      type: 'send',
      link: 7,
    })
    expect(routeSignal(signalling, overlay, to, 'x', limits.signalPathMs + 1)).toEqual({
      type: 'signal-lost',
      to,
    })
  })

  it('[S2] a helper that lists the peer is first, then a link that heard it', () => {
    const { signalling, overlay } = withLink()
    const link = overlay.links.get(7)
    if (link === undefined) throw new Error('link')
    link.hears = new Set([peerHint(to)])
    expect(routeSignal(signalling, overlay, to, 'x', 0)).toMatchObject({ type: 'send', link: 7 })
    signalling.helpers.set('h', { peers: new Set([to]) })
    expect(routeSignal(signalling, overlay, to, 'x', 0)).toMatchObject({ type: 'signal-helper', helper: 'h' })
  })

  it('[S3] [S4] passes on to a link of the target, never back, never too far, never its own', () => {
    const { signalling, overlay } = withLink()
    addLink(overlay, 8, to, 0)
    const source = overlay.links.get(7)
    if (source === undefined) throw new Error('link')
    const frame = { type: 'signal', from: between, to, hops: 0, payload: 'x' } as const
    expect(passSignal(signalling, overlay, source, frame, 0)).toMatchObject({ link: 8, frame: { hops: 1 } })
    expect(passSignal(signalling, overlay, source, { ...frame, hops: 3 }, 0)).toBeUndefined()
    expect(passSignal(signalling, overlay, source, { ...frame, to: between }, 0)).toBeUndefined()
    expect(passSignal(signalling, overlay, source, { ...frame, from: self }, 0)).toBeUndefined()
    expect(passSignal(signalling, overlay, source, { ...frame, to: self }, 0)).toMatchObject({
      type: 'signal-deliver',
    })
  })

  it('[S5] a link may have 240 signals a minute passed on', () => {
    const { signalling, overlay } = withLink()
    addLink(overlay, 8, to, 0)
    const source = overlay.links.get(7)
    if (source === undefined) throw new Error('link')
    const frame = { type: 'signal', from: between, to, hops: 0, payload: 'x' } as const
    const passed = Array.from({ length: 300 }, () => passSignal(signalling, overlay, source, frame, 0))
    expect(passed.filter((effect) => effect !== undefined)).toHaveLength(limits.signalsPerLinkPerMinuteMax)
    expect(passSignal(signalling, overlay, source, frame, 60_001)).toBeDefined()
  })
})
