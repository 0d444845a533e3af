/**
 * Who is here, asleep or gone; and what this device says of itself. Rules P1–P7 in PROTOCOL.md.
 *
 * Source: "Presence" on the design page. Records are signed and travel on change; that a peer is still there
 * travels as ages in heartbeats, so that nobody has to sign every five seconds.
 */
import { stampToMs } from './clock.ts'
import type { Person } from './effects.ts'
import { bytesToHex, peerIdToBytes, type PeerId, type RoomId } from './ids.ts'
import { hintBytesLength, type Hearing } from './frame.ts'
import { limits } from './limits.ts'
import type { Presence, PresenceFields, Status } from './record.ts'

interface Known {
  readonly record: Presence
  /** When this record became known here, ms. */
  readonly learnedMs: number
  /** When the peer was last heard, itself or through others, ms. */
  heardMs: number
}

export interface OwnPresence {
  name: string
  visible: boolean
  node: string
  site: PeerId | undefined
  /** Signed and ready, to be sent when the page goes away: then there is no time to sign. */
  farewell: Presence | undefined
  current: Presence | undefined
  /** Says more than `current` and is not signed yet. */
  stale: boolean
}

export interface PresenceState {
  readonly known: Map<PeerId, Known>
  readonly peersByHint: Map<string, PeerId>
  readonly own: OwnPresence
}

export function createPresence(records: readonly Presence[], self: PeerId, name: string): PresenceState {
  const state: PresenceState = {
    known: new Map(),
    peersByHint: new Map(),
    own: {
      name,
      visible: true,
      node: '',
      site: undefined,
      farewell: undefined,
      current: undefined,
      stale: true,
    },
  }
  const newest = [...records].sort((a, b) => b.counter - a.counter).slice(0, limits.presencesMax)
  for (const record of newest) {
    if (record.peer === self) continue
    const thenMs = stampToMs(record.counter)
    learn(state, { record, learnedMs: thenMs, heardMs: Number.NEGATIVE_INFINITY })
  }
  return state
}

function learn(state: PresenceState, known: Known): void {
  state.known.set(known.record.peer, known)
  state.peersByHint.set(peerHint(known.record.peer), known.record.peer)
}

export function peerHint(peer: PeerId): string {
  return bytesToHex(peerIdToBytes(peer).subarray(0, hintBytesLength))
}

/** P1, P2: @returns whether the record is news, to be stored and passed on. */
export function acceptPresence(state: PresenceState, record: Presence, nowMs: number): boolean {
  const known = state.known.get(record.peer)
  if (known !== undefined && known.record.counter >= record.counter) return false
  if (known === undefined && state.known.size >= limits.presencesMax && !forgetOldest(state)) return false
  const heardMs = known?.heardMs ?? Number.NEGATIVE_INFINITY
  learn(state, { record, learnedMs: nowMs, heardMs })
  return true
}

function forgetOldest(state: PresenceState): boolean {
  let oldest: Known | undefined
  for (const known of state.known.values()) {
    if (oldest === undefined || known.heardMs < oldest.heardMs) oldest = known
  }
  if (oldest === undefined || oldest.heardMs > Number.NEGATIVE_INFINITY) return false
  state.known.delete(oldest.record.peer)
  state.peersByHint.delete(peerHint(oldest.record.peer))
  return true
}

/** P3: a frame came from this peer itself. */
export function hear(state: PresenceState, peer: PeerId, atMs: number): void {
  const known = state.known.get(peer)
  if (known !== undefined && atMs > known.heardMs) known.heardMs = atMs
}

/** P3: somebody else heard these peers some seconds ago. */
export function hearThrough(state: PresenceState, heard: readonly Hearing[], nowMs: number): void {
  for (const { hint, ageS } of heard) {
    const peer = state.peersByHint.get(hint)
    if (peer !== undefined) hear(state, peer, nowMs - ageS * 1_000)
  }
}

/** P3: one second is added per hop, so that an echo between two peers cannot keep a dead one alive. */
export function hearings(state: PresenceState, nowMs: number): Hearing[] {
  const list: Hearing[] = []
  for (const { record, heardMs } of state.known.values()) {
    const ageS = Math.ceil((nowMs - heardMs) / 1_000) + 1
    if (ageS * 1_000 > limits.silentMs || record.status === 'left') continue
    if (list.length < limits.heartbeatPeersMax) list.push({ hint: peerHint(record.peer), ageS })
  }
  return list
}

/** P4–P6: the word that a person gets, and since when. */
export function statusOf(known: Known, nowMs: number): { readonly status: Status; readonly sinceMs: number } {
  const { record, learnedMs, heardMs } = known
  const heard = nowMs - heardMs <= limits.silentMs
  if (record.status === 'here' && heard) return { status: 'here', sinceMs: learnedMs }
  const asleep = record.status === 'asleep' && heardMs > Number.NEGATIVE_INFINITY
  if (asleep && nowMs - learnedMs <= limits.asleepMaxMs) return { status: 'asleep', sinceMs: learnedMs }
  if (record.status === 'left') return { status: 'left', sinceMs: learnedMs }
  return { status: 'left', sinceMs: Math.max(heardMs, learnedMs) }
}

/** @param linked peers with a link to this device @param socketed peers that a helper has a socket of */
export function listPeople(
  state: PresenceState,
  linked: ReadonlySet<PeerId>,
  socketed: ReadonlySet<PeerId>,
  nowMs: number,
): Person[] {
  return [...state.known.values()].map((known) => {
    const { record } = known
    const { status, sinceMs } = statusOf(known, nowMs)
    const direct = linked.has(record.peer)
    const awake = status === 'asleep' && (direct || socketed.has(record.peer))
    return {
      peer: record.peer,
      name: record.name,
      node: record.node,
      status,
      sinceMs,
      direct,
      inReach: !record.box && (status === 'here' || awake),
      box: record.box,
      rooms: record.rooms,
    }
  })
}

/** D5: the people other than the author who were seen in the room lately. */
export function audienceOf(state: PresenceState, room: RoomId, nowMs: number): PeerId[] {
  const audience: PeerId[] = []
  for (const { record, learnedMs, heardMs } of state.known.values()) {
    const seenMs = Math.max(learnedMs, heardMs)
    const recent = nowMs - seenMs <= limits.audienceMs
    if (!record.box && record.rooms.includes(room) && recent) audience.push(record.peer)
  }
  return audience
}

/** P7: what this device would say of itself now. */
export function ownFields(
  own: OwnPresence,
  self: PeerId,
  rooms: readonly RoomId[],
  counter: number,
): PresenceFields {
  const status = own.visible ? 'here' : 'asleep'
  return { peer: self, counter, status, box: false, name: own.name, node: own.node, site: own.site, rooms }
}
