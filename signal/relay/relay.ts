/**
 * Who gets which signal frame. Pure: sockets are numbers, keys are proven by the server before they come here.
 * Rules H1–H9 in src/mesh/PROTOCOL.md.
 */
import type { PeerId } from '#mesh/ids.ts'
import type { Neighbor, SignalFrame, SignalRefusal } from '#runtime/signal-frame.ts'
import {
  applySite,
  changeOwn,
  placesOf,
  reachableSites,
  siteOfGuest,
  waysOf,
  wordsOf,
  type Directory,
  type SiteFrame,
} from './directory.ts'
import { Samples, toldNobody, type Told } from './sample.ts'

export type SocketId = number

export type Action =
  | { readonly type: 'send'; readonly socket: SocketId; readonly frame: SignalFrame }
  | { readonly type: 'close'; readonly socket: SocketId; readonly reason: SignalRefusal }
  /** To a program at this node (H11). */
  | { readonly type: 'tell-guest'; readonly from: string; readonly to: string; readonly payload: string }

interface PeerSession {
  readonly socket: SocketId
  readonly peer: PeerId
  /** Peers that this session has been told of. */
  told: Told
  /** The list of neighbours that it was told last, as text. */
  neighbors: string
}

interface HelperSession {
  readonly socket: SocketId
  readonly site: PeerId
}

export const relayLimits = {
  /** design decision 12: hops between helpers. */
  hopsMax: 16,
  /** guess: helpers linked to this one, dialled and dialling. */
  helpersMax: 64,
  /** guess: ids of relayed signals remembered against loops. */
  seenMax: 4_096,
} as const

export interface Relay {
  readonly directory: Directory
  /** What the way to a neighbour costs, where that is known. */
  readonly costOf: (site: PeerId) => number | undefined
  readonly peersBySocket: Map<SocketId, PeerSession>
  readonly peersByKey: Map<PeerId, PeerSession>
  readonly helpersBySocket: Map<SocketId, HelperSession>
  readonly helpersBySite: Map<PeerId, HelperSession>
  readonly seen: Set<string>
  readonly samples: Samples
  /** Local peers that came or went since the last `flush`. */
  readonly came: Set<PeerId>
  readonly went: Set<PeerId>
  /** Programs at this node (H11). */
  readonly guests: Set<string>
  readonly guestsCame: Set<string>
  readonly guestsWent: Set<string>
  changed: boolean
}

export function createRelay(
  directory: Directory,
  costOf: (site: PeerId) => number | undefined = () => undefined,
): Relay {
  return {
    directory,
    costOf,
    peersBySocket: new Map(),
    peersByKey: new Map(),
    helpersBySocket: new Map(),
    helpersBySite: new Map(),
    seen: new Set(),
    samples: new Samples(),
    came: new Set(),
    went: new Set(),
    guests: new Set(),
    guestsCame: new Set(),
    guestsWent: new Set(),
    changed: false,
  }
}

/** H3: the newest proven socket of a key replaces the older. */
export function admitPeer(relay: Relay, socket: SocketId, peer: PeerId): Action[] {
  const older = relay.peersByKey.get(peer)
  const session: PeerSession = { socket, peer, told: toldNobody, neighbors: '[]' }
  relay.peersBySocket.set(socket, session)
  relay.peersByKey.set(peer, session)
  relay.came.add(peer)
  relay.went.delete(peer)
  relay.changed = true
  if (older === undefined) return []
  relay.peersBySocket.delete(older.socket)
  return [{ type: 'close', socket: older.socket, reason: 'replaced' }]
}

