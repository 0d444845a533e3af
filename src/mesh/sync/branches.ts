/**
 * Feeds that fork: a device restored from an old backup writes other events under sequence numbers that it has used.
 * Both are kept, each as a branch, under a name that everybody finds alone. Rules L8 and L9 in PROTOCOL.md.
 *
 * Source: `gossip.md` §7.3. Deviation: from a fork on there are feeds of their own (a branch is named by its first
 * event) instead of a set of events, so that ranges, receipts and reconciliation stay what they are.
 */
import type { Event, Run } from '../event.ts'
import { branchFeed, feedAuthor, isBranch, isLoose, looseFeed, type FeedId, type RoomId } from '../ids.ts'
import { limits } from '../limits.ts'
import { contradicts, feedsOf, forgetFeed, openRoomLog } from '../log.ts'
import { mergeRanges, changeFeed, subtractRanges, type FeedState, type HeldRange, type Log } from './held.ts'

/**
 * L8: where the events of a signed run are kept: in the feed itself below a fork, in its branches from there on.
 * @param hint a branch that it was asked for as
 * @returns parts, each with the feed that keeps it; what belongs to no branch that is known is left out
 */
export function placeRun(log: Log, run: Run, hint?: FeedId): Run[] {
  const { room } = run
  const feeds = feedsOf(log, room)
  const parts: Run[] = []
  let feed: FeedId | undefined = run.feed
  let rest = run.events
  for (let depth = 0; feed !== undefined && rest.length > 0 && depth <= limits.feedsPerDeviceMax; depth++) {
    const state = feeds.get(feed)
    const end: number = state?.endsAt ?? Number.POSITIVE_INFINITY
    const below = rest.filter((event) => event.seq < end)
    const keeper: FeedId = feed
    const partOf = (events: readonly Event[]): Run => {
      return { room, feed: keeper, events: events.map((event) => ({ ...event, feed: keeper })) }
    }
    if (below.length > 0) parts.push(partOf(below))
    rest = rest.slice(below.length)
    const [next] = rest
    if (next === undefined) break
    const tail = [...(state?.ranges ?? []), ...(state?.pending ?? [])].find((range) => range.last === end - 1)
    if (next.seq !== end) feed = continued(feeds, run.feed, next, hint)
    else if (next.seq === 0 || below.length > 0 || tail?.lastId === next.prev)
      feed = branchFeed(feedAuthor(feed), next.id)
    // It parted further down: what is held there will show it.
    else return tail === undefined ? parts : [...parts, partOf(rest)]
  }
  return parts
}

/** The branch that holds the event before this one at an end, or the one that was asked for. */
function continued(
  feeds: ReadonlyMap<FeedId, Readonly<FeedState>>,
  origin: FeedId,
  event: Event,
  hint: FeedId | undefined,
): FeedId | undefined {
  for (const [feed, state] of feeds) {
    if (state.origin !== origin || (state.endsAt ?? event.seq) < event.seq) continue
    const ends = [...state.ranges, ...state.pending]
    if (ends.some((range) => range.last + 1 === event.seq && range.lastId === event.prev)) return feed
  }
  const asked = hint === undefined ? undefined : feeds.get(hint)
  return asked?.origin === origin && (asked.endsAt ?? event.seq) >= event.seq ? hint : undefined
}

/** What a split moves on the disk: these events, from one feed to another. */
export interface Split {
  readonly room: RoomId
  readonly from: FeedId
  readonly first: number
  readonly last: number
  readonly to: FeedId
}

/**
 * L8: ends a feed before `event`, of which there is another version; what is held from there on becomes a branch.
 * What is held beyond a hole could be of either: it is kept as loose (L9).
 * @param event as it is held; nothing of the feed may be pending
 */
export function splitFeed(log: Log, event: Event): Split[] {
  const { room, feed, seq } = event
  const roomLog = openRoomLog(log, room)
  const state = roomLog.feeds.get(feed)
  const range = state?.ranges.find((one) => one.first <= seq && seq <= one.last)
  if (state === undefined || range === undefined) return []
  const to = branchFeed(feedAuthor(feed), event.id)
  const below = state.ranges.filter((one) => one.last < seq)
  const kept =
    event.prev === undefined || range.first === seq
      ? below
      : [...below, { ...range, last: seq - 1, lastId: event.prev }]
  const origin = state.origin ?? feed
  const { newest } = state
  const { prev, id: firstId, hlc: firstStamp } = event
  const branch = { first: seq, last: range.last, prev, firstId, firstStamp, lastId: range.lastId }
  changeFeed(roomLog, room, feed, { newest, ranges: kept, pending: [], origin: state.origin, endsAt: seq })
  // A branch of a branch goes on where that one would have ended.
  changeFeed(roomLog, room, to, { newest, ranges: [branch], pending: [], origin, endsAt: state.endsAt })
  if (roomLog.heads.delete(feed)) roomLog.heads.set(to, { id: range.lastId, hlc: newest })
  const above = state.ranges.filter((one) => one.first > range.last)
  return [{ room, from: feed, first: seq, last: range.last, to }, ...loosen(log, room, feed, above)]
}

