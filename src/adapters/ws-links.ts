/**
 * Links over WebSockets: all lanes on one socket, control before chat before bulk. The same file serves browser
 * and Node; who opens and who accepts sockets is handed in. A side without a socket of its own accepts only.
 */
import type { HangUpReason, LinkId } from '#mesh/effects.ts'
import type { FrameFault, Lane } from '#mesh/frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import type { Keys, LinkEvents, LinkRefusal, Links } from '#runtime/ports.ts'
import { LinkHandshake } from './link-handshake.ts'

/** A message-framed pipe of bytes, as a browser's WebSocket or that of `ws` is one. */
export interface FrameSocket {
  send(bytes: Uint8Array): void
  /** Bytes that wait below. */
  bufferedBytes(): number
  close(): void
  onOpen: () => void
  onMessage: (bytes: Uint8Array) => void
  onClose: () => void
}

const lanes: readonly Lane[] = ['control', 'chat', 'bulk']

export const wsLimits = {
  /** What may wait below before the lanes are held back, so that control overtakes bulk. */
  bufferedBytesMax: 65_536,
  /** What may wait in a lane: bulk says that it is full, the others end the link. */
  bulkQueueBytesMax: 65_536,
  queueBytesMax: 4_194_304,
  pollMs: 10,
  /** guess: what a side may say before it has proven who it is; more ends the connection. */
  earlyBytesMax: 131_072,
} as const

interface Connection {
  readonly socket: FrameSocket
  readonly expected: PeerId | undefined
  readonly queues: Readonly<Record<Lane, Uint8Array[]>>
  readonly queuedBytes: Record<Lane, number>
  handshake: LinkHandshake | undefined
  link: LinkId | undefined
  peer: PeerId | undefined
  proofs: number
  isCongested: boolean
  isClosed: boolean
  earlyBytes: number
  readonly early: { readonly lane: Lane; readonly bytes: Uint8Array }[]
  timer: ReturnType<typeof setTimeout> | undefined
  poll: ReturnType<typeof setTimeout> | undefined
}

/** @param bytes with the one that names the lane */
type FrameListener = (lane: Lane, direction: 'in' | 'out', bytes: number) => void

export class WsLinks implements Links {
  private events: LinkEvents | undefined
  private readonly connections = new Set<Connection>()
  private readonly byLink = new Map<LinkId, Connection>()
  private lastLink = 0
  private readonly keys: Keys
  private readonly open: (peer: PeerId) => FrameSocket | undefined
  private readonly onFrame: FrameListener

  /**
   * @param open a new socket towards a peer, or undefined where none is known
   * @param onFrame is told of each frame that passes
   */
  constructor(
    keys: Keys,
    open: (peer: PeerId) => FrameSocket | undefined,
    onFrame: FrameListener = () => undefined,
  ) {
    this.keys = keys
    this.open = open
    this.onFrame = onFrame
  }

  start(events: LinkEvents): void {
    this.events = events
  }

  /** Links that stand. */
  get linkCount(): number {
    return this.byLink.size
  }

  /** Sockets of links and of those that are being made. */
  get socketCount(): number {
    return this.connections.size
  }

  dial(peer: PeerId): void {
    const socket = this.open(peer)
    if (socket === undefined) return this.events?.dialFailed(peer)
    const connection = this.take(socket, peer)
    socket.onOpen = () => this.greet(connection)
  }

  /** Somebody has connected to us; who it is, the proof will tell. */
  accept(socket: FrameSocket): void {
    this.greet(this.take(socket, undefined))
  }

  /** WebSockets need no signals. */
  signal(): void {}
  signalLost(): void {}

  private take(socket: FrameSocket, expected: PeerId | undefined): Connection {
    const connection: Connection = {
      socket,
      expected,
      queues: { control: [], chat: [], bulk: [] },
      queuedBytes: { control: 0, chat: 0, bulk: 0 },
      handshake: undefined,
      link: undefined,
      peer: undefined,
      proofs: 0,
      isCongested: false,
      isClosed: false,
      earlyBytes: 0,
      early: [],
      timer: setTimeout(() => this.end(connection, 'timeout'), limits.dialTimeoutMs),
      poll: undefined,
    }
    this.connections.add(connection)
    socket.onMessage = (bytes) => this.received(connection, bytes)
    socket.onClose = () => this.end(connection, 'closed')
    return connection
  }

