/** Keeps a socket to each neighbour that was named, with back-off, and only where we may dial. */
import type { WebSocket } from 'ws'
import { signalLimits } from '#runtime/signal-frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import { openTo, resolveTarget } from './dial.ts'
import type { Guard } from './guards.ts'
import type { Counters } from './metrics.ts'
import type { Sockets } from './sockets.ts'

const backoffMinMs = 500
/** design: a neighbour that comes back is noticed within 10 s, so the wait stays below. */
const backoffMaxMs = 5_000
/** guess: sites that were found by others' words; whoever has been away for long is tried seldom. */
export const learnedLimits = { countMax: 16, backoffMaxMs: 60_000, lookMs: 2_000 } as const

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
  private readonly waitMaxMs: number

  constructor(url: string, context: Context, waitMaxMs: number = backoffMaxMs) {
    this.url = url
    this.context = context
    this.waitMaxMs = waitMaxMs
    this.schedule(0)
  }

  private schedule(delayMs: number): void {
    if (this.isClosed) return
    this.timer = setTimeout(() => void this.dial(), delayMs)
  }

  private async dial(): Promise<void> {
    // It dialled us, and that socket stands: nothing to do for now.
    if (this.site !== undefined && this.context.isLinked(this.site)) return this.schedule(backoffMaxMs)
    const { guard, counters } = this.context
    const target = await resolveTarget(guard, this.url, () => counters.refuse('neighbor-address'))
    if (target === undefined) return this.retry()
    const socket = openTo(this.url, 'signal', target, signalLimits.frameBytesMax)
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

  private retry(): void {
    this.socket = undefined
    const ceiling = Math.min(this.waitMaxMs, backoffMinMs * 2 ** Math.min(this.failures, 10))
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
  /** H10 */
  readonly stranded: () => readonly { readonly site: PeerId; readonly url: string }[]
}

export class Neighbors {
  private readonly list: Neighbor[]
  /** By site: those whom others named, and to whom there is no other way now. */
  private readonly learned = new Map<PeerId, Neighbor>()
  private readonly timer: NodeJS.Timeout
  private readonly context: Context

  constructor(urls: readonly string[], context: Context) {
    this.context = context
    this.list = [...new Set(urls)].map((url) => new Neighbor(url, context))
    this.timer = setInterval(() => this.look(), learnedLimits.lookMs)
  }

  /** H10: goes straight to sites whose helpers in between are gone, until there is another way again. */
  private look(): void {
    const stranded = new Map(this.context.stranded().map(({ site, url }) => [site, url]))
    for (const [site, neighbor] of this.learned) {
      if (stranded.get(site) === neighbor.url) continue
      neighbor.close()
      this.learned.delete(site)
    }
    const named = new Set(this.list.flatMap(({ url, site }) => [url, site]))
    for (const [site, url] of stranded) {
      const isKnown = named.has(url) || named.has(site) || this.learned.has(site)
      if (isKnown || this.context.isLinked(site) || this.learned.size >= learnedLimits.countMax) continue
      this.learned.set(site, new Neighbor(url, this.context, learnedLimits.backoffMaxMs))
    }
  }

  status(): NeighborStatus[] {
    return [...this.list, ...this.learned.values()].map(({ url, site }) => ({ url, site }))
  }

  close(): void {
    clearInterval(this.timer)
    for (const neighbor of [...this.list, ...this.learned.values()]) neighbor.close()
  }
}
