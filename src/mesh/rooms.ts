/** Which rooms this device is in: entering, leaving, owning them, and what their owners want. Rules E9, M7, M9, N4, N6. */
import type { PlacedEvent } from './clock.ts'
import type { Command, Effect, MeshEvent, RoomCard, RoomRecord } from './effects.ts'
import { tellRooms } from './exchange.ts'
import {
  canonicalRoomName,
  cleanName,
  feedAuthor,
  incarnationOf,
  isLoose,
  openRoomId,
  ownedRoomId,
  type RoomId,
} from './ids.ts'
import { directRoom } from './direct/sealed-body.ts'
import { limits } from './limits.ts'
import { feedsOf } from './log.ts'
import { enqueue } from './outbox.ts'
import { isOwnedRoom } from './overlay/room-cards.ts'
import type { Engine } from './state.ts'
import { confirmAnew } from './sync/carry.ts'
import { forgetFloors } from './sync/retention.ts'
import { readBody, type Body, type Seen } from './timeline/body.ts'

/** M7: in a room of one's own nothing comes before its creation. */
export function mayPost(engine: Engine, room: RoomId): boolean {
  const record = engine.rooms.get(room)
  const isBegun =
    record?.owner !== engine.self ||
    !isEmpty(engine, room) ||
    engine.outbox.posts.some((post) => post.room === room) ||
    engine.outbox.batch?.posts.some((post) => post.room === room) === true
  return record !== undefined && isBegun
}

function isEmpty(engine: Engine, room: RoomId): boolean {
  return [...feedsOf(engine.log, room).values()].every(
    ({ ranges, pending }) => ranges.length + pending.length === 0,
  )
}

export function join(engine: Engine, name: string, nowMs: number, out: Effect[]): void {
  const shown = canonicalRoomName(name)
  const room = openRoomId(name)
  if (shown === '' || engine.rooms.has(room) || engine.rooms.size >= limits.roomsMax) return
  engine.rooms.set(room, { room, name: shown, joinedAtMs: nowMs })
  entered(engine, room, out)
}

/** Q1: like any other room, but that no screen shows it. */
export function joinDirect(engine: Engine, nowMs: number, out: Effect[]): void {
  if (engine.rooms.has(directRoom)) return
  engine.rooms.set(directRoom, { room: directRoom, name: '', joinedAtMs: nowMs })
  entered(engine, directRoom, out)
}

/** M7: the room begins with the event that says so. */
export function create(
  engine: Engine,
  wish: Extract<Command, { type: 'create' }>,
  nowMs: number,
  out: Effect[],
): void {
  const { token, nonce } = wish
  const name = canonicalRoomName(wish.name)
  const purpose = cleanName(wish.purpose, limits.purposeCharactersMax)
  const room = ownedRoomId(engine.self, nonce)
  const isNew = isEmpty(engine, room) && (engine.rooms.has(room) || engine.rooms.size < limits.roomsMax)
  const body = { type: 'create', nonce, name, purpose } as const
  const fault = isNew ? enqueue(engine.outbox, { token, room, body }) : 'no-room'
  if (fault === undefined) enter(engine, { room, name, owner: engine.self, nonce, purpose }, nowMs, out)
  else emit(out, { type: 'post-failed', token, cause: fault })
}

export function enter(
  engine: Engine,
  { room, name, owner, nonce, purpose }: Required<RoomCard>,
  nowMs: number,
  out: Effect[],
): void {
  const shown = canonicalRoomName(name)
  if (shown === '' || engine.rooms.has(room) || engine.rooms.size >= limits.roomsMax) return
  // Whoever invites may say anything.
  if (!isOwnedRoom(room, owner, nonce)) return
  engine.rooms.set(room, { room, name: shown, joinedAtMs: nowMs, owner, nonce, ...purposeOf(purpose) })
  entered(engine, room, out)
}

function purposeOf(text: string): Pick<RoomRecord, 'purpose'> {
  const purpose = cleanName(text, limits.purposeCharactersMax)
  return purpose === '' ? {} : { purpose }
}

