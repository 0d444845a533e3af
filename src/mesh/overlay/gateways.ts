/**
 * Who speaks for a site, and which links its gateways hold to other sites. Rules Y1–Y8 in PROTOCOL.md.
 *
 * Source: `gossip.md` §7.5 and design decision 5. The primary holds the links of the spanning tree and one spare;
 * the standby holds links to other standbys along the same tree and takes over when the primary is silent.
 * Rank is a rendezvous hash (Thaler, Ravishankar 1998) below a class: a box, then who is looking, then who is not.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { encodeUtf8 } from '../bytes.ts'
import type { PeerId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Link, Overlay, Wish } from './links.ts'
import type { SiteWord } from './site-word.ts'
import { treeNeighbors, type Sites } from './sites.ts'

export interface Candidate {
  readonly peer: PeerId
  readonly box: boolean
  /** Looking at the page now. */
  readonly visible: boolean
}

export type Role = 'none' | 'standby' | 'primary'

export interface Gateways {
  role: Role
  /** Since when this device sees nobody speak for its site, ms. */
  vacantSinceMs: number | undefined
  /** The own word says less than is true; to be said again then, ms. */
  wordDueMs: number | undefined
  lastWordMs: number
}

export function createGateways(): Gateways {
  return {
    role: 'none',
    vacantSinceMs: undefined,
    wordDueMs: undefined,
    lastWordMs: Number.NEGATIVE_INFINITY,
  }
}

function classOf(candidate: Candidate): number {
  return candidate.box ? 2 : candidate.visible ? 1 : 0
}

function hashOf(site: PeerId, peer: PeerId): number {
  const digest = sha256(encodeUtf8(`meshchat/1/gateway ${site} ${peer}`))
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0)
}

/** Y1: @returns below 0 when `a` is to speak rather than `b`. The same on every device. */
export function compareRank(site: PeerId, a: Candidate, b: Candidate): number {
  const byClass = classOf(b) - classOf(a)
  return byClass !== 0 ? byClass : hashOf(site, b.peer) - hashOf(site, a.peer)
}

/**
 * Y2–Y4: who this device is for its site.
 * @param candidates peers of the own site that are heard, this device among them
 * @returns the role; 'primary' also when it is to claim that now
 */
export function electRole(
  gateways: Gateways,
  site: PeerId,
  self: PeerId,
  word: SiteWord | undefined,
  candidates: readonly Candidate[],
  nowMs: number,
): Role {
  const own = candidates.find((one) => one.peer === self)
  if (own === undefined) return 'none'
  const primary = candidates.find((one) => one.peer === word?.primary)
  if (word !== undefined && primary !== undefined) {
    gateways.vacantSinceMs = undefined
    if (primary.peer === self) return 'primary'
    if (classOf(own) > classOf(primary) && isFirst(site, own, candidates)) return 'primary'
    return word.standby === self ? 'standby' : 'none'
  }
  gateways.vacantSinceMs ??= nowMs
  if (word?.standby === self) return 'primary'
  const rank = candidates.filter((one) => compareRank(site, one, own) < 0).length
  const waitMs = limits.claimDelayMs + rank * limits.claimStepMs
  return nowMs - gateways.vacantSinceMs >= waitMs ? 'primary' : 'none'
}

function isFirst(site: PeerId, own: Candidate, candidates: readonly Candidate[]): boolean {
  return candidates.every((one) => one === own || compareRank(site, own, one) < 0)
}

/** Y6: the primary keeps the standby that it has; else the best other person. Boxes hold no links between browsers. */
export function chooseStandby(
  site: PeerId,
  self: PeerId,
  current: PeerId | undefined,
  candidates: readonly Candidate[],
): PeerId | undefined {
  const others = candidates.filter((one) => one.peer !== self && !one.box)
  const kept = others.find((one) => one.peer === current && one.visible)
  return (kept ?? [...others].sort((a, b) => compareRank(site, a, b))[0])?.peer
}