  private greet(connection: Connection): void {
    connection.handshake = new LinkHandshake({
      keys: this.keys,
      binding: { own: '', other: '' },
      nonce: crypto.getRandomValues(new Uint8Array(32)),
      expected: connection.expected,
      send: (bytes) => this.enqueue(connection, 'control', bytes),
      done: (peer, version) => this.proven(connection, peer, version),
      failed: (reason) => this.end(connection, reason),
    })
  }

  private proven(connection: Connection, peer: PeerId, version: number): void {
    if (connection.isClosed) return
    clearTimeout(connection.timer)
    connection.peer = peer
    connection.link = ++this.lastLink
    this.byLink.set(connection.link, connection)
    this.events?.up(connection.link, peer, version)
    for (const { lane, bytes } of connection.early.splice(0)) this.events?.frame(connection.link, lane, bytes)
  }

  private received(connection: Connection, message: Uint8Array): void {
    const lane = lanes[message[0] ?? lanes.length]
    if (connection.isClosed) return
    if (lane === undefined || message.length > limits.frameBytesMax + 1)
      return this.end(connection, 'bad-proof')
    const bytes = message.slice(1)
    this.onFrame(lane, 'in', message.length)
    if (connection.link !== undefined) return this.events?.frame(connection.link, lane, bytes)
    if (lane === 'control' && connection.proofs < 2) {
      connection.proofs += 1
      return connection.handshake?.receive(bytes)
    }
    connection.early.push({ lane, bytes })
    connection.earlyBytes += bytes.length
    const isTooMuch = connection.early.length > 256 || connection.earlyBytes > wsLimits.earlyBytesMax
    if (isTooMuch) this.end(connection, 'bad-proof')
  }

  send(link: LinkId, lane: Lane, bytes: Uint8Array): boolean {
    const connection = this.byLink.get(link)
    if (connection === undefined) return true
    this.onFrame(lane, 'out', bytes.length + 1)
    this.enqueue(connection, lane, bytes)
    if (lane !== 'bulk') return true
    connection.isCongested ||= connection.queuedBytes.bulk > wsLimits.bulkQueueBytesMax
    return !connection.isCongested
  }

  private enqueue(connection: Connection, lane: Lane, bytes: Uint8Array): void {
    if (connection.queuedBytes[lane] > wsLimits.queueBytesMax) return this.end(connection, 'closed')
    const message = new Uint8Array(bytes.length + 1)
    message[0] = lanes.indexOf(lane)
    message.set(bytes, 1)
    connection.queues[lane].push(message)
    connection.queuedBytes[lane] += message.length
    this.pump(connection)
  }

  /** Sockets do not say when they have room, so what waits is looked after every few milliseconds. */
  private pump(connection: Connection): void {
    clearTimeout(connection.poll)
    if (connection.isClosed) return
    while (connection.socket.bufferedBytes() < wsLimits.bufferedBytesMax) {
      const lane = lanes.find((one) => connection.queues[one].length > 0)
      const message = lane === undefined ? undefined : connection.queues[lane].shift()
      if (lane === undefined || message === undefined) break
      connection.queuedBytes[lane] -= message.length
      connection.socket.send(message)
    }
    if (connection.isCongested && connection.queuedBytes.bulk < wsLimits.bulkQueueBytesMax / 2) {
      connection.isCongested = false
      if (connection.link !== undefined) this.events?.drained(connection.link)
    }
    const isWaiting = connection.isCongested || lanes.some((lane) => connection.queues[lane].length > 0)
    if (isWaiting) connection.poll = setTimeout(() => this.pump(connection), wsLimits.pollMs)
  }

  hangUp(link: LinkId, reason: HangUpReason | FrameFault): void {
    const connection = this.byLink.get(link)
    if (connection === undefined) return
    this.events?.refused(connection.peer, reason)
    this.byLink.delete(link)
    connection.link = undefined
    this.end(connection, 'closed')
  }

  private end(connection: Connection, reason: LinkRefusal | 'closed'): void {
    if (connection.isClosed) return
    connection.isClosed = true
    clearTimeout(connection.timer)
    clearTimeout(connection.poll)
    connection.handshake?.cancel()
    this.connections.delete(connection)
    connection.socket.close()
    if (reason !== 'closed' && reason !== 'timeout') this.events?.refused(connection.expected, reason)
    if (connection.link !== undefined) {
      this.byLink.delete(connection.link)
      this.events?.down(connection.link)
    } else if (connection.expected !== undefined && connection.peer === undefined) {
      this.events?.dialFailed(connection.expected)
    }
  }

  close(): void {
    this.events = undefined
    for (const connection of [...this.connections]) this.end(connection, 'closed')
  }
}
