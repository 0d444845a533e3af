/**
 * Who is where: every helper tells its neighbours which peers and which neighbours it has; the words are passed
 * on, and each helper computes the ways itself (link state). Pure. Rules H5–H8 in src/mesh/PROTOCOL.md.
 *
 * A way counts only when both ends name each other, so a helper that died disappears at once with its last
 * neighbour's word, although its own last word is still known.
 */
import type { PeerId } from '#mesh/ids.ts'
import { signalLimits, type Neighbor, type SignalFrame } from '#runtime/signal-frame.ts'

export type SiteFrame = Extract<SignalFrame, { type: 'site' }>

interface Site {
  sequence: number
  name: string
  url: string
  neighbors: readonly PeerId[]
  readonly peers: Set<PeerId>
}

export interface Directory {
  readonly self: PeerId
  readonly sites: Map<PeerId, Site>
  /** Next hop by site; only sites that can be reached now. */
  ways: Map<PeerId, PeerId>
  /** Site by peer, of sites that can be reached now. */
  places: Map<PeerId, PeerId>
}

/** @param sequence to start from; a clock that went back is outdone by `applySite` */
export function createDirectory(self: PeerId, name: string, url: string, sequence: number): Directory {
  const own: Site = { sequence, name, url, neighbors: [], peers: new Set() }
  const directory: Directory = { self, sites: new Map([[self, own]]), ways: new Map(), places: new Map() }
  compute(directory)
  return directory
}

function own(directory: Directory): Site {
  const site = directory.sites.get(directory.self)
  if (site === undefined) throw new Error('bug: a directory without its own site')
  return site
}

/** @returns the word to tell all neighbours, or undefined when nothing changed. */
export function changeOwn(
  directory: Directory,
  change: {
    readonly up?: Iterable<PeerId>
    readonly down?: Iterable<PeerId>
    readonly neighbors?: readonly PeerId[]
  },
): SiteFrame | undefined {
  const site = own(directory)
  const up = [...(change.up ?? [])].filter((peer) => !site.peers.has(peer))
  const down = [...(change.down ?? [])].filter((peer) => site.peers.has(peer))
  const space = Math.max(0, signalLimits.peersPerFrameMax - site.peers.size + down.length)
  const neighbors = change.neighbors ?? site.neighbors
  const sameNeighbors = neighbors.join() === site.neighbors.join()
  if (up.length === 0 && down.length === 0 && sameNeighbors) return undefined
  for (const peer of down) site.peers.delete(peer)
  for (const peer of up.slice(0, space)) site.peers.add(peer)
  site.neighbors = neighbors.slice(0, signalLimits.neighborsMax)
  site.sequence += 1
  compute(directory)
  return frameOf(directory.self, site, { full: false, up: up.slice(0, space), down })
}

function frameOf(
  id: PeerId,
  site: Site,
  part: { readonly full: boolean; readonly up: readonly PeerId[]; readonly down: readonly PeerId[] },
): SiteFrame {
  const { sequence, name, url, neighbors } = site
  return { type: 'site', site: id, sequence, name, url, neighbors, ...part }
}

/** @returns everything about one site, to answer `ask-site` or to greet a neighbour. */
export function wholeSite(directory: Directory, id: PeerId): SiteFrame | undefined {
  const site = directory.sites.get(id)
  if (site === undefined) return undefined
  return frameOf(id, site, { full: true, up: [...site.peers], down: [] })
}

export type Applied =
  /** To be passed on to every other neighbour. */
  | { readonly type: 'news' }
  | { readonly type: 'old' }
  /** A word was missed: ask the sender for all of it. */
  | { readonly type: 'gap' }
  /** Somebody still tells of an earlier life of this helper: tell the present. */
  | { readonly type: 'own'; readonly word: SiteFrame }

export function applySite(directory: Directory, frame: SiteFrame): Applied {
  if (frame.site === directory.self) return outdo(directory, frame)
  const known = directory.sites.get(frame.site)
  if (known !== undefined && frame.sequence <= known.sequence) return { type: 'old' }
  if (!frame.full && frame.sequence !== (known?.sequence ?? -1) + 1) return { type: 'gap' }
  if (known === undefined && directory.sites.size >= sitesMax) return { type: 'old' }
  const peers = frame.full ? new Set<PeerId>() : (known?.peers ?? new Set<PeerId>())
  for (const peer of frame.down) peers.delete(peer)
  for (const peer of frame.up) if (peers.size < signalLimits.peersPerFrameMax) peers.add(peer)
  const { sequence, name, url, neighbors } = frame
  directory.sites.set(frame.site, { sequence, name, url, neighbors, peers })
  compute(directory)
  return { type: 'news' }
}

/** guess: sites remembered, reachable or not. */
const sitesMax = 512

function outdo(directory: Directory, frame: SiteFrame): Applied {
  const site = own(directory)
  if (frame.sequence < site.sequence) return { type: 'old' }
  if (frame.sequence === site.sequence && !frame.full) return { type: 'old' }
  if (frame.sequence === site.sequence && sameSet(site.peers, frame.up)) return { type: 'old' }
  site.sequence = frame.sequence + 1
  return { type: 'own', word: frameOf(directory.self, site, { full: true, up: [...site.peers], down: [] }) }
}

function sameSet(set: ReadonlySet<PeerId>, items: readonly PeerId[]): boolean {
  return set.size === items.length && items.every((item) => set.has(item))
}

/** Breadth first from here over ways that both ends name. */
function compute(directory: Directory): void {
  const { self, sites } = directory
  const ways = new Map<PeerId, PeerId>()
  const queue: PeerId[] = [self]
  for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
    for (const next of sites.get(id)?.neighbors ?? []) {
      const mutual = sites.get(next)?.neighbors.includes(id) === true
      if (!mutual || next === self || ways.has(next)) continue
      ways.set(next, id === self ? next : (ways.get(id) ?? next))
      queue.push(next)
    }
  }
  const places = new Map<PeerId, PeerId>()
  for (const id of [...ways.keys()].reverse())
    for (const peer of sites.get(id)?.peers ?? []) places.set(peer, id)
  for (const peer of own(directory).peers) places.set(peer, self)
  directory.ways = ways
  directory.places = places
}

/** @returns the reachable sites other than this one. */
export function reachableSites(directory: Directory): Neighbor[] {
  return [...directory.ways.keys()].flatMap((id) => {
    const site = directory.sites.get(id)
    return site === undefined ? [] : [{ site: id, name: site.name, url: site.url }]
  })
}
