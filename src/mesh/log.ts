/**
 * What of each room's history is held: per feed, the ranges of sequence numbers, each chained to its ends.
 * Decides whether a run is new, known or a fork. Rules L1–L9 in PROTOCOL.md.
 *
 * Leaves to others: fetching what is missing (reconcile.ts), writing it down (journal.ts), order (clock.ts), finding
 * where a feed forked (sync/forks.ts).
 */
import { eventWireBytes, type Event, type Run } from './event.ts'
import {
  branchFeed,
  feedAuthor,
  isDerived,
  isLoose,
  looseFeed,
  type EventId,
  type FeedId,
  type PeerId,
  type RoomId,
} from './ids.ts'
import type { Range } from './sync/sync-frame.ts'
import { limits } from './limits.ts'
import {
  belowFloor,
  changeFeed,
  covers,
  emptyFeed,
  mergeRanges,
  nameFeed,
  removeFeed,
  toRanges,
  type FeedRecord,
  type FeedState,
  type HeldRange,
  type Log,
  type RoomLog,
} from './sync/held.ts'

export type Accepted =
  | {
      readonly type: 'new'
      readonly events: readonly Event[]
      /** L2: the signed end, when it is held; perhaps without its signature. */
      readonly end: Event | undefined
    }
  | { readonly type: 'duplicate' }
  /** Two different events with one sequence number, both signed; where they part is not known yet. */
  | { readonly type: 'fork' }
  /** The room has more feeds than this peer keeps. */
  | { readonly type: 'full' }
  /** Of a branch, and not joined to what is held of it. */
  | { readonly type: 'loose' }

export function createLog(records: readonly FeedRecord[]): Log {
  const log: Log = { rooms: new Map() }
  for (const { room, feed, ...held } of records) {
    const { newest, ranges } = held
    if (isDerived(feed) && ranges.length === 0) continue
    const roomLog = openRoomLog(log, room)
    changeFeed(roomLog, room, feed, held)
    const last = ranges[ranges.length - 1]
    if (last !== undefined) roomLog.heads.set(feed, { id: last.lastId, hlc: newest })
  }
  return log
}

export function openRoomLog(log: Log, room: RoomId): RoomLog {
  const known = log.rooms.get(room)
  if (known !== undefined) return known
  const fresh: RoomLog = { print: [0, 0], feeds: new Map(), byName: new Map(), heads: new Map() }
  log.rooms.set(room, fresh)
  return fresh
}

/** Of a derived feed nothing is held any more under its name. */
export function forgetFeed(log: Log, room: RoomId, feed: FeedId): void {
  removeFeed(openRoomLog(log, room), feed)
}

/** @returns the durable ranges of a feed, ascending. */
export function heldRanges(log: Log, room: RoomId, feed: FeedId): readonly HeldRange[] {
  return log.rooms.get(room)?.feeds.get(feed)?.ranges ?? []
}

type CoveredRange = Range & Pick<HeldRange, 'firstStamp'>

/** @returns what must not be asked for: durable and pending ranges, and what has been let go of (N1). */
export function coveredRanges(log: Log, room: RoomId, feed: FeedId): readonly CoveredRange[] {
  const state = log.rooms.get(room)?.feeds.get(feed)
  if (state === undefined) return []
  return [...belowFloor(state.floor), ...state.ranges, ...state.pending]
}

/**
 * L1–L4: which events of a checked run are new here. Marks them pending.
 * @param run as `placeRun` gives it
 */
export function acceptRun(log: Log, run: Run, options: { isOwn?: boolean; origin?: FeedId } = {}): Accepted {
  const room = openRoomLog(log, run.room)
  let state = room.feeds.get(run.feed)
  if (state === undefined) {
    if (options.isOwn !== true && isCrowded(room, run.feed)) return { type: 'full' }
    state = emptyFeed(run.feed, isDerived(run.feed) ? options.origin : undefined)
    room.feeds.set(run.feed, state)
    nameFeed(room, run.feed)
  }
  const covered = [...state.ranges, ...state.pending]
  const { floor } = state
  if (run.events.some((event) => contradicts(event, covered))) return { type: 'fork' }
  const fresh = run.events.filter((event) => event.seq >= floor && !covers(covered, event.seq))
  if (fresh.length === 0) return { type: 'duplicate' }
  if (isDerived(run.feed) && !isAnchored(run, covered)) return { type: 'loose' }
  if (covered.length >= limits.heldRangesMax && !touches(run, covered)) return { type: 'full' }
  const end = run.events.at(-1)
  state.pending = mergeRanges([...state.pending, ...toRanges(fresh)])
  noteHeads(room, fresh)
  return { type: 'new', events: fresh, end: end === undefined || fresh.includes(end) ? undefined : end }
}

/** L8, L9: a branch is held from its first event up, a loose end from its last one down: nothing else slips in. */
function isAnchored(run: Run, covered: readonly Range[]): boolean {
  const [first] = run.events
  const last = run.events.at(-1)
  if (first === undefined || last === undefined) return false
  const author = feedAuthor(run.feed)
  const isNamed = branchFeed(author, first.id) === run.feed || looseFeed(author, last.id) === run.feed
  if (isNamed) return true
  // Below its first event a branch is not one yet.
  if (!isLoose(run.feed) && covered.some((range) => first.seq < range.first)) return false
  // Above its last event a loose end would be another one.
  const isAbove = isLoose(run.feed) && covered.every((range) => range.last < last.seq)
  return !isAbove && touches(run, covered)
}

/** A run that joins something held makes no new hole. */
function touches(run: Run, covered: readonly Range[]): boolean {
  const first = run.events[0]?.seq ?? 0
  const last = first + run.events.length - 1
  return covered.some((range) => first <= range.last + 1 && last >= range.first - 1)
}

