/**
 * What is let go of, and what is carried for others: ages and quotas, rooms that nobody here is in.
 * Rules N1–N6 in PROTOCOL.md.
 *
 * Source: `gossip.md` §7.8 and §7.9. Deviation: a horizon is a number per feed and not a time, since two sides
 * agree on numbers without comparing clocks; the newest event of a feed always stays, so that what comes later hangs
 * on something.
 */
import { stampFromMs, stampToMs, wallMs } from '../clock.ts'
import { holdersOf, noteDurable } from '../delivery.ts'
import type { Effect, Retention } from '../effects.ts'
import { eventWireBytes, type Event } from '../event.ts'
import { feedAuthor, isDerived, type FeedId, type RoomId } from '../ids.ts'
import { isWriting, noteChanged, noteCut } from '../journal.ts'
import { directRoom } from '../direct/sealed-body.ts'
import { limits } from '../limits.ts'
import { feedsOf } from '../log.ts'
import type { Engine } from '../state.ts'
import { eventKinds } from '../timeline/body.ts'
import { bytesOf, carryMore, reviewCarried, roleIn } from './carry.ts'
import { changeFeed, covers, cutBelow, joinRanges, subtractRanges, type FeedState } from './held.ts'
import type { Range } from './sync-frame.ts'

/** Nothing is let go of, nothing carried. */
export const keepAll: Retention = {
  maxAgeMs: Number.POSITIVE_INFINITY,
  maxBytes: Number.POSITIVE_INFINITY,
  carriedRoomsMax: 0,
  carriedBytesMax: 0,
}

/** Why the beginning of a feed is being read: what is older than the stamp goes. */
export interface AgeLoad {
  readonly type: 'age'
  readonly room: RoomId
  readonly feed: FeedId
  readonly before: number
}

/** N6: what is on the disk already is carried first; beyond what is allowed nothing is. */
export function setRetention(engine: Engine, retention: Retention, nowMs: number): void {
  const before = engine.retention
  engine.retention = retention
  engine.isFull = false
  engine.isCarryFull = false
  const isMore = retention.maxAgeMs > before.maxAgeMs || retention.maxBytes > before.maxBytes
  if (isMore) for (const room of engine.log.rooms.keys()) forgetFloors(engine, room)
  engine.carried.clear()
  engine.unproven.clear()
  carryMore(engine, engine.log.rooms.keys(), undefined, nowMs)
  reviewCarried(engine, nowMs)
  engine.retentionAtMs = Number.NEGATIVE_INFINITY
  engine.lasting.clear()
}

/** N1: a room is to be kept longer, or as a member: what others still have may come again. */
export function forgetFloors(engine: Engine, room: RoomId): void {
  const roomLog = engine.log.rooms.get(room)
  if (roomLog === undefined) return
  const cut = [...roomLog.feeds].filter(([, state]) => state.floor > 0)
  for (const [feed] of cut) {
    if (isWriting(engine.journal, room, feed)) continue
    changeFeed(roomLog, room, feed, { floor: 0 })
    noteChanged(engine.journal, room, [feed])
  }
  engine.mayAsk = true
}

/** N4, N5: begins to let go of what is too old or too much. */
export function retain(engine: Engine, nowMs: number, out: Effect[]): void {
  if (nowMs < engine.retentionAtMs) return
  engine.retentionAtMs = nowMs + limits.retentionIntervalMs
  const isAny =
    engine.retention !== keepAll ||
    [...engine.rooms.values()].some((one) => one.maxAgeMs ?? one.policy?.maxAgeMs)
  if (!isAny) return
  let isMore = false
  for (const room of engine.log.rooms.keys()) {
    const before = horizonOf(engine, room, nowMs)
    if (before > 0) isMore = letGoOld(engine, room, before, out) || isMore
  }
  const isTooMuch = shrink(engine, out)
  if (isMore || isTooMuch) engine.retentionAtMs = nowMs + limits.upkeepIntervalMs
}

