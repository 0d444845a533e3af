/** A server's bounds on what a stranger may hold open, and how it begins. The same for http and https. */
import type { Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'

export const serverLimits = {
  /** guess: a phone at the edge of the radio sends a request within this. */
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 5_000,
  /** How often slow clients are looked for; Node's own choice is 30 s. */
  connectionsCheckingInterval: 5_000,
  /** A URL and a few headers. */
  maxHeaderSize: 16_384,
} as const

const headersMax = 64
/** guess: a page needs two sockets and some requests; so many at least, and as many as the peers that are let in need. */
const connectionsMin = 4_096
const connectionsPerPeer = 3
const silentMs = 30_000
/** guess: a socket that has not said goodbye within this has nobody at its other end. */
const goodbyeMs = 1_000

const wires = new WeakMap<Server | SecureServer, Set<Socket>>()

export function setBounds(server: Server | SecureServer, maxPeers: number): void {
  server.maxHeadersCount = headersMax
  server.maxConnections = Math.max(connectionsMin, connectionsPerPeer * maxPeers)
  server.setTimeout(silentMs)
  const open = new Set<Socket>()
  wires.set(server, open)
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
}

/** Lets go of the port and of everybody: a WebSocket whose other end went dumb is not waited for. */
export async function shut(server: Server | SecureServer): Promise<void> {
  const timer = setTimeout(() => {
    for (const socket of wires.get(server) ?? []) socket.destroy()
  }, goodbyeMs)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
  clearTimeout(timer)
}

/** @throws when the port is taken or the address is none of this machine */
export async function listen(server: Server | SecureServer, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

export function portOf(server: Server | SecureServer): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
