/**
 * Who is where: every helper tells its neighbours which peers and which neighbours it has; the words are signed,
 * passed on as they are, and each helper computes the ways itself (link state). Pure but for the signer that it is
 * given. Rules H5–H8 in src/mesh/PROTOCOL.md.
 *
 * A way counts only when both ends name each other, so a helper that died disappears at once with its last
 * neighbour's word, although its own last word is still known.
 */
import type { PeerId } from '#mesh/ids.ts'
import { signalLimits, siteBytes, type Neighbor, type SignalFrame } from '#runtime/signal-frame.ts'

export type SiteFrame = Extract<SignalFrame, { type: 'site' }>

interface Site {
  sequence: number
  name: string
  url: string
  secureUrl: string
  neighbors: readonly PeerId[]
  readonly peers: Set<PeerId>
  /** H11: programs that speak PeerJS, by name. */
  readonly guests: Set<string>
  /** A whole word and the changes since, as they were signed: what is given to those who ask. */
  words: SiteFrame[]
}

export const directoryLimits = {
  /** guess: sites remembered; those out of reach go first. */
  sitesMax: 512,
  /** guess: changes told one by one before a site tells all of itself again. */
  changesMax: 16,
  /** guess: two helpers with one key outdo each other; not faster than this. */
  outdoIntervalMs: 3_000,
} as const

export interface Directory {
  readonly self: PeerId
  readonly sign: (message: Uint8Array) => string
  readonly sites: Map<PeerId, Site>
  computed: Computed | undefined
  outdoneAtMs: number
}

interface Computed {
  /** Next hop by site; only sites that can be reached now, nearest first. */
  readonly ways: ReadonlyMap<PeerId, PeerId>
  /** Site by peer, of sites that can be reached now; own peers first. */
  readonly places: ReadonlyMap<PeerId, PeerId>
  /** The same the other way round: peers by site, the own one first, then nearest first. */
  readonly listed: ReadonlyMap<PeerId, readonly PeerId[]>
}

export interface DirectoryParts {
  readonly self: PeerId
  readonly name: string
  readonly url: string
  /** On https, or the empty string. */
  readonly secureUrl: string
  /** To start from; a clock that went back is outdone by `applySite`. */
  readonly sequence: number
  readonly sign: (message: Uint8Array) => string
}

export function createDirectory({ self, name, url, secureUrl, sequence, sign }: DirectoryParts): Directory {
  const own: Site = {
    sequence,
    name,
    url,
    secureUrl,
    neighbors: [],
    peers: new Set(),
    guests: new Set(),
    words: [],
  }
  const directory: Directory = {
    self,
    sign,
    sites: new Map([[self, own]]),
    computed: undefined,
    outdoneAtMs: Number.NEGATIVE_INFINITY,
  }
  tell(directory, own, { ...nothing, full: true })
  return directory
}

function own(directory: Directory): Site {
  const site = directory.sites.get(directory.self)
  if (site === undefined) throw new Error('bug: a directory without its own site')
  return site
}

export interface Change {
  readonly up?: Iterable<PeerId>
  readonly down?: Iterable<PeerId>
  readonly guestsUp?: Iterable<string>
  readonly guestsDown?: Iterable<string>
  readonly neighbors?: readonly PeerId[]
}

/** @returns the word to tell all neighbours, or undefined when nothing changed. */
export function changeOwn(directory: Directory, change: Change): SiteFrame | undefined {
  const site = own(directory)
  const { up, down } = differ(site.peers, change.up, change.down, signalLimits.peersPerFrameMax)
  const guests = differ(site.guests, change.guestsUp, change.guestsDown, signalLimits.guestsMax)
  const neighbors = (change.neighbors ?? site.neighbors).slice(0, signalLimits.neighborsMax)
  const counts = [up, down, guests.up, guests.down].map(({ length }) => length)
  if (counts.every((count) => count === 0) && neighbors.join() === site.neighbors.join()) return undefined
  site.neighbors = neighbors
  site.sequence += 1
  const isDue = site.words.length > directoryLimits.changesMax
  const part = { full: false, up, down, guestsUp: guests.up, guestsDown: guests.down }
  return tell(directory, site, isDue ? whole(site) : part)
}

