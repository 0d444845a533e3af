/**
 * The links that stand, and the dials that may make new ones: budgets, turns and back-off. Whom to want is decided
 * by membership.ts and gateways.ts. Rules O1–O7 in PROTOCOL.md.
 */
import type { LinkId } from '../effects.ts'
import { createLane, type Lane } from '../gossip/lane.ts'
import type { PeerId, RoomId } from '../ids.ts'
import { limits } from '../limits.ts'

/** What a link is for: the view inside a site, the primaries of two sites, their standbys, a site's resident. */
export type Purpose = 'view' | 'gateway' | 'standby' | 'resident'

export interface Link {
  readonly id: LinkId
  readonly peer: PeerId
  /** K5: what both ends speak; nothing newer is sent. */
  readonly version: number
  readonly sinceMs: number
  /** This side dialled: it decides when the link is not needed any more. */
  readonly isOwn: boolean
  lastHeardMs: number
  /** Undefined until the other side has said hello. */
  purpose: Purpose | undefined
  site: PeerId | undefined
  /** 1 inside a site; between sites as the helper says. */
  cost: number
  /** Rooms that the other side carries. */
  rooms: ReadonlySet<RoomId>
  readonly lane: Lane
  /** Since when nothing wants this link, ms. */
  idleSinceMs: number | undefined
  /** It has been said that this link ends; since when, ms. */
  closingSinceMs: number | undefined
  nextHeartbeatMs: number
  /** O5: how often heartbeats go, ms, and since when it is so often. */
  everyMs: number
  pacedSinceMs: number
  /** Sites that the other side, of the same site, holds links to. */
  linkedSites: readonly PeerId[]
  /** Dials and refusals before this link came about. */
  readonly failures: number
  /** Heartbeats in a row in which records differed, and how many to let pass before they are announced again. */
  differing: number
  patience: number
  differingAlive: number
  /** P10: when the other side said last that it writes, ms. */
  typedMs: number
}

export interface DialPlan {
  phase: 'waiting' | 'asking' | 'dialing'
  purpose: Purpose
  /** A peer that has no link at all may push another one out. */
  isUrgent: boolean
  /** When to dial, or when the dial counts as failed, ms. */
  atMs: number
  failures: number
}

export interface Wish {
  readonly peer: PeerId
  readonly purpose: Purpose
  readonly isUrgent: boolean
  /** The other side has asked for it: no need to ask first. */
  readonly isInvited?: boolean
}

export interface Overlay {
  readonly self: PeerId
  /** O2, B2 */
  readonly linksMax: number
  readonly links: Map<LinkId, Link>
  readonly linksByPeer: Map<PeerId, Link>
  readonly dials: Map<PeerId, DialPlan>
  /** Peers whose connection is being made from their side, and until when that may last, ms. */
  readonly incoming: Map<PeerId, number>
  /** Start times of dials within the last minute, ms. */
  recentDialsMs: number[]
}

export function createOverlay(self: PeerId, isResident = false): Overlay {
  return {
    self,
    linksMax: isResident ? limits.residentLinksMax : limits.linksMax,
    links: new Map(),
    linksByPeer: new Map(),
    dials: new Map(),
    incoming: new Map(),
    recentDialsMs: [],
  }
}

/** O1: at most one link per peer; @returns the new one and the older one, which has to go. */
export function addLink(
  overlay: Overlay,
  { id, peer, version }: { readonly id: LinkId; readonly peer: PeerId; readonly version: number },
  nowMs: number,
): { readonly link: Link; readonly older: Link | undefined } {
  const older = overlay.linksByPeer.get(peer)
  const dial = overlay.dials.get(peer)
  const isOwn = dial?.phase === 'dialing'
  const link: Link = {
    id,
    peer,
    version,
    sinceMs: nowMs,
    isOwn,
    lastHeardMs: nowMs,
    purpose: isOwn ? dial.purpose : undefined,
    site: undefined,
    cost: limits.lanCost,
    rooms: new Set(),
    lane: createLane(false),
    idleSinceMs: undefined,
    closingSinceMs: undefined,
    nextHeartbeatMs: nowMs,
    everyMs: limits.heartbeatIntervalMs,
    pacedSinceMs: nowMs,
    linkedSites: [],
    failures: dial?.failures ?? 0,
    differing: 1,
    patience: 2,
    differingAlive: 0,
    typedMs: Number.NEGATIVE_INFINITY,
  }
  overlay.links.set(id, link)
  overlay.linksByPeer.set(peer, link)
  overlay.dials.delete(peer)
  overlay.incoming.delete(peer)
  return { link, older }
}

