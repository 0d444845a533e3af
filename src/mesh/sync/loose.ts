/**
 * Loose ends: events that hang on nothing and do not fit what is held below them. Kept and told under a name of their
 * own, and looked for a place when they come and when something comes that they may hang on. Rule L9 in PROTOCOL.md.
 */
import { witnessStamp } from '../clock.ts'
import { noteDurable } from '../delivery.ts'
import type { Effect, LinkId } from '../effects.ts'
import { cutRuns, type Event, type Run } from '../event.ts'
import { feedAuthor, isLoose, looseFeed, type FeedId, type RoomId } from '../ids.ts'
import { isWriting, noteChanged } from '../journal.ts'
import { limits } from '../limits.ts'
import { acceptRun, feedsOf, forgetFeed, type Accepted } from '../log.ts'
import type { FeedRecord } from './held.ts'
import type { AgeLoad } from './retention.ts'
import type { Engine } from '../state.ts'
import { dropLoose } from './branches.ts'
import type { Reading, Want } from './reconcile.ts'
import type { Range } from './sync-frame.ts'

/** Why events are being read from the store. */
export type Load =
  | {
      /** To answer a want: what has been read of it, and the feed that is being read. */
      readonly type: 'serve'
      readonly link: LinkId
      readonly reading: Reading
      readonly feed: FeedId
      readonly read: readonly Event[]
    }
  /** To be compared with a run that does not fit the feed. */
  | { readonly type: 'compare'; readonly link: LinkId; readonly feed: FeedId; readonly run: Run }
  /** L8: an event of a feed, to see whether a branch that begins with its number is another version of it. */
  | { readonly type: 'end'; readonly link: LinkId; readonly want: Want }
  | Search
  | AgeLoad
  /** A loose end, to look for its place once more. */
  | { readonly type: 'revisit'; readonly room: RoomId; readonly loose: FeedId; readonly origin: FeedId }

/** L9: looks for the feed that events belong to among these; if it is none, they are taken as loose. */
export interface Search {
  readonly type: 'find'
  readonly link: LinkId
  readonly run: Run
  /** Undefined when they are loose already. */
  readonly loose: FeedId | undefined
  readonly feeds: readonly FeedId[]
}

/** No link has this id. */
const noLink = -1

/** L9: what hangs on nothing is taken under its own name, unless it has a place here. */
export function takeLoose(
  engine: Engine,
  run: Run,
  link: LinkId,
  loose: FeedId,
  nowMs: number,
  out: Effect[],
): boolean {
  const last = run.events.at(-1)
  if (last === undefined) return false
  const known = feedsOf(engine.log, run.room).get(loose)
  const held = [...(known?.ranges ?? []), ...(known?.pending ?? [])]
  if (held.some((range) => last.seq <= range.last)) return acceptLoose(engine, { run, loose }, nowMs)
  // What goes on above is a longer one, under its own name.
  const name = looseFeed(feedAuthor(run.feed), last.id)
  const search = { type: 'find', link, run, loose: name, feeds: placesFor(engine, run) } as const
  return findPlace(engine, search, nowMs, out)
}

/**
 * @returns feeds that hold events of these numbers, or the one before, and loose ends that go on above; undefined while
 * one of them is being written
 */
export function placesFor(engine: Engine, run: Run): FeedId[] | undefined {
  const first = run.events[0]?.seq ?? 0
  const last = first + run.events.length - 1
  const isNear = (range: Range) => range.first <= last && range.last >= first - 1
  // What is part of a longer loose end has its place there.
  const isInside = (range: Range) => range.first <= last && range.last > last
  const feeds = [...feedsOf(engine.log, run.room)]
    .filter(([feed, state]) => feed === run.feed || state.origin === run.feed)
    .map(([feed, state]) => ({ feed, state, isPlace: isLoose(feed) ? isInside : isNear }))
  if (feeds.some(({ state, isPlace }) => state.pending.some(isPlace))) return undefined
  return feeds.filter(({ state, isPlace }) => state.ranges.some(isPlace)).map(({ feed }) => feed)
}

