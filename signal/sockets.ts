/**
 * Sockets at `/signal`: proves who is at the other end, in both directions, bounds what they may send, and
 * hands proven frames to relay/relay.ts. A socket that misbehaves is told why and closed; nobody else notices.
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import { signPlainly, verifyPlainly } from '../src/adapters/signature.ts'
import type { PeerId } from '#mesh/ids.ts'
import {
  parseSignalFrame,
  proofBytes,
  signalLimits,
  signalVersion,
  siteBytes,
  type SignalFrame,
  type SignalRefusal,
} from '#runtime/signal-frame.ts'
import { wordsOf, type SiteFrame } from './relay/directory.ts'
import { Corks } from './corks.ts'
import { RoundTrips } from './discovery/link-cost.ts'
import type { Log } from './log.ts'
import type { Counters } from './metrics.ts'
import {
  admitHelper,
  admitPeer,
  carryGuest,
  dismiss,
  flush,
  helperFrame,
  peerFrame,
  relayLimits,
  type Action,
  type Relay,
  type SocketId,
} from './relay/relay.ts'
import { socketLimits, type Phase, type Self, type Session } from './session.ts'
import { TokenBuckets } from './token-bucket.ts'
import { turnFrame, turnLimits } from './ice/turn.ts'

export interface LocalPeer {
  send(frame: SignalFrame): void
  detach(): void
}

/** What a browser says most; answered without looking further. */
const pingBytes = Buffer.from(JSON.stringify({ type: 'ping' }))
const pongText = JSON.stringify({ type: 'pong' })

function textBytes(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}

function newId(): string {
  return randomBytes(16).toString('hex')
}

export class Sockets {
  private readonly sessions = new Map<SocketId, Session>()
  private readonly socketsByAddress = new Map<string, number>()
  private readonly keyBuckets = new TokenBuckets(socketLimits.keyBucket)
  private readonly helperBuckets = new TokenBuckets(socketLimits.helperBucket)
  private readonly proofBuckets = new TokenBuckets(socketLimits.proofBucket)
  private readonly addressBuckets = new TokenBuckets(socketLimits.addressBucket)
  private readonly flusher: NodeJS.Timeout
  private readonly looker: NodeJS.Timeout
  private readonly corks = new Corks()
  private lastId = 0
  private lastFrame: SignalFrame | undefined
  private lastText = ''
  /** Peers of this process. */
  private readonly locals = new Map<SocketId, (frame: SignalFrame) => void>()
  readonly roundTrips = new RoundTrips()
  private readonly self: Self
  private readonly relay: Relay
  private readonly counters: Counters
  private readonly log: Log

  constructor(self: Self, relay: Relay, counters: Counters, log: Log) {
    this.self = self
    this.relay = relay
    this.counters = counters
    this.log = log
    this.flusher = setInterval(() => this.perform(flush(this.relay)), socketLimits.flushMs)
    this.looker = setInterval(() => this.look(), socketLimits.lookMs)
  }

  /** A browser or a neighbour has connected to us. */
  accept(socket: WebSocket, address: string, wire: Duplex): void {
    const count = this.socketsByAddress.get(address) ?? 0
    const nonce = randomBytes(32).toString('hex')
    const session = this.open({ socket, address, wire }, { type: 'proving', nonce })
    if (count >= socketLimits.socketsPerAddressMax) return this.refuse(session, 'too-many')
    const { key, name } = this.self
    this.send(session, { type: 'challenge', version: signalVersion, helper: key.peer, name, nonce })
  }

  /** We have connected to a neighbour. @returns what tells whether that socket still lives */
  dial(socket: WebSocket, address: string): { readonly site: () => PeerId | undefined } {
    const nonce = randomBytes(32).toString('hex')
    const phase = { type: 'dialed', nonce, challenge: undefined } as const
    const session = this.open({ socket, address, wire: undefined }, phase)
    return { site: () => session.site }
  }