/** L4: too many feeds, or too many of one device. Its own feed a device always keeps. */
function isCrowded(room: RoomLog, feed: FeedId): boolean {
  if (room.feeds.size >= limits.feedsPerRoomMax) return true
  return keptBeside(room, feed) >= keptMax(feed)
}

function keptMax(feed: FeedId): number {
  if (isLoose(feed)) return limits.loosePerDeviceMax
  return isDerived(feed) ? limits.branchesPerDeviceMax : limits.feedsPerDeviceMax
}

/** @returns how many of the same device and the same sort there are: nobody's branches take the place of feeds. */
function keptBeside(room: RoomLog, feed: FeedId): number {
  if (room.feeds.size < limits.loosePerDeviceMax) return 0
  const author = feedAuthor(feed)
  const [isLooseOne, isDerivedOne] = [isLoose(feed), isDerived(feed)]
  let count = 0
  for (const [known, { ranges, pending }] of room.feeds) {
    // What was refused, or did not reach the disk, takes nobody's place.
    if (!known.startsWith(author) || ranges.length + pending.length === 0) continue
    if (isLoose(known) === isLooseOne && isDerived(known) === isDerivedOne) count += 1
  }
  return count
}

/** L4: @returns whether one more version of a feed could be kept beside the one that is held. */
export function hasBranchPlace(log: Log, room: RoomId, author: PeerId): boolean {
  const roomLog = openRoomLog(log, room)
  const some = `${author}.ffffffff` as FeedId
  return (
    roomLog.feeds.size < limits.feedsPerRoomMax &&
    keptBeside(roomLog, some) + 2 <= limits.branchesPerDeviceMax
  )
}

/** L3: an event that touches a held range must be the one that the range is chained to. */
export function contradicts(event: Event, covered: readonly HeldRange[]): boolean {
  return covered.some(
    (range) =>
      (event.seq === range.last && event.id !== range.lastId) ||
      (event.seq === range.last + 1 && event.prev !== range.lastId) ||
      (event.seq === range.first && event.prev !== range.prev) ||
      (event.seq === range.first && range.firstId !== undefined && event.id !== range.firstId) ||
      (event.seq === range.first - 1 && event.id !== range.prev),
  )
}

function noteHeads(room: RoomLog, events: readonly Event[]): void {
  for (const event of events) {
    const known = room.heads.get(event.feed)
    if (known === undefined || event.hlc >= known.hlc) {
      room.heads.set(event.feed, { id: event.id, hlc: event.hlc })
    }
    for (const dep of event.deps) {
      for (const [feed, head] of room.heads) if (head.id === dep) room.heads.delete(feed)
    }
  }
}

/** L5: the ancestors that a new own event names: at most `depsMax` heads of other feeds, newest first. */
export function takeDeps(log: Log, room: RoomId, own: FeedId): EventId[] {
  const heads = openRoomLog(log, room).heads
  const newest = [...heads].filter(([feed]) => feed !== own).sort(([, a], [, b]) => b.hlc - a.hlc)
  return newest.slice(0, limits.depsMax).map(([, head]) => head.id)
}

/** @returns the feed's record as it will be once `events` are durable. */
export function recordWith(log: Log, events: readonly Event[], room: RoomId, feed: FeedId): FeedRecord {
  const state = log.rooms.get(room)?.feeds.get(feed)
  const newest = Math.max(state?.newest ?? 0, ...events.map((event) => event.hlc))
  const ranges = mergeRanges([...(state?.ranges ?? []), ...toRanges(events)])
  const bytes = events.reduce((sum, event) => sum + eventWireBytes(event), state?.bytes ?? 0)
  return { room, feed, newest, ranges, bytes, ...marksOf(state) }
}

function marksOf(state: FeedState | undefined): Pick<FeedRecord, 'origin' | 'endsAt' | 'floor' | 'had'> {
  if (state === undefined) return {}
  const { origin, endsAt, floor, had } = state
  return {
    ...(origin === undefined ? {} : { origin }),
    ...(endsAt === undefined ? {} : { endsAt }),
    // Also when they are gone: what is kept of the record is changed by what it says.
    floor,
    had,
  }
}

/** L6: what the disk has confirmed becomes held. */
export function commit(log: Log, { room, feed, ...held }: FeedRecord): void {
  if (isDerived(feed) && held.ranges.length === 0) return
  const state = openRoomLog(log, room).feeds.get(feed)
  const pending = (state?.pending ?? []).filter(
    (range) => !held.ranges.some((one) => one.first <= range.first && one.last >= range.last),
  )
  changeFeed(openRoomLog(log, room), room, feed, { ...held, pending })
}

/** L6: what the disk refused is not held, and may be asked for again. */
export function release(log: Log, room: RoomId, feed: FeedId): void {
  const state = log.rooms.get(room)?.feeds.get(feed)
  if (state !== undefined) state.pending = []
}

/** @returns the next own sequence number and the event before it. */
export function nextOwn(log: Log, room: RoomId, feed: FeedId): { seq: number; prev: EventId | undefined } {
  const state = log.rooms.get(room)?.feeds.get(feed)
  const last = mergeRanges([...(state?.ranges ?? []), ...(state?.pending ?? [])]).at(-1)
  return last === undefined ? { seq: 0, prev: undefined } : { seq: last.last + 1, prev: last.lastId }
}

/** @returns the feed whose key signed it: itself, unless it is a branch. */
export function originOf(log: Log, room: RoomId, feed: FeedId): FeedId {
  return log.rooms.get(room)?.feeds.get(feed)?.origin ?? feed
}

export function feedsOf(log: Log, room: RoomId): ReadonlyMap<FeedId, Readonly<FeedState>> {
  return log.rooms.get(room)?.feeds ?? new Map()
}
