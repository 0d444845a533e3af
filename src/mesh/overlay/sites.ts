/**
 * What is known of all sites: their words, who is near whom at what cost, which can be reached now, and the
 * spanning tree over them that every peer computes alike. Rules X1–X6 in PROTOCOL.md.
 *
 * Source: link-state routing (OSPF, RFC 2328 §13 and §16).
 */
import type { PeerId } from '../ids.ts'
import { limits } from '../limits.ts'
import { mayHaveRoom, type NearSite, type SiteWord } from './site-word.ts'
import { spanningTree, type Span, type Way } from './span.ts'

export interface Sites {
  /** This device's site; undefined before a helper was met. */
  own: PeerId | undefined
  readonly words: Map<PeerId, SiteWord>
  /** Neighbours of the own site as the helper tells them, with the cost of the way. */
  readonly near: Map<PeerId, number>
  /** Sites in which a helper lists peers now. */
  listed: ReadonlySet<PeerId>
  /** Those of them in which it lists more than a resident. */
  peopled: ReadonlySet<PeerId>
  /** Computed from the rest, until something changes. */
  cache: Computed
}

/** Each part is made when it is first asked for. */
interface Computed {
  reachable?: ReadonlySet<PeerId>
  people?: number
  isLarge?: boolean
  tree?: Span
  /** The same over sites that have people. */
  standbyTree?: Span
}

export function createSites(): Sites {
  return {
    own: undefined,
    words: new Map(),
    near: new Map(),
    listed: new Set(),
    peopled: new Set(),
    cache: {},
  }
}

export function changed(sites: Sites): void {
  sites.cache = {}
}

/** X1: @returns whether the word is news. */
export function acceptWord(sites: Sites, word: SiteWord): boolean {
  const known = sites.words.get(word.site)
  if (known !== undefined && known.counter >= word.counter) return false
  if (known === undefined && sites.words.size >= limits.sitesMax && !forgetOne(sites)) return false
  sites.words.set(word.site, word)
  changed(sites)
  return true
}

/** A site that nobody reaches makes room for one that speaks now. */
function forgetOne(sites: Sites): boolean {
  const reachable = reachableSites(sites)
  for (const site of sites.words.keys()) {
    if (site === sites.own || reachable.has(site)) continue
    sites.words.delete(site)
    return true
  }
  return false
}

/** X4: @returns sites that a frame can reach now: over links that both ends name. The own one is among them. */
export function reachableSites(sites: Sites): ReadonlySet<PeerId> {
  const { cache, own } = sites
  cache.reachable ??= own === undefined ? new Set() : walk(sites, own, undefined)
  return cache.reachable
}

/**
 * X5: @returns the neighbours to hold links to: those of the spanning tree, and one spare. Standbys span the sites that
 * have people: where there are only residents, nobody is left when all helpers die.
 */
export function treeNeighbors(sites: Sites, role: 'primary' | 'standby'): Span {
  const { own, cache } = sites
  if (own === undefined) return { tree: [], spare: undefined, costs: new Map() }
  if (role === 'standby') {
    cache.standbyTree ??= spanOver(sites, own, peopledSites(sites, own))
    return cache.standbyTree
  }
  cache.tree ??= spanOver(sites, own, liveSites(sites, own))
  return cache.tree
}

function spanOver(sites: Sites, own: PeerId, live: ReadonlySet<PeerId>): Span {
  return spanningTree(own, live, waysOf(sites, own, live))
}

function peopledSites(sites: Sites, own: PeerId): Set<PeerId> {
  const hasPeople = (site: PeerId) => sites.peopled.has(site) || (sites.words.get(site)?.people ?? 0) > 0
  return new Set([...liveSites(sites, own)].filter(hasPeople)).add(own)
}

function nearOf(sites: Sites, site: PeerId): readonly NearSite[] {
  return sites.words.get(site)?.near ?? []
}

/** Breadth first over links that both ends name, without going through `except`. */
function walk(sites: Sites, from: PeerId, except: PeerId | undefined): Set<PeerId> {
  const found = new Set([from])
  for (const site of found) {
    for (const { site: next, linked } of nearOf(sites, site)) {
      if (!linked || next === except || found.has(next)) continue
      if (nearOf(sites, next).some((back) => back.site === site && back.linked)) found.add(next)
    }
  }
  return found
}

/** X6: @returns whether somebody in that direction may have the room. Unknown sites may. */
export function isRoomWanted(sites: Sites, towards: PeerId, room: string): boolean {
  for (const site of walk(sites, towards, sites.own)) {
    const word = sites.words.get(site)
    if (word === undefined || mayHaveRoom(word.rooms, room)) return true
  }
  return false
}

function liveSites(sites: Sites, own: PeerId): Set<PeerId> {
  const live = new Set(reachableSites(sites)).add(own)
  for (const site of sites.listed) live.add(site)
  return live
}

interface Named {
  readonly a: PeerId
  readonly b: PeerId
  /** What living sites say that it costs. */
  cost: number
  /** What the others of its ends say. */
  readonly byOthers: Map<PeerId, number>
}

/**
 * Ways that a living site has named, or both their ends: also to and between sites where nobody is left, since radio
 * goes on through them. What one site alone says that nobody reaches counts for nothing.
 */
function waysOf(sites: Sites, own: PeerId, live: ReadonlySet<PeerId>): Way[] {
  const ways = new Map<string, Named>()
  const add = (by: PeerId, other: PeerId, cost: number) => {
    if (by === other) return
    const [a, b] = by < other ? [by, other] : [other, by]
    const known = ways.get(`${a}${b}`) ?? { a, b, cost: Number.POSITIVE_INFINITY, byOthers: new Map() }
    ways.set(`${a}${b}`, known)
    if (live.has(by)) known.cost = Math.min(known.cost, cost)
    else known.byOthers.set(by, cost)
  }
  for (const [site, cost] of sites.near) add(own, site, cost)
  for (const [site, { near }] of sites.words) for (const { site: other, cost } of near) add(site, other, cost)
  return [...ways.values()].flatMap(({ a, b, cost, byOthers }) => {
    if (cost < Number.POSITIVE_INFINITY) return [{ a, b, cost }]
    return byOthers.size === 2 ? [{ a, b, cost: Math.max(...byOthers.values()) }] : []
  })
}

/** What a link to that site costs. */
export function costTo(sites: Sites, site: PeerId | undefined): number {
  if (site === undefined || sites.own === undefined || site === sites.own) return limits.lanCost
  const back = nearOf(sites, site).find((near) => near.site === sites.own)?.cost
  return sites.near.get(site) ?? treeNeighbors(sites, 'primary').costs.get(site) ?? back ?? limits.radioCost
}

/** X7: more people than are told of by name, as this site's own gateway counts them. */
export function isLargeMesh(sites: Sites): boolean {
  if (sites.cache.isLarge === undefined) {
    const word = sites.own === undefined ? undefined : sites.words.get(sites.own)
    sites.cache.isLarge = (word?.meshPeople ?? peopleCount(sites)) > limits.namedPeopleMax
  }
  return sites.cache.isLarge
}

/** People of all sites that can be reached, as their gateways count them. */
export function peopleCount(sites: Sites): number {
  if (sites.cache.people !== undefined) return sites.cache.people
  let count = 0
  for (const site of reachableSites(sites)) count += sites.words.get(site)?.people ?? 0
  sites.cache.people = count
  return count
}