export function admitHelper(relay: Relay, socket: SocketId, site: PeerId): Action[] {
  const older = relay.helpersBySite.get(site)
  const session: HelperSession = { socket, site }
  relay.helpersBySocket.set(socket, session)
  relay.helpersBySite.set(site, session)
  const actions: Action[] = []
  if (older !== undefined) {
    relay.helpersBySocket.delete(older.socket)
    actions.push({ type: 'close', socket: older.socket, reason: 'replaced' })
  }
  actions.push(...tellNeighbors(relay))
  for (const id of relay.directory.sites.keys()) {
    if (id === site) continue
    for (const frame of wordsOf(relay.directory, id)) actions.push({ type: 'send', socket, frame })
  }
  return actions
}

/** A socket has ended, whoever it belonged to. */
export function dismiss(relay: Relay, socket: SocketId): Action[] {
  const session = relay.peersBySocket.get(socket)
  if (session !== undefined) {
    relay.peersBySocket.delete(socket)
    relay.peersByKey.delete(session.peer)
    relay.went.add(session.peer)
    relay.came.delete(session.peer)
    relay.changed = true
  }
  const helper = relay.helpersBySocket.get(socket)
  if (helper === undefined) return []
  relay.helpersBySocket.delete(socket)
  relay.helpersBySite.delete(helper.site)
  return tellNeighbors(relay)
}

function tellNeighbors(relay: Relay): Action[] {
  const word = changeOwn(relay.directory, { neighbors: [...relay.helpersBySite.keys()].sort() })
  relay.changed = true
  return word === undefined ? [] : toHelpers(relay, word, undefined)
}

function toHelpers(relay: Relay, frame: SignalFrame, except: SocketId | undefined): Action[] {
  return [...relay.helpersBySocket.keys()]
    .filter((socket) => socket !== except)
    .map((socket) => ({ type: 'send', socket, frame }))
}

/** A frame of a proven peer. */
export function peerFrame(relay: Relay, socket: SocketId, frame: SignalFrame, newId: () => string): Action[] {
  const session = relay.peersBySocket.get(socket)
  if (session === undefined) return []
  if (frame.type === 'ping') return [{ type: 'send', socket, frame: { type: 'pong' } }]
  if (frame.type !== 'signal') return [{ type: 'close', socket, reason: 'unexpected' }]
  const { peer: to, payload } = frame
  const found = deliver(relay, { from: session.peer, to, payload, newId, hops: 0 })
  return found ?? [{ type: 'send', socket, frame: { type: 'unreachable', peer: to } }]
}

interface Carried {
  readonly from: PeerId
  readonly to: PeerId
  readonly payload: string
  /** Asked only when it goes on to another helper. */
  readonly newId: () => string
  readonly hops: number
}

/** H4: to a local socket, else one hop closer to the site that has the peer. */
function deliver(relay: Relay, { from, to, payload, newId, hops }: Carried): Action[] | undefined {
  const local = relay.peersByKey.get(to)
  if (local !== undefined) {
    return [{ type: 'send', socket: local.socket, frame: { type: 'signal', peer: from, payload } }]
  }
  const helper = wayTo(relay, placesOf(relay.directory).get(to))
  if (helper === undefined) return undefined
  const frame = { type: 'relay', id: newId(), hops: hops + 1, from, to, payload } as const
  return [{ type: 'send', socket: helper.socket, frame }]
}

/** @returns the neighbour that is one hop closer to a site */
function wayTo(relay: Relay, site: PeerId | undefined): HelperSession | undefined {
  const next = site === undefined ? undefined : waysOf(relay.directory).get(site)
  return next === undefined ? undefined : relay.helpersBySite.get(next)
}

/** H11: a program has come to this node; that its name is free has been looked at. */
export function admitGuest(relay: Relay, name: string): void {
  relay.guests.add(name)
  relay.guestsCame.add(name)
  relay.guestsWent.delete(name)
  relay.changed = true
}

export function dismissGuest(relay: Relay, name: string): void {
  if (!relay.guests.delete(name)) return
  relay.guestsWent.add(name)
  relay.guestsCame.delete(name)
  relay.changed = true
}

type GuestFrame = Extract<SignalFrame, { type: 'guest' }>

