/**
 * What is known of all sites: their words, who is near whom at what cost, which can be reached now, and the
 * spanning tree over them that every peer computes alike. Rules X1–X6 in PROTOCOL.md.
 *
 * Source: link-state routing (OSPF, RFC 2328 §13 and §16) for words and reachability; Kruskal 1956 for the tree.
 */
import type { PeerId } from '../ids.ts'
import { limits } from '../limits.ts'
import { mayHaveRoom, type NearSite, type SiteWord } from './site-word.ts'

export interface Sites {
  /** This device's site; undefined before a helper was met. */
  own: PeerId | undefined
  readonly words: Map<PeerId, SiteWord>
  /** Neighbours of the own site as the helper tells them, with the cost of the way. */
  readonly near: Map<PeerId, number>
  /** Sites in which a helper lists peers now. */
  listed: ReadonlySet<PeerId>
  /** Computed from the rest, until something changes. */
  cache: Computed
}

/** Each part is made when it is first asked for. */
interface Computed {
  reachable?: ReadonlySet<PeerId>
  people?: number
  isLarge?: boolean
  /** Neighbours of the own site in the spanning tree, and the cheapest one outside of it. */
  tree?: { readonly tree: readonly PeerId[]; readonly spare: PeerId | undefined }
}

export function createSites(): Sites {
  return { own: undefined, words: new Map(), near: new Map(), listed: new Set(), cache: {} }
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

/** X5: @returns the neighbours to hold links to: those of the spanning tree, and one spare. */
export function treeNeighbors(sites: Sites): {
  readonly tree: readonly PeerId[]
  readonly spare: PeerId | undefined
} {
  sites.cache.tree ??= spanningTree(sites)
  return sites.cache.tree
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

interface Edge {
  readonly a: PeerId
  readonly b: PeerId
  readonly cost: number
}

/** X5: minimum spanning tree over sites that live, by (cost, ids), so that everybody gets the same one. */
function spanningTree(sites: Sites): { tree: PeerId[]; spare: PeerId | undefined } {
  const { own } = sites
  if (own === undefined) return { tree: [], spare: undefined }
  const live = liveSites(sites, own)
  const edges = [...edgesOf(sites, own, live).values()].sort(
    (x, y) => x.cost - y.cost || compare(x.a, y.a) || compare(x.b, y.b),
  )
  const roots = new Map<PeerId, PeerId>()
  const rootOf = (site: PeerId): PeerId => {
    let root = site
    for (let up = roots.get(root); up !== undefined; up = roots.get(root)) root = up
    return root
  }
  const tree: PeerId[] = []
  const spares: { readonly site: PeerId; readonly cost: number; readonly draw: number }[] = []
  for (const { a, b, cost } of edges) {
    const [x, y] = [rootOf(a), rootOf(b)]
    const other = a === own ? b : b === own ? a : undefined
    if (x === y) {
      if (other !== undefined) spares.push({ site: other, cost, draw: spread(`${a}${b}`) })
      continue
    }
    roots.set(x, y)
    if (other !== undefined) tree.push(other)
  }
  // By chance among the cheapest, so that not everybody leans on the same site.
  spares.sort((x, y) => x.cost - y.cost || x.draw - y.draw)
  return { tree, spare: spares[0]?.site }
}

function liveSites(sites: Sites, own: PeerId): Set<PeerId> {
  const live = new Set(reachableSites(sites)).add(own)
  for (const site of sites.listed) live.add(site)
  return live
}

function edgesOf(sites: Sites, own: PeerId, live: ReadonlySet<PeerId>): Map<string, Edge> {
  const edges = new Map<string, Edge>()
  const add = (one: PeerId, other: PeerId, cost: number) => {
    if (one === other || !live.has(one) || !live.has(other)) return
    const [a, b] = one < other ? [one, other] : [other, one]
    const known = edges.get(`${a}${b}`)
    if (known === undefined || cost < known.cost) edges.set(`${a}${b}`, { a, b, cost })
  }
  for (const [site, cost] of sites.near) add(own, site, cost)
  for (const site of live) for (const { site: other, cost } of nearOf(sites, site)) add(site, other, cost)
  return edges
}

/** A number that depends on every character: FNV-1a, 32 bits. */
function spread(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** What a link to that site costs. */
export function costTo(sites: Sites, site: PeerId | undefined): number {
  if (site === undefined || sites.own === undefined || site === sites.own) return limits.lanCost
  const back = nearOf(sites, site).find((near) => near.site === sites.own)?.cost
  return sites.near.get(site) ?? back ?? limits.radioCost
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
