/**
 * Who is here, asleep or gone; and what this device says of itself. Rules P1–P8 in PROTOCOL.md.
 *
 * Source: "Presence" on the design page. Records are signed and travel on change. That somebody is still there is
 * not told at all: whoever loses a link to a peer of the own site suspects it aloud, and it answers with a later
 * record or is gone (the suspicion of SWIM, Das, Gupta, Motivala, DSN 2002, §4.2, with the tree as its medium).
 */
import { stampToMs } from './clock.ts'
import type { LinkId, Person } from './effects.ts'
import { bytesToHex, peerIdToBytes, type PeerId, type RoomId } from './ids.ts'
import { hintBytesLength } from './overlay/overlay-frame.ts'
import { limits } from './limits.ts'
import type { Presence, PresenceFields, Profile, Status } from './record.ts'

export interface Known {
  readonly record: Presence
  readonly hint: string
  /** When this record became known here, ms. */
  readonly learnedMs: number
  /** Nobody of its site hears it any more (P5); since when, ms. */
  goneSinceMs: number | undefined
  /** Suspected of that, and free to answer until then, ms. */
  suspectedUntilMs: number | undefined
  /** The link that news of it came over first: the way back to it. */
  via: LinkId | undefined
}

export interface OwnPresence {
  name: string
  profile: Profile | undefined
  visible: boolean
  node: string
  site: PeerId | undefined
  /** A box that keeps history, and no person. */
  readonly box: boolean
  /** Signed and ready, to be sent when the page goes away: then there is no time to sign. */
  farewell: Presence | undefined
  current: Presence | undefined
  /** Says more than `current` and is not signed yet. */
  stale: boolean
}

export interface PresenceState {
  readonly known: Map<PeerId, Known>
  readonly peersByHint: Map<string, PeerId>
  /** This device's own. */
  readonly hint: string
  readonly own: OwnPresence
  /** How many are suspected now. */
  suspected: number
  /** Made when it is asked for, until somebody comes or goes. */
  aliveDigest: number | undefined
}

