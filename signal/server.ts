/** HTTP around the relay: the app, the API, the metrics, and the way into `/signal`. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { networkInterfaces } from 'node:os'
import type { Duplex } from 'node:stream'
import sirv from 'sirv'
import { WebSocketServer } from 'ws'
import type { PlainKey } from '../src/adapters/signature.ts'
import { signalLimits } from '#runtime/signal-frame.ts'
import { createDirectory, reachableSites } from './directory.ts'
import { allowsHost, allowsOrigin, plainAddress, type Guard } from './guards.ts'
import { Counters } from './metrics.ts'
import { Neighbors } from './neighbors.ts'
import type { Options } from './options.ts'
import { createRelay, type Relay } from './relay.ts'
import { Sockets, type Self } from './sockets.ts'
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
  readonly assets: ReturnType<typeof sirv>
  readonly buckets: TokenBuckets
}

/** @param appDir the built app @throws when a port is taken */
export async function serve(options: Options, key: PlainKey, appDir: string): Promise<Helper> {
  const counters = new Counters()
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 5_000 })
  server.maxHeadersCount = 64
  await listen(server, options.port, options.host)
  const port = portOf(server)
  const urls = ownUrls(options, port)
  const stun = await openStun(options, counters, server)
  const self: Self = {
    key,
    name: options.name,
    url: urls.find((url) => !url.includes('//localhost')) ?? urls[0] ?? '',
    maxPeers: options.maxPeers,
    stunPorts: () => [stun.port],
  }
  const relay = createRelay(createDirectory(key.peer, options.name, self.url, Date.now()))
  const sockets = new Sockets(self, relay, counters)
  const guard: Guard = {
    names: ['localhost', options.name.toLowerCase(), ...options.hostNames, ...ownAddresses()],
    origins: [...options.origins, ...options.neighbors.map((url) => new URL(url).origin)],
    prefixes: options.prefixes,
    ownTargets: options.neighbors,
  }
  const isLinked = (site: Self['key']['peer']) => relay.helpersBySite.has(site)
  const neighbors = new Neighbors(options.neighbors, { sockets, guard, counters, isLinked })
  const assets = sirv(appDir, {
    etag: true,
    gzip: true,
    brotli: true,
    dotfiles: false,
    setHeaders: setCaching,
  })
  const buckets = new TokenBuckets({ perSecond: 100, burst: 2_000, keysMax: 8_192 })
  const context: Context = { options, guard, counters, relay, sockets, neighbors, self, assets, buckets }
  server.on('request', (request, response) => respond(context, request, response))
  const closeSockets = acceptSockets(context, server)
  return {
    urls,
    port,
    stunPort: stun.port,
    close: async () => {
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

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** With `--port 0` (several helpers on one machine, tests) STUN takes a free port too when its own is taken. */
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

function setCaching(response: ServerResponse, pathname: string): void {
  const isHashed = pathname.includes('/_app/immutable/')
  response.setHeader('Cache-Control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
}

function respond(context: Context, request: IncomingMessage, response: ServerResponse): void {
  const { guard, counters, options, buckets, assets } = context
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Referrer-Policy', 'no-referrer')
  response.setHeader('Content-Security-Policy', "frame-ancestors 'none'")
  const address = plainAddress(request.socket.remoteAddress ?? '')
  if (!buckets.take(address, Date.now())) return refuse(response, counters, 429, 'http-too-fast')
  if (!allowsHost(guard, request.headers.host)) return refuse(response, counters, 421, 'host')
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, counters, 405, 'method')
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  if (path === '/healthz') return json(response, { status: 'ok' })
  if (path === '/metrics') return metrics(context, response)
  if (path === '/api/node') return node(context, response)
  if (!`${path}/`.startsWith(options.base)) return refuse(response, counters, 404, 'path')
  // sirv sees the app at its own root.
  request.url = `/${(request.url ?? '/').slice(options.base.length)}`
  assets(request, response, () => refuse(response, counters, 404, 'path'))
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

function metrics({ counters, relay }: Context, response: ServerResponse): void {
  response.setHeader('Content-Type', 'text/plain; version=0.0.4')
  response.end(counters.text({ peers: relay.peersByKey.size, neighbors: relay.helpersBySite.size }))
}

/** `/api/node`: the contract on the design page. */
function node({ options, relay, neighbors, sockets, self }: Context, response: ServerResponse): void {
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
    peers: relay.peersByKey.size,
    rooms: 0,
    stunPorts: self.stunPorts(),
  })
}

/** @returns what closes the door */
function acceptSockets(context: Context, server: Server): () => void {
  const { guard, counters, options, sockets } = context
  // One byte above the limit is still read, so that it can be refused by name.
  const maxPayload = signalLimits.frameBytesMax + 1_024
  const webSockets = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => counters.refuse('socket-error'))
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const { host, origin } = request.headers
    if (!allowsHost(guard, host)) return refuseUpgrade(socket, counters, '421 Misdirected Request', 'host')
    if (!allowsOrigin(guard, origin)) return refuseUpgrade(socket, counters, '403 Forbidden', 'origin')
    if (path !== `${options.base}signal`) return refuseUpgrade(socket, counters, '404 Not Found', 'path')
    const address = plainAddress(request.socket.remoteAddress ?? '')
    webSockets.handleUpgrade(request, socket, head, (webSocket) => sockets.accept(webSocket, address))
  })
  return () => webSockets.close()
}

function refuseUpgrade(socket: Duplex, counters: Counters, status: string, reason: string): void {
  counters.refuse(reason)
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
