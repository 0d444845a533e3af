/**
 * Links over WebRTC data channels, by simple-peer. Resolves glare, adds reachable copies of hidden addresses
 * (design decision 4), and keeps within what a page may construct.
 */
import type SimplePeer from 'simple-peer'
import type { SignalData } from 'simple-peer'
import type { HangUpReason, LinkId } from '#mesh/effects.ts'
import type { FrameFault, Lane } from '#mesh/frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import type { Keys, LinkEvents, LinkRefusal, Links } from '#runtime/ports.ts'
import { PackedLinks } from '../packed-links.ts'
import { RtcConnection } from './rtc-connection.ts'

/** How this page is seen from outside, as its helper says. */
export interface Vantage {
  /** IP address that the helper sees, or undefined while none has said. */
  readonly address: string | undefined
  /** `stun:host:port` */
  readonly stunUrls: readonly string[]
  /** Where the mesh has one. */
  readonly turn?: { readonly urls: string; readonly username: string; readonly credential: string }
}

function iceServers({ stunUrls, turn }: Vantage): RTCIceServer[] {
  const stun = stunUrls.map((urls) => ({ urls }))
  return turn === undefined ? stun : [...stun, { ...turn }]
}

/** guess */
const acceptIntervalMs = 1_000

interface Envelope {
  /** Which attempt the signal belongs to. */
  readonly attempt: string
  readonly data: SignalData
}

export class RtcLinks implements Links {
  private events: LinkEvents | undefined
  private readonly connections = new Map<PeerId, RtcConnection>()
  /** Links that stand while another connection from the same peer is being made. */
  private readonly standing = new Map<PeerId, RtcConnection>()
  private readonly acceptedAtMs = new Map<PeerId, number>()
  private readonly byLink = new Map<LinkId, RtcConnection>()
  private readonly linkOf = new Map<RtcConnection, LinkId>()
  private library: typeof SimplePeer | undefined
  private lastLink = 0
  private constructed = 0
  private vantage: Vantage = { address: undefined, stunUrls: [] }
  private readonly keys: Keys
  private readonly load: () => Promise<typeof SimplePeer>
  private loading: Promise<void> | undefined

  /** @param load brings the library; it is a quarter of the app, and nobody needs it before the first dial */
  constructor(keys: Keys, load: () => Promise<typeof SimplePeer>) {
    this.keys = keys
    this.load = load
  }

  setVantage(vantage: Vantage): void {
    this.vantage = vantage
  }

  start(events: LinkEvents): void {
    this.events = events
  }

  dial(peer: PeerId): void {
    this.whenLoaded(() => {
      if (!this.connections.has(peer)) this.connect(peer, true, randomAttempt())
    })
  }

  signal(from: PeerId, payload: string): void {
    const envelope = parseEnvelope(payload)
    if (envelope === undefined) return
    this.whenLoaded(() => this.signalled(from, envelope))
  }

  /** In order: what was asked first happens first. A library that did not come is tried for again next time. */
  private whenLoaded(run: () => void): void {
    this.loading ??= this.load().then((library) => {
      this.library = library
    })
    void this.loading.then(run, () => (this.loading = undefined))
  }

  private signalled(from: PeerId, { attempt, data }: Envelope): void {
    const current = this.connections.get(from)
    if (current?.parts.attempt === attempt) return current.signal(data)
    if (data.type !== 'offer') return
    // Glare: both dialled at once. The offer of the smaller id stands.
    const isGlare = current?.phase === 'connecting' && current.parts.initiator
    if ((isGlare && this.keys.self < from) || !this.mayAccept(from)) return
    // Anybody can say that an offer is from this peer: a link that stands goes on until the new one has proven itself.
    if (current?.phase === 'up') this.standing.set(from, current)
    else current?.end('closed')
    this.connections.delete(from)
    this.connect(from, false, attempt)?.signal(data)
  }

  /** Offers cost connections, which a page has few of: one per peer within a while, and so many a minute. */
  private mayAccept(from: PeerId): boolean {
    const nowMs = performance.now()
    for (const [peer, atMs] of this.acceptedAtMs) if (nowMs - atMs > 60_000) this.acceptedAtMs.delete(peer)
    const isSoon = nowMs - (this.acceptedAtMs.get(from) ?? Number.NEGATIVE_INFINITY) < acceptIntervalMs
    if (isSoon || this.acceptedAtMs.size >= limits.dialsPerMinuteMax) return false
    this.acceptedAtMs.set(from, nowMs)
    return true
  }

  signalLost(to: PeerId): void {
    const current = this.connections.get(to)
    if (current?.phase === 'connecting') current.end('timeout')
  }

  private connect(peer: PeerId, initiator: boolean, attempt: string): RtcConnection | undefined {
    const { library } = this
    const isFull = this.connections.size >= limits.linksMax
    if (library === undefined || isFull || this.constructed >= limits.peerConnectionsPerPageMax) {
      this.events?.dialFailed(peer)
      return undefined
    }
    this.constructed += 1
    const connection: RtcConnection = new RtcConnection({
      peer,
      initiator,
      attempt,
      keys: this.keys,
      library,
      rtcConfig: { iceServers: iceServers(this.vantage) },
      onSignal: (data) => this.sendSignal(peer, attempt, data),
      onUp: () => this.linked(connection),
      onFrame: (lane, bytes) => this.frame(connection, lane, bytes),
      onDrained: () => {
        const link = this.linkOf.get(connection)
        if (link !== undefined) this.events?.drained(link)
      },
      onEnd: (reason) => this.ended(connection, reason),
    })
    this.connections.set(peer, connection)
    return connection
  }

