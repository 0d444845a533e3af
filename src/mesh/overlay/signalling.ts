/**
 * The way of a signal: through a helper that knows the peer, else in-band, link by link, the way that news of the
 * peer came; so the mesh keeps growing with every helper dead. Rules S1–S5 in PROTOCOL.md.
 *
 * A signal is not trusted: who answers proves itself when the link opens.
 */
import type { Effect, LinkId } from '../effects.ts'
import type { Engine } from '../state.ts'
import type { Frame } from '../frame.ts'
import type { PeerId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Link } from './links.ts'

interface Path {
  readonly via: { readonly helper: string } | { readonly link: LinkId }
  readonly atMs: number
}

interface Helper {
  /** Site by peer. */
  readonly peers: Map<PeerId, PeerId>
  /** The site that it serves. */
  readonly at: PeerId
}

export interface Signalling {
  readonly self: PeerId
  readonly helpers: Map<string, Helper>
  /** The way that a peer's last signal came. */
  readonly paths: Map<PeerId, Path>
  /** Signals passed on for each link within the current minute. */
  readonly passedOn: Map<LinkId, { sinceMs: number; count: number }>
}

/** What of the engine a signal's way depends on. */
type Ways = Pick<Engine, 'overlay' | 'presence'>

export function createSignalling(self: PeerId): Signalling {
  return { self, helpers: new Map(), paths: new Map(), passedOn: new Map() }
}

/** S1, S2: @returns how a signal of ours goes to its peer. */
export function routeSignal(
  signalling: Signalling,
  ways: Ways,
  to: PeerId,
  payload: string,
  nowMs: number,
): Effect {
  const path = signalling.paths.get(to)
  if (path !== undefined && nowMs - path.atMs <= limits.signalPathMs) {
    if ('helper' in path.via && signalling.helpers.has(path.via.helper)) {
      return { type: 'signal-helper', helper: path.via.helper, to, payload }
    }
    if ('link' in path.via && ways.overlay.links.has(path.via.link)) {
      return inBand(signalling.self, to, payload, path.via.link)
    }
  }
  for (const [helper, { peers }] of signalling.helpers) {
    if (peers.has(to)) return { type: 'signal-helper', helper, to, payload }
  }
  const link = wayTo(ways, to)
  if (link !== undefined) return inBand(signalling.self, to, payload, link)
  for (const helper of signalling.helpers.keys()) return { type: 'signal-helper', helper, to, payload }
  return { type: 'signal-lost', to }
}

function inBand(from: PeerId, to: PeerId, payload: string, link: LinkId): Effect {
  return { type: 'send', link, frame: { type: 'signal', from, to, hops: 0, payload } }
}

/** S2: a link to the peer, or the one that news of it came over. */
export function wayTo(ways: Ways, to: PeerId): LinkId | undefined {
  const direct = ways.overlay.linksByPeer.get(to)
  if (direct !== undefined) return direct.id
  const via = ways.presence.known.get(to)?.via
  return via !== undefined && ways.overlay.links.has(via) ? via : undefined
}

/** S3, S4: a signal frame has come over a link: for us, or to be passed on. */
export function passSignal(
  signalling: Signalling,
  ways: Ways,
  source: Link,
  frame: Extract<Frame, { type: 'signal' }>,
  nowMs: number,
): Effect | undefined {
  if (frame.from === signalling.self || !spend(signalling, source.id, nowMs)) return undefined
  // S1: the answer finds its way back hop by hop.
  notePath(signalling, frame.from, { link: source.id }, nowMs)
  if (frame.to === signalling.self) {
    return { type: 'signal-deliver', from: frame.from, payload: frame.payload }
  }
  if (frame.hops + 1 >= limits.signalHopsMax) return undefined
  const next = onward(signalling, ways, source, frame.to, nowMs)
  if (next === undefined) return undefined
  return { type: 'send', link: next, frame: { ...frame, hops: frame.hops + 1 } }
}

/** S3: over a link to the peer, back along its own last signal, or where news of it came from. */
function onward(
  signalling: Signalling,
  ways: Ways,
  source: Link,
  to: PeerId,
  nowMs: number,
): LinkId | undefined {
  const direct = ways.overlay.linksByPeer.get(to)
  if (direct !== undefined && direct.id !== source.id) return direct.id
  const path = signalling.paths.get(to)
  const isFresh = path !== undefined && nowMs - path.atMs <= limits.signalPathMs
  if (isFresh && 'link' in path.via && path.via.link !== source.id && ways.overlay.links.has(path.via.link)) {
    return path.via.link
  }
  const way = wayTo(ways, to)
  return way === source.id ? undefined : way
}

/** S5: a link may have so many signals passed on per minute. */
function spend(signalling: Signalling, link: LinkId, nowMs: number): boolean {
  const known = signalling.passedOn.get(link)
  const open = known !== undefined && nowMs - known.sinceMs < 60_000 ? known : { sinceMs: nowMs, count: 0 }
  open.count += 1
  signalling.passedOn.set(link, open)
  return open.count <= limits.signalsPerLinkPerMinuteMax
}

export function notePath(signalling: Signalling, from: PeerId, via: Path['via'], nowMs: number): void {
  signalling.paths.delete(from)
  signalling.paths.set(from, { via, atMs: nowMs })
  for (const peer of signalling.paths.keys()) {
    if (signalling.paths.size <= limits.presencesMax) break
    signalling.paths.delete(peer)
  }
}

/** A helper says that it does not know the peer. */
export function noteUnreachable(signalling: Signalling, helper: string, to: PeerId): void {
  signalling.helpers.get(helper)?.peers.delete(to)
  const path = signalling.paths.get(to)
  if (path !== undefined && 'helper' in path.via && path.via.helper === helper) signalling.paths.delete(to)
}

/** @returns all peers that some helper has a socket of. */
export function socketedPeers(signalling: Signalling): Set<PeerId> {
  const all = new Set<PeerId>()
  for (const { peers } of signalling.helpers.values()) for (const peer of peers.keys()) all.add(peer)
  return all
}