/** @returns the link that ended, or undefined when it was not known any more. */
export function removeLink(overlay: Overlay, id: LinkId): Link | undefined {
  const link = overlay.links.get(id)
  if (link === undefined) return undefined
  overlay.links.delete(id)
  if (overlay.linksByPeer.get(link.peer) === link) overlay.linksByPeer.delete(link.peer)
  return link
}

/** O4: a dial failed; the next one waits twice as long. */
export function noteDialFailed(overlay: Overlay, peer: PeerId, nowMs: number): void {
  const known = overlay.dials.get(peer)
  const failures = (known?.failures ?? 0) + 1
  const base = { purpose: known?.purpose ?? 'view', isUrgent: known?.isUrgent ?? false } as const
  // Two sites may have no other way to each other, and no helper that notices when this one is back.
  const mostMs = base.purpose === 'view' ? limits.redialMaxMs : limits.redialSiteMaxMs
  const waitMs = Math.min(mostMs, limits.redialMinMs * 2 ** Math.min(failures - 1, 10))
  overlay.dials.set(peer, { ...base, phase: 'waiting', atMs: nowMs + waitMs, failures })
}

/** O4: the other side has ended a young link: it has no place, and is asked later and later. */
export function noteRefused(overlay: Overlay, link: Link, nowMs: number): void {
  const { peer, failures } = link
  const waitMs = Math.min(limits.redialMaxMs, limits.declinedMs * 2 ** Math.min(failures, 10))
  const purpose = link.purpose ?? 'view'
  const plan = {
    phase: 'waiting',
    purpose,
    isUrgent: false,
    atMs: nowMs + waitMs,
    failures: failures + 1,
  } as const
  overlay.dials.set(peer, plan)
}

/** O4: a new way to a peer has opened (a helper came back, somebody hears it): try at once. */
export function forgiveDial(overlay: Overlay, peer: PeerId): void {
  if (overlay.dials.get(peer)?.phase === 'waiting') overlay.dials.delete(peer)
}

export function hasFailedDial(overlay: Overlay, peer: PeerId): boolean {
  const dial = overlay.dials.get(peer)
  return dial?.phase === 'waiting' && dial.failures > 0
}

/** O4: the wait after a failure ends; the next failure waits longer all the same. */
export function retryDial(overlay: Overlay, peer: PeerId, nowMs: number): void {
  const dial = overlay.dials.get(peer)
  if (dial?.phase === 'waiting') dial.atMs = Math.min(dial.atMs, nowMs)
}

export interface DueDial {
  readonly peer: PeerId
  /** Ask first whether the other side has a place: a connection is dear. */
  readonly ask: boolean
}

/** O2–O4: @returns whom to dial or to ask now. @param wishes most important first */
export function dueDials(overlay: Overlay, wishes: readonly Wish[], nowMs: number): DueDial[] {
  expireDials(overlay, nowMs)
  const due: DueDial[] = []
  for (const { peer, purpose, isUrgent, isInvited } of wishes) {
    if (peer === overlay.self || overlay.linksByPeer.has(peer)) continue
    const plan = planFor(overlay, peer, purpose, nowMs)
    plan.purpose = purpose
    plan.isUrgent = isUrgent
    if (plan.phase !== 'waiting' || plan.atMs > nowMs || !mayDial(overlay, purpose)) continue
    if (purpose === 'view' && !isUrgent && isInvited !== true) {
      plan.phase = 'asking'
      plan.atMs = nowMs + limits.askTimeoutMs
      due.push({ peer, ask: true })
    } else {
      startDial(overlay, plan, nowMs)
      due.push({ peer, ask: false })
    }
  }
  return due
}

