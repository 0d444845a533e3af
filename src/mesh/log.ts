/**
 * What of each room's history is held: per feed, the ranges of sequence numbers, each chained to its ends.
 * Decides whether a run is new, known or a fork. Rules L1–L9 in PROTOCOL.md.
 *
 * Leaves to others: fetching what is missing (reconcile.ts), writing it down (journal.ts), order (clock.ts), finding
 * where a feed forked (sync/forks.ts).
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { encodeUtf8 } from './bytes.ts'
import type { Event, Run } from './event.ts'
import {
  branchFeed,
  bytesToHex,
  feedAuthor,
  isDerived,
  isLoose,
  looseFeed,
  shortName,
  type EventId,
  type FeedId,
  type PeerId,
  type RoomId,
} from './ids.ts'
import type { Range } from './sync/sync-frame.ts'
import { limits } from './limits.ts'
import { toField } from './sync/sketch.ts'

/** A held range with the ids at its ends, so that what joins it can be checked against the chain. */
export interface HeldRange extends Range {
  readonly prev: EventId | undefined
  /** Absent in records of earlier versions. */
  readonly firstId?: EventId
  /** Of the first event: what is missing below is older. */
  readonly firstStamp?: number
  readonly lastId: EventId
}

/** What the store keeps beside the events, so that a start need not read them. */
export interface FeedRecord {
  readonly room: RoomId
  readonly feed: FeedId
  /** Stamp of the newest event held. */
  readonly newest: number
  /** Ascending; neighbours are merged. */
  readonly ranges: readonly HeldRange[]
  /** The feed that signed it, for a branch. */
  readonly origin?: FeedId
  /** From here on there are branches. */
  readonly endsAt?: number
}

export interface FeedState {
  /** 31 bits by which two peers that both know the feed can speak of it. */
  readonly name: number
  newest: number
  /** Durable. */
  ranges: readonly HeldRange[]
  /** On its way to the disk. */
  pending: readonly HeldRange[]
  /** Two 32-bit halves over the feed, its durable ranges and their last events. */
  print: readonly [number, number]
  /** The feed that signed it, for a branch. */
  readonly origin: FeedId | undefined
  /** L8: from here on there are branches, and nothing stands here. */
  readonly endsAt: number | undefined
}

export interface RoomLog {
  /** XOR over the feeds' prints: equal ranges give equal digests (R8). */
  print: [number, number]
  readonly feeds: Map<FeedId, FeedState>
  /** By short name, for what comes in short form. */
  readonly byName: Map<number, FeedId[]>
  /** Newest event of each other feed that no known event names as an ancestor yet. */
  readonly heads: Map<FeedId, { readonly id: EventId; readonly hlc: number }>
}

