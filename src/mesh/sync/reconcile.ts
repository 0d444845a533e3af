/**
 * Comparing and repairing history over one link: `have` tells what is durably held, `want` asks for what is
 * missing, newest first, one outstanding want per feed and peer. Rules R1–R9 in PROTOCOL.md.
 *
 * Source: the frontier of epidemic-broadcast-trees, with ranges instead of one number because history comes
 * newest first. The one-packet set reconciliation of `gossip.md` §7.7 replaces the digest and the full `have`.
 */
import { feedAuthor, isBranch, isDerived, type FeedId, type PeerId, type RoomId } from '../ids.ts'
import type { Run } from '../event.ts'
import type { Frame, HaveEntry } from '../frame.ts'
import type { Range } from './sync-frame.ts'
import { limits } from '../limits.ts'
import { coveredRanges } from '../log.ts'
import { nameOf, subtractRanges, type Log } from './held.ts'
import type { LinkId } from '../effects.ts'

export interface Want extends Range {
  readonly room: RoomId
  readonly feed: FeedId
}
interface OpenWant extends Want {
  /** When it was asked for, or a part of it came last, ms. */
  readonly atMs: number
  readonly askedMs: number
  /** How many events were asked for. */
  readonly size: number
}

/** A want that is being read from the store, and what it gave. */
export interface Reading {
  readonly want: Want
  runs: readonly Run[] | undefined
}

/** What one link knows and owes. */
export interface Session {
  /** What the other side says it holds. */
  readonly theirs: Map<RoomId, Map<FeedId, HaveEntry>>
  /** N3: below which numbers the other side keeps nothing. */
  readonly floors: Map<RoomId, Map<FeedId, number>>
  /** Asked and not answered, by `room/feed`. */
  readonly wants: Map<string, OpenWant>
  /** R16: events that may be asked for and not there yet. */
  allowance: number
  /** The shortest time from asking to the end of an answer, in these minutes and in those before, ms. */
  leastAnswerMs: number
  leastBeforeMs: number
  leastSinceMs: number
  /** When the allowance last shrank, ms. */
  shrunkMs: number
  /** Asked by the other side, not answered yet. */
  readonly serving: Want[]
  /** Wants that are being read from the store, in the order in which they came. */
  readonly reading: Reading[]
  /** R7: read and not sent yet, since more is being read. */
  answer: Run[]
  answerBytes: number
  congested: boolean
  /** Authors whose presence record went with an answer. */
  readonly introduced: Set<PeerId>
  /** Heartbeats in a row whose digest differed. */
  mismatches: number
  /** So many make a comparison; more and more while nothing changes by it. */
  patience: number
  /** Both digests at the last comparison. */
  compared: string
  /** L8: a part of what the other side holds, asked for to see where a feed forked. */
  probe: (OpenWant & { readonly origin: FeedId }) | undefined
  /** Feeds of which both say that they hold the same, and do not: own print, and how often it was seen so, by `room/feed`. */
  readonly doubts: Map<string, { readonly print: string; readonly times: number }>
}

export interface Reconcile {
  readonly sessions: Map<LinkId, Session>
}

export function createReconcile(): Reconcile {
  return { sessions: new Map() }
}

export function openSession(reconcile: Reconcile, link: LinkId): Session {
  const session: Session = {
    theirs: new Map(),
    floors: new Map(),
    wants: new Map(),
    allowance: limits.allowanceFirst,
    leastAnswerMs: Number.POSITIVE_INFINITY,
    leastBeforeMs: Number.POSITIVE_INFINITY,
    leastSinceMs: Number.NEGATIVE_INFINITY,
    shrunkMs: Number.NEGATIVE_INFINITY,
    serving: [],
    reading: [],
    answer: [],
    answerBytes: 0,
    congested: false,
    introduced: new Set(),
    mismatches: 0,
    patience: 2,
    compared: '',
    probe: undefined,
    doubts: new Map(),
  }
  reconcile.sessions.set(link, session)
  return session
}