/** H11: what one program says to another, here or at the site that has it. @returns undefined when there is none */
export function carryGuest(relay: Relay, frame: Omit<GuestFrame, 'type'>): Action[] | undefined {
  const { from, to, payload, hops } = frame
  if (relay.guests.has(to)) return [{ type: 'tell-guest', from, to, payload }]
  const helper = wayTo(relay, siteOfGuest(relay.directory, to))
  if (helper === undefined) return undefined
  return [{ type: 'send', socket: helper.socket, frame: { ...frame, type: 'guest', hops: hops + 1 } }]
}

/** A frame of a proven neighbour. */
export function helperFrame(relay: Relay, socket: SocketId, frame: SignalFrame, nowMs: number): Action[] {
  switch (frame.type) {
    case 'ping':
      return [{ type: 'send', socket, frame: { type: 'pong' } }]
    case 'pong':
      return []
    case 'site':
      return siteFrame(relay, socket, frame, nowMs)
    case 'ask-site': {
      return wordsOf(relay.directory, frame.site).map((word) => ({ type: 'send', socket, frame: word }))
    }
    case 'relay':
      // H4: what was seen or has come too far ends here.
      if (relay.seen.has(frame.id) || frame.hops >= relayLimits.hopsMax) return []
      remember(relay, frame.id)
      return deliver(relay, { ...frame, newId: () => frame.id }) ?? []
    case 'guest':
      if (relay.seen.has(frame.id) || frame.hops >= relayLimits.hopsMax) return []
      remember(relay, frame.id)
      return carryGuest(relay, frame) ?? []
    default:
      return [{ type: 'close', socket, reason: 'unexpected' }]
  }
}

function remember(relay: Relay, id: string): void {
  relay.seen.add(id)
  for (const oldest of relay.seen) {
    if (relay.seen.size <= relayLimits.seenMax) break
    relay.seen.delete(oldest)
  }
}

function siteFrame(relay: Relay, socket: SocketId, frame: SiteFrame, nowMs: number): Action[] {
  const applied = applySite(relay.directory, frame, nowMs)
  if (applied.type === 'old') return []
  if (applied.type === 'gap') return [{ type: 'send', socket, frame: { type: 'ask-site', site: frame.site } }]
  relay.changed = true
  if (applied.type === 'own') return toHelpers(relay, applied.word, undefined)
  return toHelpers(relay, frame, socket)
}

/** H9: tells everybody what changed since the last time; the server calls it a few times a second. */
export function flush(relay: Relay): Action[] {
  if (!relay.changed) return []
  relay.changed = false
  const actions: Action[] = []
  const { came, went, guestsCame, guestsWent } = relay
  const change = { up: came, down: went, guestsUp: guestsCame, guestsDown: guestsWent }
  const word = changeOwn(relay.directory, change)
  for (const set of [came, went, guestsCame, guestsWent]) set.clear()
  if (word !== undefined) actions.push(...toHelpers(relay, word, undefined))
  const neighbors = neighborsOf(relay)
  const list = JSON.stringify(neighbors)
  const told = { type: 'neighbors', neighbors } as const
  relay.samples.update(relay.directory)
  for (const session of relay.peersBySocket.values()) {
    const telling = relay.samples.tell(session.peer, session.told)
    if (telling !== undefined) {
      session.told = telling.told
      const { up, down } = telling
      actions.push({ type: 'send', socket: session.socket, frame: { type: 'peers', up, down } })
    }
    if (session.neighbors === list) continue
    session.neighbors = list
    actions.push({ type: 'send', socket: session.socket, frame: told })
  }
  relay.samples.settle()
  return actions
}

/** @returns the reachable sites, and what the ways to the near ones cost */
export function neighborsOf({ directory, costOf }: Relay): Neighbor[] {
  return reachableSites(directory).map((one) => {
    const cost = one.linked ? costOf(one.site) : undefined
    return cost === undefined ? one : { ...one, cost }
  })
}