/** N4: @returns the stamp before which a room's events are too old; 0 when none are. */
export function horizonOf(engine: Engine, room: RoomId, nowMs: number): number {
  const record = engine.rooms.get(room)
  const policyMs = record?.policy?.maxAgeMs
  const maxAgeMs = Math.min(
    engine.retention.maxAgeMs,
    record?.maxAgeMs ?? Number.POSITIVE_INFINITY,
    policyMs === undefined || policyMs === 0 ? Number.POSITIVE_INFINITY : policyMs,
  )
  const horizonMs = wallMs(engine.clock, nowMs) - maxAgeMs
  return horizonMs <= limits.agingFromMs ? 0 : stampFromMs(horizonMs)
}

/** @returns whether there is more to be done than has begun. */
function letGoOld(engine: Engine, room: RoomId, before: number, out: Effect[]): boolean {
  let isMore = false
  for (const [feed, state] of feedsOf(engine.log, room)) {
    const [lowest] = state.ranges
    if (lowest === undefined || !mayShrink(engine, room, feed, state)) continue
    const island = islandBelow(engine, { room, feed, state }, before)
    if (island !== undefined) letGo(engine, { room, feed, floor: island, at: undefined, bytes: undefined })
    else if (
      isOld(lowest.firstStamp ?? state.newest, before) &&
      (lowest.last > lowest.first || isIslandOld(state, before))
    ) {
      isMore = !readBeginning(engine, { type: 'age', room, feed, before }, lowest.first, out) || isMore
    }
  }
  return isMore
}

/**
 * @returns the beginning of the newest range that is old itself, if something lies below: all of that, holes too, is
 * older, and what is missing there will not be fetched
 */
function islandBelow(
  engine: Engine,
  { room, feed, state }: { readonly room: RoomId; readonly feed: FeedId; readonly state: FeedState },
  before: number,
): number | undefined {
  if (!isOpen(engine, room)) return undefined
  // Of own words only what is not here at all.
  const ranges = mayDropIslands(engine, room, feed) ? state.ranges : state.ranges.slice(0, 1)
  const old = ranges.filter(
    ({ first, firstStamp }) => first > state.floor && isOld(firstStamp ?? before, before),
  )
  return old.at(-1)?.first
}

/** What lies above the lowest hole is too old itself, so that nothing in the hole will be fetched. */
function isIslandOld({ ranges }: FeedState, before: number): boolean {
  const [, next] = ranges
  return next !== undefined && isOld(next.firstStamp ?? before, before)
}

/** N4: a clock from before there was a meshchat is wrong, and says nothing of the age. */
function isOld(stamp: number, before: number): boolean {
  return stamp < before && (before === everything || stampToMs(stamp) >= limits.agingFromMs)
}

/** N5: by size the oldest go, whatever their clocks said. */
const everything = Number.MAX_SAFE_INTEGER

function mayShrink(engine: Engine, room: RoomId, feed: FeedId, state: FeedState): boolean {
  const first = state.ranges[0]?.first ?? 0
  if (isDerived(feed) || state.endsAt !== undefined) return false
  return engine.lasting.get(`${room}/${feed}`) !== first && !isOnlyHere(engine, { room, feed, seq: first })
}

function readBeginning(engine: Engine, load: AgeLoad, first: number, out: Effect[]): boolean {
  let reading = 0
  for (const one of engine.loads.values()) {
    if (one.type !== 'age') continue
    if (one.room === load.room && one.feed === load.feed) return true
    reading += 1
  }
  if (reading >= limits.lettingGoMax) return false
  engine.lastToken += 1
  engine.loads.set(engine.lastToken, load)
  const { room, feed } = load
  const last = first + limits.runEventsMax - 1
  out.push({ type: 'load', token: engine.lastToken, room, feed, first, last })
  return true
}