/** Y7: @returns the links that this device's role asks for. @param listed peers by site, as helpers list them */
export function gatewayWishes(
  role: Role,
  sites: Sites,
  overlay: Overlay,
  listed: ReadonlyMap<PeerId, readonly PeerId[]>,
  nowMs: number,
): Wish[] {
  if (role === 'none') return []
  const { tree, spare } = treeNeighbors(sites, role)
  const wanted = role === 'primary' && spare !== undefined ? [...tree, spare] : tree
  const wishes: Wish[] = []
  for (const site of wanted.slice(0, limits.radioLinksMax)) {
    const peers = speakersOf(role, sites, site, listed)
    const [first] = peers
    if (first !== undefined && isServed(overlay, site, first)) continue
    // A speaker that could not be dialled may be gone without a word: somebody else there will know.
    const peer = peers.find((one) => !hasFailed(overlay, one, nowMs)) ?? first
    if (peer !== undefined && !isServed(overlay, site, peer)) {
      wishes.push({ peer, purpose: role === 'primary' ? 'gateway' : 'standby', isUrgent: true })
    }
  }
  return wishes
}

/** Whom to dial at a site, best first; helpers' lists help where its word is missing or old. */
function speakersOf(
  role: Role,
  sites: Sites,
  site: PeerId,
  listed: ReadonlyMap<PeerId, readonly PeerId[]>,
): PeerId[] {
  const word = sites.words.get(site)
  if (role === 'standby') return word === undefined ? [] : [word.standby ?? word.primary]
  const named =
    word === undefined ? [] : [word.primary, ...(word.standby === undefined ? [] : [word.standby])]
  const there = listed.get(site) ?? []
  // B1: a resident speaks for its site as soon as it is there.
  const first = there.includes(site) ? [site] : []
  return [...new Set([...named, ...first, ...there.slice(0, limits.radioLinksMax)])]
}

/** Until it is to be tried again. */
function hasFailed(overlay: Overlay, peer: PeerId, nowMs: number): boolean {
  const dial = overlay.dials.get(peer)
  return dial !== undefined && dial.failures > 0 && dial.phase === 'waiting' && dial.atMs > nowMs
}

function isServed(overlay: Overlay, site: PeerId, target: PeerId): boolean {
  const link = overlay.linksByPeer.get(target)
  return link !== undefined && (link.site === site || link.site === undefined)
}

/** Y8: @returns whether this device still has a use for a link between sites that it dialled. */
export function isLinkUseful(role: Role, sites: Sites, overlay: Overlay, link: Link): boolean {
  if (role === 'none' || link.site === undefined) return false
  const { tree, spare } = treeNeighbors(sites, role)
  const word = sites.words.get(link.site)
  const isTree = tree.includes(link.site)
  if (role === 'standby') return isTree && link.peer === (word?.standby ?? word?.primary)
  if (!isTree && link.site !== spare) return false
  // Somebody else there stands in for a primary that cannot be had.
  const isServing = word === undefined || link.peer === word.primary
  return isServing || !overlay.linksByPeer.has(word.primary)
}

/** Y7: @returns the link that has to go when there are too many: the newest outside of the tree, else the new one. */
export function crowdedOut(role: Role, sites: Sites, links: readonly Link[], newest: Link): Link | undefined {
  if (links.length <= limits.radioLinksMax) return undefined
  const { tree } = treeNeighbors(sites, role === 'standby' ? role : 'primary')
  const isTree = (link: Link) => link.site !== undefined && tree.includes(link.site)
  return isTree(newest) ? (links.filter((link) => !isTree(link)).at(-1) ?? newest) : newest
}

export function radioLinks(overlay: Overlay, site: PeerId | undefined): Link[] {
  return [...overlay.links.values()].filter((link) => isRadio(link, site))
}

/** @returns whether the link leads to another site. */
export function isRadio(link: Link, site: PeerId | undefined): boolean {
  return site !== undefined && link.site !== undefined && link.site !== site
}

/** The link between the two that speak for this site. */
export function isPairLink(engine: { readonly sites: Sites; readonly self: PeerId }, link: Link): boolean {
  const { sites, self } = engine
  const word = sites.own === undefined ? undefined : sites.words.get(sites.own)
  if (word === undefined) return false
  const pair = [word.primary, word.standby]
  return pair.includes(link.peer) && pair.includes(self)
}