/** N6: what was carried for others is this device's own from now on. */
function entered(engine: Engine, room: RoomId, out: Effect[]): void {
  engine.carried.delete(room)
  forgetFloors(engine, room)
  confirmAnew(engine, room)
  roomsChanged(engine, out)
}

/** M8: who dismisses a moderator says what of its words this device has seen. */
export function withSeen(engine: Engine, room: RoomId, body: Body): Body {
  if (body.type !== 'appoint' || body.isOn) return body
  const seen: Seen[] = []
  for (const [feed, { ranges }] of feedsOf(engine.log, room)) {
    const last = ranges.at(-1)?.last
    if (feedAuthor(feed) !== body.peer || last === undefined || isLoose(feed)) continue
    seen.push({ incarnation: incarnationOf(feed), last })
  }
  // What is not named does not count: nobody gets around a dismissal by writing under many names.
  return { ...body, seen: seen.slice(0, limits.feedsPerDeviceMax) }
}

/** M9: what the owner of a room wants: the last word in the order counts. */
export function obeyOwners(engine: Engine, events: readonly PlacedEvent[], out: Effect[]): void {
  for (const { room, feed, effective, id, ...event } of events) {
    const record = engine.rooms.get(room)
    if (record?.owner === undefined || record.owner !== feedAuthor(feed)) continue
    const body = readBody(event)
    const { policy, purpose: before = '', ...rest } = record
    const isOther = body?.type === 'create' && (body.name !== record.name || body.purpose !== before)
    if (isOther && policy === undefined && isOwnedRoom(room, record.owner, body.nonce)) {
      engine.rooms.set(room, { ...rest, nonce: body.nonce, name: body.name, ...purposeOf(body.purpose) })
      tellRecords(engine, out)
    }
    const isLater =
      policy === undefined ||
      effective > policy.effective ||
      (effective === policy.effective && id > policy.id)
    if (body?.type !== 'settings' || !isLater) continue
    const { maxAgeMs, name } = body
    const said = { name, ...purposeOf(body.purpose), policy: { maxAgeMs, effective, id } }
    engine.rooms.set(room, { ...rest, ...said })
    engine.retentionAtMs = Number.NEGATIVE_INFINITY
    tellRecords(engine, out)
  }
}

/** N4: kept with the room; what is too old goes soon. */
export function setMaxAge(engine: Engine, room: RoomId, maxAgeMs: number | undefined, out: Effect[]): void {
  const record = engine.rooms.get(room)
  if (record === undefined || record.maxAgeMs === maxAgeMs) return
  const { maxAgeMs: before, ...rest } = record
  const next = maxAgeMs === undefined ? rest : { ...rest, maxAgeMs }
  if ((before ?? 0) < (maxAgeMs ?? Number.POSITIVE_INFINITY)) forgetFloors(engine, room)
  engine.rooms.set(room, next)
  engine.retentionAtMs = Number.NEGATIVE_INFINITY
  tellRecords(engine, out)
}

/** D11 */
export function setTellsRead(engine: Engine, room: RoomId, isOn: boolean, out: Effect[]): void {
  const record = engine.rooms.get(room)
  if (record === undefined) return
  const { tellsRead = false, ...rest } = record
  if (tellsRead === isOn) return
  engine.rooms.set(room, isOn ? { ...rest, tellsRead: true } : rest)
  tellRecords(engine, out)
}

/** Kept, and shown. */
function tellRecords(engine: Engine, out: Effect[]): void {
  engine.journal.rooms = [...engine.rooms.values()]
  emit(out, { type: 'rooms', rooms: shownRooms(engine) })
}

/** Q1: the direct room is no channel. */
export function shownRooms(engine: Engine): RoomRecord[] {
  return [...engine.rooms.values()].filter(({ room }) => room !== directRoom)
}

export function roomsChanged(engine: Engine, out: Effect[]): void {
  engine.presence.own.stale = true
  engine.mayAsk = true
  tellRecords(engine, out)
  tellRooms(engine, out)
}

function emit(out: Effect[], event: MeshEvent): void {
  out.push({ type: 'emit', event })
}