  /** A peer of this process takes part like one behind a socket, and counts as none. */
  attach(peer: PeerId, deliver: (frame: SignalFrame) => void): LocalPeer {
    const id = ++this.lastId
    this.locals.set(id, deliver)
    this.perform(admitPeer(this.relay, id, peer))
    return {
      send: (frame) => {
        this.perform(peerFrame(this.relay, id, frame, newId))
      },
      detach: () => {
        this.locals.delete(id)
        this.perform(dismiss(this.relay, id))
      },
    }
  }

  /** Takes what is said to programs at this node. */
  tellGuest: (from: string, to: string, payload: string) => void = () => undefined

  /** H11: @returns whether there was a way */
  fromGuest(from: string, to: string, payload: string): boolean {
    const actions = carryGuest(this.relay, { id: newId(), hops: 0, from, to, payload })
    this.perform(actions ?? [])
    return actions !== undefined
  }

  /** Browsers with a proven socket. */
  get peerCount(): number {
    return this.relay.peersByKey.size - this.locals.size
  }

  private open(
    { socket, address, wire }: Pick<Session, 'socket' | 'address' | 'wire'>,
    phase: Phase,
  ): Session {
    const nowMs = performance.now()
    const session: Session = {
      id: ++this.lastId,
      socket,
      wire,
      address,
      phase,
      openedMs: nowMs,
      site: undefined,
      lastHeardMs: nowMs,
      pingedMs: nowMs,
      pings: 0,
      turnMs: Number.NEGATIVE_INFINITY,
    }
    this.sessions.set(session.id, session)
    this.socketsByAddress.set(address, (this.socketsByAddress.get(address) ?? 0) + 1)
    socket.on('message', (data: RawData, isBinary: boolean) => this.received(session, data, isBinary))
    socket.on('pong', () => this.heard(session))
    socket.on('close', () => this.ended(session))
    // `ws` reports oversized and malformed frames here and closes by itself.
    socket.on('error', (error: Error) => this.failed(session, error))
    return session
  }

  private failed(session: Session, error: Error): void {
    const tooLarge = 'code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
    this.counters.refuse(tooLarge ? 'too-large' : 'socket-error')
    session.socket.terminate()
  }

  private ended(session: Session): void {
    if (!this.sessions.delete(session.id)) return
    session.phase = { type: 'closed' }
    const left = (this.socketsByAddress.get(session.address) ?? 1) - 1
    if (left > 0) this.socketsByAddress.set(session.address, left)
    else this.socketsByAddress.delete(session.address)
    this.dialers.delete(session.id)
    this.perform(dismiss(this.relay, session.id))
    const { site } = session
    if (site === undefined || this.relay.helpersBySite.has(site)) return
    this.roundTrips.forget(site)
    this.log.info('neighbor-down', { site })
  }

  private heard(session: Session): void {
    session.lastHeardMs = performance.now()
    session.pings = 0
  }

  private received(session: Session, data: RawData, isBinary: boolean): void {
    if (session.phase.type === 'closed') return
    this.heard(session)
    if (isBinary) return this.refuse(session, 'not-text')
    const bytes = textBytes(data)
    if (bytes.length > signalLimits.frameBytesMax) return this.refuse(session, 'too-large')
    if (!this.isPaced(session)) return this.refuse(session, 'too-fast')
    if (session.phase.type === 'peer' && pingBytes.equals(bytes)) return this.sendText(session, pongText)
    const frame = parseSignalFrame(bytes.toString('utf8'))
    if (typeof frame === 'string') return this.refuse(session, frame)
    this.proceed(session, frame)
  }

  private isPaced(session: Session): boolean {
    const { phase, address } = session
    const nowMs = performance.now()
    if (phase.type === 'helper') return this.helperBuckets.take(phase.site, nowMs)
    const byKey = phase.type !== 'peer' || this.keyBuckets.take(phase.peer, nowMs)
    return this.addressBuckets.take(address, nowMs) && byKey
  }

