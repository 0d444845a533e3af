/**
 * Residents: boxes that helpers keep, and the links to them. Rules B1–B4 in PROTOCOL.md.
 *
 * Source: design decisions 5 and 12. A resident carries the name of its site, so nobody has to be told who it is, and is
 * reached by a WebSocket, which is cheap: everybody holds a link to the own one beside the view, which stays whole
 * without it.
 */
import type { Engine } from '../state.ts'
import type { PeerId } from '../ids.ts'
import type { Link, Wish } from './links.ts'

/** B1: @param site where the peer is at */
export function isResident(peer: PeerId, site: PeerId | undefined): boolean {
  return peer === site
}

/**
 * B2, B3: @returns the resident that this device holds a link to: that of its site; of another helper that it speaks
 * through, when nothing of its own site is linked.
 */
export function wantedResident(engine: Engine): PeerId | undefined {
  const { sites, self, signalling, listed, presence } = engine
  if (sites.own === undefined || presence.own.box) return undefined
  const isListed = (site: PeerId) => site !== self && listed.get(site)?.includes(site) === true
  if (isListed(sites.own)) return sites.own
  if (hasOwnSite(engine)) return undefined
  for (const { at } of signalling.helpers.values()) if (isListed(at)) return at
  return undefined
}

function hasOwnSite({ overlay, sites }: Engine): boolean {
  for (const link of overlay.links.values()) {
    if (link.site === sites.own && link.closingSinceMs === undefined) return true
  }
  return false
}

export function residentWish(engine: Engine): Wish[] {
  const peer = wantedResident(engine)
  return peer === undefined ? [] : [{ peer, purpose: 'resident', isUrgent: true }]
}

/** B3: somebody of another site is served like one of the own. */
export function isGuestLink(link: Link): boolean {
  return link.purpose === 'resident'
}
