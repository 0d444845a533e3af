/**
 * PeerServer's protocol at `/peerjs`, so that an unmodified PeerJS client (a bot, a sensor's page) reaches, through any
 * node, a person who opened the guest door, or another such client. Written from the behaviour of PeerJS 1.5.5 and of
 * the server `peer` 1.0.2; what differs is bounded here: names, sizes, pace, and how long something waits for somebody.
 */
import { randomUUID } from 'node:crypto'
import type { RawData, WebSocket } from 'ws'
import { guestName, signalLimits } from '#runtime/signal-frame.ts'
import { limits } from '#mesh/limits.ts'
import { reachableGuests, siteOfGuest } from '../relay/directory.ts'
import type { Counters } from '../metrics.ts'
import { admitGuest, dismissGuest, type Relay } from '../relay/relay.ts'
import type { Sockets } from '../sockets.ts'
import { TokenBuckets } from '../token-bucket.ts'
import { isDoor, type DoorTokens } from './door-tokens.ts'

export const peerServerLimits = {
  /** PeerJS sends what fits a WebSocket message; an offer is 2 to 4 kB. */
  messageBytesMax: limits.signalBytesMax,
  /** `peer` 1.0.2: a client that says nothing for so long is gone; clients send a heartbeat every 5 s. */
  aliveMs: 60_000,
  /** `peer` 1.0.2: what is said to somebody who is not there waits so long, then the sender is told. */
  expireMs: 5_000,
  /** guess */
  waitingMax: 256,
  /** guess: a shelter behind one address; and of 64 names at a node one address never has all. */
  perAddressMax: 48,
  waitingPerGuestMax: 32,
  tokenCharactersMax: 64,
  /** guess: a client that opens several connections sends some dozen candidates at once. */
  pace: { perSecond: 20, burst: 200, keysMax: 256 },
  /** guess: new clients of one address. */
  arrivals: { perSecond: 2, burst: 32, keysMax: 1_024 },
  lookMs: 250,
} as const

/** The only key there is; PeerJS's default. */
const key = 'peerjs'
const carriedTypes: readonly unknown[] = ['OFFER', 'ANSWER', 'CANDIDATE', 'LEAVE', 'EXPIRE']

interface Guest {
  readonly name: string
  readonly token: string
  readonly address: string
  socket: WebSocket
  heardMs: number
}

interface Waiting {
  readonly from: string
  readonly to: string
  readonly payload: string
  readonly sinceMs: number
}

export interface PeerServerParts {
  readonly relay: Relay
  readonly sockets: Sockets
  readonly doors: DoorTokens
  readonly counters: Counters
}

export class PeerServer {
  private readonly guests = new Map<string, Guest>()
  private waiting: Waiting[] = []
  private readonly pace = new TokenBuckets(peerServerLimits.pace)
  private readonly arrivals = new TokenBuckets(peerServerLimits.arrivals)
  private readonly timer: NodeJS.Timeout
  private readonly parts: PeerServerParts

  constructor(parts: PeerServerParts) {
    this.parts = parts
    parts.sockets.tellGuest = (from, to, payload) => this.tell(from, to, payload)
    this.timer = setInterval(() => this.look(), peerServerLimits.lookMs)
  }

  /** @param path below `/peerjs/` @returns the answer's text and type, or undefined when there is none */
  answer(path: string): { readonly text: string; readonly type: string } | undefined {
    if (path === `${key}/id`) return { text: randomUUID(), type: 'text/plain; charset=utf-8' }
    if (path !== `${key}/peers`) return undefined
    // A person's door is found by who was given its name.
    const names = reachableGuests(this.parts.relay.directory).filter((name) => !isDoor(name))
    return { text: JSON.stringify(names), type: 'application/json' }
  }

  /** @param search what follows the question mark */
  accept(socket: WebSocket, search: string, address: string): void {
    socket.on('error', () => socket.terminate())
    const query = new URLSearchParams(search)
    const [name, token] = [guestName(query.get('id')), query.get('token') ?? '']
    if (query.get('key') !== key) return this.refuse(socket, 'ERROR', 'Invalid key provided')
    if (name === undefined || token === '' || token.length > peerServerLimits.tokenCharactersMax) {
      return this.refuse(socket, 'ERROR', 'No id, token, or key supplied to websocket server')
    }
    if (!this.arrivals.take(address, performance.now())) {
      return this.refuse(socket, 'ERROR', 'Server has reached its concurrent user limit')
    }
    if (!this.isFree(name, token)) return this.refuse(socket, 'ID-TAKEN', 'ID is taken')
    const isFull =
      this.guests.size >= signalLimits.guestsMax ||
      [...this.guests.values()].filter((one) => one.address === address).length >=
        peerServerLimits.perAddressMax
    if (!this.guests.has(name) && isFull) {
      return this.refuse(socket, 'ERROR', 'Server has reached its concurrent user limit')
    }
    this.enter(socket, name, token, address)
  }

