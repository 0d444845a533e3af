/**
 * What a channel that one is not in is called: presence names rooms by id only, so whoever wants to know asks somebody who
 * is in it, by signal. Rule M11 in PROTOCOL.md.
 *
 * Deviation from `issue 5` ("directory gossiped"): nothing crosses a radio link for channels that nobody looks for.
 * An answer is not trusted: it is taken when it was asked for and the id follows from it, which says the name of an open
 * channel, and the owner of an owned one; the name of that one its creation says when it has come.
 */
import {
  canonicalRoomName,
  cleanName,
  openRoomId,
  ownedRoomId,
  parsePeerId,
  type PeerId,
  type RoomId,
} from '../ids.ts'
import type { Effect, RoomCard } from '../effects.ts'
import { limits } from '../limits.ts'
import type { Engine } from '../state.ts'
import { draw } from './membership.ts'
import { routeSignal } from './signalling.ts'

const question = '?room '
const answer = '!room '

/** M11: asks somebody in reach who is in the room; another one each time. */
export function askRoom(engine: Engine, room: RoomId, nowMs: number, out: Effect[]): void {
  const { asked, presence, overlay } = engine
  const people = [...presence.known.values()].filter(
    ({ record, goneSinceMs }) =>
      !record.box && record.status !== 'left' && goneSinceMs === undefined && record.rooms.includes(room),
  )
  const linked = people.filter(({ record }) => overlay.linksByPeer.has(record.peer))
  const some = linked.length > 0 ? linked : people
  const peer = some[draw(engine.membership, some.length)]?.record.peer
  if (peer === undefined) return
  for (const [one, sinceMs] of asked) {
    if (asked.size >= limits.roomsAskedMax || nowMs - sinceMs > limits.roomAnswerMs) asked.delete(one)
  }
  asked.set(room, nowMs)
  out.push(routeSignal(engine.signalling, engine, peer, `${question}${room}`, nowMs))
}

/** @returns whether the signal was about a room. */
export function takeRoomSignal(
  engine: Engine,
  from: PeerId,
  payload: string,
  nowMs: number,
  out: Effect[],
): boolean {
  if (payload.startsWith(question)) {
    const record = engine.rooms.get(payload.slice(question.length) as RoomId)
    if (record === undefined) return true
    const { room, name, purpose = '', owner = '', nonce = '' } = record
    const card = JSON.stringify([room, name, purpose, owner, nonce])
    out.push(routeSignal(engine.signalling, engine, from, `${answer}${card}`, nowMs))
    return true
  }
  if (!payload.startsWith(answer)) return false
  const card = parseCard(payload.slice(answer.length))
  const sinceMs = card === undefined ? undefined : engine.asked.get(card.room)
  if (card === undefined || sinceMs === undefined || nowMs - sinceMs > limits.roomAnswerMs) return true
  engine.asked.delete(card.room)
  out.push({ type: 'emit', event: { type: 'room-card', card } })
  return true
}

/** @returns undefined for what comes from outside and does not hold together */
function parseCard(text: string): RoomCard | undefined {
  if (text.length > limits.roomCardCharactersMax) return undefined
  let parts: unknown
  try {
    parts = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
  if (!Array.isArray(parts) || !parts.every((part) => typeof part === 'string')) return undefined
  const [room = '', typed = '', said = '', owned = '', nonce = ''] = parts
  const name = canonicalRoomName(typed)
  if (name === '') return undefined
  const purpose = cleanName(said, limits.purposeCharactersMax)
  const card = { room: room as RoomId, name, ...(purpose === '' ? {} : { purpose }) }
  if (owned === '') return openRoomId(name) === room ? card : undefined
  const owner = parsePeerId(owned)
  return owner !== undefined && isOwnedRoom(room, owner, nonce) ? { ...card, owner, nonce } : undefined
}

/** M7: @returns whether that is the id of a room of this owner. All three come from outside. */
export function isOwnedRoom(room: string, owner: PeerId, nonce: string): boolean {
  return /^[0-9a-f]{32}$/.test(nonce) && ownedRoomId(owner, nonce) === room
}
