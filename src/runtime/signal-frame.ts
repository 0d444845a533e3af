/**
 * Every frame at `/signal`, between browser and helper and between two helpers: JSON text, at most
 * `signalFrameBytesMax`, one object with a `type`. Rules H1–H9 in PROTOCOL.md. Parsing is total.
 */
import { parsePeerId, type PeerId } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import type { Placed } from './ports.ts'
import {
  fieldsOf,
  guestName,
  hex,
  integer,
  isTurnUrl,
  list,
  payloadOf,
  signalLimits,
  text,
  url,
  type Fields,
} from './signal-fields.ts'

export { guestName, isHelperUrl, isTurnUrl, signalLimits } from './signal-fields.ts'

/** The wire's version: a peer and a helper that share none cannot talk. */
export const signalVersion = 2

export interface Neighbor {
  readonly site: PeerId
  readonly name: string
  readonly url: string
  /** The same on https, where there is one: a secure page may use no other. */
  readonly secureUrl?: string
  /** The helper that says so is linked to it without another one between. */
  readonly linked: boolean
  /** What the way there costs, where it is known. */
  readonly cost?: number
}

/** Peers of one site: a newcomer is told of hundreds at once, and their site's key is as long as their own. */
export interface SitePeers {
  readonly site: PeerId
  readonly peers: readonly PeerId[]
}

export function placedOf(up: readonly SitePeers[]): Placed[] {
  return up.flatMap(({ site, peers }) => peers.map((peer) => ({ peer, site })))
}

export type SignalFrame =
  /** Helper, first: prove your key over this nonce. */
  | {
      readonly type: 'challenge'
      readonly version: number
      readonly helper: PeerId
      readonly name: string
      readonly nonce: string
    }
  /** Peer or helper: the signature over `proofBytes`. A helper also says who it is and how it is reached. */
  | {
      readonly type: 'prove'
      readonly version: number
      readonly peer: PeerId
      readonly nonce: string
      readonly signature: string
      readonly helper?: { readonly name: string; readonly url: string }
    }
  /** Helper to peer: you are in. `address` is what this socket is seen as. */
  | {
      readonly type: 'welcome'
      readonly site: PeerId
      readonly node: string
      readonly address: string
      readonly stunPorts: readonly number[]
      readonly neighbors: readonly Neighbor[]
    }
  /** Helper to peer: a TURN server of this mesh, and what opens it for some hours. */
  | { readonly type: 'turn'; readonly url: string; readonly username: string; readonly credential: string }
  /** Helper to helper: you are in, and this proves me. */
  | { readonly type: 'accept'; readonly signature: string; readonly name: string; readonly url: string }
  /** Helper to peer: a bounded sample of who can be signalled to. */
  | { readonly type: 'peers'; readonly up: readonly SitePeers[]; readonly down: readonly PeerId[] }
  | { readonly type: 'neighbors'; readonly neighbors: readonly Neighbor[] }
  /** Peer to helper: `to`. Helper to peer: `from`. */
  | { readonly type: 'signal'; readonly peer: PeerId; readonly payload: string }
  | { readonly type: 'unreachable'; readonly peer: PeerId }
  /** Helper to helper: what one site looks like. `sequence` orders a site's words; `full` replaces, else adds to `sequence - 1`. */
  | {
      readonly type: 'site'
      readonly site: PeerId
      readonly sequence: number
      readonly name: string
      readonly url: string
      /** On https, or the empty string. */
      readonly secureUrl: string
      readonly neighbors: readonly PeerId[]
      readonly full: boolean
      readonly up: readonly PeerId[]
      readonly down: readonly PeerId[]
      /** H11: programs that speak PeerJS there. */
      readonly guestsUp: readonly string[]
      readonly guestsDown: readonly string[]
      /** By the site's key over `siteBytes`: nobody speaks for another site. */
      readonly signature: string
    }
  /** Helper to helper: I missed something of this site; tell me all of it. */
  | { readonly type: 'ask-site'; readonly site: PeerId }
  /** Helper to helper: carry this signal on. */
  | {
      readonly type: 'relay'
      readonly id: string
      readonly hops: number
      readonly from: PeerId
      readonly to: PeerId
      readonly payload: string
    }
  /** Helper to helper: carry on what one program says to another. `payload` is JSON. */
  | {
      readonly type: 'guest'
      readonly id: string
      readonly hops: number
      readonly from: string
      readonly to: string
      readonly payload: string
    }
  /** Peer to helper: may programs come to me at this node's `/peerjs`? Helper to peer: under this name, with this token. */
  | { readonly type: 'ask-door' }
  | { readonly type: 'door'; readonly name: string; readonly token: string }
  | { readonly type: 'ping' }
  | { readonly type: 'pong' }
  /** Said just before the socket is closed. */
  | { readonly type: 'refused'; readonly reason: SignalRefusal }

export type SignalRefusal =
  | 'too-large'
  | 'not-text'
  | 'not-json'
  | 'unknown-type'
  | 'bad-field'
  | 'unexpected'
  | 'bad-proof'
  | 'old-version'
  | 'too-fast'
  | 'too-many'
  | 'too-slow'
  | 'replaced'
  | 'timeout'
  | 'profile'
  | 'closing'