  private proceed(session: Session, frame: SignalFrame): void {
    const { phase } = session
    if (frame.type === 'signal' || frame.type === 'relay') this.counters.signals += 1
    switch (phase.type) {
      case 'proving':
        return this.prove(session, phase.nonce, frame)
      case 'dialed':
        return this.dialProceed(session, phase, frame)
      case 'peer':
        if (frame.type === 'ask-door') return this.send(session, this.self.doors.issue(phase.peer))
        return this.perform(peerFrame(this.relay, session.id, frame, newId))
      case 'helper':
        if (frame.type === 'pong' && this.roundTrips.note(phase.site, performance.now() - session.pingedMs))
          this.relay.changed = true
        if (frame.type === 'site' && !this.isSigned(frame)) return this.refuse(session, 'bad-proof')
        return this.perform(helperFrame(this.relay, session.id, frame, performance.now()))
      case 'closed':
        return
    }
  }

  /** Words that are known already are not checked again: they arrive once per neighbour. */
  private isSigned(word: SiteFrame): boolean {
    const known = wordsOf(this.relay.directory, word.site)
    if (known.some((one) => one.signature === word.signature)) return true
    const signature = Buffer.from(word.signature, 'hex')
    return verifyPlainly({ signer: word.site, message: siteBytes(word), signature })
  }

  /** H1, H2: the key is proven over our nonce, or the socket ends. */
  private prove(session: Session, nonce: string, frame: SignalFrame): void {
    if (frame.type !== 'prove') return this.refuse(session, 'unexpected')
    if (frame.version !== signalVersion) return this.refuse(session, 'old-version')
    const { key, name, url } = this.self
    if (!this.proofBuckets.take(session.address, performance.now())) return this.refuse(session, 'too-fast')
    const message = proofBytes(key.peer, nonce, frame.peer, frame.nonce)
    const signature = Buffer.from(frame.signature, 'hex')
    const isProven = verifyPlainly({ signer: frame.peer, message, signature })
    if (!isProven || frame.peer === key.peer) return this.refuse(session, 'bad-proof')
    if (frame.helper !== undefined) {
      const isNew = !this.relay.helpersBySite.has(frame.peer)
      if (isNew && this.relay.helpersBySite.size >= relayLimits.helpersMax)
        return this.refuse(session, 'too-many')
      const own = signPlainly(key, proofBytes(frame.peer, frame.nonce, key.peer, nonce))
      this.send(session, { type: 'accept', signature: Buffer.from(own).toString('hex'), name, url })
      return this.admitNeighbor(session, frame.peer, frame.peer)
    }
    const isFull = this.peerCount >= this.self.maxPeers && !this.relay.peersByKey.has(frame.peer)
    if (isFull) return this.refuse(session, 'too-many')
    session.phase = { type: 'peer', peer: frame.peer }
    this.send(session, {
      type: 'welcome',
      site: key.peer,
      node: name,
      address: session.address,
      stunPorts: this.self.stunPorts(),
      neighbors: [],
    })
    this.tellTurn(session, frame.peer, performance.now())
    this.perform(admitPeer(this.relay, session.id, frame.peer))
  }

  private dialProceed(session: Session, phase: Extract<Phase, { type: 'dialed' }>, frame: SignalFrame): void {
    const { key, name, url } = this.self
    if (frame.type === 'challenge' && phase.challenge === undefined) {
      if (frame.version !== signalVersion) return this.refuse(session, 'old-version')
      if (frame.helper === key.peer) return this.refuse(session, 'bad-proof')
      phase.challenge = { helper: frame.helper, nonce: frame.nonce }
      const proof = signPlainly(key, proofBytes(frame.helper, frame.nonce, key.peer, phase.nonce))
      const signature = Buffer.from(proof).toString('hex')
      const prove = { type: 'prove', version: signalVersion, peer: key.peer, nonce: phase.nonce } as const
      return this.send(session, { ...prove, signature, helper: { name, url } })
    }
    if (frame.type !== 'accept' || phase.challenge === undefined) return this.refuse(session, 'unexpected')
    const { helper, nonce } = phase.challenge
    const message = proofBytes(key.peer, phase.nonce, helper, nonce)
    const signature = Buffer.from(frame.signature, 'hex')
    if (!verifyPlainly({ signer: helper, message, signature })) return this.refuse(session, 'bad-proof')
    this.admitNeighbor(session, helper, key.peer)
  }

