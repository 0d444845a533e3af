/**
 * The view inside a site: whom to hold links to among those who are near, and who else could be dialled.
 * Rules V1–V8 in PROTOCOL.md.
 *
 * Source: Leitão, Pereira, Rodrigues, "HyParView", DSN 2007, §4, with the sizes of `gossip.md` §7.5.
 * Deviations: up to `fullMeshMax` peers simply hold all links; a connection is dear, so a peer that is not alone
 * asks for a place before it dials; a shuffle walks over links and its answer walks back; while a helper lists the
 * site, its list feeds the passive view too. Random views can fall apart into cliques that are all content, as
 * likely as not in a site of nine (seed 441 of the simulator): so each peer also holds a link to the next one in
 * the order of ids, as in Chord (Stoica et al., SIGCOMM 2001, §4.4), and the site is a ring at least.
 */
import type { LinkId } from '../effects.ts'
import type { PeerId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Link, Overlay, Wish } from './links.ts'
import { dialingCount } from './links.ts'

export interface Membership {
  /** xorshift32; never 0. */
  seed: number
  readonly passive: Set<PeerId>
  /** Newcomers that this device is to link to, until when, ms. */
  readonly invited: Map<PeerId, number>
  /** Places promised to peers that asked, until when, ms. */
  readonly promised: Map<PeerId, number>
  /** Where the answer to a walking shuffle goes back, by walk id. Oldest first. */
  readonly walks: Map<number, LinkId | undefined>
  nextShuffleMs: number
  shuffles: number
  ring: Ring | undefined
}

/** This peer's neighbours in the order of ids among those who are near. */
export interface Ring {
  readonly after: PeerId
  readonly before: PeerId
  /** Since when they are that, ms. */
  readonly sinceMs: number
}

export function createMembership(seed: number, nowMs: number): Membership {
  return {
    seed: seed >>> 0 === 0 ? 1 : seed >>> 0,
    passive: new Set(),
    invited: new Map(),
    promised: new Map(),
    walks: new Map(),
    nextShuffleMs: nowMs + limits.shuffleFirstMs,
    shuffles: 0,
    ring: undefined,
  }
}

/** V9: looks anew who stands beside this peer in the ring. */
export function closeRing(
  membership: Membership,
  self: PeerId,
  near: ReadonlySet<PeerId>,
  nowMs: number,
): void {
  let after: PeerId | undefined
  let before: PeerId | undefined
  let least = self
  let most = self
  for (const peer of near) {
    if (peer > self && (after === undefined || peer < after)) after = peer
    if (peer < self && (before === undefined || peer > before)) before = peer
    if (peer < least) least = peer
    if (peer > most) most = peer
  }
  after ??= least
  before ??= most
  const known = membership.ring
  if (after === self) membership.ring = undefined
  else if (known?.after !== after || known.before !== before)
    membership.ring = { after, before, sinceMs: nowMs }
}

export function isRingNeighbor(membership: Membership, peer: PeerId): boolean {
  return membership.ring?.after === peer || membership.ring?.before === peer
}

/** @returns an integer from 0 to `below` − 1 */
export function draw(state: { seed: number }, below: number): number {
  let x = state.seed
  x ^= x << 13
  x ^= x >>> 17
  x ^= x << 5
  state.seed = x >>> 0
  return below <= 1 ? 0 : state.seed % below
}

function pick<T>(state: { seed: number }, items: readonly T[]): T | undefined {
  return items[draw(state, items.length)]
}

/** V1: @param others how many peers the site has besides this one */
export function viewTarget(others: number): number {
  if (others <= limits.fullMeshMax - 1) return others
  return others < limits.smallSiteMax ? limits.activeViewSmall : limits.activeViewMax
}

export function viewLinks(overlay: Overlay): Link[] {
  return [...overlay.links.values()].filter((link) => link.purpose === 'view')
}

/**
 * V2: @returns whom to dial for the view now, most wanted first.
 * @param near peers of this site that can be reached by a signal
 */
