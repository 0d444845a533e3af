/** N6: which rooms are kept here, own ones and those carried for others, and in which role. */
import { noteDurable } from '../delivery.ts'
import { feedAuthor, type PeerId, type RoomId } from '../ids.ts'
import { limits } from '../limits.ts'
import { feedsOf } from '../log.ts'
import type { Engine } from '../state.ts'
import type { RoomSet } from './held.ts'

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

/**
 * N6: @returns whether more rooms are carried now.
 * @param by who names them; undefined for what is on the disk
 */
export function carryMore(
  engine: Engine,
  rooms: Iterable<RoomId>,
  by: PeerId | undefined,
  nowMs: number,
): boolean {
  const { carried, retention, unproven } = engine
  const most = Math.min(retention.carriedRoomsMax, limits.carriedRoomsMax)
  const before = carried.size
  for (const room of rooms) {
    if (carried.size >= most) break
    if (engine.rooms.has(room) || carried.has(room)) continue
    const isProven = isKnown(engine, room)
    const others = [...unproven.values()].filter((one) => one.by === by).length
    if (!isProven && (by === undefined || others >= limits.unprovenRoomsMax)) continue
    if (!isProven && by !== undefined) unproven.set(room, { by, sinceMs: nowMs })
    carried.add(room)
  }
  return carried.size > before
}

/** N6: somebody known is in it, or something of it is held: else anybody could have invented it. */
function isKnown(engine: Engine, room: RoomId): boolean {
  if (bytesOf(engine, [room]) > 0) return true
  return [...engine.presence.known.values()].some(({ record }) => record.rooms.includes(room))
}

/** N6: what has not come to life makes room. @returns whether other rooms are carried than before */
export function reviewCarried(engine: Engine, nowMs: number): boolean {
  const { carried, unproven } = engine
  if (engine.retention.carriedRoomsMax === 0) return false
  let isChanged = false
  for (const [room, { sinceMs }] of unproven) {
    const isProven = isKnown(engine, room)
    if (!isProven && nowMs - sinceMs < limits.unprovenMs) continue
    unproven.delete(room)
    if (!isProven) isChanged = carried.delete(room) || isChanged
  }
  for (const { rooms, peer } of engine.overlay.links.values()) {
    isChanged = carryMore(engine, rooms, peer, nowMs) || isChanged
  }
  return isChanged
}

export function bytesOf(engine: Engine, rooms: Iterable<RoomId>): number {
  let bytes = 0
  for (const room of rooms) for (const state of feedsOf(engine.log, room).values()) bytes += state.bytes
  return bytes
}
