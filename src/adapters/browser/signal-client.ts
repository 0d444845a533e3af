/**
 * A WebSocket to one helper at a time: this page's own first, else any other that is known, with back-off and
 * jitter. Proves this device's key and tells the engine who can be signalled to.
 */
import { limits } from '#mesh/limits.ts'
import { bytesToHex, type PeerId } from '#mesh/ids.ts'
import type { HelperEvents, Helpers, Keys } from '#runtime/ports.ts'
import {
  parseSignalFrame,
  placedOf,
  proofBytes,
  signalLimits,
  signalVersion,
  type Neighbor,
  type SignalFrame,
} from '#runtime/signal-frame.ts'
import type { DoorPass } from './door/guest-door.ts'
import { HelperList, type KnownNode } from './helper-list.ts'
import type { Vantage } from './rtc-links.ts'

const backoffMinMs = 500
const backoffMaxMs = 15_000
const watchIntervalMs = 2_500
/** guess: a node that said nothing for so long is asked whether it is there. */
const quietMs = 7_500
/** design: a node that is silent for 20 s is left; it is looked at every `watchIntervalMs`. */
const silentMs = 17_000
/** guess: how often a page that speaks through another helper tries its own again. */
const homeRetryMs = 30_000

export interface SignalClientParts {
  readonly keys: Keys
  /** This page's own helper: the folder it was opened from, with a slash at the end. A saved copy has others instead. */
  readonly homes: readonly [string, ...string[]]
  readonly onVantage: (vantage: Vantage) => void
  /** The node's answer to `askDoor`; asked again by itself wherever this page speaks next. */
  readonly onDoor: (pass: DoorPass) => void
  readonly wantsDoor: () => boolean
  /** Which nodes are known, or which one this page speaks through, has changed. */
  readonly onNodes: (nodes: Nodes) => void
}

export interface Nodes {
  readonly known: readonly KnownNode[]
  /** The address of the one that this page speaks through now. */
  readonly current: string | undefined
  /** The one that somebody chose; undefined: whichever answers. */
  readonly chosen: string | undefined
  /** When one is tried next, ms on this device's clock; undefined while none has to be. */
  readonly retryAtMs: number | undefined
}

type Phase =
  | { readonly type: 'idle' }
  | { readonly type: 'opening' | 'proving'; readonly socket: WebSocket; readonly url: string }
  | { readonly type: 'up'; readonly socket: WebSocket; readonly url: string }

export class SignalClient implements Helpers {
  private readonly parts: SignalClientParts
  private events: HelperEvents | undefined
  private phase: Phase = { type: 'idle' }
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly watchdog: ReturnType<typeof setInterval>
  private failures = 0
  private retryAtMs: number | undefined
  private lastHeardMs = 0
  private connectedAtMs = 0
  private readonly list: HelperList
  /** By site: the address of its helper. */
  private readonly urls = new Map<PeerId, string>()
  /** The site of this page's own helper; speaking through another one does not move the device (decision 12). */
  /** Connected to the helper of the own site, not to another one in its stead. */
  private isAtSite = false
  private vantage: Vantage = { address: undefined, stunUrls: [] }
  private place: { readonly site: PeerId; readonly node: string } | undefined

  constructor(parts: SignalClientParts) {
    this.parts = parts
    this.list = new HelperList(parts.homes, location.protocol === 'https:')
    this.watchdog = setInterval(() => this.watch(), watchIntervalMs)
  }

  start(events: HelperEvents): void {
    this.events = events
    this.tellNodes()
    this.open()
  }

