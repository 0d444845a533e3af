/**
 * Taking signed events in, and finding where a feed forked: a run that does not fit is compared with what is held;
 * where the two parted lower, the other side is asked for what it has there. Rule L8 in PROTOCOL.md.
 *
 * Leaves to others: which feed keeps what (branches.ts), fetching a branch (reconcile.ts).
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { Writer, encodeUtf8 } from '../bytes.ts'
import { noteDurable } from '../delivery.ts'
import type { Effect, LinkId } from '../effects.ts'
import type { Event, Run } from '../event.ts'
import {
  feedAuthor,
  feedIdFrom,
  feedIdToBytes,
  hexToBytes,
  incarnationFrom,
  isBranch,
  isLoose,
  type EventId,
  type FeedId,
  type RoomId,
} from '../ids.ts'
import { hasSpace, isWriting, noteChanged, noteSplits } from '../journal.ts'
import { limits } from '../limits.ts'
import { acceptRun, feedsOf, hasBranchPlace, originOf } from '../log.ts'
import { isKept, isTaken } from './carry.ts'
import type { Engine } from '../state.ts'
import { dropIslands, dropLoose, placeRun, rejoinFeed, splitFeed, type Split } from './branches.ts'
import {
  acceptLoose,
  findPlace,
  keep,
  mayLoad,
  placesFor,
  takeLoose,
  type Load,
  type Search,
} from './loose.ts'
import { wantFrame, type Session, type Want } from './reconcile.ts'

/** Where a feed forked. */
export interface Finding {
  readonly origin: FeedId
  /** As it is held. */
  readonly event: Event
  /** The other version, with what comes before. */
  readonly run: Run
  readonly link: LinkId
}

/** Whence a run came, and the branch that it was asked for as. */
export interface Source {
  readonly link: LinkId
  readonly hint?: FeedId | undefined
  /** The branch was found by looking, and not asked for. */
  readonly isFound?: boolean
}

/** L1–L9: takes the events of a checked run. @returns whether it brought something new */
export function takeRun(engine: Engine, run: Run, source: Source, nowMs: number, out: Effect[]): boolean {
  engine.mayAsk = true
  if (!isTaken(engine, run.room) || !hasSpace(engine.journal)) return false
  // What is known of this feed is about to change; it will be asked for again.
  if (isForking(engine, run.room, run.feed)) return false
  const { hint } = source
  if (hint !== undefined && isLoose(hint)) return takeLoose(engine, run, source.link, hint, nowMs, out)
  const parts = placeRun(engine.log, run, hint)
  if (parts.length === 0) {
    if (source.isFound === true) return false
    const search = { type: 'find', link: source.link, run, loose: undefined } as const
    return findPlace(engine, { ...search, feeds: placesFor(engine, run) }, nowMs, out)
  }
  let isNew = false
  for (const part of parts) {
    const accepted = acceptRun(engine.log, part, { origin: run.feed })
    if (accepted.type === 'fork') {
      compareHeld(engine, source.link, part.feed, run, out)
      return isNew
    }
    if (accepted.type !== 'new') continue
    isNew = true
    keep(engine, accepted, nowMs)
    noteChanged(engine.journal, run.room, dropLoose(engine.log, part, run.feed))
  }
  // The other side says that this is a branch, and here it is none yet.
  const [first] = parts
  const isUnknown =
    hint !== undefined &&
    isBranch(hint) &&
    source.isFound !== true &&
    parts.every(({ feed }) => feed !== hint)
  if (isUnknown && !isNew && first !== undefined) compareHeld(engine, source.link, first.feed, run, out)
  // Own events that this life has not written: an earlier one went further than this device remembers.
  if (isNew && run.feed === engine.feed) beginIncarnation(engine, run.events[0]?.id)
  return isNew
}

/** L9: whether the first of the feeds is where it belongs. @param held of that feed, ascending */
export function takeFound(
  engine: Engine,
  search: Search,
  held: readonly Event[],
  nowMs: number,
  out: Effect[],
): void {
  const { run, link } = search
  const [feed, ...feeds] = search.feeds
  const [first] = run.events
  const ids = new Set(held.map((event) => event.id))
  const isHere =
    run.events.some((event) => ids.has(event.id)) || (first?.prev !== undefined && ids.has(first.prev))
  const last = run.events.at(-1)
  // A loose end has a place for what it holds itself, and for nothing that only looks like it.
  const isOther = feed !== undefined && isLoose(feed) && last !== undefined && !ids.has(last.id)
  if (feed === undefined || !isHere || isOther)
    return void findPlace(engine, { ...search, feeds }, nowMs, out)
  if (last !== undefined && ids.has(last.id)) {
    const isAll = run.events.every((event) => ids.has(event.id))
    // Its end is here already, alone; the rest may fit, or hangs on nothing.
    if (!isAll && !takeRun(engine, run, { link, hint: feed, isFound: true }, nowMs, out))
      acceptLoose(engine, search, nowMs)
    return
  }
  if (!takeRun(engine, run, { link, hint: feed, isFound: true }, nowMs, out)) {
    compareRun(engine, { type: 'compare', link, feed, run }, held, nowMs, out)
  }
}

