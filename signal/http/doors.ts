/** The ways in by WebSocket: `/signal` and `/link`. Who comes from elsewhere, or one too many, stays outside. */
import type { IncomingMessage, Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { limits } from '#mesh/limits.ts'
import { signalLimits } from '#runtime/signal-frame.ts'
import type { Context } from '../context.ts'
import { allowsHost, allowsOrigin, plainAddress } from '../guards.ts'
import type { Counters } from '../metrics.ts'
import { linkMessageBytesMax } from '../resident/resident.ts'
import { socketLimits } from '../sockets.ts'

type Upgrading = Server | SecureServer

/** @returns what closes the doors */
export function openDoors(context: Context, servers: readonly Upgrading[]): () => void {
  const { guard, counters, options, sockets, resident } = context
  // One byte above the limit is still read, so that it can be refused by name.
  const signals = webSocketServer(signalLimits.frameBytesMax + 1_024)
  const links = webSocketServer(linkMessageBytesMax + 1_024)
  const linksByAddress = new Map<string, number>()
  const doors = new Map([
    [`${options.base}signal`, (socket: WebSocket, address: string) => sockets.accept(socket, address)],
  ])
  if (resident !== undefined) {
    doors.set(`${options.base}link`, (socket, address) => {
      linksByAddress.set(address, (linksByAddress.get(address) ?? 0) + 1)
      socket.on('close', () => {
        const left = (linksByAddress.get(address) ?? 1) - 1
        if (left > 0) linksByAddress.set(address, left)
        else linksByAddress.delete(address)
      })
      resident.accept(socket)
    })
  }
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => counters.refuse('socket-error'))
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const { host, origin } = request.headers
    if (!allowsHost(guard, host)) return refuseUpgrade(socket, counters, '421 Misdirected Request', 'host')
    if (!allowsOrigin(guard, origin)) return refuseUpgrade(socket, counters, '403 Forbidden', 'origin')
    const enter = doors.get(path)
    if (enter === undefined) return refuseUpgrade(socket, counters, '404 Not Found', 'path')
    const address = plainAddress(request.socket.remoteAddress ?? '')
    const isLink = path === `${options.base}link`
    const isCrowded =
      isLink &&
      ((linksByAddress.get(address) ?? 0) >= socketLimits.socketsPerAddressMax ||
        (resident?.socketCount ?? 0) >= options.maxPeers + limits.radioLinksMax)
    if (isCrowded) return refuseUpgrade(socket, counters, '503 Service Unavailable', 'too-many')
    // A WebSocket may be quiet for longer than a request.
    request.socket.setTimeout(0)
    const door = isLink ? links : signals
    door.handleUpgrade(request, socket, head, (webSocket) => enter(webSocket, address))
  }
  for (const server of servers) server.on('upgrade', upgrade)
  return () => {
    signals.close()
    links.close()
  }
}

function webSocketServer(maxPayload: number): WebSocketServer {
  return new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false })
}

function refuseUpgrade(socket: Duplex, counters: Counters, status: string, reason: string): void {
  counters.refuse(reason)
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