/** Applies a change to a set of bounded size. @returns what has come of it */
function differ<T>(
  set: Set<T>,
  came: Iterable<T> = [],
  went: Iterable<T> = [],
  sizeMax: number,
): { readonly up: readonly T[]; readonly down: readonly T[] } {
  const down = [...went].filter((one) => set.delete(one))
  const up = [...came].filter((one) => !set.has(one)).slice(0, Math.max(0, sizeMax - set.size))
  for (const one of up) set.add(one)
  return { up, down }
}

interface Part {
  readonly full: boolean
  readonly up: readonly PeerId[]
  readonly down: readonly PeerId[]
  readonly guestsUp: readonly string[]
  readonly guestsDown: readonly string[]
}

const nothing: Part = { full: false, up: [], down: [], guestsUp: [], guestsDown: [] }

function whole(site: Site): Part {
  return { ...nothing, full: true, up: [...site.peers], guestsUp: [...site.guests] }
}

function tell(directory: Directory, site: Site, part: Part): SiteFrame {
  const { sequence, name, url, secureUrl, neighbors } = site
  const said = { sequence, name, url, secureUrl, neighbors, ...part }
  const word = { type: 'site', site: directory.self, ...said } as const
  const signed = { ...word, signature: directory.sign(siteBytes(word)) }
  site.words = part.full ? [signed] : [...site.words, signed]
  directory.computed = undefined
  return signed
}

/** @returns everything that a site has said of itself, to answer `ask-site` or to greet a neighbour. */
export function wordsOf(directory: Directory, id: PeerId): readonly SiteFrame[] {
  return directory.sites.get(id)?.words ?? []
}

export type Applied =
  /** To be passed on to every other neighbour. */
  | { readonly type: 'news' }
  | { readonly type: 'old' }
  /** A word was missed: ask the sender for all of it. */
  | { readonly type: 'gap' }
  /** Somebody still tells of an earlier life of this helper: tell the present. */
  | { readonly type: 'own'; readonly word: SiteFrame }

/** @param frame whose signature has been checked */
export function applySite(directory: Directory, frame: SiteFrame, nowMs: number): Applied {
  if (frame.site === directory.self) return outdo(directory, frame, nowMs)
  const before = directory.sites.get(frame.site)
  if (before !== undefined && frame.sequence <= before.sequence) return { type: 'old' }
  if (!frame.full && frame.sequence !== (before?.sequence ?? -1) + 1) return { type: 'gap' }
  if (before === undefined && !makeRoom(directory)) return { type: 'old' }
  const known = frame.full ? undefined : before
  const peers = known?.peers ?? new Set<PeerId>()
  differ(peers, frame.up, frame.down, signalLimits.peersPerFrameMax)
  const guests = known?.guests ?? new Set<string>()
  differ(guests, frame.guestsUp, frame.guestsDown, signalLimits.guestsMax)
  const { sequence, name, url, secureUrl, neighbors } = frame
  const words = [...(known?.words ?? []).slice(-2 * directoryLimits.changesMax), frame]
  directory.sites.set(frame.site, { sequence, name, url, secureUrl, neighbors, peers, guests, words })
  directory.computed = undefined
  return { type: 'news' }
}

/** A site that nobody reaches makes room for one that speaks now. */
function makeRoom(directory: Directory): boolean {
  if (directory.sites.size < directoryLimits.sitesMax) return true
  const { ways } = compute(directory)
  for (const id of directory.sites.keys()) {
    if (id === directory.self || ways.has(id)) continue
    directory.sites.delete(id)
    return true
  }
  return false
}