export function viewWishes(
  membership: Membership,
  overlay: Overlay,
  near: ReadonlySet<PeerId>,
  nowMs: number,
): Wish[] {
  const target = viewTarget(near.size)
  if (target >= near.size) return [...near].map((peer) => ({ peer, purpose: 'view', isUrgent: true }))
  const { ring } = membership
  const isRingDue = ring !== undefined && nowMs - ring.sinceMs >= limits.ringSettleMs
  const inRing: Wish[] = isRingDue
    ? [{ peer: ring.after, purpose: 'view', isUrgent: false, isInvited: true }]
    : []
  return [...inRing, ...randomWishes(membership, overlay, near, target, nowMs)]
}

function randomWishes(
  membership: Membership,
  overlay: Overlay,
  near: ReadonlySet<PeerId>,
  target: number,
  nowMs: number,
): Wish[] {
  let pending = 0
  for (const [peer, dial] of overlay.dials) {
    if (dial.purpose === 'view' && dial.phase !== 'waiting' && near.has(peer)) pending += 1
  }
  const held = viewLinks(overlay).length
  const lacking = target - held - pending
  if (lacking <= 0) return []
  const candidates = [...near].filter((peer) => isFree(overlay, peer, nowMs))
  const preferred = candidates.filter((peer) => membership.passive.has(peer))
  const wishes: Wish[] = []
  // One asked at a time while some links stand; alone, one contact is dialled at once.
  const isUrgent = held === 0
  for (let i = 0; i < Math.min(lacking, limits.parallelDialsMax); i++) {
    const pool = preferred.length > 0 && draw(membership, 2) === 0 ? preferred : candidates
    const peer = pick(membership, pool)
    if (peer === undefined) break
    candidates.splice(candidates.indexOf(peer), 1)
    const at = preferred.indexOf(peer)
    if (at >= 0) preferred.splice(at, 1)
    wishes.push({ peer, purpose: 'view', isUrgent })
    if (isUrgent) break
  }
  return wishes
}

function isFree(overlay: Overlay, peer: PeerId, nowMs: number): boolean {
  if (overlay.linksByPeer.has(peer)) return false
  const dial = overlay.dials.get(peer)
  return dial === undefined || (dial.phase === 'waiting' && dial.atMs <= nowMs)
}

/** V3: somebody asks for a place. @returns whether there is one; it is kept for a while */
export function promise(
  membership: Membership,
  overlay: Overlay,
  peer: PeerId,
  others: number,
  nowMs: number,
): boolean {
  for (const [one, untilMs] of membership.promised) if (untilMs <= nowMs) membership.promised.delete(one)
  const taken = viewLinks(overlay).length + membership.promised.size + dialingCount(overlay)
  const free = taken < viewTarget(others) && overlay.links.size < overlay.linksMax - 1
  if (free) membership.promised.set(peer, nowMs + limits.promiseMs)
  return free || membership.promised.has(peer)
}

/**
 * V4: a link was dialled to this peer for the view. @returns the link that has to go: another one when the
 * newcomer is alone, was promised a place or is a neighbour in the ring, the new one when there is no place.
 */
export function admitView(
  membership: Membership,
  overlay: Overlay,
  link: Link,
  parts: { readonly isUrgent: boolean; readonly others: number; readonly isKept: (link: Link) => boolean },
): Link | undefined {
  const wasPromised = membership.promised.delete(link.peer)
  const links = viewLinks(overlay)
  if (links.length <= viewTarget(parts.others)) return undefined
  if (!parts.isUrgent && !wasPromised && !isRingNeighbor(membership, link.peer)) return link
  const others = links.filter((one) => one !== link && !parts.isKept(one))
  return pick(membership, others)
}

/** V5: @returns what to tell whom about a newcomer: "to all other members of its active view" (§4.2). */
export function forwardJoinTargets(overlay: Overlay, newcomer: PeerId): Link[] {
  return viewLinks(overlay).filter((link) => link.peer !== newcomer)
}

