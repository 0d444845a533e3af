/**
 * What is let go of, and what is carried for others: ages and quotas, rooms that nobody here is in.
 * Rules N1–N6 in PROTOCOL.md.
 *
 * Source: `gossip.md` §7.8 and §7.9. Deviation: a horizon is a number per feed and not a time, since two sides
 * agree on numbers without comparing clocks; the newest event of a feed always stays, so that what comes later hangs
 * on something.
 */
import { stampFromMs, stampToMs, wallMs } from './clock.ts'
import { holdersOf, noteDurable } from './delivery.ts'
import type { Effect, Retention } from './effects.ts'
import { eventWireBytes, type Event } from './event.ts'
import { feedAuthor, isDerived, type FeedId, type RoomId } from './ids.ts'
import { isWriting, noteCut } from './journal.ts'
import { limits } from './limits.ts'
import { feedsOf } from './log.ts'
import type { Engine } from './state.ts'
import { changeFeed, covers, cutBelow, type FeedState, type RoomSet } from './sync/held.ts'

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

/** N6: @returns rooms whose history is kept here: own ones, and those carried for others. */
export function keptRooms({ rooms, carried }: Engine): RoomSet {
  return carried.size === 0 ? rooms : new Set([...rooms.keys(), ...carried])
}

export function isKept(engine: Engine, room: RoomId): boolean {
  return engine.rooms.has(room) || engine.carried.has(room)
}

/** N6: a box or a carrier confirms that it holds something, a member that somebody has it. */
export function roleIn(engine: Engine, room: RoomId): 'reader' | 'carrier' {
  return engine.rooms.has(room) && !engine.presence.own.box ? 'reader' : 'carrier'
}

/** N6: what a carrier or a former member has confirmed is said anew in the role that it has now. */
export function confirmAnew(engine: Engine, room: RoomId): void {
  for (const [feed, { ranges }] of feedsOf(engine.log, room)) {
    if (ranges.length > 0 && feedAuthor(feed) !== engine.self) noteDurable(engine.delivery, room, feed)
  }
}

/** N5: @returns rooms of which more is taken: those carried for others only while there is space. */
export function askedRooms(engine: Engine): Iterable<RoomId> {
  return engine.isCarryFull ? engine.rooms.keys() : keptRooms(engine).keys()
}

export function isTaken(engine: Engine, room: RoomId): boolean {
  return engine.rooms.has(room) || (engine.carried.has(room) && !engine.isCarryFull)
}

/** N6: @returns whether more rooms are carried now. @param rooms as a neighbour names them */
export function carryMore(engine: Engine, rooms: Iterable<RoomId>): boolean {
  const { carried, retention } = engine
  const most = Math.min(retention.carriedRoomsMax, limits.carriedRoomsMax)
  const before = carried.size
  for (const room of rooms) {
    if (carried.size >= most) break
    if (engine.rooms.has(room) || carried.has(room)) continue
    carried.add(room)
    confirmAnew(engine, room)
  }
  return carried.size > before
}

/** N6: what is on the disk already is carried first; beyond what is allowed nothing is. */
export function setRetention(engine: Engine, retention: Retention): void {
  engine.retention = retention
  engine.carried.clear()
  carryMore(engine, engine.log.rooms.keys())
  for (const link of engine.overlay.links.values()) carryMore(engine, link.rooms)
  engine.retentionAtMs = Number.NEGATIVE_INFINITY
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
  if (isMore || shrink(engine, out)) engine.retentionAtMs = nowMs + limits.upkeepIntervalMs
}

/** N4: @returns the stamp before which a room's events are too old; 0 when none are. */
function horizonOf(engine: Engine, room: RoomId, nowMs: number): number {
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
  for (const [feed, state] of feedsOf(engine.log, room)) {
    const [lowest, next] = state.ranges
    if (lowest === undefined || !mayShrink(feed, state)) continue
    const isWhole = next?.firstStamp !== undefined && isOld(next.firstStamp, before)
    if (next !== undefined && isWhole && feedAuthor(feed) !== engine.self) {
      letGo(engine, { room, feed, floor: next.first, at: undefined, bytes: 0 })
      return true
    }
    if (!isOld(lowest.firstStamp ?? state.newest, before)) continue
    if (lowest.last === lowest.first) continue
    if (!readBeginning(engine, { type: 'age', room, feed, before }, lowest.first, out)) return true
  }
  return false
}

/** N4: a clock from before there was a meshchat is wrong, and says nothing of the age. */
function isOld(stamp: number, before: number): boolean {
  return stamp < before && stampToMs(stamp) >= limits.agingFromMs
}

