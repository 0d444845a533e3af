/** Puts one helper together: what it keeps, where it listens, whom it knows. */
import { createServer, type Server } from 'node:http'
import { hostname, networkInterfaces } from 'node:os'
import { signPlainly, type PlainKey } from '../src/adapters/signature.ts'
import { VolumeFault } from '#adapters/node/volume.ts'
import { bytesToHex } from '#mesh/ids.ts'
import { respond } from './http/answers.ts'
import { Assets } from './http/assets.ts'
import type { Context } from './context.ts'
import { createDirectory, strandedSites } from './relay/directory.ts'
import { discover } from './discovery/discovery.ts'
import { Neighbors } from './discovery/neighbors.ts'
import { openDoors } from './http/doors.ts'
import { plainAddress, type Guard } from './guards.ts'
import { listen, portOf, serverLimits, setBounds, shut } from './http/listening.ts'
import type { Log } from './log.ts'
import { Counters } from './metrics.ts'
import type { Options } from './options.ts'
import { DoorTokens } from './peerjs/door-tokens.ts'
import { PeerServer } from './peerjs/peer-server.ts'
import { createRelay } from './relay/relay.ts'
import { openKept, startResident, type Kept } from './resident/resident.ts'
import type { Self } from './session.ts'
import { Sockets } from './sockets.ts'
import { serveStun, type StunServer } from './ice/stun.ts'
import type { TlsOptions } from './tls/certificates.ts'
import { serveSecurely, type Secure } from './tls/secure.ts'
import { TokenBuckets } from './token-bucket.ts'

export interface Helper {
  /** Addresses that a browser can open. */
  readonly urls: readonly string[]
  readonly port: number
  readonly stunPort: number
  close(): Promise<void>
}

/**
 * @param appDir the built app
 * @throws when a port is taken
 */
export async function serve(options: Options, key: PlainKey, appDir: string, log: Log): Promise<Helper> {
  const counters = new Counters()
  const assets = new Assets(appDir)
  // What was kept is read before anybody is let in.
  const kept = options.isResident ? await readKept(options, log) : undefined
  const server = createServer(serverLimits)
  setBounds(server, options.maxPeers)
  await listen(server, options.port, options.host)
  const port = portOf(server)
  const opened: { close(): void }[] = [server]
  try {
    const stun = await serveStun(options.host, options.stunPort, counters)
    opened.push(stun)
    const secure = options.tls === undefined ? undefined : await openSecurely(options, options.tls, log)
    const parts = { options, key, port, stun, secure, counters, assets, kept, log }
    return start(createContext(parts), parts, server)
  } catch (error) {
    for (const one of opened) one.close()
    throw error
  }
}

interface Parts {
  readonly options: Options
  readonly key: PlainKey
  readonly port: number
  readonly stun: StunServer
  readonly secure: Secure | undefined
  readonly counters: Counters
  readonly assets: Assets
  readonly kept: Kept | undefined
  readonly log: Log
}

function start(context: Context, { options, port, stun, secure }: Parts, server: Server): Helper {
  const { neighbors, sockets, resident, guard, counters, self, peerServer } = context
  const discovery = options.discovers
    ? discover({ options, self, port, guard, counters, neighbors })
    : undefined
  const servers = secure === undefined ? [server] : [server, secure.server]
  for (const one of servers) one.on('request', (request, response) => respond(context, request, response))
  const closeDoors = openDoors(context, servers)
  return {
    urls: [...ownUrls(options, port), ...(secure?.urls ?? [])],
    port,
    stunPort: stun.port,
    close: async () => {
      await discovery?.close()
      await resident?.close()
      neighbors.close()
      peerServer.close()
      sockets.close()
      closeDoors()
      stun.close()
      await Promise.all([shut(server), secure?.close()])
    },
  }
}

/** A node whose disk fails still introduces browsers to each other. */
async function readKept(options: Options, log: Log): Promise<Kept | undefined> {
  try {
    return await openKept(options, log)
  } catch (error) {
    if (!(error instanceof VolumeFault)) throw error
    log.error('disk', {
      text: 'The disk of this node cannot be read or written: it keeps nothing until that is mended and it is started again.',
    })
    return undefined
  }
}

function createContext({ options, key, port, stun, secure, counters, assets, kept, log }: Parts): Context {
  const self: Self = {
    key,
    name: options.name,
    url: announcedUrl(options, ownUrls(options, port)),
    secureUrl: secure?.urls[0] ?? '',
    maxPeers: options.maxPeers,
    turn: options.turn,
    doors: new DoorTokens(),
    stunPorts: () => [stun.port],
  }
  const { name, url, secureUrl } = self
  const sign = (message: Uint8Array) => bytesToHex(signPlainly(key, message))
  const directory = createDirectory({ self: key.peer, name, url, secureUrl, sequence: Date.now(), sign })
  const relay = createRelay(directory, (site) => neighbors.costOf(site) ?? sockets.roundTrips.costOf(site))
  const sockets = new Sockets(self, relay, counters, log)
  const guard = guardFor(options)
  const isLinked = (site: Self['key']['peer']) => relay.helpersBySite.has(site)
  const stranded = () => strandedSites(relay.directory)
  const neighbors = new Neighbors(options.neighbors, { sockets, guard, counters, isLinked, stranded })
  const buckets = new TokenBuckets({ perSecond: 100, burst: 2_000, keysMax: 8_192 })
  const base = { options, self, sockets, relay, guard, counters }
  const resident = kept === undefined ? undefined : startResident(base, kept)
  const peerServer = new PeerServer({ relay, sockets, doors: self.doors, counters })
  return { ...base, neighbors, assets, buckets, resident, peerServer, secure }
}

export function guardFor(options: Options): Guard {
  const own = ['localhost', hostname().toLowerCase(), options.name.toLowerCase()]
  return {
    names: [...own, ...options.hostNames, ...ownAddresses()],
    origins: [...options.origins, ...options.neighbors.map((url) => new URL(url).origin)],
    prefixes: options.prefixes,
    ownTargets: [...options.neighbors, ...(options.sysinfoUrl === undefined ? [] : [options.sysinfoUrl])],
  }
}

function openSecurely(options: Options, tls: TlsOptions, log: Log): Promise<Secure> {
  const names = [options.name, hostname()].flatMap((name) => {
    const bare = name.replace(/\.local(\.mesh)?$/, '')
    return [`${bare}.local.mesh`, `${bare}.local`]
  })
  const own = [...options.hostNames, ...names.map((name) => name.toLowerCase())]
  return serveSecurely({ tls, options, names: own, addresses: ownAddresses, log })
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
