/**
 * The spanning tree over the sites that live, along ways that may lead through sites where nobody is left.
 * Rule X5 in PROTOCOL.md.
 *
 * Source: Mehlhorn, "A faster approximation algorithm for the Steiner problem in graphs", Inf. Proc. Letters 27
 * (1988), §2: each site belongs to the nearest living one, and the ways that join two regions are all that a
 * minimum spanning tree over path costs needs. Then Kruskal 1956, by (cost, ids), so that everybody who knows
 * the same gets the same tree.
 */
import { hash32, type PeerId } from '../ids.ts'
import { limits } from '../limits.ts'

/** A radio way between two sites, as either of them names it. */
export interface Way {
  readonly a: PeerId
  readonly b: PeerId
  readonly cost: number
}

export interface Span {
  /** Living sites that the own one is to be linked to. */
  readonly tree: readonly PeerId[]
  /** The cheapest living neighbour outside of the tree. */
  readonly spare: PeerId | undefined
  /** What the whole way to each living neighbour costs. */
  readonly costs: ReadonlyMap<PeerId, number>
}

interface Region {
  /** The nearest living site. */
  readonly owner: PeerId
  readonly cost: number
}

/** @param live sites where somebody is, the own one among them */
export function spanningTree(own: PeerId, live: ReadonlySet<PeerId>, ways: readonly Way[]): Span {
  const edges = joinsOf(regionsOf(live, ways), ways, live).sort(
    (x, y) => x.cost - y.cost || compare(x.a, y.a) || compare(x.b, y.b),
  )
  const degrees = new Map<PeerId, number>()
  const roots = new Map<PeerId, PeerId>()
  const rootOf = (site: PeerId): PeerId => {
    let root = site
    for (let up = roots.get(root); up !== undefined; up = roots.get(root)) root = up
    return root
  }
  const tree: PeerId[] = []
  const costs = new Map<PeerId, number>()
  const spares: { readonly site: PeerId; readonly cost: number; readonly draw: number }[] = []
  const isFull = (site: PeerId) => (degrees.get(site) ?? 0) >= limits.treeDegreeMax
  const take = ({ a, b, cost }: Way, isBounded: boolean): boolean => {
    const [x, y] = [rootOf(a), rootOf(b)]
    const other = a === own ? b : b === own ? a : undefined
    if (x === y) {
      if (other !== undefined) spares.push({ site: other, cost, draw: hash32(`${a}${b}`) })
      return true
    }
    if (isBounded && (isFull(a) || isFull(b))) return false
    roots.set(x, y)
    for (const site of [a, b]) degrees.set(site, (degrees.get(site) ?? 0) + 1)
    if (other !== undefined) tree.push(other)
    return true
  }
  for (const { a, b, cost } of edges) {
    const other = a === own ? b : b === own ? a : undefined
    if (other !== undefined && !costs.has(other)) costs.set(other, cost)
  }
  // Gateways hold few links: a site that has many is gone around, and only where there is no other way it has more.
  const left = edges.filter((edge) => !take(edge, true))
  for (const edge of left) take(edge, false)
  // By chance among the cheapest, so that not everybody leans on the same site.
  spares.sort((x, y) => x.cost - y.cost || x.draw - y.draw)
  return { tree, spare: spares[0]?.site, costs }
}

/** To which living site each site is nearest, by (cost, id of the living one): Dijkstra 1959 from all of them. */
function regionsOf(live: ReadonlySet<PeerId>, ways: readonly Way[]): ReadonlyMap<PeerId, Region> {
  const near = new Map<PeerId, Way[]>()
  for (const way of ways) {
    for (const site of [way.a, way.b]) {
      const there = near.get(site) ?? []
      near.set(site, there)
      there.push(way)
    }
  }
  const open = new Map<PeerId, Region>()
  const settled = new Map<PeerId, Region>()
  for (const site of live) open.set(site, { owner: site, cost: 0 })
  for (let next = nearest(open); next !== undefined; next = nearest(open)) {
    const [site, region] = next
    open.delete(site)
    settled.set(site, region)
    for (const { a, b, cost } of near.get(site) ?? []) {
      const other = a === site ? b : a
      if (settled.has(other)) continue
      const offer = { owner: region.owner, cost: region.cost + cost }
      const known = open.get(other)
      if (known === undefined || isNearer(offer, known)) open.set(other, offer)
    }
  }
  return settled
}

function nearest(open: ReadonlyMap<PeerId, Region>): [PeerId, Region] | undefined {
  let best: [PeerId, Region] | undefined
  for (const entry of open) if (best === undefined || isNearer(entry[1], best[1])) best = entry
  return best
}

function isNearer(one: Region, other: Region): boolean {
  return one.cost - other.cost < 0 || (one.cost === other.cost && compare(one.owner, other.owner) < 0)
}

/**
 * The cheapest way between each two living sites whose regions touch, and, so that an empty site does not make a star
 * around the one that it is nearest to, between each two that stand beside each other around it.
 */
function joinsOf(
  regions: ReadonlyMap<PeerId, Region>,
  ways: readonly Way[],
  live: ReadonlySet<PeerId>,
): Way[] {
  const joins = new Map<string, Way>()
  const add = (one: PeerId, other: PeerId, cost: number) => {
    if (one === other) return
    const [a, b] = one < other ? [one, other] : [other, one]
    const known = joins.get(`${a}${b}`)
    if (known === undefined || cost < known.cost) joins.set(`${a}${b}`, { a, b, cost })
  }
  const around = new Map<PeerId, Region[]>()
  for (const { a, b, cost } of ways) {
    const [one, other] = [regions.get(a), regions.get(b)]
    if (one === undefined || other === undefined) continue
    add(one.owner, other.owner, one.cost + cost + other.cost)
    for (const [site, from] of [
      [a, other],
      [b, one],
    ] as const) {
      if (live.has(site)) continue
      const there = around.get(site) ?? []
      around.set(site, there)
      there.push({ owner: from.owner, cost: from.cost + cost })
    }
  }
  for (const there of around.values()) {
    there.sort((x, y) => x.cost - y.cost || compare(x.owner, y.owner))
    there.forEach((region, i) => {
      const next = there[i + 1]
      if (next !== undefined) add(region.owner, next.owner, region.cost + next.cost)
    })
  }
  return [...joins.values()]
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
