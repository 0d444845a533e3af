/** The ways in by WebSocket: `/signal`, `/link` and `/peerjs`. Who comes from elsewhere, or one too many, stays outside. */
import type { IncomingMessage, Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { limits } from '#mesh/limits.ts'
import { signalLimits } from '#runtime/signal-frame.ts'
import type { Context } from '../context.ts'
import { allowsHost, allowsOrigin, plainAddress } from '../guards.ts'
import { peerServerLimits } from '../peerjs/peer-server.ts'
import { peerServerPath } from './answers.ts'
import type { Counters } from '../metrics.ts'
import { linkMessageBytesMax } from '../resident/resident.ts'
import { socketLimits } from '../session.ts'
import { TokenBuckets } from '../token-bucket.ts'

type Upgrading = Server | SecureServer

interface Arrival {
  readonly address: string
  /** What follows the question mark. */
  readonly search: string
  /** What the WebSocket writes to. */
  readonly wire: Duplex
}

interface Door {
  readonly server: WebSocketServer
  readonly enter: (socket: WebSocket, from: Arrival) => void
  /** @returns why somebody from there has to wait */
  readonly closedTo: (address: string) => 'too-many' | 'too-fast' | undefined
}

/** @returns what closes the doors */
export function openDoors(context: Context, servers: readonly Upgrading[]): () => void {
  const { guard, counters, options, sockets, peerServer } = context
  const doors = new Map<string, Door>([
    [
      `${options.base}signal`,
      // A little above the limit is still read, so that it can be refused by name.
      door(signalLimits.frameBytesMax + 1_024, (socket, { address, wire }) =>
        sockets.accept(socket, address, wire),
      ),
    ],
    [
      `${peerServerPath}peerjs`,
      door(peerServerLimits.messageBytesMax, (socket, { address, search }) =>
        peerServer.accept(socket, search, address),
      ),
    ],
  ])
  const link = linkDoor(context)
  if (link !== undefined) doors.set(`${options.base}link`, link)
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => counters.refuse('socket-error'))
    const [path = '/', search = ''] = (request.url ?? '/').split('?')
    const { host, origin } = request.headers
    if (!allowsHost(guard, host)) return refuseUpgrade(socket, counters, '421 Misdirected Request', 'host')
    if (!allowsOrigin(guard, origin)) return refuseUpgrade(socket, counters, '403 Forbidden', 'origin')
    const wanted = doors.get(path)
    if (wanted === undefined) return refuseUpgrade(socket, counters, '404 Not Found', 'path')
    const address = plainAddress(request.socket.remoteAddress ?? '')
    const reason = wanted.closedTo(address)
    if (reason !== undefined) return refuseUpgrade(socket, counters, '503 Service Unavailable', reason)
    // A WebSocket may be quiet for longer than a request.
    request.socket.setTimeout(0)
    wanted.server.handleUpgrade(request, socket, head, (webSocket) =>
      wanted.enter(webSocket, { address, search, wire: socket }),
    )
  }
  for (const server of servers) server.on('upgrade', upgrade)
  return () => {
    for (const { server } of doors.values()) server.close()
  }
}

function door(bytesMax: number, enter: Door['enter'], closedTo: Door['closedTo'] = () => undefined): Door {
  return { server: webSocketServer(bytesMax), enter, closedTo }
}

function linkDoor({ resident, options }: Context): Door | undefined {
  if (resident === undefined) return undefined
  const countByAddress = new Map<string, number>()
  const enter = (socket: WebSocket, { address }: Arrival) => {
    countByAddress.set(address, (countByAddress.get(address) ?? 0) + 1)
    socket.on('close', () => {
      const left = (countByAddress.get(address) ?? 1) - 1
      if (left > 0) countByAddress.set(address, left)
      else countByAddress.delete(address)
    })
    resident.accept(socket)
  }
  const arrivals = new TokenBuckets(socketLimits.proofBucket)
  const closedTo = (address: string) => {
    const isFull =
      (countByAddress.get(address) ?? 0) >= socketLimits.socketsPerAddressMax ||
      resident.socketCount >= options.maxPeers + limits.radioLinksMax
    if (isFull) return 'too-many'
    // Each costs a few milliseconds of proofs.
    return arrivals.take(address, performance.now()) ? undefined : 'too-fast'
  }
  return door(linkMessageBytesMax + 1_024, enter, closedTo)
}

function webSocketServer(maxPayload: number): WebSocketServer {
  return new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false })
}

function refuseUpgrade(socket: Duplex, counters: Counters, status: string, reason: string): void {
  counters.refuse(reason)
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