/** L8: somebody else holds a feed as ended where it goes on here, and a branch begins there: perhaps it ends. */
export function lookAtEnd(engine: Engine, link: LinkId, want: Want, out: Effect[]): void {
  if (!mayLoad(engine)) return
  engine.lastToken += 1
  engine.loads.set(engine.lastToken, { type: 'end', link, want })
  out.push({ type: 'load', token: engine.lastToken, ...want })
}

/** @param held of the feed, from the number on */
export function takeEnd(
  engine: Engine,
  { link, want }: Extract<Load, { type: 'end' }>,
  held: readonly Event[],
): void {
  const { room, feed } = want
  const event = held.find(({ seq }) => seq === want.first)
  const state = feedsOf(engine.log, room).get(feed)
  if (event === undefined || state === undefined || state.endsAt !== undefined) return
  const origin = state.origin ?? feed
  if (isForking(engine, room, origin) || engine.findings.length >= limits.comparisonsMax) return
  const isForked = [...feedsOf(engine.log, room)].some(
    ([
      other,
      {
        origin: from,
        ranges: [range],
      },
    ]) => {
      const isOther = isBranch(other) && other !== feed && from === origin && range?.first === event.seq
      return isOther && range.prev === event.prev && range.firstId !== event.id
    },
  )
  const run = { room, feed: origin, events: [{ ...event, feed: origin }] }
  if (isForked) engine.findings.push({ origin, event, run, link })
}

function isForking(engine: Engine, room: RoomId, origin: FeedId): boolean {
  if (engine.findings.some((finding) => finding.event.room === room && finding.origin === origin)) return true
  const writing = engine.journal.inFlight?.write.feeds ?? []
  return writing.some((record) => record.room === room && record.origin === origin && isLoose(record.feed))
}

function compareHeld(engine: Engine, link: LinkId, feed: FeedId, run: Run, out: Effect[]): void {
  const first = run.events[0]?.seq ?? 0
  if (!mayLoad(engine)) return
  engine.lastToken += 1
  engine.loads.set(engine.lastToken, { type: 'compare', link, feed, run })
  const last = first + run.events.length - 1
  out.push({
    type: 'load',
    token: engine.lastToken,
    room: run.room,
    feed,
    first: Math.max(0, first - 1),
    last,
  })
}

/** L8: what is held beside a run that does not fit it. @param held of the feed, ascending */
export function compareRun(
  engine: Engine,
  load: Extract<Load, { type: 'compare' }>,
  held: readonly Event[],
  nowMs: number,
  out: Effect[],
): void {
  const { run, feed, link } = load
  const ours = new Map(held.map((event) => [event.seq, event]))
  const [first] = run.events
  if (first === undefined || isForking(engine, run.room, run.feed)) return
  const isOther = (event: Event) => (ours.get(event.seq)?.id ?? event.id) !== event.id
  const index = run.events.findIndex(isOther)
  const theirs = run.events[index]
  const own = theirs === undefined ? undefined : ours.get(theirs.seq)
  const before = ours.get(first.seq - 1)
  if (theirs !== undefined && own !== undefined && own.prev === theirs.prev) {
    if (engine.findings.length >= limits.comparisonsMax) return
    engine.findings.push({ origin: run.feed, event: own, run, link })
  } else if (index === 0 || (index < 0 && before !== undefined && before.id !== first.prev)) {
    const last = first.seq - 1
    probe(
      engine,
      link,
      { room: run.room, feed, first: Math.max(0, last - limits.runEventsMax + 1), last },
      nowMs,
      out,
    )
  } else retake(engine, { ...run, feed }, load, nowMs, out)
}

/** What is held beyond a hole does not fit what joins the part below it: that counts (L8). */
function retake(
  engine: Engine,
  part: Run,
  load: Extract<Load, { type: 'compare' }>,
  nowMs: number,
  out: Effect[],
): void {
  if (isWriting(engine.journal, part.room, part.feed)) return
  const splits = dropIslands(engine.log, part)
  if (splits.length === 0) return
  if (feedAuthor(part.feed) !== engine.self) confirm(engine, splits)
  noteSplits(engine.journal, splits)
  takeRun(engine, load.run, { link: load.link }, nowMs, out)
}

/** Asks one side for what it holds of a feed, to compare it. */
export function probe(engine: Engine, link: LinkId, want: Want, nowMs: number, out: Effect[]): void {
  const session = engine.reconcile.sessions.get(link)
  if (session === undefined || want.last < want.first) return
  const open = session.probe
  // Lower down in the same feed it goes on, whatever is still to come of the answer above.
  const isLower = open?.room === want.room && open.feed === want.feed && want.last < open.last
  if (open !== undefined && !isLower) return
  session.probe = {
    ...want,
    atMs: nowMs,
    askedMs: nowMs,
    size: 0,
    origin: originOf(engine.log, want.room, want.feed),
  }
  out.push({ type: 'send', link, frame: wantFrame(want.room, [want]) })
}