  private open(): void {
    clearTimeout(this.timer)
    if (this.phase.type !== 'idle' || this.events === undefined) return
    this.retryAtMs = undefined
    const url = this.list.next(this.failures)
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}signal`)
    this.phase = { type: 'opening', socket, url }
    this.lastHeardMs = performance.now()
    socket.onmessage = (event: MessageEvent<unknown>) => this.received(socket, event.data)
    socket.onclose = () => this.closed(socket)
  }

  private received(socket: WebSocket, data: unknown): void {
    if (this.phase.type === 'idle' || this.phase.socket !== socket) return
    this.lastHeardMs = performance.now()
    const frame = typeof data === 'string' ? parseSignalFrame(data) : 'not-text'
    // A helper that speaks nonsense is left for another.
    if (typeof frame === 'string') return socket.close()
    this.proceed(socket, this.phase.url, frame)
  }

  private proceed(socket: WebSocket, url: string, frame: SignalFrame): void {
    switch (frame.type) {
      case 'challenge':
        return this.prove(socket, url, frame)
      case 'welcome':
        return this.welcomed(socket, url, frame)
      case 'peers':
        return this.events?.peers(url, placedOf(frame.up), frame.down)
      case 'turn': {
        const turn = { urls: frame.url, username: frame.username, credential: frame.credential }
        return this.parts.onVantage({ ...this.vantage, turn })
      }
      case 'door':
        return this.parts.onDoor({ url, name: frame.name, token: frame.token })
      case 'neighbors':
        this.learn(frame.neighbors)
        return this.tellSites(url, frame.neighbors)
      case 'signal':
        return this.events?.signal(url, frame.peer, frame.payload)
      case 'unreachable':
        return this.events?.unreachable(url, frame.peer)
      default:
        // `pong`, `refused`, and what later versions may say.
        return
    }
  }

  private prove(socket: WebSocket, url: string, frame: Extract<SignalFrame, { type: 'challenge' }>): void {
    if (this.phase.type !== 'opening') return socket.close()
    this.phase = { type: 'proving', socket, url }
    const { keys } = this.parts
    const nonce = bytesToHex(crypto.getRandomValues(new Uint8Array(32)))
    void keys.sign(proofBytes(frame.helper, frame.nonce, keys.self, nonce)).then((signature) => {
      const prove = { type: 'prove', version: signalVersion, peer: keys.self, nonce } as const
      this.send(socket, { ...prove, signature: bytesToHex(signature) })
    })
  }

  private welcomed(socket: WebSocket, url: string, frame: Extract<SignalFrame, { type: 'welcome' }>): void {
    if (this.phase.type !== 'proving') return socket.close()
    this.phase = { type: 'up', socket, url }
    this.failures = 0
    this.connectedAtMs = performance.now()
    const { hostname } = new URL(url)
    const stunUrls = frame.stunPorts.map((port) => `stun:${hostname}:${port}`)
    this.vantage = { address: frame.address, stunUrls }
    this.parts.onVantage(this.vantage)
    if (url === this.parts.homes[0]) this.place = { site: frame.site, node: frame.node }
    const { site, node } = this.place ?? frame
    this.isAtSite = site === frame.site
    if (this.parts.wantsDoor()) this.askDoor()
    this.urls.set(frame.site, url)
    this.list.note(url, frame.node)
    this.events?.up(url, site, node, frame.site)
    this.learn(frame.neighbors)
    this.tellSites(url, frame.neighbors)
  }

  /** The neighbours of another helper's site say nothing of this one's. */
  private tellSites(url: string, neighbors: readonly Neighbor[]): void {
    if (!this.isAtSite) return
    const near = neighbors.filter((one) => one.linked)
    this.events?.sites(
      url,
      near.map(({ site, cost = limits.radioCost }) => ({ site, cost })),
    )
  }

  /** Where the resident of a site can be dialled; undefined for other peers, and where this page may not dial. */
  linkUrl(resident: PeerId): string | undefined {
    const url = this.urls.get(resident)
    return url === undefined ? undefined : `${url.replace(/^http/, 'ws')}link`
  }

  private learn(neighbors: readonly Neighbor[]): void {
    const isSecure = location.protocol === 'https:'
    // A secure page may only talk to secure helpers (mixed content).
    const usable = neighbors
      .map(({ site, url, secureUrl = '' }) => ({ site, url: isSecure ? secureUrl : url }))
      .filter(({ url }) => url !== '')
    for (const { site, url } of usable) {
      // The way that this page itself speaks to a helper by is known to work.
      if (!this.urls.has(site)) this.urls.set(site, url)
    }
    for (const oldest of this.urls.keys()) {
      if (this.urls.size <= signalLimits.neighborsMax * 2) break
      this.urls.delete(oldest)
    }
    this.list.learn(neighbors)
    this.tellNodes()
  }

  private tellNodes(): void {
    const current = this.phase.type === 'up' ? this.phase.url : undefined
    const { retryAtMs } = this
    this.parts.onNodes({ known: this.list.list(), current, chosen: this.list.chosen, retryAtMs })
  }

  /** @param url of a known node; undefined: whichever answers, this page's own first */
  choose(url: string | undefined): void {
    this.list.choose(url)
    this.failures = 0
    this.tellNodes()
    const wanted = this.list.next(0)
    if (this.phase.type !== 'idle' && this.phase.url !== wanted) this.leave(this.phase.socket)
    this.open()
  }

  /** Somebody typed its address, and it answered by that name. */
  add(url: string, name: string): void {
    this.list.add(url, name)
    this.tellNodes()
  }

  askDoor(): void {
    if (this.phase.type === 'up') this.send(this.phase.socket, { type: 'ask-door' })
  }

  /** Of the node that this page speaks through. */
  get stunUrls(): readonly string[] {
    return this.vantage.stunUrls
  }

  signal(helper: string, to: PeerId, payload: string): void {
    if (this.phase.type !== 'up' || this.phase.url !== helper) return this.events?.unreachable(helper, to)
    this.send(this.phase.socket, { type: 'signal', peer: to, payload })
  }

  private send(socket: WebSocket, frame: SignalFrame): void {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame))
  }

  private closed(socket: WebSocket): void {
    if (this.phase.type === 'idle' || this.phase.socket !== socket) return
    const { type, url } = this.phase
    this.phase = { type: 'idle' }
    if (type === 'up') this.events?.down(url)
    this.failures += 1
    const ceiling = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.failures, 10))
    const delayMs = ceiling / 2 + (Math.random() * ceiling) / 2
    this.timer = setTimeout(() => this.open(), delayMs)
    this.retryAtMs = Date.now() + delayMs
    this.tellNodes()
  }

  /** A socket that says nothing is dead, whatever its state says; and home is better than elsewhere. */
  private watch(): void {
    if (this.phase.type === 'idle') return
    const { socket, url, type } = this.phase
    const nowMs = performance.now()
    if (nowMs - this.lastHeardMs > silentMs) return this.drop(socket)
    if (nowMs - this.lastHeardMs > quietMs) this.send(socket, { type: 'ping' })
    const isStray = url !== this.list.next(0) && type === 'up' && nowMs - this.connectedAtMs > homeRetryMs
    if (isStray) void this.lookHome(socket)
  }

  private drop(socket: WebSocket): void {
    socket.onmessage = null
    socket.close()
    this.closed(socket)
  }

  /** Not because it failed: the next one is asked at once. */
  private leave(socket: WebSocket): void {
    this.drop(socket)
    this.failures = 0
    clearTimeout(this.timer)
  }

  /** Only when the own helper answers again, the one that served meanwhile is left. */
  private async lookHome(socket: WebSocket): Promise<void> {
    this.connectedAtMs = performance.now()
    try {
      const { ok } = await fetch(new URL('/healthz', this.list.next(0)), {
        signal: AbortSignal.timeout(4_000),
      })
      if (!ok || this.phase.type !== 'up' || this.phase.socket !== socket) return
    } catch (error) {
      // Still not there.
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error
      return
    }
    this.leave(socket)
    this.open()
  }

  retry(): void {
    this.failures = 0
    this.open()
  }

  close(): void {
    clearTimeout(this.timer)
    clearInterval(this.watchdog)
    this.events = undefined
    if (this.phase.type === 'idle') return
    const { socket } = this.phase
    this.phase = { type: 'idle' }
    socket.close()
  }
}
