/** What is answered over HTTP: the app, the API, the metrics, the page about trust. The same on http and https. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { version, type Context } from '../context.ts'
import { reachableSites } from '../relay/directory.ts'
import { allowsHost, plainAddress } from '../guards.ts'
import type { Counters } from '../metrics.ts'
import { fingerprintOf, nameOf, toDer } from '../tls/certificates.ts'
import { trustPage, trustPolicy } from '../tls/trust-page.ts'

export const peerServerPath = '/peerjs/'

/** On every answer. The app and its workers say themselves what they load (assets.ts). */
const headers = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['X-Frame-Options', 'DENY'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Permissions-Policy', 'camera=(self), microphone=(self), geolocation=(self)'],
  [
    'Content-Security-Policy',
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ],
] as const

export function respond(context: Context, request: IncomingMessage, response: ServerResponse): void {
  const { guard, counters, options, buckets, assets } = context
  for (const [name, value] of headers) response.setHeader(name, value)
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
  if (path === `${options.base}trust`) return trust(context, response)
  if (path === `${options.base}trust/meshchat-ca.crt`) return authority(context, response)
  if (path.startsWith(peerServerPath)) return guests(context, path.slice(peerServerPath.length), response)
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

export function refuse(response: ServerResponse, counters: Counters, status: number, reason: string): void {
  counters.refuse(reason)
  response.statusCode = status
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`${status}\n`)
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('Content-Type', 'application/json')
  response.setHeader('Access-Control-Allow-Origin', '*')
  response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin')
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
    const rttMs = site === undefined ? undefined : sockets.roundTrips.lastOf(site)
    const name = (site === undefined ? undefined : known.get(site)?.name) ?? new URL(url).hostname
    return { name, url, state: up ? 'up' : 'down', rttMs: rttMs ?? null }
  })
  const dialledSites = new Set(dialled.map(({ site }) => site))
  const others = [...relay.helpersBySite.keys()].filter((site) => !dialledSites.has(site))
  const incoming = others.map((site) => ({
    name: known.get(site)?.name ?? '',
    url: known.get(site)?.url ?? '',
    state: 'up',
    rttMs: sockets.roundTrips.lastOf(site) ?? null,
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

/** What a PeerJS client asks before it opens its socket. */
function guests({ peerServer, counters }: Context, path: string, response: ServerResponse): void {
  const answer = peerServer.answer(path)
  if (answer === undefined) return refuse(response, counters, 404, 'path')
  response.setHeader('Content-Type', answer.type)
  response.setHeader('Access-Control-Allow-Origin', '*')
  response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin')
  response.setHeader('Cache-Control', 'no-store')
  response.end(answer.text)
}

/** How to trust the authority of this mesh; in plain http too, since that is where who needs it comes from. */
function trust({ options, self, secure }: Context, response: ServerResponse): void {
  const { authority: pem, permits } = secure?.shown() ?? { authority: undefined, permits: undefined }
  const page = trustPage({
    node: options.name,
    url: `${self.url}trust`,
    secureUrls: secure?.urls ?? [],
    authority:
      pem === undefined ? undefined : { name: nameOf(pem), fingerprint: fingerprintOf(pem), permits },
  })
  response.setHeader('Content-Security-Policy', trustPolicy)
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.setHeader('Cache-Control', 'no-cache')
  response.end(page)
}

function authority({ secure, counters }: Context, response: ServerResponse): void {
  const pem = secure?.shown().authority
  if (pem === undefined) return refuse(response, counters, 404, 'path')
  response.setHeader('Content-Type', 'application/x-x509-ca-cert')
  response.setHeader('Content-Disposition', 'attachment; filename="meshchat-ca.crt"')
  response.end(toDer(pem))
}
