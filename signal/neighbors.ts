/** Keeps a socket to each neighbour that was named, with back-off, and only where we may dial. */
import { lookup } from 'node:dns/promises'
import { WebSocket } from 'ws'
import { signalLimits } from '#runtime/signal-frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import { allowsTarget, type Guard } from './guards.ts'
import type { Counters } from './metrics.ts'
import type { Sockets } from './sockets.ts'

const backoffMinMs = 500
/** design: a neighbour that comes back is noticed within 10 s, so the wait stays below. */
const backoffMaxMs = 5_000
const handshakeTimeoutMs = 4_000

export interface NeighborStatus {
  readonly url: string
  /** Known once it has answered. */
  readonly site: PeerId | undefined
}

class Neighbor {
  site: PeerId | undefined
  private failures = 0
  private timer: NodeJS.Timeout | undefined
  private socket: WebSocket | undefined
  private isClosed = false
  readonly url: string
  private readonly context: Context

  constructor(url: string, context: Context) {
    this.url = url
    this.context = context
    this.schedule(0)
  }

  private schedule(delayMs: number): void {
    if (this.isClosed) return
    this.timer = setTimeout(() => void this.dial(), delayMs)
  }

  private async dial(): Promise<void> {
    // It dialled us, and that socket stands: nothing to do for now.
    if (this.site !== undefined && this.context.isLinked(this.site)) return this.schedule(backoffMaxMs)
    const target = await this.resolve()
    if (target === undefined) return this.retry()
    const { hostname, port, protocol, pathname } = new URL(this.url)
    const scheme = protocol === 'https:' ? 'wss:' : 'ws:'
    // The address that was checked is the one that is dialled: a name cannot flip in between.
    const socket = new WebSocket(`${scheme}//${hostname}${port === '' ? '' : `:${port}`}${pathname}signal`, {
      handshakeTimeout: handshakeTimeoutMs,
      maxPayload: signalLimits.frameBytesMax,
      perMessageDeflate: false,
      followRedirects: false,
      lookup: (_name, options, callback) => {
        const family = target.includes(':') ? 6 : 4
        if (options.all === true) callback(null, [{ address: target, family }])
        else callback(null, target, family)
      },
    })
    this.socket = socket
    socket.on('error', () => this.context.counters.refuse('neighbor-error'))
    socket.on('close', () => this.retry())
    socket.on('open', () => {
      const session = this.context.sockets.dial(socket, target)
      socket.on('message', () => {
        const site = session.site()
        if (site === undefined) return
        this.site = site
        this.failures = 0
      })
    })
  }

  private async resolve(): Promise<string | undefined> {
    const host = new URL(this.url).hostname.replace(/^\[|\]$/g, '')
    try {
      const { address } = await lookup(host)
      if (allowsTarget(this.context.guard, address, this.url)) return address
      this.context.counters.refuse('neighbor-address')
      return undefined
    } catch {
      // The name does not resolve now; it may later.
      return undefined
    }
  }

  private retry(): void {
    this.socket = undefined
    const ceiling = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.failures, 10))
    this.failures += 1
    this.schedule(ceiling / 2 + (Math.random() * ceiling) / 2)
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.timer)
    this.socket?.terminate()
  }
}

interface Context {
  readonly sockets: Sockets
  readonly guard: Guard
  readonly counters: Counters
  readonly isLinked: (site: PeerId) => boolean
}

export class Neighbors {
  private readonly list: Neighbor[]

  constructor(urls: readonly string[], context: Context) {
    this.list = [...new Set(urls)].map((url) => new Neighbor(url, context))
  }

  status(): NeighborStatus[] {
    return this.list.map(({ url, site }) => ({ url, site }))
  }

  close(): void {
    for (const neighbor of this.list) neighbor.close()
  }
}
