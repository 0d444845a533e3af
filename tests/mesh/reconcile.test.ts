import { describe, expect, it } from 'vitest'
import { limits } from '../../src/mesh/limits.ts'
import { acceptRun, commit, createLog, recordWith } from '../../src/mesh/log.ts'
import { logDigest, nameOf, type Log } from '../../src/mesh/sync/held.ts'
import { decodeFrame, encodeFrame, type Frame } from '../../src/mesh/frame.ts'
import { answerDiffer, answerSketch, printsOf, sketchRoom, tellRoom } from '../../src/mesh/sync/compare.ts'
import {
  createReconcile,
  dueWants,
  expireWants,
  missingCount,
  noteAnswer,
  noteDigest,
  noteHave,
  noteLacking,
  noteRefusal,
  openSession,
} from '../../src/mesh/sync/reconcile.ts'
import type { Run } from '../../src/mesh/event.ts'
import { collectAnswer, enqueueServing, nextServing } from '../../src/mesh/sync/serve.ts'
import type { PeerId } from '../../src/mesh/ids.ts'
import type { Engine } from '../../src/mesh/state.ts'
import { feedOf, general, held, keyOf, runOf } from './make.ts'
import { Peer, talk } from './peer.ts'

function placeAt(engine: Engine, site: PeerId): void {
  engine.sites.own = site
  engine.presence.own.site = site
}