/** A probe was answered. */
export function compareProbed(engine: Engine, link: LinkId, feed: FeedId, run: Run, out: Effect[]): void {
  if (isKept(engine, run.room)) compareHeld(engine, link, feed, run, out)
}

/**
 * L8: both sides hold the same numbers of a feed and not the same events. While something is on its way that is
 * so for a moment; when it is seen twice, the other side's newest part is looked at, then the one below a hole.
 */
export function doubt(
  engine: Engine,
  link: LinkId,
  session: Session,
  doubts: readonly { readonly room: RoomId; readonly feed: FeedId }[],
  nowMs: number,
  out: Effect[],
): void {
  for (const { room, feed } of doubts) {
    const state = feedsOf(engine.log, room).get(feed)
    if (state === undefined || state.pending.length > 0) continue
    const key = `${room}/${feed}`
    const print = state.print.join()
    const known = session.doubts.get(key)
    const times = known?.print === print ? known.times + 1 : 0
    const range = state.ranges[state.ranges.length - 1 - ((times - 1) % state.ranges.length)]
    if (times > 0 && range !== undefined) {
      const { last } = range
      const first = Math.max(range.first, last - limits.runEventsMax + 1)
      probe(engine, link, { room, feed, first, last }, nowMs, out)
    }
    if (session.doubts.size >= limits.doubtsMax) session.doubts.clear()
    session.doubts.set(key, { print, times })
  }
}

/** L8: feeds that ended for a version that could not be kept are one again. */
function rejoin(engine: Engine): void {
  if (!engine.mayRejoin || engine.journal.inFlight !== undefined) return
  engine.mayRejoin = false
  for (const [room, { feeds }] of engine.log.rooms) {
    for (const [feed, state] of feeds) {
      if (state.endsAt === undefined) continue
      const splits = rejoinFeed(engine.log, room, feed)
      if (feeds.get(feed)?.endsAt === state.endsAt) continue
      noteSplits(engine.journal, splits)
      noteChanged(engine.journal, room, [feed])
      if (feedAuthor(feed) === engine.self) engine.changedHolders.add(room)
      else confirm(engine, splits)
    }
  }
}

/** L8: ends what forked as soon as nothing of it is being written. */
export function settleForks(engine: Engine, nowMs: number, out: Effect[]): void {
  rejoin(engine)
  if (engine.findings.length === 0) return
  const due = engine.findings.filter(({ event: { room, feed } }) => {
    const pending = feedsOf(engine.log, room).get(feed)?.pending ?? []
    return pending.length === 0 && !isWriting(engine.journal, room, feed)
  })
  engine.findings = engine.findings.filter((finding) => !due.includes(finding))
  for (const { origin, event, run, link } of due) {
    // L4: without a place for the other version there is nothing to end this one for.
    if (!hasBranchPlace(engine.log, event.room, feedAuthor(origin))) continue
    const splits = splitFeed(engine.log, event)
    if (splits.length === 0) continue
    const { room } = event
    noteSplits(engine.journal, splits)
    const author = feedAuthor(origin)
    if (author === engine.self) engine.changedHolders.add(room)
    else confirm(engine, splits)
    if (origin === engine.feed) beginIncarnation(engine, event.id)
    out.push({ type: 'emit', event: { type: 'fork', room, author } })
    if (!takeRun(engine, run, { link }, nowMs, out)) engine.mayRejoin = true
  }
}

function confirm(engine: Engine, splits: readonly Split[]): void {
  for (const { room, from, to } of splits) {
    for (const feed of [from, to]) noteDurable(engine.delivery, room, feed)
  }
}

/**
 * L8: this device writes to a new feed from now on. Which one follows from the old one, from where it ended, and from
 * chance, so that two lives of one backup do not find the same.
 */
export function beginIncarnation(engine: Engine, last: EventId | undefined): void {
  const writer = new Writer()
  writer.fixed(encodeUtf8('meshchat/1/incarnation')).fixed(feedIdToBytes(engine.feed))
  writer.fixed(hexToBytes(last ?? '')).u32(engine.seed)
  const incarnation = incarnationFrom(sha256(writer.finish()))
  engine.feed = feedIdFrom(engine.self, incarnation)
  engine.journal.incarnation = incarnation
  for (const room of engine.rooms.keys()) engine.changedHolders.add(room)
}

/** L8, L9: @returns the feed to read on in, where the signature over an end stands in another one. */
export function branchAfter(engine: Engine, last: Event): FeedId | undefined {
  const feeds = feedsOf(engine.log, last.room)
  const isEnd = isLoose(last.feed) || feeds.get(last.feed)?.endsAt === last.seq + 1
  if (!isEnd || last.signature !== undefined) return undefined
  const origin = originOf(engine.log, last.room, last.feed)
  for (const [feed, state] of feeds) {
    if (feed !== origin && state.origin !== origin) continue
    if (state.ranges.some((range) => range.first === last.seq + 1 && range.prev === last.id)) return feed
  }
  return undefined
}