  private sendSignal(peer: PeerId, attempt: string, data: SignalData): void {
    for (const one of withReachableCopy(data, this.vantage.address)) {
      this.events?.signal(peer, JSON.stringify({ attempt, data: one } satisfies Envelope))
    }
  }

  private linked(connection: RtcConnection): void {
    // The engine hangs up the older one of two.
    this.standing.delete(connection.parts.peer)
    const link = ++this.lastLink
    this.byLink.set(link, connection)
    this.linkOf.set(connection, link)
    this.events?.up(link, connection.parts.peer, connection.version)
  }

  private frame(connection: RtcConnection, lane: Lane, bytes: Uint8Array): void {
    const link = this.linkOf.get(connection)
    if (link !== undefined) this.events?.frame(link, lane, bytes)
  }

  private ended(connection: RtcConnection, reason: LinkRefusal | 'closed'): void {
    const { peer } = connection.parts
    if (this.connections.get(peer) === connection) {
      this.connections.delete(peer)
      const older = this.standing.get(peer)
      if (older !== undefined) this.connections.set(peer, older)
    }
    if (this.standing.get(peer) === connection) this.standing.delete(peer)
    const link = this.linkOf.get(connection)
    this.linkOf.delete(connection)
    if (reason !== 'closed' && reason !== 'timeout') this.events?.refused(peer, reason)
    if (link === undefined) {
      if (connection.parts.initiator) this.events?.dialFailed(peer)
      return
    }
    this.byLink.delete(link)
    this.events?.down(link)
  }

  send(link: LinkId, lane: Lane, bytes: Uint8Array): boolean {
    return this.byLink.get(link)?.send(lane, bytes) ?? true
  }

  hangUp(link: LinkId, reason: HangUpReason | FrameFault): void {
    const connection = this.byLink.get(link)
    if (connection === undefined) return
    this.events?.refused(connection.parts.peer, reason)
    connection.end('closed')
  }

  close(): void {
    this.events = undefined
    for (const connection of [...this.connections.values(), ...this.byLink.values()]) connection.end('closed')
  }
}

/** What the app uses: WebRTC, packed. */
export class PackedRtcLinks extends PackedLinks<RtcLinks> {
  setVantage(vantage: Vantage): void {
    this.inner.setVantage(vantage)
  }
}

function randomAttempt(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}

/** Only what simple-peer understands passes, field by field: signals come from anybody. */
function parseEnvelope(payload: string): Envelope | undefined {
  if (payload.length > limits.signalBytesMax) return undefined
  let value: unknown
  try {
    value = JSON.parse(payload)
  } catch {
    // Not JSON: no signal of ours.
    return undefined
  }
  const { attempt, data } = asRecord(value)
  const { type, sdp, candidate, renegotiate } = asRecord(data)
  if (typeof attempt !== 'string' || !/^[0-9a-f]{16}$/.test(attempt)) return undefined
  if ((type === 'offer' || type === 'answer') && typeof sdp === 'string')
    return { attempt, data: { type, sdp } }
  if (type === 'renegotiate' && renegotiate === true) return { attempt, data: { type, renegotiate } }
  const parsed = type === 'candidate' ? parseCandidate(asRecord(candidate)) : undefined
  return parsed === undefined ? undefined : { attempt, data: { type: 'candidate', candidate: parsed } }
}

type Candidate = Extract<SignalData, { type: 'candidate' }>['candidate']

function parseCandidate(fields: Readonly<Record<string, unknown>>): Candidate | undefined {
  const { candidate, sdpMid, sdpMLineIndex } = fields
  if (typeof candidate !== 'string' || typeof sdpMLineIndex !== 'number') return undefined
  const parsed = { candidate, sdpMLineIndex, sdpMid: typeof sdpMid === 'string' ? sdpMid : '0' }
  return parsed as unknown as Candidate
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

/**
 * Browsers hide host addresses behind `<uuid>.local`, which no router passes on. The port is in the candidate,
 * the address is what the helper sees: together they are a candidate that works across the mesh (measured).
 */
function withReachableCopy(data: SignalData, address: string | undefined): SignalData[] {
  if (data.type !== 'candidate' || address === undefined) return [data]
  const { candidate } = data.candidate as unknown as { candidate: unknown }
  const hidden = typeof candidate === 'string' ? / ([0-9a-f-]{36}\.local) /.exec(candidate)?.[1] : undefined
  if (typeof candidate !== 'string' || hidden === undefined) return [data]
  const { sdpMid, sdpMLineIndex } = data.candidate
  const copy = { candidate: candidate.replace(hidden, address), sdpMid, sdpMLineIndex }
  return [data, { type: 'candidate', candidate: copy as unknown as Candidate }]
}