describe('reconciliation', () => {
  const feed = feedOf(1)
  const entry = { feed, newest: 9, ranges: [{ first: 0, last: 199 }] }

  it('[R1] who has nothing is told everything, newest feeds first', () => {
    const log = held(5)
    const run = runOf({ seed: 2, count: 2, startMs: 9_000_000 })
    acceptRun(log, run)
    commit(log, recordWith(log, run.events, general, run.feed))
    expect(tellRoom(log, general)).toMatchObject([
      { type: 'have', entries: [{ feed: feedOf(2), ranges: [{ first: 0, last: 1 }] }, { feed: feedOf(1) }] },
    ])
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

  it('[R3] where much is missing, the newest of all feeds come before the older ones of some', () => {
    const reconcile = createReconcile()
    const session = openSession(reconcile, 1)
    session.allowance = limits.wantedEventsMax
    const log = createLog([])
    const stampOf = (seq: number) => (1_000_000 + seq) * 32
    const entries = [1, 2].map((seed) => ({
      feed: feedOf(seed),
      newest: stampOf(1199),
      ranges: [{ first: 0, last: 1199 }],
    }))
    noteHave(session, general, entries)
    const ask = () => {
      const wants = dueWants(reconcile, session, log, [general], 0)
      for (const want of wants) noteAnswer(session, want, 0)
      return wants
    }
    const take = (seed: number, first: number, count: number) => {
      const run = runOf({ seed, first, count })
      acceptRun(log, run)
      commit(log, recordWith(log, run.events, general, run.feed))
    }
    // One of each first.
    expect(ask()).toMatchObject([{ first: 1199 }, { first: 1199, last: 1199 }])
    take(1, 1199, 1)
    take(2, 1199, 1)
    expect(ask()).toMatchObject([
      { first: 1197, last: 1198 },
      { first: 1197, last: 1198 },
    ])
    take(1, 1197, 2)
    // What the second lacks is newer than what the first lacks now.
    expect(ask()).toMatchObject([
      { feed: feedOf(2), first: 1197, last: 1198 },
      { feed: feedOf(1), first: 1191, last: 1196 },
    ])
    take(2, 1140, 59)
    take(1, 1140, 57)
    // Little is missing now: all of it, as much as one answer takes.
    for (const seed of [1, 2]) take(seed, 60, 1_080)
    expect(ask().map(({ last, first }) => last - first + 1)).toEqual([60, 60])
  })

  it('[R3] so many wants and so many events are awaited of one peer, and no more', () => {
    const reconcile = createReconcile()
    const session = openSession(reconcile, 1)
    session.allowance = limits.wantedEventsMax
    const entries = Array.from({ length: 40 }, (_, i) => ({ ...entry, feed: feedOf(i + 1), newest: i }))
    noteHave(session, general, entries)
    const wants = dueWants(reconcile, session, createLog([]), [general], 0)
    expect(wants).toHaveLength(limits.wantsPerLinkMax)
    expect(wants[0]?.feed).toBe(feedOf(40))
    expect(dueWants(reconcile, session, createLog([]), [general], 0)).toEqual([])
    const other = openSession(reconcile, 2)
    other.allowance = limits.wantedEventsMax
    noteHave(
      other,
      general,
      Array.from({ length: 5 }, (_, i) => ({
        ...entry,
        feed: feedOf(i + 100),
        ranges: [{ first: 0, last: 50 }],
      })),
    )
    expect(dueWants(reconcile, other, createLog([]), [general], 0)).toHaveLength(5)
    const log = createLog([])
    for (let seed = 1; seed <= 6; seed++) {
      const run = runOf({ seed, first: 136, count: 64 })
      acceptRun(log, run)
      commit(log, recordWith(log, run.events, general, run.feed))
    }
    const third = openSession(reconcile, 3)
    third.allowance = limits.wantedEventsMax
    noteHave(third, general, entries.slice(0, 6))
    reconcile.sessions.delete(1)
    expect(dueWants(reconcile, third, log, [general], 0)).toHaveLength(
      limits.wantedEventsMax / limits.runEventsMax,
    )
  })

  it('[R4] [R5] an answer closes the want; what cannot be served is not asked again', () => {
    const reconcile = createReconcile()
    const session = openSession(reconcile, 1)
    noteHave(session, general, [{ ...entry, ranges: [{ first: 0, last: 3 }] }])
    const [want] = dueWants(reconcile, session, createLog([]), [general], 0)
    if (want === undefined) throw new Error('no want')
    expect(noteAnswer(session, { ...want, last: 1 }, 1)).toBe(entry.feed)
    expect(session.wants.size).toBe(1)
    expect(noteAnswer(session, { ...want, first: 2 }, 1)).toBe(entry.feed)
    expect(session.wants.size).toBe(0)
    expect(noteAnswer(session, want, 1)).toBeUndefined()
    noteLacking(session, want)
    expect(dueWants(reconcile, session, createLog([]), [general], 0)).toEqual([])
  })

  it('[R14] over a spare way rooms are compared only when digests differ for long', () => {
    const session = openSession(createReconcile(), 1)
    const differing = { own: 'a', theirs: 'b', patience: limits.spareMismatches }
    for (let i = 1; i < limits.spareMismatches; i++) expect(noteDigest(session, differing)).toBe(false)
    expect(noteDigest(session, differing)).toBe(true)
  })

  it('[R14] a way that becomes more than a spare one is compared at once, though only one side knows that', () => {
    for (const [first, second] of [
      [11, 12],
      [12, 11],
    ] as const) {
      const [one, two] = [
        new Peer(first),
        new Peer(second, [runOf({ count: 3 }), runOf({ seed: 5, count: 1 })]),
      ]
      one.link(two)
      talk([one, two], 1)
      const sent = one.sent.length
      one.engine.promoted.add(second)
      one.pass(10)
      const said = one.sent.slice(sent).map(({ frame }) => frame.type)
      expect(said).toContain(one.engine.self > two.engine.self ? 'prints' : 'sketch')
    }
  })

  it('[R17] what was said just now and comes over a link between sites as history goes on inside the site', () => {
    const nowMs = 1_780_000_000_000
    for (const [agoMs, count] of [
      [10_000, 3],
      [2 * limits.recentMs, 0],
    ] as const) {
      const away = new Peer(11, [runOf({ count: 3, startMs: nowMs - agoMs })], nowMs)
      const [gateway, member] = [new Peer(12, [], nowMs), new Peer(13, [], nowMs)]
      for (const { engine } of [gateway, member]) placeAt(engine, keyOf(99).peer)
      gateway.link(member)
      talk([gateway, member], 1)
      placeAt(away.engine, keyOf(98).peer)
      away.link(gateway)
      talk([away, gateway, member], 4)
      expect(gateway.texts()).toHaveLength(3)
      expect(member.texts()).toHaveLength(count)
    }
  })

  it('[R15] who has fetched much tells the next one at once', () => {
    const [one, two, three] = [new Peer(11, [runOf({ count: 60 })]), new Peer(12), new Peer(13)]
    two.link(three)
    talk([two, three], 3)
    one.link(two)
    talk([one, two, three], 2)
    // Heartbeats would have shown it after ten seconds.
    expect(three.texts()).toHaveLength(60)
    const few = new Peer(14, [runOf({ seed: 5, count: 20 })])
    const before = two.sent.length
    few.link(two)
    talk([one, two, three, few], 2)
    expect(two.texts()).toHaveLength(80)
    const told = two.sent
      .slice(before)
      .filter(({ to, frame }) => to === 13 && /prints|sketch/.test(frame.type))
    expect(told).toEqual([])
  })

  it('[R5] a refusal that nobody asked for changes nothing', () => {
    const reconcile = createReconcile()
    const session = openSession(reconcile, 1)
    noteHave(session, general, [{ ...entry, ranges: [{ first: 0, last: 3 }] }])
    noteRefusal(session, general, nameOf(entry.feed))
    const [want] = dueWants(reconcile, session, createLog([]), [general], 0)
    expect(want).toMatchObject({ first: 0, last: 3 })
    noteRefusal(session, general, nameOf(entry.feed))
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

  it('[R16] answers that come late make less be asked for at once, and punctual ones more', () => {
    const reconcile = createReconcile()
    const session = openSession(reconcile, 1)
    let nowMs = 0
    const ask = (delayMs: number, size = 64) => {
      const want = { room: general, feed: entry.feed, first: 0, last: size - 1 }
      session.wants.set(`${general}/${entry.feed}`, { ...want, size, atMs: nowMs, askedMs: nowMs })
      nowMs += delayMs
      noteAnswer(session, want, nowMs)
      return session.allowance
    }
    expect(session.allowance).toBe(limits.allowanceFirst)
    // At once: as much more as came.
    expect(ask(50)).toBe(2 * limits.allowanceFirst)
    expect(ask(50 + limits.bulkDelayMs)).toBe(2 * limits.allowanceFirst + limits.allowanceStep)
    expect(ask(51 + limits.bulkDelayMs)).toBe(limits.allowanceFirst + limits.allowanceStep / 2)
    for (let i = 0; i < 20; i++) ask(1_000)
    expect(session.allowance).toBe(limits.allowanceMin)
    for (let i = 0; i < 100; i++) ask(60)
    expect(session.allowance).toBe(limits.wantedEventsMax)
  })

  it('[R7] serves a few wants at a time, bounded, and only while the lane is free', () => {
    const session = openSession(createReconcile(), 1)
    for (let i = 0; i < 100; i++) enqueueServing(session, { room: general, feed, first: i, last: i + 1_000 })
    expect(session.serving).toHaveLength(limits.servingQueueMax)
    expect(nextServing(session)?.want).toMatchObject({ first: 0, last: limits.runEventsMax - 1 })
    for (let i = 1; i < limits.servingMax; i++) expect(nextServing(session)).toBeDefined()
    expect(nextServing(session)).toBeUndefined()
    session.reading.length = 0
    session.congested = true
    expect(nextServing(session)).toBeUndefined()
  })

  it('[R7] what is read together is answered together, in frames of at most 16 KiB', () => {
    const session = openSession(createReconcile(), 1)
    for (let i = 0; i < 3; i++) enqueueServing(session, { room: general, feed, first: i, last: i })
    const readings = [nextServing(session), nextServing(session), nextServing(session)]
    const give = (index: number, runs: readonly Run[]) => {
      const reading = readings[index]
      if (reading === undefined) throw new Error('not read')
      reading.runs = runs
      return collectAnswer(session)
    }
    const run = runOf({ count: 2 })
    const long = runOf({ seed: 2, count: 2, text: 'x'.repeat(limits.runBytesMax / 2) })
    // What is read sooner waits for what was asked for before.
    expect(give(1, [long])).toEqual([])
    expect(give(0, [run])).toEqual([{ type: 'events', runs: [run] }])
    expect(give(2, [])).toEqual([{ type: 'events', runs: [long] }])
    expect(session.reading).toEqual([])
  })

  it('[R8] digests are equal for equal histories only', () => {
    expect(logDigest(held(5), [general])).toBe(logDigest(held(5), [general]))
    expect(logDigest(held(5), [general])).not.toBe(logDigest(held(6), [general]))
  })

  it('[R9] the second difference in a row compares the rooms', () => {
    const session = openSession(createReconcile(), 1)
    expect(noteDigest(session, { own: 'a', theirs: 'b', patience: 2 })).toBe(false)
    expect(noteDigest(session, { own: 'a', theirs: 'b', patience: 2 })).toBe(true)
    expect(noteDigest(session, { own: 'a', theirs: 'b', patience: 2 })).toBe(false)
    expect(noteDigest(session, { own: 'a', theirs: 'a', patience: 2 })).toBe(false)
    expect(noteDigest(session, { own: 'a', theirs: 'b', patience: 2 })).toBe(false)
  })
})

/** A log in which the given feeds durably hold so many events each. */
function logOf(counts: readonly (readonly [seed: number, count: number])[]): Log {
  const log = createLog([])
  for (const [seed, count] of counts) {
    const run = runOf({ seed, count })
    acceptRun(log, run)
    commit(log, recordWith(log, run.events, general, run.feed))
  }
  return log
}

function only<T extends Frame['type']>(frames: readonly Frame[], type: T): Extract<Frame, { type: T }>[] {
  return frames.filter((frame): frame is Extract<Frame, { type: T }> => frame.type === type)
}

describe('comparing rooms', () => {
  const many = Array.from({ length: 60 }, (_, i) => [i + 1, 2] as const)

  it('[R8] prints are equal for equal histories only', () => {
    expect(printsOf(logOf(many), [general])).toEqual(printsOf(logOf([...many].reverse()), [general]))
    expect(printsOf(logOf(many), [general])).not.toEqual(printsOf(logOf(many.slice(1)), [general]))
  })

  it('[R10] [R12] a sketch and its answer say which feeds differ, and little is sent unasked', () => {
    const ours = logOf(many)
    const theirs = logOf([...many.slice(0, 50), ...many.slice(50).map(([seed]) => [seed, 1] as const)])
    const sketch = sketchRoom(ours, general, limits.sketchFirst)
    if (sketch.type !== 'sketch') throw new Error('sketch')
    const answer = answerSketch(theirs, sketch)
    const [differ] = only(answer, 'differ')
    if (differ === undefined) throw new Error('differ')
    expect(differ).toMatchObject({ isLast: false, unknown: [], more: 0 })
    expect(differ.entries).toHaveLength(10)
    const bytes = [sketch, ...answer].reduce((sum, frame) => sum + encodeFrame(frame).length, 0)
    expect(bytes).toBeLessThanOrEqual(480)
    const session = openSession(createReconcile(), 1)
    const { frames, push } = answerDiffer(session, ours, differ)
    expect(frames).toEqual([])
    expect(push.map(({ first, last }) => [first, last])).toEqual(Array.from({ length: 10 }, () => [1, 1]))
    const back = answerDiffer(openSession(createReconcile(), 1), theirs, { ...differ, isLast: true })
    expect(back).toMatchObject({ frames: [], push: [] })
  })

  it('[R12] feeds that only one side has are told whole, unknown ones are asked for by name', () => {
    const ours = logOf([
      [1, 2],
      [2, 2],
    ])
    const theirs = logOf([
      [1, 2],
      [3, 2],
    ])
    const sketch = sketchRoom(ours, general, limits.sketchFirst)
    if (sketch.type !== 'sketch') throw new Error('sketch')
    const answer = answerSketch(theirs, sketch)
    expect(only(answer, 'have')).toMatchObject([{ entries: [{ feed: feedOf(3) }] }])
    const [differ] = only(answer, 'differ')
    if (differ === undefined) throw new Error('differ')
    expect(differ.unknown).toHaveLength(1)
    const { frames } = answerDiffer(openSession(createReconcile(), 1), ours, differ)
    expect(only(frames, 'have')).toMatchObject([{ entries: [{ feed: feedOf(2) }] }])
  })

  it('[R11] asks for more symbols when they do not suffice, and again until it can be told', () => {
    const ours = logOf(many)
    const few = sketchRoom(ours, general, 10)
    if (few.type !== 'sketch') throw new Error('sketch')
    const [more] = only(answerSketch(logOf(many.slice(0, 10)), few), 'differ')
    if (more === undefined) throw new Error('differ')
    expect(more.more).toBe(25)
    const session = openSession(createReconcile(), 1)
    expect(answerDiffer(session, ours, more).frames).toMatchObject([{ type: 'sketch' }])
  })

  it('[R11] where a sketch would be larger than a list, short names are listed, and each finds what the other lacks', () => {
    const shared = many.slice(0, 40)
    const ours = logOf([...shared, [70, 3], [71, 40]])
    const theirs = logOf([...shared.slice(0, 39), [40, 1], [72, 2]])
    const little = sketchRoom(ours, general, 120)
    if (little.type !== 'sketch') throw new Error('sketch')
    const broken = {
      ...little,
      symbols: little.symbols.map((symbol) => ({ ...symbol, check: symbol.check ^ 1 })),
    }
    const lists = only(answerSketch(theirs, broken), 'differ')
    expect(lists.flatMap(({ entries }) => entries)).toHaveLength(41)
    expect(lists.at(0)?.span?.from).toBe(0)
    const session = openSession(createReconcile(), 1)
    const [list] = lists
    if (list === undefined) throw new Error('list')
    const { frames, push, doubts } = answerDiffer(session, ours, list)
    expect(doubts).toEqual([])
    expect(push).toEqual([])
    const told = only(frames, 'have').flatMap(({ entries }) => entries.map(({ feed }) => feed))
    expect(told.sort()).toEqual([feedOf(70), feedOf(71)].sort())
    const [last] = only(frames, 'differ')
    expect(last).toMatchObject({ isLast: true, unknown: [expect.any(Number)] })
    if (last === undefined) throw new Error('differ')
    const answer = answerDiffer(openSession(createReconcile(), 1), theirs, last)
    expect(only(answer.frames, 'have')[0]?.entries.map(({ feed }) => feed)).toEqual([feedOf(72)])
  })

  it('[R11] a long list goes in parts whose names follow each other without a gap', () => {
    const log = logOf(Array.from({ length: limits.listEntriesMax + 50 }, (_, i) => [i + 1, 1]))
    const sketch = sketchRoom(log, general, limits.sketchMax)
    if (sketch.type !== 'sketch') throw new Error('sketch')
    const broken = { ...sketch, symbols: sketch.symbols.map((symbol) => ({ ...symbol, check: 1 })) }
    const lists = only(answerSketch(log, broken), 'differ')
    expect(lists.map(({ entries }) => entries.length)).toEqual([limits.listEntriesMax, 50])
    expect(lists[1]?.span?.from).toBe((lists[0]?.span?.to ?? 0) + 1)
    for (const list of lists) expect(decodeFrame(encodeFrame(list))).toEqual(list)
  })

  it('[R12] much is not sent unasked but told, so that it is fetched from one', () => {
    const ours = logOf([[1, 64]])
    const theirs = logOf([[1, 1]])
    const sketch = sketchRoom(ours, general, limits.sketchFirst)
    if (sketch.type !== 'sketch') throw new Error('sketch')
    const [differ] = only(answerSketch(theirs, sketch), 'differ')
    if (differ === undefined) throw new Error('differ')
    const { frames, push } = answerDiffer(openSession(createReconcile(), 1), ours, differ)
    expect(push).toEqual([])
    const [last] = only(frames, 'differ')
    expect(last).toMatchObject({ isLast: true, entries: [{ ranges: [{ first: 0, last: 63 }] }] })
    const session = openSession(createReconcile(), 1)
    if (last !== undefined) answerDiffer(session, theirs, last)
    expect(session.theirs.get(general)?.get(feedOf(1))?.ranges).toEqual([{ first: 0, last: 63 }])
  })

  it('[R13] when a sketch shows nothing although prints differ, everything is told', () => {
    const log = logOf([[1, 2]])
    const sketch = sketchRoom(log, general, limits.sketchFirst)
    if (sketch.type !== 'sketch') throw new Error('sketch')
    expect(only(answerSketch(log, sketch), 'have')).toHaveLength(1)
  })
})