/** @param events the beginning of the feed as it is held, ascending */
export function takeAged(engine: Engine, load: AgeLoad, events: readonly Event[]): void {
  const { room, feed, before } = load
  const state = feedsOf(engine.log, room).get(feed)
  const [lowest] = state?.ranges ?? []
  if (state === undefined || lowest === undefined || !mayShrink(engine, room, feed, state)) return
  const held = events.filter((event) => event.seq >= lowest.first && event.seq <= lowest.last)
  const young = held.findIndex(
    (event) => !isOld(event.hlc, before) || isOnlyHere(engine, event) || isLasting(engine, event),
  )
  const isWholeOld = young < 0 && held.length === lowest.last - lowest.first + 1
  const next = state.ranges[1]
  if (isWholeOld && next !== undefined && isIslandOld(state, before)) {
    const bytes = held.reduce((sum, event) => sum + eventWireBytes(event), 0)
    letGo(engine, { room, feed, floor: next.first, at: undefined, bytes })
    engine.isUpkeepDue = true
    return
  }
  // Something stays: the newest, or what is young.
  const index = young < 0 ? held.length - 1 : young
  const at = held[index]
  // What stands at the bottom for good stays, and so does all above; what is only young grows old.
  if (at !== undefined && young === 0 && isLasting(engine, at))
    engine.lasting.set(`${room}/${feed}`, lowest.first)
  if (at === undefined || index === 0) return
  const bytes = held.slice(0, index).reduce((sum, event) => sum + eventWireBytes(event), 0)
  letGo(engine, { room, feed, floor: at.seq, at, bytes })
  if (young < 0) engine.retentionAtMs = Number.NEGATIVE_INFINITY
  engine.isUpkeepDue ||= young < 0
}

/** N4: who may do what in an owned room, and what was taken away there, outlasts what was said. */
function isLasting(engine: Engine, { room, kind }: Event): boolean {
  return !isOpen(engine, room) && lastingKinds.has(kind)
}

/** Of a room that is carried only, nobody here knows whether somebody owns it. */
function isOpen(engine: Engine, room: RoomId): boolean {
  return engine.rooms.has(room) && engine.rooms.get(room)?.owner === undefined
}

/** What lies below a hole goes without being read where nothing in it can have to stay. */
function mayDropIslands(engine: Engine, room: RoomId, feed: FeedId): boolean {
  return isOpen(engine, room) && feedAuthor(feed) !== engine.self
}

const lastingKinds: ReadonlySet<number> = new Set([
  eventKinds.create,
  eventKinds.appoint,
  eventKinds.remove,
  eventKinds.close,
  eventKinds.settings,
])

/** N4: own words stay until somebody who they are for has them. */
function isOnlyHere(engine: Engine, { room, feed, seq }: Pick<Event, 'room' | 'feed' | 'seq'>): boolean {
  if (feedAuthor(feed) !== engine.self) return false
  // Q6: letters are kept by themselves until they are confirmed.
  if (room === directRoom) return false
  return !holdersOf(engine.delivery, engine.log, room, engine.feed).some(
    (holder) => holder.role === 'reader' && holder.feed === feed && covers(holder.ranges, seq),
  )
}

interface Cut {
  readonly room: RoomId
  readonly feed: FeedId
  readonly floor: number
  /** The event at the floor; undefined where a held range begins there. */
  readonly at: Event | undefined
  /** Undefined where it was not read: then a share. */
  readonly bytes: number | undefined
}

