/** HTTP around the relay: the app, the API, the metrics, and the way into `/signal`. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { hostname, networkInterfaces } from 'node:os'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { signPlainly, type PlainKey } from '../src/adapters/signature.ts'
import { VolumeFault } from '#adapters/node/volume.ts'
import { bytesToHex } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import { signalLimits } from '#runtime/signal-frame.ts'
import { Assets } from './assets.ts'
import { discover } from './discovery/discovery.ts'
import { createDirectory, reachableSites, strandedSites } from './directory.ts'
import { allowsHost, allowsOrigin, plainAddress, type Guard } from './guards.ts'
import { Counters } from './metrics.ts'
import { Neighbors } from './discovery/neighbors.ts'
import type { Options } from './options.ts'
import { createRelay, type Relay } from './relay.ts'
import {
  linkMessageBytesMax,
  openKept,
  startResident,
  type Kept,
  type Resident,
} from './resident/resident.ts'
import { Sockets, socketLimits, type Self } from './sockets.ts'
import { serveStun, type StunServer } from './stun.ts'
import { TokenBuckets } from './token-bucket.ts'

export interface Helper {
  /** Addresses that a browser can open. */
  readonly urls: readonly string[]
  readonly port: number
  readonly stunPort: number
  close(): Promise<void>
}

export const version = '0.1.0'

interface Context {
  readonly options: Options
  readonly guard: Guard
  readonly counters: Counters
  readonly relay: Relay
  readonly sockets: Sockets
  readonly neighbors: Neighbors
  readonly self: Self
  readonly assets: Assets
  readonly buckets: TokenBuckets
  /** Undefined with `--no-resident`. */
  readonly resident: Resident | undefined
}

/**
 * @param appDir the built app
 * @param warn takes one plain sentence for whoever runs the node
 * @throws when a port is taken
 */
export async function serve(
  options: Options,
  key: PlainKey,
  appDir: string,
  warn: (sentence: string) => void,
): Promise<Helper> {
  const counters = new Counters()
  const assets = new Assets(appDir)
  // What was kept is read before anybody is let in.
  const kept = options.isResident ? await readKept(options, warn) : undefined
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 5_000 })
  server.maxHeadersCount = 64
  server.maxConnections = 4_096
  server.setTimeout(30_000)
  await listen(server, options.port, options.host)
  const port = portOf(server)
  const urls = ownUrls(options, port)
  const stun = await openStun(options, counters, server)
  const self: Self = {
    key,
    name: options.name,
    url: announcedUrl(options, urls),
    maxPeers: options.maxPeers,
    turn: options.turn,
    stunPorts: () => [stun.port],
  }
  const context = createContext(options, self, counters, assets, kept)
  const { neighbors, sockets, resident, guard } = context
  const discovery = options.discovers
    ? discover({ options, self, port, guard, counters, neighbors })
    : undefined
  server.on('request', (request, response) => respond(context, request, response))
  const closeSockets = acceptSockets(context, server)
  return {
    urls,
    port,
    stunPort: stun.port,
    close: async () => {
      await discovery?.close()
      await resident?.close()
      neighbors.close()
      sockets.close()
      closeSockets()
      stun.close()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

/** A node whose disk fails still introduces browsers to each other. */
async function readKept(options: Options, warn: (sentence: string) => void): Promise<Kept | undefined> {
  try {
    return await openKept(options, warn)
  } catch (error) {
    if (!(error instanceof VolumeFault)) throw error
    warn(
      'The disk of this node cannot be read or written: it keeps nothing until that is mended and it is started again.',
    )
    return undefined
  }
}

function createContext(
  options: Options,
  self: Self,
  counters: Counters,
  assets: Assets,
  kept: Kept | undefined,
): Context {
  const { key, name, url } = self
  const sign = (message: Uint8Array) => bytesToHex(signPlainly(key, message))
  const directory = createDirectory({ self: key.peer, name, url, sequence: Date.now(), sign })
  const relay = createRelay(directory, (site) => neighbors.costOf(site))
  const sockets = new Sockets(self, relay, counters)
  const guard = guardFor(options)
  const isLinked = (site: Self['key']['peer']) => relay.helpersBySite.has(site)
  const stranded = () => strandedSites(relay.directory)
  const neighbors = new Neighbors(options.neighbors, { sockets, guard, counters, isLinked, stranded })
  const buckets = new TokenBuckets({ perSecond: 100, burst: 2_000, keysMax: 8_192 })
  const base = { options, self, sockets, relay, guard, counters }
  const resident = kept === undefined ? undefined : startResident(base, kept)
  return { ...base, neighbors, assets, buckets, resident }
}

function guardFor(options: Options): Guard {
  const own = ['localhost', hostname().toLowerCase(), options.name.toLowerCase()]
  return {
    names: [...own, ...options.hostNames, ...ownAddresses()],
    origins: [...options.origins, ...options.neighbors.map((url) => new URL(url).origin)],
    prefixes: options.prefixes,
    ownTargets: [...options.neighbors, ...(options.sysinfoUrl === undefined ? [] : [options.sysinfoUrl])],
  }
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function openStun(options: Options, counters: Counters, server: Server): Promise<StunServer> {
  try {
    return await serveStun(options.host, options.stunPort, counters)
  } catch (error) {
    server.close()
    throw error
  }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map((item) => plainAddress(item.address)),
  )
}

function ownUrls({ host, base }: Options, port: number): string[] {
  const open = host === '0.0.0.0' || host === '::'
  const v4 = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((item) => item.family === 'IPv4' && !item.internal)
    .map((item) => item.address)
  const hosts = open ? ['localhost', ...v4] : [host.includes(':') ? `[${host}]` : host]
  return hosts.map((name) => `http://${name}:${port}${base}`)
}

/** Others cannot reach loopback; it is told only where this node was bound to it on purpose. */
function announcedUrl({ host }: Options, urls: readonly string[]): string {
  const isOpen = host === '0.0.0.0' || host === '::'
  return urls.find((url) => !isOpen || !url.includes('//localhost')) ?? ''
}

function respond(context: Context, request: IncomingMessage, response: ServerResponse): void {
  const { guard, counters, options, buckets, assets } = context
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Referrer-Policy', 'no-referrer')
  response.setHeader('Content-Security-Policy', "frame-ancestors 'none'")
  const address = plainAddress(request.socket.remoteAddress ?? '')
  if (!buckets.take(address, performance.now())) return refuse(response, counters, 429, 'http-too-fast')
  if (!allowsHost(guard, request.headers.host)) return refuse(response, counters, 421, 'host')
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, counters, 405, 'method')
  const url = request.url ?? '/'
  const at = url.indexOf('?')
  const path = at < 0 ? url : url.slice(0, at)
  const search = at < 0 ? '' : url.slice(at)
  if (path === '/healthz') return json(response, { status: 'ok' })
  if (path === '/metrics') return metrics(context, response)
  if (path === '/api/node') return node(context, response)
  if (`${path}/` === options.base) return redirect(response, `${options.base}${search}`)
  const isOurs =
    path.startsWith(options.base) && assets.answer(`/${path.slice(options.base.length)}`, request, response)
  if (!isOurs) refuse(response, counters, 404, 'path')
}

/** The app's addresses are relative, so its folder needs its slash. */
function redirect(response: ServerResponse, to: string): void {
  response.statusCode = 301
  response.setHeader('Location', to)
  response.end()
}

function refuse(response: ServerResponse, counters: Counters, status: number, reason: string): void {
  counters.refuse(reason)
  response.statusCode = status
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`${status}\n`)
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('Content-Type', 'application/json')
  response.setHeader('Access-Control-Allow-Origin', '*')
  response.setHeader('Cache-Control', 'no-store')
  response.end(JSON.stringify(value))
}