  /** The same client, which comes back, is known by its token. */
  private isFree(name: string, token: string): boolean {
    const { doors, relay } = this.parts
    if (!doors.admits(name, token)) return false
    const here = this.guests.get(name)
    if (here !== undefined) return here.token === token
    const site = siteOfGuest(relay.directory, name)
    return site === undefined || site === relay.directory.self
  }

  private enter(socket: WebSocket, name: string, token: string, address: string): void {
    const older = this.guests.get(name)
    const guest: Guest = { name, token, address, socket, heardMs: performance.now() }
    this.guests.set(name, guest)
    older?.socket.terminate()
    admitGuest(this.parts.relay, name)
    socket.on('message', (data: RawData, isBinary: boolean) => this.received(guest, data, isBinary))
    socket.on('close', () => this.left(guest))
    this.send(guest, { type: 'OPEN' })
    this.look()
  }

  private received(guest: Guest, data: RawData, isBinary: boolean): void {
    const nowMs = performance.now()
    guest.heardMs = nowMs
    if (isBinary || !this.pace.take(guest.name, nowMs)) {
      this.parts.counters.refuse(isBinary ? 'not-text' : 'too-fast')
      return guest.socket.close()
    }
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer)
    const message = parseMessage(bytes.toString('utf8'))
    if (message === undefined) return this.parts.counters.refuse('bad-field')
    if (message.type === 'HEARTBEAT' || !carriedTypes.includes(message.type)) return
    const to = guestName(message.dst)
    if (to === undefined) {
      // Whoever leaves says so to nobody in particular.
      if (message.type === 'LEAVE') guest.socket.close()
      return
    }
    const payload = toAscii({ type: message.type, payload: message.payload })
    if (payload.length > limits.signalBytesMax) return this.parts.counters.refuse('too-large')
    this.carry({ from: guest.name, to, payload, sinceMs: nowMs })
  }

  /** What waits for the same one already goes first. */
  private carry(message: Waiting): void {
    const isBehind = this.waiting.some(({ to }) => to === message.to)
    if (!isBehind && this.parts.sockets.fromGuest(message.from, message.to, message.payload)) return
    if (
      this.waiting.filter(({ from }) => from === message.from).length >= peerServerLimits.waitingPerGuestMax
    ) {
      return this.expire(message)
    }
    this.waiting.push(message)
    if (this.waiting.length > peerServerLimits.waitingMax) this.expire(this.waiting.shift())
  }

  /** Tries again for those who wait, gives up what has waited too long, and lets go of who is silent. */
  private look(): void {
    const nowMs = performance.now()
    const due = this.waiting.filter(({ sinceMs }) => nowMs - sinceMs >= peerServerLimits.expireMs)
    const pairs = new Map(due.map((message) => [`${message.from}/${message.to}`, message]))
    const waiting = this.waiting.filter(({ from, to }) => !pairs.has(`${from}/${to}`))
    this.waiting = []
    for (const message of waiting) this.carry(message)
    // Told once, whatever else was said to the same one meanwhile.
    for (const message of pairs.values()) this.expire(message)
    for (const guest of this.guests.values()) {
      if (nowMs - guest.heardMs > peerServerLimits.aliveMs) guest.socket.terminate()
    }
  }

  private expire(message: Waiting | undefined): void {
    const sender = message === undefined ? undefined : this.guests.get(message.from)
    const isAnswered = message !== undefined && !/"type":"(LEAVE|EXPIRE)"/.test(message.payload.slice(0, 18))
    if (message !== undefined && sender !== undefined && isAnswered) {
      this.send(sender, { type: 'EXPIRE', src: message.to, dst: message.from })
    }
  }

  private tell(from: string, to: string, payload: string): void {
    const guest = this.guests.get(to)
    const message = parseMessage(payload)
    if (guest === undefined || message === undefined || !carriedTypes.includes(message.type)) return
    const { type, payload: inner } = message
    this.send(guest, { type, src: from, dst: to, payload: inner })
  }

  private send(guest: Guest, message: Readonly<Record<string, unknown>>): void {
    if (guest.socket.bufferedAmount > 16 * peerServerLimits.messageBytesMax) guest.socket.terminate()
    else guest.socket.send(JSON.stringify(message))
  }

  private refuse(socket: WebSocket, type: 'ERROR' | 'ID-TAKEN', msg: string): void {
    this.parts.counters.refuse('guest')
    socket.send(JSON.stringify({ type, payload: { msg } }))
    socket.close()
    setTimeout(() => socket.terminate(), 2_000).unref()
  }

  private left(guest: Guest): void {
    if (this.guests.get(guest.name) !== guest) return
    this.guests.delete(guest.name)
    dismissGuest(this.parts.relay, guest.name)
  }

  close(): void {
    clearInterval(this.timer)
    for (const { socket } of this.guests.values()) socket.terminate()
  }
}

interface Message {
  readonly type?: unknown
  readonly dst?: unknown
  readonly payload?: unknown
}

function parseMessage(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    // Whatever the parser dislikes: it is no message.
    return undefined
  }
}

/** JSON in printable ASCII, as the frames between helpers carry it. */
function toAscii(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