/** N1: what is below goes from the disk with the next write, and is not held from now on. */
function letGo(engine: Engine, { room, feed, floor, at, bytes }: Cut): void {
  const roomLog = engine.log.rooms.get(room)
  const state = roomLog?.feeds.get(feed)
  if (roomLog === undefined || state === undefined || floor <= state.floor) return
  // What is being written says yet what was held before.
  if (isWriting(engine.journal, room, feed) || state.pending.some(({ first }) => first < floor)) return
  const ranges = cutBelow(state.ranges, floor, at)
  const dropped = subtractRanges(state.ranges, ranges)
  const isReader = roleIn(engine, room) === 'reader'
  const share = state.bytes * (countOf(dropped) / Math.max(1, countOf(state.ranges)))
  changeFeed(roomLog, room, feed, {
    ranges,
    floor,
    had: isReader ? joinRanges([...state.had, ...dropped]).slice(-limits.receiptRangesMax) : [],
    bytes: Math.max(0, state.bytes - Math.round(bytes ?? share)),
  })
  noteCut(engine.journal, { room, feed, below: floor })
  if (feedAuthor(feed) === engine.self) engine.changedHolders.add(room)
  else if (roleIn(engine, room) === 'carrier') noteDurable(engine.delivery, room, feed)
}

function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0)
}

/** N5: @returns whether something goes because there is too much: of carried rooms first, the oldest first. */
function shrink(engine: Engine, out: Effect[]): boolean {
  const { retention, carried, log } = engine
  const own = [...log.rooms.keys()].filter((room) => !carried.has(room))
  const [carriedBytes, ownBytes] = [bytesOf(engine, carried), bytesOf(engine, own)]
  engine.isCarryFull = carriedBytes > retention.carriedBytesMax
  const carriedExcess = carriedBytes - retention.carriedBytesMax
  if (engine.isCarryFull && shrinkSome(engine, [...carried], carriedExcess, out)) return true
  const excess = carriedBytes + ownBytes - retention.maxBytes
  engine.isFull = excess > 0
  if (!engine.isFull) return false
  if (shrinkSome(engine, [...carried], excess, out) || shrinkSome(engine, own, excess, out)) return true
  giveUpBelow(engine)
  return false
}

/** N5: with only what stays left, and too much of that, what is missing below will not be fetched. */
function giveUpBelow(engine: Engine): void {
  for (const room of [...engine.log.rooms.keys()].filter((one) => isOpen(engine, one))) {
    for (const [feed, state] of feedsOf(engine.log, room)) {
      const floor = state.ranges[0]?.first ?? 0
      if (floor <= state.floor || !mayShrink(engine, room, feed, state)) continue
      letGo(engine, { room, feed, floor, at: undefined, bytes: 0 })
    }
  }
}

/** The feeds with the oldest beginnings, as many as are read at once or as it takes. @returns whether there were any */
function shrinkSome(engine: Engine, rooms: readonly RoomId[], excess: number, out: Effect[]): boolean {
  const all: { readonly room: RoomId; readonly feed: FeedId; readonly state: FeedState }[] = []
  const stampOf = (state: FeedState) => state.ranges[0]?.firstStamp ?? state.newest
  for (const room of rooms) {
    for (const [feed, state] of feedsOf(engine.log, room)) {
      const [lowest, next] = state.ranges
      if (lowest === undefined || (lowest.first === lowest.last && next === undefined)) continue
      if (mayShrink(engine, room, feed, state)) all.push({ room, feed, state })
    }
  }
  all.sort((a, b) => stampOf(a.state) - stampOf(b.state))
  let freed = 0
  // One by one what goes is the oldest; where very much has to, several at once.
  const most = excess > limits.bytesAtOnce ? limits.lettingGoMax : 1
  for (const { room, feed, state } of all.slice(0, most)) {
    if (freed >= excess) break
    const [lowest, next] = state.ranges
    const count = countOf(state.ranges)
    freed += (state.bytes * Math.min(count, limits.runEventsMax)) / Math.max(1, count)
    if (next !== undefined && mayDropIslands(engine, room, feed)) {
      letGo(engine, { room, feed, floor: next.first, at: undefined, bytes: undefined })
    } else if (lowest !== undefined) {
      readBeginning(engine, { type: 'age', room, feed, before: everything }, lowest.first, out)
    }
  }
  return all.length > 0
}