/** What is signed at `/signal`: the helper's key and nonce, then the prover's. Bound to one socket by the nonce. */
export function proofBytes(helper: PeerId, nonce: string, prover: PeerId, ownNonce: string): Uint8Array {
  return new TextEncoder().encode(`meshchat/1/sign/signal ${helper} ${nonce} ${prover} ${ownNonce}`)
}

/** What a helper signs when it tells of itself; others pass it on as it is. */
export function siteBytes(word: Omit<Extract<SignalFrame, { type: 'site' }>, 'signature'>): Uint8Array {
  const { site, sequence, name, url, secureUrl, neighbors, full, up, down, guestsUp, guestsDown } = word
  const said = [site, sequence, name, url, secureUrl, neighbors, full, up, down, guestsUp, guestsDown]
  const text = JSON.stringify(said)
  return new TextEncoder().encode(`meshchat/1/sign/site ${text}`)
}

/** @returns the frame, or why it is none. Never throws. */
export function parseSignalFrame(text: string): SignalFrame | SignalRefusal {
  if (text.length > signalLimits.frameBytesMax) return 'too-large'
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Whatever the parser dislikes: it is not JSON.
    return 'not-json'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'bad-field'
  const fields = value as Fields
  const parse = typeof fields['type'] === 'string' ? parsers.get(fields['type']) : undefined
  if (parse === undefined) return 'unknown-type'
  return parse(fields) ?? 'bad-field'
}

const parsers = new Map<string, (fields: Fields) => SignalFrame | undefined>([
  ['challenge', parseChallenge],
  ['prove', parseProve],
  ['welcome', parseWelcome],
  ['turn', parseTurn],
  ['accept', parseAccept],
  ['peers', parsePeers],
  ['neighbors', parseNeighbors],
  ['signal', parseSignal],
  ['unreachable', (f) => withPeer(f, (peer) => ({ type: 'unreachable', peer }))],
  ['site', parseSite],
  ['ask-site', parseAskSite],
  ['relay', parseRelay],
  ['guest', parseGuest],
  ['ask-door', () => ({ type: 'ask-door' })],
  ['door', parseDoor],
  ['ping', () => ({ type: 'ping' })],
  ['pong', () => ({ type: 'pong' })],
  ['refused', parseRefused],
])

function withPeer(fields: Fields, make: (peer: PeerId) => SignalFrame): SignalFrame | undefined {
  const peer = parsePeerId(fields['peer'])
  return peer === undefined ? undefined : make(peer)
}

function parseChallenge(f: Fields): SignalFrame | undefined {
  const version = integer(f['version'], 65_535)
  const helper = parsePeerId(f['helper'])
  const name = text(f['name'], 64)
  const nonce = hex(f['nonce'], signalLimits.nonceCharacters)
  if (version === undefined || helper === undefined || name === undefined || nonce === undefined)
    return undefined
  return { type: 'challenge', version, helper, name, nonce }
}

function parseProve(f: Fields): SignalFrame | undefined {
  const version = integer(f['version'], 65_535)
  const peer = parsePeerId(f['peer'])
  const nonce = hex(f['nonce'], signalLimits.nonceCharacters)
  const signature = hex(f['signature'], signalLimits.signatureCharacters)
  if (version === undefined || peer === undefined || nonce === undefined || signature === undefined) {
    return undefined
  }
  const base = { type: 'prove', version, peer, nonce, signature } as const
  if (f['helper'] === undefined) return base
  const helper = fieldsOf(f['helper'])
  const name = text(helper?.['name'], 64)
  const address = url(helper?.['url'])
  return name === undefined || address === undefined ? undefined : { ...base, helper: { name, url: address } }
}

function parseWelcome(f: Fields): SignalFrame | undefined {
  const site = parsePeerId(f['site'])
  const node = text(f['node'], 64)
  const address = text(f['address'], 64)
  const stunPorts = list(f['stunPorts'], signalLimits.stunPortsMax, (port) => integer(port, 65_535))
  const neighbors = list(f['neighbors'], signalLimits.neighborsMax, parseNeighbor)
  if (site === undefined || node === undefined || address === undefined) return undefined
  if (stunPorts === undefined || neighbors === undefined) return undefined
  return { type: 'welcome', site, node, address, stunPorts, neighbors }
}

function parseNeighbor(value: unknown): Neighbor | undefined {
  const f = fieldsOf(value)
  const site = parsePeerId(f?.['site'])
  const name = text(f?.['name'], 64)
  const address = url(f?.['url'])
  if (site === undefined || name === undefined || address === undefined) return undefined
  const cost = f?.['cost'] === undefined ? undefined : integer(f['cost'], limits.pathCostMax)
  const secureUrl = f?.['secureUrl'] === undefined ? '' : url(f['secureUrl'])
  if (secureUrl === undefined) return undefined
  const known = { site, name, url: address, linked: f?.['linked'] === true }
  const base = secureUrl === '' ? known : { ...known, secureUrl }
  return cost === undefined || cost === 0 ? base : { ...base, cost }
}

