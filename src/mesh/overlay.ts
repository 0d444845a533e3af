/**
 * Whom to hold links to. The simple form for a small mesh: everybody, up to `linksMax`. Rules O1–O6.
 *
 * The two-level overlay (HyParView inside a site, gateways between sites) replaces this file.
 */
import type { LinkId } from './effects.ts'
import type { PeerId, RoomId } from './ids.ts'
import { limits } from './limits.ts'

export interface Link {
  readonly id: LinkId
  readonly peer: PeerId
  lastHeardMs: number
  /** Rooms that the other side carries. */
  rooms: ReadonlySet<RoomId>
  /** Hints of peers that the other side heard within the last heartbeats. */
  hears: ReadonlySet<string>
}

interface Dial {
  phase: 'waiting' | 'dialing'
  /** When to dial, or when the dial counts as failed, ms. */
  atMs: number
  failures: number
}

export interface Overlay {
  readonly self: PeerId
  readonly links: Map<LinkId, Link>
  readonly linksByPeer: Map<PeerId, Link>
  readonly dials: Map<PeerId, Dial>
  /** Start times of dials within the last minute, ms. */
  recentDialsMs: number[]
}

export function createOverlay(self: PeerId): Overlay {
  return { self, links: new Map(), linksByPeer: new Map(), dials: new Map(), recentDialsMs: [] }
}

/** O1: at most one link per peer; @returns the older one, which has to go. */
export function addLink(overlay: Overlay, id: LinkId, peer: PeerId, nowMs: number): Link | undefined {
  const older = overlay.linksByPeer.get(peer)
  const link: Link = { id, peer, lastHeardMs: nowMs, rooms: new Set(), hears: new Set() }
  overlay.links.set(id, link)
  overlay.linksByPeer.set(peer, link)
  overlay.dials.delete(peer)
  return older
}

/** @returns the link that ended, or undefined when it was not known any more. */
export function removeLink(overlay: Overlay, id: LinkId): Link | undefined {
  const link = overlay.links.get(id)
  if (link === undefined) return undefined
  overlay.links.delete(id)
  if (overlay.linksByPeer.get(link.peer) === link) overlay.linksByPeer.delete(link.peer)
  return link
}

/** O5: links that have said nothing for `silentMs`. */
export function silentLinks(overlay: Overlay, nowMs: number): Link[] {
  return [...overlay.links.values()].filter((link) => nowMs - link.lastHeardMs > limits.silentMs)
}

/** O4: a dial failed; the next one waits twice as long. */
export function noteDialFailed(overlay: Overlay, peer: PeerId, nowMs: number): void {
  const failures = (overlay.dials.get(peer)?.failures ?? 0) + 1
  const waitMs = Math.min(limits.redialMaxMs, limits.redialMinMs * 2 ** Math.min(failures - 1, 10))
  overlay.dials.set(peer, { phase: 'waiting', atMs: nowMs + waitMs, failures })
}

/** O4: a new way to a peer has opened (a helper came back, somebody hears it): try at once. */
export function forgiveDial(overlay: Overlay, peer: PeerId): void {
  if (overlay.dials.get(peer)?.phase === 'waiting') overlay.dials.delete(peer)
}

/**
 * O2–O4: @returns whom to dial now.
 * @param candidates peers that are said to be alive and can be signalled to
 */
export function dueDials(overlay: Overlay, candidates: Iterable<PeerId>, nowMs: number): PeerId[] {
  expireDials(overlay, nowMs)
  overlay.recentDialsMs = overlay.recentDialsMs.filter((atMs) => nowMs - atMs < 60_000)
  const due: PeerId[] = []
  for (const peer of candidates) {
    if (peer === overlay.self || overlay.linksByPeer.has(peer)) continue
    const dial = overlay.dials.get(peer)
    if (dial === undefined) {
      // O3: of two peers that find each other at once, the one with the smaller id dials.
      const atMs = overlay.self < peer ? nowMs : nowMs + limits.dialPolitenessMs
      overlay.dials.set(peer, { phase: 'waiting', atMs, failures: 0 })
    }
    const plan = overlay.dials.get(peer)
    if (plan === undefined || plan.phase !== 'waiting' || plan.atMs > nowMs || !mayDial(overlay)) continue
    plan.phase = 'dialing'
    plan.atMs = nowMs + limits.dialTimeoutMs
    overlay.recentDialsMs.push(nowMs)
    due.push(peer)
  }
  return due
}

/** O2: the budget of links and of dials. */
function mayDial(overlay: Overlay): boolean {
  let dialing = 0
  for (const dial of overlay.dials.values()) if (dial.phase === 'dialing') dialing += 1
  const hasSlot = overlay.links.size + dialing < limits.linksMax
  return hasSlot && overlay.recentDialsMs.length < limits.dialsPerMinuteMax
}

function expireDials(overlay: Overlay, nowMs: number): void {
  for (const [peer, dial] of overlay.dials) {
    if (dial.phase === 'dialing' && dial.atMs <= nowMs) noteDialFailed(overlay, peer, nowMs)
    // A peer that was given up long ago and is heard of again starts anew.
    else if (dial.phase === 'waiting' && nowMs - dial.atMs > limits.redialMaxMs) overlay.dials.delete(peer)
  }
}

/** @returns when the next dial that is not due yet falls due, ms. */
export function nextDialMs(overlay: Overlay, nowMs: number): number | undefined {
  let next: number | undefined
  for (const dial of overlay.dials.values()) {
    if (dial.phase !== 'waiting' || dial.atMs <= nowMs) continue
    if (next === undefined || dial.atMs < next) next = dial.atMs
  }
  return next
}