export type WalkStep =
  | { readonly type: 'take' }
  | { readonly type: 'pass'; readonly link: Link; readonly ttl: number }
  | { readonly type: 'end' }

/** V5: a newcomer's name has walked here: link to it where the walk ends, remember it where it nearly ends. */
export function forwardJoin(
  membership: Membership,
  overlay: Overlay,
  newcomer: PeerId,
  ttl: number,
  others: number,
  from: LinkId,
): WalkStep {
  if (newcomer === overlay.self) return { type: 'end' }
  const next = viewLinks(overlay).filter((link) => link.id !== from && link.peer !== newcomer)
  if (ttl === limits.passiveWalk) addPassive(membership, overlay, newcomer)
  if (ttl === 0 || next.length === 0) {
    // Deviation: a full view is not broken up for a newcomer that is not alone.
    const isFull = viewLinks(overlay).length >= viewTarget(others)
    return isFull || overlay.linksByPeer.has(newcomer) ? { type: 'end' } : { type: 'take' }
  }
  const link = pick(membership, next)
  return link === undefined ? { type: 'end' } : { type: 'pass', link, ttl: ttl - 1 }
}

/** V6: bounded; a random one goes. */
export function addPassive(membership: Membership, overlay: Overlay, peer: PeerId): void {
  if (peer === overlay.self || overlay.linksByPeer.has(peer) || membership.passive.has(peer)) return
  if (membership.passive.size >= limits.passiveViewMax) {
    const gone = pick(membership, [...membership.passive])
    if (gone !== undefined) membership.passive.delete(gone)
  }
  membership.passive.add(peer)
}

/** V7: @returns the sample that a shuffle carries: this peer, some of its view, some that it could dial. */
export function shuffleSample(membership: Membership, overlay: Overlay): PeerId[] {
  const active = sample(
    membership,
    viewLinks(overlay).map((link) => link.peer),
    limits.shuffleActive,
  )
  const passive = sample(membership, [...membership.passive], limits.shufflePassive)
  return [...new Set([overlay.self, ...active, ...passive])]
}

function sample<T>(state: { seed: number }, items: T[], count: number): T[] {
  const chosen: T[] = []
  while (chosen.length < count && items.length > 0) {
    chosen.push(...items.splice(draw(state, items.length), 1))
  }
  return chosen
}

/** V7: @returns the link over which a shuffle starts now, if one is due. */
export function dueShuffle(
  membership: Membership,
  overlay: Overlay,
  nowMs: number,
): { readonly link: Link; readonly walk: number } | undefined {
  if (nowMs < membership.nextShuffleMs) return undefined
  membership.shuffles += 1
  const isYoung = membership.shuffles < limits.shufflesFirst
  membership.nextShuffleMs = nowMs + (isYoung ? limits.shuffleFirstMs : limits.shuffleIntervalMs)
  const link = pick(membership, viewLinks(overlay))
  if (link === undefined) return undefined
  const walk = draw(membership, 0xffff_ffff)
  noteWalk(membership, walk, undefined)
  return { link, walk }
}

/** V7: @returns where a shuffle that has come over a link goes on; undefined when it ends here. */
export function passShuffle(
  membership: Membership,
  overlay: Overlay,
  walk: number,
  ttl: number,
  from: LinkId,
): Link | undefined {
  if (membership.walks.has(walk)) return undefined
  noteWalk(membership, walk, from)
  if (ttl === 0) return undefined
  return pick(
    membership,
    viewLinks(overlay).filter((link) => link.id !== from),
  )
}

function noteWalk(membership: Membership, walk: number, from: LinkId | undefined): void {
  membership.walks.set(walk, from)
  for (const oldest of membership.walks.keys()) {
    if (membership.walks.size <= limits.walksMax) break
    membership.walks.delete(oldest)
  }
}

/** V8: this peer is not to be had: it leaves the passive view. */
export function forgetPassive(membership: Membership, peer: PeerId): void {
  membership.passive.delete(peer)
}
