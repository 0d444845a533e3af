/**
 * What a feed's held ranges are, how they are joined, cut and compared: the small pure half of the log.
 * Rules L3, N1 and R8 in PROTOCOL.md.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, isDerived, shortName, type EventId, type FeedId, type RoomId } from '../ids.ts'
import { encodeUtf8 } from '../bytes.ts'
import type { Gap, RoomSize } from '../effects.ts'
import type { Event } from '../event.ts'
import { limits } from '../limits.ts'
import { toField } from './sketch.ts'
import type { Range } from './sync-frame.ts'

/** A set, or a map by room. */
export interface RoomSet {
  has(room: RoomId): boolean
  keys(): Iterable<RoomId>
}

/** Two 32-bit halves. */
export type Print = readonly [number, number]

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
  /** N1: what is below this number has been let go of. */
  readonly floor?: number
  /** N6: what a reader has had and let go of. */
  readonly had?: readonly Range[]
  /** About how much the held events take. */
  readonly bytes?: number
}

export interface FeedState {
  /** 31 bits by which two peers that both know the feed can speak of it. */
  readonly name: number
  newest: number
  /** Durable. */
  ranges: readonly HeldRange[]
  /** On its way to the disk. */
  pending: readonly HeldRange[]
  /** Over the feed, its durable ranges and their last events. */
  print: Print
  /** The feed that signed it, for a branch. */
  readonly origin: FeedId | undefined
  /** L8: from here on there are branches, and nothing stands here. */
  readonly endsAt: number | undefined
  /** N1: nothing below this number is kept or asked for; 0 where nothing was let go of. */
  readonly floor: number
  /** N6: what a reader has had and let go of; ascending. */
  readonly had: readonly Range[]
  /** About how much the held events take. */
  readonly bytes: number
  /** The print with the floor of a neighbour that keeps less: the last one that was asked for. */
  clipped: { readonly floor: number; readonly print: Print } | undefined
}

/** What may be changed of a feed; prints and names follow from it. */
export type FeedChange = Partial<Omit<FeedState, 'print' | 'name' | 'clipped'>>

/** By feed: the numbers below which a neighbour keeps nothing. */
export type Floors = ReadonlyMap<FeedId, number>

export interface RoomLog {
  /** XOR over the feeds' prints: equal ranges give equal digests (R8). */
  print: Print
  readonly feeds: Map<FeedId, FeedState>
  /** By short name, for what comes in short form. */
  readonly byName: Map<number, FeedId[]>
  /** Newest event of each other feed that no known event names as an ancestor yet. */
  readonly heads: Map<FeedId, { readonly id: EventId; readonly hlc: number }>
}

export interface Log {
  readonly rooms: Map<RoomId, RoomLog>
}

const nothing: Print = [0, 0]

/** Changes what is held of a feed, and the room's print with it. */
export function changeFeed(room: RoomLog, id: RoomId, feed: FeedId, change: FeedChange): void {
  const known = room.feeds.get(feed)
  const state = { ...(known ?? emptyFeed(feed)), ...change, clipped: undefined }
  const print = printOf(id, feed, state.ranges, state.floor)
  room.print = xor(xor(room.print, known?.print ?? nothing), print)
  if (known === undefined) nameFeed(room, feed)
  room.feeds.set(feed, { ...state, print })
}

/** Nothing is held any more under this name. */
export function removeFeed(room: RoomLog, feed: FeedId): void {
  const known = room.feeds.get(feed)
  if (known === undefined) return
  room.print = xor(room.print, known.print)
  room.feeds.delete(feed)
  room.heads.delete(feed)
  const name = shortName(feed)
  room.byName.set(
    name,
    (room.byName.get(name) ?? []).filter((one) => one !== feed),
  )
}

export function emptyFeed(feed: FeedId, origin?: FeedId): FeedState {
  const held = { newest: 0, ranges: [], pending: [], floor: 0, had: [], bytes: 0 }
  return { ...held, print: nothing, name: nameOf(feed), origin, endsAt: undefined, clipped: undefined }
}

export function nameFeed(room: RoomLog, feed: FeedId): void {
  const name = shortName(feed)
  room.byName.set(name, [...(room.byName.get(name) ?? []), feed])
}

/** 31 bits by which two peers that both know the feed can speak of it. */
export function nameOf(feed: FeedId): number {
  const digest = sha256(encodeUtf8(feed))
  return toField(new DataView(digest.buffer, digest.byteOffset).getUint32(0))
}

/** 8 bytes as hex. */
export function printText([half, other]: Print): string {
  const text = (bits: number) => (bits >>> 0).toString(16).padStart(8, '0')
  return `${text(half)}${text(other)}`
}