export function createPresence(
  records: readonly Presence[],
  self: PeerId,
  own: { readonly name: string; readonly box: boolean },
): PresenceState {
  const state: PresenceState = {
    known: new Map(),
    peersByHint: new Map(),
    hint: peerHint(self),
    suspected: 0,
    aliveDigest: undefined,
    own: {
      name: own.name,
      profile: undefined,
      box: own.box,
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
    learn(state, record, thenMs, { goneSinceMs: thenMs, via: undefined })
  }
  return state
}

function learn(
  state: PresenceState,
  record: Presence,
  learnedMs: number,
  rest: Pick<Known, 'goneSinceMs' | 'via'>,
): void {
  state.aliveDigest = undefined
  const hint = peerHint(record.peer)
  state.known.set(record.peer, { record, hint, learnedMs, suspectedUntilMs: undefined, ...rest })
  state.peersByHint.set(hint, record.peer)
}

export function peerHint(peer: PeerId): string {
  return bytesToHex(peerIdToBytes(peer).subarray(0, hintBytesLength))
}

/** P1, P2: @returns whether the record is news, to be stored and passed on. News of somebody is a sign of life. */
export function acceptPresence(
  state: PresenceState,
  record: Presence,
  via: LinkId | undefined,
  nowMs: number,
): { readonly isNews: boolean; readonly forgotten: PeerId | undefined } {
  const known = state.known.get(record.peer)
  if (known !== undefined && known.record.counter >= record.counter) {
    return { isNews: false, forgotten: undefined }
  }
  let forgotten: PeerId | undefined
  if (known === undefined && state.known.size >= limits.presencesMax) {
    forgotten = forgetOldest(state)
    if (forgotten === undefined) return { isNews: false, forgotten }
  }
  learn(state, record, nowMs, { goneSinceMs: undefined, via })
  return { isNews: true, forgotten }
}

/** Whoever has been gone for longest makes room. */
function forgetOldest(state: PresenceState): PeerId | undefined {
  let oldest: Known | undefined
  for (const known of state.known.values()) {
    const sinceMs = known.record.status === 'left' ? known.learnedMs : known.goneSinceMs
    const oldestMs =
      oldest === undefined ? Number.POSITIVE_INFINITY : (oldest.goneSinceMs ?? oldest.learnedMs)
    if (sinceMs !== undefined && sinceMs < oldestMs) oldest = known
  }
  if (oldest === undefined) return undefined
  state.known.delete(oldest.record.peer)
  state.peersByHint.delete(oldest.hint)
  return oldest.record.peer
}

/** P3: a link to this peer stands, a helper has its socket, or somebody of its site holds it for alive. */
export function hear(state: PresenceState, peer: PeerId): void {
  const known = state.known.get(peer)
  if (known === undefined) return
  if (known.goneSinceMs !== undefined) state.aliveDigest = undefined
  known.goneSinceMs = undefined
  known.suspectedUntilMs = undefined
}

/** P4: @returns what to say aloud about a peer whose link is lost; undefined when there is nothing to suspect. */
export function suspect(state: PresenceState, peer: PeerId, nowMs: number): number | undefined {
  const known = state.known.get(peer)
  const isGone = known?.goneSinceMs !== undefined || known?.suspectedUntilMs !== undefined
  if (known === undefined || known.record.status === 'left' || isGone) return undefined
  known.suspectedUntilMs = nowMs + limits.suspicionMs
  state.suspected += 1
  return known.record.counter
}

/** P4: somebody else suspects this peer. @returns whether that is news here */
export function hearSuspicion(state: PresenceState, peer: PeerId, counter: number, nowMs: number): boolean {
  const known = state.known.get(peer)
  if (known === undefined || known.record.counter > counter) return false
  return suspect(state, peer, nowMs) !== undefined
}

/** P5: @returns whether somebody is gone now who was not before. */
export function expireSuspicions(state: PresenceState, nowMs: number): boolean {
  let news = false
  if (state.suspected === 0) return false
  state.suspected = 0
  for (const known of state.known.values()) {
    if (known.suspectedUntilMs !== undefined && nowMs < known.suspectedUntilMs) state.suspected += 1
    if (known.suspectedUntilMs === undefined || nowMs < known.suspectedUntilMs) continue
    known.suspectedUntilMs = undefined
    known.goneSinceMs = nowMs
    state.aliveDigest = undefined
    news = true
  }
  return news
}

/** P3: 32 bits over who of one's own site is held for alive; equal sets give equal digests. */
export function aliveDigest(state: PresenceState): number {
  if (state.aliveDigest !== undefined) return state.aliveDigest
  let digest = state.own.name === '' ? 0 : Number.parseInt(state.hint.slice(0, 8), 16)
  for (const known of state.known.values()) {
    if (isAlive(state, known)) digest ^= Number.parseInt(known.hint.slice(0, 8), 16)
  }
  state.aliveDigest = digest >>> 0
  return state.aliveDigest
}

/** Of the own site, not gone and not said to have left. */
export function isAlive(state: PresenceState, known: Known): boolean {
  const isNear = known.record.site === state.own.site
  return isNear && known.goneSinceMs === undefined && known.record.status !== 'left'
}

/** What else is known of where people are: links, sites. */
export interface Reachability {
  readonly isLinked: (peer: PeerId) => boolean
  /** The node that what came over a link came through, or has to come through now that the link is gone. */
  readonly nodeOf: (link: LinkId | undefined) => string | undefined
  /** Whether the site cannot be reached, and had not said that this person is gone. */
  readonly isOutOfReach: (site: PeerId | undefined, hint: string) => boolean
  /** Whether the site can be reached and says nothing else of this person. */
  readonly isHeardThere: (site: PeerId | undefined, hint: string) => boolean
}

/** P6–P8: the word that a person gets, and since when. */
export function statusOf(
  state: PresenceState,
  known: Known,
  reach: Reachability,
  nowMs: number,
): { readonly status: Status; readonly sinceMs: number } {
  const { record, learnedMs, goneSinceMs } = known
  if (record.status === 'left') return { status: 'left', sinceMs: learnedMs }
  const isAsleep = record.status === 'asleep'
  if (isAsleep && nowMs - learnedMs <= limits.asleepMaxMs) return { status: 'asleep', sinceMs: learnedMs }
  if (!isAsleep && isHeard(state, known, reach)) return { status: 'here', sinceMs: learnedMs }
  return { status: 'left', sinceMs: goneSinceMs ?? learnedMs }
}

function isHeard(state: PresenceState, known: Known, reach: Reachability): boolean {
  const { record, hint } = known
  if (reach.isLinked(record.peer)) return true
  if (record.site === state.own.site) return known.goneSinceMs === undefined
  return reach.isHeardThere(record.site, hint)
}

/** @param socketed peers that a helper has a socket of */
export function listPeople(
  state: PresenceState,
  reach: Reachability,
  socketed: ReadonlySet<PeerId>,
  nowMs: number,
): Person[] {
  return [...state.known.values()].map((known) => {
    const { record } = known
    const { status, sinceMs } = statusOf(state, known, reach, nowMs)
    const direct = reach.isLinked(record.peer)
    const awake = status === 'asleep' && (direct || socketed.has(record.peer))
    return {
      peer: record.peer,
      name: record.name,
      profile: record.profile,
      node: record.node,
      status,
      sinceMs,
      direct,
      through: direct ? undefined : reach.nodeOf(known.via),
      inReach: !record.box && (status === 'here' || awake),
      isCutOff: isCutOff(state, known, reach, nowMs),
      box: record.box,
      rooms: record.rooms,
    }
  })
}

/** P9: last heard to be there, at another site that is not reached, and not named as gone by it. */
function isCutOff(state: PresenceState, known: Known, reach: Reachability, nowMs: number): boolean {
  const { record, hint, goneSinceMs } = known
  if (record.box || record.status === 'left' || goneSinceMs !== undefined) return false
  // When it was said, not when it came here.
  const isOld = nowMs - stampToMs(record.counter) > limits.asleepMaxMs
  if (record.site === state.own.site || isOld) return false
  return !reach.isLinked(record.peer) && reach.isOutOfReach(record.site, hint)
}

/** D5: the people other than the author who were seen in the room lately. */
export function audienceOf(state: PresenceState, room: RoomId, nowMs: number): PeerId[] {
  const audience: PeerId[] = []
  for (const { record, learnedMs, goneSinceMs } of state.known.values()) {
    if (record.box || !record.rooms.includes(room)) continue
    const seenMs = record.status === 'left' ? learnedMs : (goneSinceMs ?? nowMs)
    if (nowMs - seenMs <= limits.audienceMs) audience.push(record.peer)
  }
  return audience
}

/** P8: what this device would say of itself now. */
export function ownFields(
  own: OwnPresence,
  self: PeerId,
  rooms: readonly RoomId[],
  counter: number,
): PresenceFields {
  const status = own.visible ? 'here' : 'asleep'
  const { box, name, profile, node, site } = own
  return {
    peer: self,
    counter,
    status,
    box,
    name,
    ...(profile === undefined ? {} : { profile }),
    node,
    site,
    rooms,
  }
}