/** R2: the other side's word on what it holds replaces what it said of that feed before. */
export function noteHave(session: Session, room: RoomId, entries: readonly HaveEntry[]): void {
  const theirs = sub(session.theirs, room)
  for (const entry of entries) {
    if (theirs.size >= limits.feedsPerRoomMax && !theirs.has(entry.feed)) continue
    theirs.set(entry.feed, entry)
    noteFloor(session, room, entry)
  }
}

function noteFloor(session: Session, room: RoomId, { feed, floor }: HaveEntry): void {
  const floors = sub(session.floors, room)
  let count = 0
  for (const one of session.floors.values()) count += one.size
  if (floor === undefined) floors.delete(feed)
  else if (count < limits.floorsMax || floors.has(feed)) floors.set(feed, floor)
}

/** R5: the other side could not serve this, so it is not asked for it again. */
export function noteLacking(session: Session, lacking: Want): void {
  session.wants.delete(wantKey(lacking.room, lacking.feed))
  const theirs = sub(session.theirs, lacking.room)
  const entry = theirs.get(lacking.feed)
  if (entry === undefined) return
  theirs.set(lacking.feed, { ...entry, ranges: subtractRanges(entry.ranges, [lacking]) })
}

/** R4: a part of an answer has come; the want stands until its end is there. @returns the feed that it was asked for as */
export function noteAnswer(session: Session, span: Want, nowMs: number): FeedId | undefined {
  const want = wantFor(session, span)
  if (want === undefined) return undefined
  const key = wantKey(want.room, want.feed)
  if (span.last >= want.last) {
    session.wants.delete(key)
    adaptAllowance(session, want, nowMs)
  } else session.wants.set(key, { ...want, first: span.last + 1, atMs: nowMs })
  return want.feed
}

/**
 * R16: what is under way waits in the queues of the slowest link, and chat behind it: where answers come later than
 * an empty way would let them, less is asked for at once.
 * Source: LEDBAT (RFC 6817 §2.4.2), driven by the side that asks, as it knows both times.
 */
function adaptAllowance(session: Session, want: OpenWant, nowMs: number): void {
  const delayMs = nowMs - want.askedMs
  if (nowMs - session.leastSinceMs > limits.leastAnswerAgeMs) {
    session.leastBeforeMs = session.leastAnswerMs
    session.leastAnswerMs = Number.POSITIVE_INFINITY
    session.leastSinceMs = nowMs
  }
  session.leastAnswerMs = Math.min(session.leastAnswerMs, delayMs)
  const queuedMs = delayMs - Math.min(session.leastAnswerMs, session.leastBeforeMs)
  if (queuedMs > limits.bulkDelayMs) {
    // Once for what was asked for together.
    if (want.askedMs < session.shrunkMs) return
    session.allowance = Math.max(limits.allowanceMin, Math.floor(session.allowance / 2))
    session.shrunkMs = nowMs
  } else {
    const isEmpty = queuedMs <= limits.bulkDelayMs / 4
    const step = isEmpty ? want.size : limits.allowanceStep
    session.allowance = Math.min(limits.wantedEventsMax, session.allowance + step)
  }
}

/** A branch is asked for by its name and answered with what was signed: a run of its feed. */
function wantFor(session: Session, span: Want): OpenWant | undefined {
  const isOver = (want: Want) => span.last >= want.first && span.first <= want.last
  const exact = session.wants.get(wantKey(span.room, span.feed))
  if (exact !== undefined && isOver(exact)) return exact
  return [...session.wants.values()].find(
    (want) =>
      want.room === span.room &&
      isDerived(want.feed) &&
      feedAuthor(want.feed) === feedAuthor(span.feed) &&
      isOver(want),
  )
}

/** L8: @returns the feed that was asked for to see where it forked, if this answers that. */
export function noteProbed(session: Session, span: Want): FeedId | undefined {
  const { probe } = session
  if (probe?.room !== span.room || probe.origin !== span.feed) return undefined
  if (span.last < probe.first || span.first > probe.last) return undefined
  session.probe = span.last >= probe.last ? undefined : { ...probe, first: span.last + 1 }
  return probe.feed
}