export interface Log {
  readonly rooms: Map<RoomId, RoomLog>
}

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
  for (const { room, feed, newest, ranges, origin, endsAt } of records) {
    if (isDerived(feed) && ranges.length === 0) continue
    const roomLog = openRoomLog(log, room)
    setFeed(roomLog, room, feed, { newest, ranges, pending: [], origin, endsAt })
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

export function setFeed(
  room: RoomLog,
  id: RoomId,
  feed: FeedId,
  state: Omit<FeedState, 'print' | 'name'>,
): void {
  const known = room.feeds.get(feed)
  const before = known?.print ?? [0, 0]
  const print = printOf(id, feed, state.ranges)
  room.print = [room.print[0] ^ before[0] ^ print[0], room.print[1] ^ before[1] ^ print[1]]
  if (known === undefined) nameFeed(room, feed)
  room.feeds.set(feed, { ...state, print, name: known?.name ?? nameOf(feed) })
}

/** Of a derived feed nothing is held any more under its name. */
export function forgetFeed(log: Log, room: RoomId, feed: FeedId): void {
  const roomLog = openRoomLog(log, room)
  const known = roomLog.feeds.get(feed)
  if (known === undefined) return
  roomLog.print = [roomLog.print[0] ^ known.print[0], roomLog.print[1] ^ known.print[1]]
  roomLog.feeds.delete(feed)
  roomLog.heads.delete(feed)
  const name = shortName(feed)
  roomLog.byName.set(
    name,
    (roomLog.byName.get(name) ?? []).filter((one) => one !== feed),
  )
}

function nameFeed(room: RoomLog, feed: FeedId): void {
  const name = shortName(feed)
  room.byName.set(name, [...(room.byName.get(name) ?? []), feed])
}

function nameOf(feed: FeedId): number {
  const digest = sha256(encodeUtf8(feed))
  return toField(new DataView(digest.buffer, digest.byteOffset).getUint32(0))
}

function printOf(room: RoomId, feed: FeedId, ranges: readonly HeldRange[]): readonly [number, number] {
  if (ranges.length === 0) return [0, 0]
  const parts = ranges.map(({ first, last, lastId }) => `${first}-${last}-${lastId.slice(0, 16)}`)
  const text = `${room} ${feed} ${parts.join(' ')}`
  const digest = sha256(encodeUtf8(text))
  const view = new DataView(digest.buffer, digest.byteOffset)
  return [view.getUint32(0), view.getUint32(4)]
}

/** R8: 8 bytes as hex over everything durable in the given rooms; equal rooms and ranges give equal digests. */
export function logDigest(log: Log, rooms: Iterable<RoomId>): string {
  const halves: [number, number] = [0, 0]
  for (const room of rooms) {
    const print = log.rooms.get(room)?.print ?? [0, 0]
    halves[0] ^= print[0]
    halves[1] ^= print[1]
  }
  return bytesToHex(new Uint8Array(Uint32Array.of(...halves).buffer))
}

/** @returns the durable ranges of a feed, ascending. */
export function heldRanges(log: Log, room: RoomId, feed: FeedId): readonly HeldRange[] {
  return log.rooms.get(room)?.feeds.get(feed)?.ranges ?? []
}

/** @returns durable and pending ranges: what must not be asked for. */
export function coveredRanges(log: Log, room: RoomId, feed: FeedId): readonly HeldRange[] {
  const state = log.rooms.get(room)?.feeds.get(feed)
  return state === undefined ? [] : [...state.ranges, ...state.pending]
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
  if (run.events.some((event) => contradicts(event, covered))) return { type: 'fork' }
  const fresh = run.events.filter((event) => !covers(covered, event.seq))
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
  // Above its last event a loose end would be another one.
  const isAbove = isLoose(run.feed) && covered.every((range) => range.last < last.seq)
  return !isAbove && touches(run, covered)
}

function emptyFeed(feed: FeedId, origin: FeedId | undefined): FeedState {
  return { newest: 0, ranges: [], pending: [], print: [0, 0], name: nameOf(feed), origin, endsAt: undefined }
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
  return { room, feed, newest, ranges, ...forkOf(state) }
}

function forkOf(state: FeedState | undefined): Pick<FeedRecord, 'origin' | 'endsAt'> {
  const { origin, endsAt } = state ?? {}
  return { ...(origin === undefined ? {} : { origin }), ...(endsAt === undefined ? {} : { endsAt }) }
}

/** L6: what the disk has confirmed becomes held. */
export function commit(log: Log, record: FeedRecord): void {
  if (isDerived(record.feed) && record.ranges.length === 0) return
  const state = openRoomLog(log, record.room).feeds.get(record.feed)
  const pending = (state?.pending ?? []).filter(
    (range) => !record.ranges.some((held) => held.first <= range.first && held.last >= range.last),
  )
  setFeed(openRoomLog(log, record.room), record.room, record.feed, {
    newest: record.newest,
    ranges: record.ranges,
    pending,
    origin: record.origin,
    endsAt: record.endsAt,
  })
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

export function covers(ranges: readonly Range[], seq: number): boolean {
  return ranges.some((range) => range.first <= seq && seq <= range.last)
}

function toRanges(events: readonly Event[]): HeldRange[] {
  const single = events.map((event) => ({
    first: event.seq,
    last: event.seq,
    prev: event.prev,
    firstId: event.id,
    firstStamp: event.hlc,
    lastId: event.id,
  }))
  return mergeRanges(single)
}

/** Sorts, and joins ranges that touch or overlap. */
export function mergeRanges(ranges: readonly HeldRange[]): HeldRange[] {
  const sorted = [...ranges].sort((a, b) => a.first - b.first)
  const merged: HeldRange[] = []
  for (const range of sorted) {
    const before = merged.at(-1)
    if (before === undefined || range.first > before.last + 1) merged.push(range)
    else if (range.last > before.last) {
      merged[merged.length - 1] = { ...before, last: range.last, lastId: range.lastId }
    }
  }
  return merged
}

/** @returns `wanted` without everything that `covered` has, ascending. */
export function subtractRanges(wanted: readonly Range[], covered: readonly Range[]): Range[] {
  let rest: Range[] = [...wanted]
  for (const cut of covered) {
    rest = rest.flatMap((range) => {
      if (cut.last < range.first || cut.first > range.last) return [range]
      const pieces: Range[] = []
      if (range.first < cut.first) pieces.push({ first: range.first, last: cut.first - 1 })
      if (range.last > cut.last) pieces.push({ first: cut.last + 1, last: range.last })
      return pieces
    })
  }
  return rest.sort((a, b) => a.first - b.first)
}