/**
 * L8: of a feed that ended only one version is held, since the disk refused the other: it is one again, as it is for
 * everybody else, until the other one comes back.
 */
export function rejoinFeed(log: Log, room: RoomId, feed: FeedId): Split[] {
  const roomLog = openRoomLog(log, room)
  const state = roomLog.feeds.get(feed)
  if (state?.endsAt === undefined || state.pending.length > 0) return []
  const { newest, ranges, endsAt } = state
  const origin = state.origin ?? feed
  const tail = ranges.find((range) => range.last === endsAt - 1)
  const branches = [...roomLog.feeds].filter(
    ([name, branch]) =>
      isBranch(name) &&
      branch.origin === origin &&
      [...branch.ranges, ...branch.pending].some(
        (range) => range.first === endsAt && (tail === undefined || range.prev === tail.lastId),
      ),
  )
  const [only] = branches
  if (branches.length > 1 || (only !== undefined && only[1].pending.length > 0)) return []
  const held = only?.[1].ranges ?? []
  const end = only?.[1].endsAt
  // A branch has no holes: what stood there as its end could be of any other.
  if (only !== undefined && isBranch(feed) && tail === undefined) {
    if (end !== undefined) return []
    changeFeed(roomLog, room, feed, { newest, ranges, pending: [], origin: state.origin, endsAt: undefined })
    const splits = loosen(log, room, only[0], held)
    forgetFeed(log, room, only[0])
    return splits
  }
  changeFeed(roomLog, room, feed, {
    newest: Math.max(newest, only?.[1].newest ?? 0),
    ranges: mergeRanges([...ranges, ...held]),
    pending: [],
    origin: state.origin,
    endsAt: end,
  })
  if (only === undefined) return []
  const [branch] = only
  const head = roomLog.heads.get(branch)
  if (head !== undefined) roomLog.heads.set(feed, head)
  forgetFeed(log, room, branch)
  return held.map((range) => ({ room, from: branch, first: range.first, last: range.last, to: feed }))
}

/** L9: what hangs on nothing is kept and told under a name of its own. */
function loosen(log: Log, room: RoomId, feed: FeedId, ranges: readonly HeldRange[]): Split[] {
  const roomLog = openRoomLog(log, room)
  const state = roomLog.feeds.get(feed)
  return ranges.map((range) => {
    const to = looseFeed(feedAuthor(feed), range.lastId)
    const { newest, origin = feed } = state ?? { newest: 0 }
    changeFeed(roomLog, room, to, { newest, ranges: [range], pending: [], origin, endsAt: undefined })
    return { room, from: feed, first: range.first, last: range.last, to }
  })
}

/** L9: @returns loose ends that end with one of these events, and so have found their place; they are held no more. */
export function dropLoose(log: Log, run: Run, origin: FeedId): FeedId[] {
  const roomLog = openRoomLog(log, run.room)
  const author = feedAuthor(origin)
  const loose = [...roomLog.feeds].filter(
    ([feed, state]) =>
      isLoose(feed) && feed !== run.feed && state.origin === origin && state.pending.length === 0,
  )
  if (loose.length === 0) return []
  const names = new Set(run.events.map((event) => looseFeed(author, event.id)))
  const placed = roomLog.feeds.get(run.feed)
  const covered = [...(placed?.ranges ?? []), ...(placed?.pending ?? [])]
  // Of what came only in part, the rest waits for its place.
  const found = loose.filter(
    ([feed, { ranges }]) => names.has(feed) && subtractRanges(ranges, covered).length === 0,
  )
  for (const [feed] of found) forgetFeed(log, run.room, feed)
  return found.map(([feed]) => feed)
}

/** L9: ranges above `run`'s beginning that it contradicts become loose, where it is joined to what is held below. */
export function dropIslands(log: Log, run: Run): Split[] {
  const roomLog = openRoomLog(log, run.room)
  const state = roomLog.feeds.get(run.feed)
  const [first] = run.events
  if (state === undefined || first === undefined || state.pending.length > 0) return []
  const islands = state.ranges.filter((one) => run.events.some((event) => contradicts(event, [one])))
  const kept = state.ranges.filter((one) => !islands.includes(one))
  const isJoined = first.seq === 0 || kept.some((one) => one.first <= first.seq && first.seq <= one.last + 1)
  if (!isJoined || islands.length === 0 || islands.some((one) => one.first <= first.seq)) return []
  const { newest, origin, endsAt } = state
  changeFeed(roomLog, run.room, run.feed, { newest, ranges: kept, pending: [], origin, endsAt })
  return loosen(log, run.room, run.feed, islands)
}