function parseTurn(f: Fields): SignalFrame | undefined {
  const address = text(f['url'], signalLimits.urlCharactersMax)
  const username = text(f['username'], 64)
  const credential = text(f['credential'], 64)
  if (address === undefined || username === undefined || credential === undefined) return undefined
  return isTurnUrl(address) ? { type: 'turn', url: address, username, credential } : undefined
}

function parseAccept(f: Fields): SignalFrame | undefined {
  const signature = hex(f['signature'], signalLimits.signatureCharacters)
  const name = text(f['name'], 64)
  const address = url(f['url'])
  if (signature === undefined || name === undefined || address === undefined) return undefined
  return { type: 'accept', signature, name, url: address }
}

function parsePeers(f: Fields): SignalFrame | undefined {
  const up = list(f['up'], signalLimits.peersPerFrameMax, (item) => {
    const there = fieldsOf(item)
    const site = parsePeerId(there?.['site'])
    const peers = list(there?.['peers'], signalLimits.peersPerFrameMax, parsePeerId)
    return site === undefined || peers === undefined ? undefined : { site, peers }
  })
  const down = list(f['down'], signalLimits.peersPerFrameMax, parsePeerId)
  return up === undefined || down === undefined ? undefined : { type: 'peers', up, down }
}

function parseNeighbors(f: Fields): SignalFrame | undefined {
  const neighbors = list(f['neighbors'], signalLimits.neighborsMax, parseNeighbor)
  return neighbors === undefined ? undefined : { type: 'neighbors', neighbors }
}

function parseSignal(f: Fields): SignalFrame | undefined {
  const payload = payloadOf(f['payload'])
  if (payload === undefined) return undefined
  return withPeer(f, (peer) => ({ type: 'signal', peer, payload }))
}

function parseSite(f: Fields): SignalFrame | undefined {
  const site = parsePeerId(f['site'])
  const sequence = integer(f['sequence'], signalLimits.sequenceMax)
  const signature = hex(f['signature'], signalLimits.signatureCharacters)
  const name = text(f['name'], 64)
  const address = url(f['url'])
  const secureUrl = url(f['secureUrl'])
  const neighbors = list(f['neighbors'], signalLimits.neighborsMax, parsePeerId)
  const up = list(f['up'], signalLimits.peersPerFrameMax, parsePeerId)
  const down = list(f['down'], signalLimits.peersPerFrameMax, parsePeerId)
  const full = f['full']
  if (site === undefined || sequence === undefined || name === undefined || address === undefined) {
    return undefined
  }
  if (neighbors === undefined || up === undefined || down === undefined || typeof full !== 'boolean') {
    return undefined
  }
  const guestsUp = list(f['guestsUp'], signalLimits.guestsMax, guestName)
  const guestsDown = list(f['guestsDown'], signalLimits.guestsMax, guestName)
  if (guestsUp === undefined || guestsDown === undefined) return undefined
  if (signature === undefined || secureUrl === undefined) return undefined
  const said = { sequence, name, url: address, secureUrl, neighbors, full, up, down, guestsUp, guestsDown }
  return { type: 'site', site, ...said, signature }
}

function parseAskSite(f: Fields): SignalFrame | undefined {
  const site = parsePeerId(f['site'])
  return site === undefined ? undefined : { type: 'ask-site', site }
}

function parseRelay(f: Fields): SignalFrame | undefined {
  const id = hex(f['id'], 32)
  const hops = integer(f['hops'], 64)
  const from = parsePeerId(f['from'])
  const to = parsePeerId(f['to'])
  const payload = payloadOf(f['payload'])
  if (id === undefined || hops === undefined || from === undefined || to === undefined) return undefined
  return payload === undefined ? undefined : { type: 'relay', id, hops, from, to, payload }
}

function parseGuest(f: Fields): SignalFrame | undefined {
  const id = hex(f['id'], 32)
  const hops = integer(f['hops'], 64)
  const [from, to] = [guestName(f['from']), guestName(f['to'])]
  const payload = payloadOf(f['payload'])
  if (id === undefined || hops === undefined || from === undefined || to === undefined) return undefined
  return payload === undefined ? undefined : { type: 'guest', id, hops, from, to, payload }
}

function parseDoor(f: Fields): SignalFrame | undefined {
  const name = guestName(f['name'])
  const token = hex(f['token'], signalLimits.nonceCharacters)
  return name === undefined || token === undefined ? undefined : { type: 'door', name, token }
}

const refusals: readonly string[] = [
  'too-large',
  'not-text',
  'not-json',
  'unknown-type',
  'bad-field',
  'unexpected',
  'bad-proof',
  'old-version',
  'too-fast',
  'too-many',
  'too-slow',
  'replaced',
  'timeout',
  'profile',
  'closing',
] satisfies readonly SignalRefusal[]

function parseRefused(f: Fields): SignalFrame | undefined {
  const reason = f['reason']
  if (typeof reason !== 'string' || !refusals.includes(reason)) return undefined
  return { type: 'refused', reason: reason as SignalRefusal }
}