/** R5: the other side says that it cannot serve what it was asked for; anything else that it says is ignored. */
export function noteRefusal(session: Session, room: RoomId, name: number): void {
  const isMeant = (want: Want) => want.room === room && nameOf(want.feed) === name
  const want = [...session.wants.values()].find(isMeant)
  if (want !== undefined) noteLacking(session, want)
  if (session.probe !== undefined && isMeant(session.probe)) session.probe = undefined
}

/** R6: @returns wants that nobody answered in time; they are free to be asked elsewhere. */
export function expireWants(reconcile: Reconcile, nowMs: number): void {
  for (const session of reconcile.sessions.values()) {
    if (session.probe !== undefined && nowMs - session.probe.atMs > limits.wantTimeoutMs) {
      session.probe = undefined
    }
    for (const want of [...session.wants.values()]) {
      if (nowMs - want.atMs > limits.wantTimeoutMs) noteLacking(session, want)
    }
  }
}

/** A part that could be asked for, and how new it is. */
interface Candidate {
  readonly want: Want
  /** A stamp: everything in it is older. */
  readonly before: number
  /** Something newer of the feed is held. */
  readonly isOlder: boolean
}

/** What is asked for, and whose comes last. */
export interface Wishes {
  readonly isWanted: (room: RoomId, before: number, isOlder: boolean) => boolean
  readonly isOver: (author: PeerId) => boolean
}

const wantsAll: Wishes = { isWanted: () => true, isOver: () => false }

/**
 * R3: @returns what to ask this peer for now: what is newest, whoever wrote it; one want per feed and peer, never a
 * part that somebody else has been asked for. Where much is missing, little of each feed first, then more each time: so the newest messages of all come before the older ones of some.
 */
export function dueWants(
  reconcile: Reconcile,
  session: Session,
  log: Log,
  rooms: Iterable<RoomId>,
  nowMs: number,
  { isWanted, isOver }: Wishes = wantsAll,
): Want[] {
  const places = limits.wantsPerLinkMax - session.wants.size
  if (places <= 0) return []
  const candidates: Candidate[] = []
  let missing = 0
  for (const id of rooms) {
    for (const entry of session.theirs.get(id)?.values() ?? []) {
      const ranges = subtractRanges(entry.ranges, coveredRanges(log, id, entry.feed))
      for (const { first, last } of ranges) missing += last - first + 1
      if (ranges.length === 0 || session.wants.has(wantKey(id, entry.feed))) continue
      const candidate = newestMissing(reconcile, log, id, entry, ranges)
      if (candidate !== undefined && isWanted(id, candidate.before, candidate.isOlder))
        candidates.push(candidate)
    }
  }
  // G13
  const overOf = ({ want }: Candidate) => Number(isOver(feedAuthor(want.feed)))
  candidates.sort((a, b) => overOf(a) - overOf(b) || b.before - a.before)
  const isMuch = missing > limits.missingMuch
  let asked = [...session.wants.values()].reduce((sum, { first, last }) => sum + last - first + 1, 0)
  const due: Want[] = []
  for (const { want } of candidates) {
    if (due.length >= places || asked >= session.allowance) break
    const part = within(isMuch ? beginningOf(log, want) : want, session.allowance - asked)
    asked += part.last - part.first + 1
    due.push(part)
    session.wants.set(wantKey(part.room, part.feed), {
      ...part,
      atMs: nowMs,
      askedMs: nowMs,
      size: part.last - part.first + 1,
    })
  }
  return due
}

/** R16: the newest part of it, of a branch the oldest, that there is a place for. */
function within(want: Want, places: number): Want {
  if (want.last - want.first < places) return want
  return isBranch(want.feed)
    ? { ...want, last: want.first + places - 1 }
    : { ...want, first: want.last - places + 1 }
}