  /** H6: of two sockets between two helpers the one stays that the smaller key dialled; else the newer one. */
  private admitNeighbor(session: Session, site: PeerId, dialer: PeerId): void {
    session.phase = { type: 'helper', site }
    session.site = site
    const older = this.relay.helpersBySite.get(site)
    const stands = older !== undefined && this.dialers.get(older.socket) !== dialer
    const smaller = this.self.key.peer < site ? this.self.key.peer : site
    if (stands && dialer !== smaller) return this.refuse(session, 'replaced')
    this.dialers.set(session.id, dialer)
    if (older === undefined) this.log.info('neighbor-up', { site, address: session.address })
    this.perform(admitHelper(this.relay, session.id, site))
  }

  private readonly dialers = new Map<SocketId, PeerId>()

  private perform(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.type === 'tell-guest') {
        this.tellGuest(action.from, action.to, action.payload)
        continue
      }
      const session = this.sessions.get(action.socket)
      const local = this.locals.get(action.socket)
      // Not within whatever it was doing when it said something itself.
      if (local !== undefined && action.type === 'send') queueMicrotask(() => local(action.frame))
      if (session === undefined) continue
      if (action.type === 'send') this.send(session, action.frame)
      else this.refuse(session, action.reason)
    }
  }

  private send(session: Session, frame: SignalFrame): void {
    // The same words often go to everybody.
    if (frame !== this.lastFrame) {
      this.lastFrame = frame
      this.lastText = JSON.stringify(frame)
    }
    this.sendText(session, this.lastText)
  }

  private sendText(session: Session, text: string): void {
    if (session.phase.type === 'closed') return
    if (session.socket.bufferedAmount > socketLimits.bufferedBytesMax) {
      this.counters.refuse('too-slow')
      return session.socket.terminate()
    }
    if (session.wire !== undefined) this.corks.hold(session.wire)
    session.socket.send(text)
  }

  private refuse(session: Session, reason: SignalRefusal): void {
    if (session.phase.type === 'closed') return
    if (reason !== 'replaced' && reason !== 'closing') {
      this.counters.refuse(reason)
      this.log.debug('refused', { reason, address: session.address })
    }
    this.send(session, { type: 'refused', reason })
    session.phase = { type: 'closed' }
    session.socket.close(4000, reason)
    this.perform(dismiss(this.relay, session.id))
    // Whoever does not close in time is cut off.
    setTimeout(() => session.socket.terminate(), 2_000).unref()
  }

  private look(): void {
    const nowMs = performance.now()
    for (const session of this.sessions.values()) {
      const silentMs = nowMs - session.lastHeardMs
      const { type } = session.phase
      if (type === 'helper') {
        if (silentMs > socketLimits.neighborSilentMs) session.socket.terminate()
        else if (nowMs - session.pingedMs >= socketLimits.neighborPingMs) this.ping(session, nowMs)
      } else if (type === 'peer') {
        this.tellTurn(session, session.phase.peer, nowMs)
        const quietMs = Math.min(silentMs, nowMs - session.pingedMs)
        if (quietMs >= socketLimits.peerPingMs) this.ping(session, nowMs)
      } else if (type !== 'closed' && nowMs - session.openedMs > socketLimits.proofTimeoutMs)
        this.refuse(session, 'timeout')
    }
  }

  private tellTurn(session: Session, peer: PeerId, nowMs: number): void {
    const { turn } = this.self
    if (turn === undefined || nowMs - session.turnMs < turnLimits.renewMs) return
    session.turnMs = nowMs
    this.send(session, turnFrame(turn, peer, Date.now()))
  }

  private ping(session: Session, nowMs: number): void {
    session.pingedMs = nowMs
    if (session.phase.type === 'helper') return this.send(session, { type: 'ping' })
    session.pings += 1
    if (session.pings > 2) session.socket.terminate()
    else session.socket.ping()
  }

  close(): void {
    clearInterval(this.flusher)
    clearInterval(this.looker)
    for (const session of this.sessions.values()) this.refuse(session, 'closing')
  }
}