function mayShrink(feed: FeedId, state: FeedState): boolean {
  return !isDerived(feed) && state.endsAt === undefined
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
  if (state === undefined || lowest === undefined || !mayShrink(feed, state)) return
  const held = events.filter((event) => event.seq >= lowest.first && event.seq <= lowest.last)
  const young = held.findIndex((event) => !isOld(event.hlc, before) || isOnlyHere(engine, event))
  // Something stays: the newest, or what is young.
  const index = young < 0 ? held.length - 1 : young
  const at = held[index]
  if (at === undefined || index === 0) return
  const bytes = held.slice(0, index).reduce((sum, event) => sum + eventWireBytes(event), 0)
  letGo(engine, { room, feed, floor: at.seq, at, bytes })
  if (young < 0) engine.retentionAtMs = Number.NEGATIVE_INFINITY
}

/** N4: own words stay until somebody who they are for has them. */
function isOnlyHere(engine: Engine, { room, feed, seq }: Pick<Event, 'room' | 'feed' | 'seq'>): boolean {
  if (feedAuthor(feed) !== engine.self) return false
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
  readonly bytes: number
}

/** N1: what is below goes from the disk with the next write, and is not held from now on. */
function letGo(engine: Engine, { room, feed, floor, at, bytes }: Cut): void {
  const roomLog = engine.log.rooms.get(room)
  const state = roomLog?.feeds.get(feed)
  if (roomLog === undefined || state === undefined || floor <= state.floor) return
  // What is being written says yet what was held before.
  if (isWriting(engine.journal, room, feed) || state.pending.some(({ first }) => first < floor)) return
  const [lowest] = state.ranges
  const joins = lowest !== undefined && lowest.first <= Math.max(state.floor, 0)
  const isWhole = lowest !== undefined && lowest.last >= floor
  const heldFrom = !isWhole ? floor : joins && state.floor > 0 ? state.heldFrom : lowest.first
  changeFeed(roomLog, room, feed, {
    ranges: cutBelow(state.ranges, floor, at),
    floor,
    heldFrom,
    bytes: Math.max(0, state.bytes - bytes),
  })
  noteCut(engine.journal, { room, feed, below: floor })
  if (feedAuthor(feed) === engine.self) engine.changedHolders.add(room)
  else if (roleIn(engine, room) === 'carrier') noteDurable(engine.delivery, room, feed)
}

/** N5: @returns whether something goes because there is too much: of carried rooms first, the oldest first. */
function shrink(engine: Engine, out: Effect[]): boolean {
  const { retention, carried, log } = engine
  const own = [...log.rooms.keys()].filter((room) => !carried.has(room))
  const [carriedBytes, ownBytes] = [bytesOf(engine, carried), bytesOf(engine, own)]
  engine.isCarryFull = carriedBytes > retention.carriedBytesMax
  if (engine.isCarryFull) return shrinkOne(engine, [...carried], out)
  if (carriedBytes + ownBytes <= retention.maxBytes) return false
  return shrinkOne(engine, [...carried], out) || shrinkOne(engine, own, out)
}

function bytesOf(engine: Engine, rooms: Iterable<RoomId>): number {
  let bytes = 0
  for (const room of rooms) for (const state of feedsOf(engine.log, room).values()) bytes += state.bytes
  return bytes
}

function shrinkOne(engine: Engine, rooms: readonly RoomId[], out: Effect[]): boolean {
  let oldest: { readonly room: RoomId; readonly feed: FeedId; readonly state: FeedState } | undefined
  let oldestStamp = Number.POSITIVE_INFINITY
  for (const room of rooms) {
    for (const [feed, state] of feedsOf(engine.log, room)) {
      const [lowest, next] = state.ranges
      const stamp = lowest?.firstStamp ?? state.newest
      if (lowest === undefined || !mayShrink(feed, state) || stamp >= oldestStamp) continue
      if (lowest.first === lowest.last && (next === undefined || feedAuthor(feed) === engine.self)) continue
      if (isOnlyHere(engine, { room, feed, seq: lowest.first })) continue
      oldest = { room, feed, state }
      oldestStamp = stamp
    }
  }
  if (oldest === undefined) return false
  const { room, feed, state } = oldest
  const [lowest, next] = state.ranges
  if (lowest === undefined) return false
  if (next !== undefined && feedAuthor(feed) !== engine.self)
    letGo(engine, { room, feed, floor: next.first, at: undefined, bytes: 0 })
  else readBeginning(engine, { type: 'age', room, feed, before: Number.MAX_SAFE_INTEGER }, lowest.first, out)
  return true
}