function metrics({ counters, relay, sockets, resident }: Context, response: ServerResponse): void {
  response.setHeader('Content-Type', 'text/plain; version=0.0.4')
  const { eventCount: events = 0, linkCount: links = 0 } = resident ?? {}
  response.end(
    counters.text({ peers: sockets.peerCount, neighbors: relay.helpersBySite.size, links, events }),
  )
}

/** `/api/node`: the contract on the design page. */
function node(
  { options, relay, neighbors, sockets, self, resident }: Context,
  response: ServerResponse,
): void {
  const known = new Map(reachableSites(relay.directory).map((site) => [site.site, site]))
  const dialled = neighbors.status()
  const listed = dialled.map(({ url, site }) => {
    const up = site !== undefined && relay.helpersBySite.has(site)
    const rttMs = site === undefined ? undefined : sockets.rttByHelper.get(site)
    const name = (site === undefined ? undefined : known.get(site)?.name) ?? new URL(url).hostname
    return { name, url, state: up ? 'up' : 'down', rttMs: rttMs ?? null }
  })
  const dialledSites = new Set(dialled.map(({ site }) => site))
  const others = [...relay.helpersBySite.keys()].filter((site) => !dialledSites.has(site))
  const incoming = others.map((site) => ({
    name: known.get(site)?.name ?? '',
    url: known.get(site)?.url ?? '',
    state: 'up',
    rttMs: sockets.rttByHelper.get(site) ?? null,
  }))
  json(response, {
    name: options.name,
    version,
    profile: 'open',
    url: self.url,
    neighbors: [...listed, ...incoming],
    peers: sockets.peerCount,
    rooms: resident?.roomCount ?? 0,
    stunPorts: self.stunPorts(),
  })
}

/** @returns what closes the door */
function acceptSockets(context: Context, server: Server): () => void {
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
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
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
    const server = isLink ? links : signals
    server.handleUpgrade(request, socket, head, (webSocket) => enter(webSocket, address))
  })
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