/** @returns whether it brought something new */
export function acceptLoose(
  engine: Engine,
  { run, loose }: Pick<Search, 'run' | 'loose'>,
  nowMs: number,
): boolean {
  if (loose === undefined) return false
  const part = { ...run, feed: loose, events: run.events.map((event) => ({ ...event, feed: loose })) }
  const accepted = acceptRun(engine.log, part, { origin: run.feed })
  if (accepted.type !== 'new') return false
  keep(engine, accepted, nowMs)
  noteChanged(engine.journal, run.room, dropLoose(engine.log, part, run.feed))
  return true
}

export function findPlace(
  engine: Engine,
  search: Omit<Search, 'feeds'> & { readonly feeds: readonly FeedId[] | undefined },
  nowMs: number,
  out: Effect[],
): boolean {
  const { feeds, run } = search
  if (feeds === undefined || !mayLoad(engine)) return false
  const [feed] = feeds
  if (feed === undefined) return acceptLoose(engine, search, nowMs)
  engine.lastToken += 1
  engine.loads.set(engine.lastToken, { ...search, feeds })
  const first = run.events[0]?.seq ?? 0
  const last = first + run.events.length - 1
  out.push({
    type: 'load',
    token: engine.lastToken,
    room: run.room,
    feed,
    first: Math.max(0, first - 1),
    last,
  })
  return false
}

/** L9: what has just become durable may be what a loose end hangs on; or it is one, and was held in its place. */
export function revisitLoose(engine: Engine, records: readonly FeedRecord[], out: Effect[]): void {
  for (const { room, feed, origin = feed, ranges } of records) {
    for (const [loose, state] of feedsOf(engine.log, room)) {
      const [range] = state.ranges
      if (!isLoose(loose) || state.origin !== origin || range === undefined || !mayLoad(engine)) continue
      const isNear = ranges.some((one) => one.first <= range.last && one.last >= range.first - 1)
      if (loose !== feed && !isNear) continue
      engine.lastToken += 1
      engine.loads.set(engine.lastToken, { type: 'revisit', room, loose, origin })
      out.push({
        type: 'load',
        token: engine.lastToken,
        room,
        feed: loose,
        first: range.first,
        last: range.last,
      })
    }
  }
}

/** @param held what the disk has under the name of the loose end: nothing when its events have their place */
export function revisit(
  engine: Engine,
  { room, loose, origin }: Extract<Load, { type: 'revisit' }>,
  held: readonly Event[],
  nowMs: number,
  out: Effect[],
): void {
  const last = held.at(-1)
  if (last === undefined) return forgetLoose(engine, room, loose)
  const [run] = cutRuns(held.map((event) => ({ ...event, feed: origin })))
  if (run === undefined) return
  findPlace(
    engine,
    { type: 'find', link: noLink, run, loose: undefined, feeds: placesFor(engine, run) },
    nowMs,
    out,
  )
}

function forgetLoose(engine: Engine, room: RoomId, loose: FeedId): void {
  const state = feedsOf(engine.log, room).get(loose)
  if (state === undefined || state.pending.length > 0 || isWriting(engine.journal, room, loose)) return
  forgetFeed(engine.log, room, loose)
  noteChanged(engine.journal, room, [loose])
  noteDurable(engine.delivery, room, loose)
}

type Kept = Extract<Accepted, { type: 'new' }>

/** New events wait for the disk. */
export function keep(engine: Engine, { events, end }: Kept, nowMs: number): void {
  engine.journal.events.push(...events.map((event) => ({ ...event, audience: undefined })))
  if (end !== undefined) engine.journal.events.push({ ...end, audience: undefined, isHeld: true })
  for (const event of events) witnessStamp(engine.clock, event.hlc, nowMs)
}

/** Reading to compare has a bound; what is left out is found again. */
export function mayLoad(engine: Engine): boolean {
  const busy = [...engine.loads.values()].filter((load) => load.type !== 'serve')
  return busy.length < limits.comparisonsMax
}