function planFor(overlay: Overlay, peer: PeerId, purpose: Purpose, nowMs: number): DialPlan {
  const known = overlay.dials.get(peer)
  if (known !== undefined) return known
  // O3: of two peers that find each other at once, the one with the smaller id dials.
  // B2: a resident dials nobody of its site, so nobody waits for it.
  const isFirst = overlay.self < peer || purpose === 'resident'
  const atMs = isFirst ? nowMs : nowMs + limits.dialPolitenessMs
  const plan: DialPlan = { phase: 'waiting', purpose: 'view', isUrgent: false, atMs, failures: 0 }
  overlay.dials.set(peer, plan)
  return plan
}

function startDial(overlay: Overlay, plan: DialPlan, nowMs: number): void {
  plan.phase = 'dialing'
  plan.atMs = nowMs + limits.dialTimeoutMs
  if (plan.purpose !== 'resident') overlay.recentDialsMs.push(nowMs)
}

/** The other side has a place. @returns whether to dial now */
export function admitted(overlay: Overlay, peer: PeerId, nowMs: number): boolean {
  const plan = overlay.dials.get(peer)
  if (plan?.phase !== 'asking' || !mayDial(overlay)) return false
  startDial(overlay, plan, nowMs)
  return true
}

/** The other side has no place: somebody else is asked, and this one again later. */
export function declined(overlay: Overlay, peer: PeerId, nowMs: number): void {
  const plan = overlay.dials.get(peer)
  if (plan?.phase !== 'asking') return
  plan.phase = 'waiting'
  plan.atMs = nowMs + limits.declinedMs
}

/** O2: the budget of links and of dials. B2: what others cost in dials does not keep a device from its resident. */
function mayDial(overlay: Overlay, purpose?: Purpose): boolean {
  const hasSlot = overlay.links.size + dialingCount(overlay) + overlay.incoming.size < overlay.linksMax
  return hasSlot && (purpose === 'resident' || overlay.recentDialsMs.length < limits.dialsPerMinuteMax)
}

/** O2: somebody else dials. @returns whether there is a place; it is kept while the connection is made */
export function admitConnection(overlay: Overlay, peer: PeerId, nowMs: number): boolean {
  for (const [one, untilMs] of overlay.incoming) if (untilMs <= nowMs) overlay.incoming.delete(one)
  const isKnown = overlay.linksByPeer.has(peer) || overlay.incoming.has(peer)
  if (isKnown || overlay.dials.get(peer)?.phase === 'dialing') return true
  if (overlay.links.size + dialingCount(overlay) + overlay.incoming.size >= overlay.linksMax) return false
  overlay.incoming.set(peer, nowMs + limits.promiseMs)
  return true
}

export function dialingCount(overlay: Overlay): number {
  let dialing = 0
  for (const dial of overlay.dials.values()) if (dial.phase === 'dialing') dialing += 1
  return dialing
}

function expireDials(overlay: Overlay, nowMs: number): void {
  const { recentDialsMs } = overlay
  while (recentDialsMs[0] !== undefined && nowMs - recentDialsMs[0] >= 60_000) recentDialsMs.shift()
  for (const [peer, dial] of overlay.dials) {
    if (dial.atMs > nowMs) continue
    if (dial.phase === 'dialing') noteDialFailed(overlay, peer, nowMs)
    else if (dial.phase === 'asking') declined(overlay, peer, nowMs)
    // A peer that was given up long ago and is heard of again starts anew.
    else if (nowMs - dial.atMs > limits.redialMaxMs) overlay.dials.delete(peer)
  }
}

/** @returns when the next dial that is not due yet falls due, ms. */
export function nextDialMs(overlay: Overlay, nowMs: number): number | undefined {
  let next: number | undefined
  for (const dial of overlay.dials.values()) {
    if (dial.atMs > nowMs && (next === undefined || dial.atMs < next)) next = dial.atMs
  }
  return next
}

/** @returns whether somebody who has the room is linked now. */
export function isReachable(overlay: Overlay, room: RoomId): boolean {
  for (const link of overlay.links.values()) if (link.rooms.has(room)) return true
  return false
}