/** Twice what is held right above, and one of a feed of which nothing is. A branch is asked for from its beginning. */
function beginningOf(log: Log, want: Want): Want {
  if (isBranch(want.feed)) return want
  const above = coveredRanges(log, want.room, want.feed).find((range) => range.first === want.last + 1)
  const held = coveredRanges(log, want.room, want.feed).some((range) => range.first > want.last)
  const count = above === undefined ? (held ? limits.runEventsMax : 1) : 2 * (above.last - above.first + 1)
  return { ...want, first: Math.max(want.first, want.last - count + 1) }
}

function newestMissing(
  reconcile: Reconcile,
  log: Log,
  room: RoomId,
  { feed, newest }: HaveEntry,
  missing: readonly Range[],
): Candidate | undefined {
  const elsewhere = [...reconcile.sessions.values()].flatMap(
    (session) => session.wants.get(wantKey(room, feed)) ?? [],
  )
  if (isBranch(feed)) {
    // L8: from its beginning on, and so of one peer at a time.
    const [next] = missing
    if (next === undefined || elsewhere.length > 0) return undefined
    const last = Math.min(next.last, next.first + limits.runEventsMax - 1)
    return { want: { room, feed, first: next.first, last }, before: newest, isOlder: false }
  }
  const free = subtractRanges(missing, elsewhere).at(-1)
  if (free === undefined) return undefined
  const want = {
    room,
    feed,
    first: Math.max(free.first, free.last - limits.runEventsMax + 1),
    last: free.last,
  }
  const above = coveredRanges(log, room, feed).filter((range) => range.first > free.last)
  const before = Math.min(newest, ...above.map((range) => range.firstStamp ?? newest))
  return { want, before, isOlder: above.length > 0 }
}

/** @returns how many events somebody linked has and this peer lacks. */
export function missingCount(reconcile: Reconcile, log: Log, rooms: ReadonlySet<RoomId>): number {
  let count = 0
  const seen = new Map<string, Range[]>()
  for (const session of reconcile.sessions.values()) {
    for (const [room, feeds] of session.theirs) {
      if (!rooms.has(room)) continue
      for (const { feed, ranges } of feeds.values()) {
        const key = wantKey(room, feed)
        const covered = [...coveredRanges(log, room, feed), ...(seen.get(key) ?? [])]
        const missing = subtractRanges(ranges, covered)
        seen.set(key, [...(seen.get(key) ?? []), ...missing])
        for (const { first, last } of missing) count += last - first + 1
      }
    }
  }
  return count
}

/** R3: several parts in one frame, each feed by its short name, which the other side has told. */
export function wantFrame(room: RoomId, wants: readonly Want[]): Frame {
  const parts = wants.map(({ feed, first, last }) => ({ name: nameOf(feed), first, last }))
  return { type: 'want', room, parts }
}

/** @returns rooms that both sides carry. */
export function commonRooms(own: Iterable<RoomId>, theirs: ReadonlySet<RoomId>): RoomId[] {
  return [...own].filter((room) => theirs.has(room))
}

/** R9: @returns whether the rooms' prints are to be compared, because digests differ so often in a row. */
export function noteDigest(
  session: Session,
  { own, theirs, patience }: { readonly own: string; readonly theirs: string; readonly patience: number },
): boolean {
  if (own === theirs) {
    session.mismatches = 0
    session.patience = 2
    return false
  }
  if (session.compared !== `${own} ${theirs}`) session.patience = 2
  session.mismatches += 1
  if (session.mismatches < Math.max(patience, session.patience)) return false
  session.mismatches = 0
  // As before: comparing changed nothing, and will not so soon.
  const compared = `${own} ${theirs}`
  session.patience = session.compared === compared ? Math.min(limits.patienceMax, 2 * session.patience) : 2
  session.compared = compared
  return true
}

function wantKey(room: RoomId, feed: FeedId): string {
  return `${room}/${feed}`
}

function sub<K, L, V>(map: Map<K, Map<L, V>>, key: K): Map<L, V> {
  const inner = map.get(key) ?? new Map<L, V>()
  map.set(key, inner)
  return inner
}