export function xor(a: Print, b: Print): Print {
  return [a[0] ^ b[0], a[1] ^ b[1]]
}

/**
 * N2: what is held from the floor up, in one number. Where it reaches down to the floor without a hole, the floor
 * itself does not show: who keeps more and who keeps less agree.
 */
function printOf(room: RoomId, feed: FeedId, ranges: readonly HeldRange[], floor: number): Print {
  if (ranges.length === 0) return nothing
  const parts = ranges.map(({ first, last, lastId }) => {
    return `${first <= floor ? '' : first}-${last}-${lastId.slice(0, 16)}`
  })
  const text = `${room} ${feed} ${parts.join(' ')}`
  const digest = sha256(encodeUtf8(text))
  const view = new DataView(digest.buffer, digest.byteOffset)
  return [view.getUint32(0), view.getUint32(4)]
}

/** N2: @returns the print of what is held above the floor of a neighbour that keeps less. */
export function printAbove(room: RoomId, feed: FeedId, state: FeedState, floor = 0): Print {
  if (floor <= state.floor) return state.print
  if (state.clipped?.floor !== floor) {
    const above = state.ranges.filter(({ last }) => last >= floor)
    state.clipped = { floor, print: printOf(room, feed, above, floor) }
  }
  return state.clipped.print
}

/** N2: @returns the room's print, as it is above the floors of a neighbour. */
export function roomPrint(log: Log, room: RoomId, floors?: Floors): Print {
  const roomLog = log.rooms.get(room)
  let print = roomLog?.print ?? nothing
  for (const [feed, floor] of floors ?? []) {
    const state = roomLog?.feeds.get(feed)
    if (state !== undefined) print = xor(xor(print, state.print), printAbove(room, feed, state, floor))
  }
  return print
}

/** R8: 8 bytes as hex over everything durable in the given rooms; equal rooms and ranges give equal digests. */
export function logDigest(log: Log, rooms: Iterable<RoomId>, floors?: ReadonlyMap<RoomId, Floors>): string {
  let print = nothing
  for (const room of rooms) print = xor(print, roomPrint(log, room, floors?.get(room)))
  return bytesToHex(new Uint8Array(Uint32Array.of(...print).buffer))
}

/** @returns how much is held of each room */
export function sizesOf(log: Log): RoomSize[] {
  return [...log.rooms].map(([room, { feeds }]) => {
    let [events, bytes] = [0, 0]
    for (const feed of feeds.values()) {
      bytes += feed.bytes
      for (const { first, last } of feed.ranges) events += last - first + 1
    }
    return { room, events, bytes }
  })
}

/** @returns what is known to be missing: below something that is held, above what was let go of. The newest holes first. */
export function gapsOf(log: Log, room: RoomId): Gap[] {
  const gaps: (Gap & { readonly before: number })[] = []
  for (const [feed, { ranges, floor }] of log.rooms.get(room)?.feeds ?? []) {
    const [first] = ranges
    // Branches and loose ends begin anywhere.
    if (first === undefined || isDerived(feed)) continue
    const holes = subtractRanges([{ first: floor, last: ranges.at(-1)?.last ?? 0 }], ranges)
    for (const hole of holes) {
      const above = ranges.find((range) => range.first > hole.last)
      gaps.push({ feed, ...hole, before: above?.firstStamp ?? 0 })
    }
  }
  gaps.sort((a, b) => b.before - a.before)
  return gaps.slice(0, limits.gapsShownMax).map(({ feed, first, last }) => ({ feed, first, last }))
}

/** @returns the numbers that are not kept, as a range. */
export function belowFloor(floor = 0): Range[] {
  return floor === 0 ? [] : [{ first: 0, last: floor - 1 }]
}

/**
 * N1: what is left of ranges above a floor.
 * @param at the event at the floor, where one is held
 */
export function cutBelow(ranges: readonly HeldRange[], floor: number, at: Event | undefined): HeldRange[] {
  return ranges.flatMap((range) => {
    if (range.last < floor) return []
    if (range.first >= floor || at === undefined) return [range]
    return [{ ...range, first: floor, prev: at.prev, firstId: at.id, firstStamp: at.hlc }]
  })
}

export function covers(ranges: readonly Range[], seq: number): boolean {
  return ranges.some((range) => range.first <= seq && seq <= range.last)
}

export function toRanges(events: readonly Event[]): HeldRange[] {
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

/** @returns the same numbers in as few ranges as can be, ascending. */
export function joinRanges(ranges: readonly Range[]): Range[] {
  const joined: Range[] = []
  for (const { first, last } of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = joined.at(-1)
    if (before === undefined || first > before.last + 1) joined.push({ first, last })
    else joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, last) }
  }
  return joined
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
