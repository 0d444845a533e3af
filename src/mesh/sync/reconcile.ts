/**
 * Comparing and repairing history over one link: `have` tells what is durably held, `want` asks for what is
 * missing, newest first, one outstanding want per feed and peer. Rules R1–R9 in PROTOCOL.md.
 *
 * Source: the frontier of epidemic-broadcast-trees, with ranges instead of one number because history comes
 * newest first. The one-packet set reconciliation of `gossip.md` §7.7 replaces the digest and the full `have`.
 */
import { feedAuthor, isBranch, isDerived, type FeedId, type PeerId, type RoomId } from '../ids.ts'
import type { HaveEntry } from '../frame.ts'
import type { Range } from './sync-frame.ts'
import { limits } from '../limits.ts'
import { coveredRanges, subtractRanges, type Log } from '../log.ts'
import type { LinkId } from '../effects.ts'

export interface Want extends Range {
  readonly room: RoomId
  readonly feed: FeedId
}
interface OpenWant extends Want {
  readonly atMs: number
}

/** What one link knows and owes. */
export interface Session {
  /** What the other side says it holds. */
  readonly theirs: Map<RoomId, Map<FeedId, HaveEntry>>
  /** Asked and not answered, by `room/feed`. */
  readonly wants: Map<string, OpenWant>
  /** Asked by the other side, not answered yet. */
  readonly serving: Want[]
  /** An answer is being read from the store. */
  loading: boolean
  congested: boolean
  /** Authors whose presence record went with an answer. */
  readonly introduced: Set<PeerId>
  /** Heartbeats in a row whose digest differed. */
  mismatches: number
  /** L8: a part of what the other side holds, asked for to see where a feed forked. */
  probe: (OpenWant & { readonly origin: FeedId }) | undefined
  /** Feeds of which both say that they hold the same, and do not: own print when it was seen, by `room/feed`. */
  readonly doubts: Map<string, string>
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
    wants: new Map(),
    serving: [],
    loading: false,
    congested: false,
    introduced: new Set(),
    mismatches: 0,
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
    if (theirs.size < limits.feedsPerRoomMax || theirs.has(entry.feed)) theirs.set(entry.feed, entry)
  }
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
  if (span.last >= want.last) session.wants.delete(key)
  else session.wants.set(key, { ...want, first: span.last + 1, atMs: nowMs })
  return want.feed
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
export function noteRefusal(session: Session, lacking: Want): void {
  const want = session.wants.get(wantKey(lacking.room, lacking.feed))
  if (want !== undefined) noteLacking(session, want)
  if (session.probe?.room === lacking.room && session.probe.feed === lacking.feed) session.probe = undefined
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

/**
 * R3: @returns what to ask this peer for now: newest feeds first, the newest missing part of each, one want
 * per feed and peer, never a part that somebody else has been asked for.
 */
export function dueWants(
  reconcile: Reconcile,
  session: Session,
  log: Log,
  rooms: Iterable<RoomId>,
  nowMs: number,
): Want[] {
  const room = limits.wantsPerLinkMax - session.wants.size
  if (room <= 0) return []
  const candidates: { want: Want; newest: number }[] = []
  for (const id of rooms) {
    for (const entry of session.theirs.get(id)?.values() ?? []) {
      if (session.wants.has(wantKey(id, entry.feed))) continue
      const want = newestMissing(reconcile, log, id, entry)
      if (want !== undefined) candidates.push({ want, newest: entry.newest })
    }
  }
  candidates.sort((a, b) => b.newest - a.newest)
  const due = candidates.slice(0, room).map(({ want }) => want)
  for (const want of due) session.wants.set(wantKey(want.room, want.feed), { ...want, atMs: nowMs })
  return due
}

function newestMissing(reconcile: Reconcile, log: Log, room: RoomId, entry: HaveEntry): Want | undefined {
  const { feed } = entry
  const missing = subtractRanges(entry.ranges, coveredRanges(log, room, feed))
  if (missing.length === 0) return undefined
  const elsewhere = [...reconcile.sessions.values()].flatMap(
    (session) => session.wants.get(wantKey(room, feed)) ?? [],
  )
  if (isBranch(feed)) {
    // L8: from its beginning on, and so of one peer at a time.
    const [next] = missing
    if (next === undefined || elsewhere.length > 0) return undefined
    return { room, feed, first: next.first, last: Math.min(next.last, next.first + limits.runEventsMax - 1) }
  }
  const free = subtractRanges(missing, elsewhere).at(-1)
  if (free === undefined) return undefined
  return { room, feed, first: Math.max(free.first, free.last - limits.runEventsMax + 1), last: free.last }
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

/** R7: takes a want of the other side, bounded; what does not fit is dropped and will be asked again. */
export function enqueueServing(session: Session, want: Want): void {
  if (session.serving.length >= limits.servingQueueMax) return
  const last = Math.min(want.last, want.first + limits.runEventsMax - 1)
  session.serving.push({ room: want.room, feed: want.feed, first: Math.max(want.first, 0), last })
}

/** R7: @returns the next want to answer, when the lane and the store are free. */
export function nextServing(session: Session): Want | undefined {
  if (session.loading || session.congested) return undefined
  const want = session.serving.shift()
  if (want !== undefined) session.loading = true
  return want
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
    return false
  }
  session.mismatches += 1
  if (session.mismatches < patience) return false
  session.mismatches = 0
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