function outdo(directory: Directory, frame: SiteFrame, nowMs: number): Applied {
  const site = own(directory)
  const isOurs = site.words.some((word) => word.signature === frame.signature)
  const isSoon = nowMs - directory.outdoneAtMs < directoryLimits.outdoIntervalMs
  if (isOurs || isSoon || frame.sequence < site.sequence) return { type: 'old' }
  directory.outdoneAtMs = nowMs
  site.sequence = frame.sequence + 1
  return { type: 'own', word: tell(directory, site, whole(site)) }
}

/** Breadth first from here over ways that both ends name; done when it is asked for, once per change. */
function compute(directory: Directory): Computed {
  const { self, sites } = directory
  if (directory.computed !== undefined) return directory.computed
  const ways = new Map<PeerId, PeerId>()
  const queue: PeerId[] = [self]
  for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
    for (const next of sites.get(id)?.neighbors ?? []) {
      const isMutual = sites.get(next)?.neighbors.includes(id) === true
      if (!isMutual || next === self || ways.has(next)) continue
      ways.set(next, id === self ? next : (ways.get(id) ?? next))
      queue.push(next)
    }
  }
  const places = new Map<PeerId, PeerId>()
  const listed = new Map<PeerId, PeerId[]>()
  for (const id of [self, ...ways.keys()]) {
    const there = [...(sites.get(id)?.peers ?? [])].filter((peer) => !places.has(peer))
    for (const peer of there) places.set(peer, id)
    listed.set(id, there)
  }
  directory.computed = { ways, places, listed }
  return directory.computed
}

export function waysOf(directory: Directory): Computed['ways'] {
  return compute(directory).ways
}

export function placesOf(directory: Directory): Computed['places'] {
  return compute(directory).places
}

/** H11: @returns the reachable site where a program is, this one first, then nearest first */
export function siteOfGuest(directory: Directory, name: string): PeerId | undefined {
  return [directory.self, ...waysOf(directory).keys()].find((id) => directory.sites.get(id)?.guests.has(name))
}

/** @returns the names of all programs that can be reached */
export function reachableGuests(directory: Directory): string[] {
  const sites = [directory.self, ...waysOf(directory).keys()]
  return [...new Set(sites.flatMap((id) => [...(directory.sites.get(id)?.guests ?? [])]))]
}

export function listedBySite(directory: Directory): Computed['listed'] {
  return compute(directory).listed
}

/**
 * H10: sites that were heard of and cannot be reached now, except perhaps over this helper's own link to them: whoever
 * needs a way to them has to make one.
 */
export function strandedSites(directory: Directory): { readonly site: PeerId; readonly url: string }[] {
  const { self, sites } = directory
  const ways = waysOf(directory)
  const stranded: { site: PeerId; url: string }[] = []
  for (const [id, { url }] of sites) {
    if (id === self || url === '') continue
    const isNear = ways.get(id) === id
    if (isNear ? !reaches(directory, id) : !ways.has(id)) stranded.push({ site: id, url })
  }
  return stranded
}

/** @returns whether there is a way from here to that neighbour beside the link to it */
function reaches({ self, sites }: Directory, neighbor: PeerId): boolean {
  const found = new Set([self])
  for (const id of found) {
    for (const next of sites.get(id)?.neighbors ?? []) {
      if ((id === self && next === neighbor) || found.has(next)) continue
      if (sites.get(next)?.neighbors.includes(id) === true) found.add(next)
    }
  }
  return found.has(neighbor)
}

/** @returns the reachable sites other than this one, nearest first, as many as a frame may name. */
export function reachableSites(directory: Directory): Neighbor[] {
  return [...waysOf(directory)].slice(0, signalLimits.neighborsMax).flatMap(([id, next]) => {
    const site = directory.sites.get(id)
    if (site === undefined) return []
    const { name, url, secureUrl } = site
    const known = { site: id, name, url, linked: next === id }
    return [secureUrl === '' ? known : { ...known, secureUrl }]
  })
}
