/** Keeps a socket to each neighbour that was named, with back-off, and only where we may dial. */
import type { WebSocket } from 'ws'
import { signalLimits } from '#runtime/signal-frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import { openTo, resolveTarget } from './dial.ts'
import type { Guard } from '../guards.ts'
import type { Counters } from '../metrics.ts'
import type { Sockets } from '../sockets.ts'

const backoffMinMs = 500
/** design: a neighbour that comes back is noticed within 10 s, so the wait stays below. */
const backoffMaxMs = 5_000
/** guess: sites that were found by others' words; whoever has been away for long is tried seldom. */
export const learnedLimits = {
  countMax: 16,
  backoffMaxMs: 60_000,
  lookMs: 2_000,
  /** guess: helpers that were found on the LAN or in a node's list. */
  foundMax: 32,
} as const

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

  constructor(url: string, context: Context, waitMaxMs: number = backoffMaxMs, site?: PeerId) {
    this.url = url
    this.site = site
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
    if (this.isClosed) return
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
  /** By address: those that were found, and what the way to them costs where that is known. */
  private readonly found = new Map<string, { readonly neighbor: Neighbor; cost: number | undefined }>()
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
    const found = [...this.found.values()].map(({ neighbor }) => neighbor)
    const named = new Set([...this.list, ...found].flatMap(({ url, site }) => [url, site]))
    for (const [site, url] of stranded) {
      const isKnown = named.has(url) || named.has(site) || this.learned.has(site)
      if (isKnown || this.context.isLinked(site) || this.learned.size >= learnedLimits.countMax) continue
      this.learned.set(site, new Neighbor(url, this.context, learnedLimits.backoffMaxMs))
    }
  }

  /** Somebody or something says that there is a helper; who it is, its proof will tell. */
  offer(
    url: string,
    known: { readonly site?: PeerId | undefined; readonly cost?: number | undefined } = {},
  ): void {
    const before = this.found.get(url)
    if (before !== undefined) before.cost = known.cost
    const isNamed = this.list.some(
      (one) => one.url === url || (known.site !== undefined && one.site === known.site),
    )
    if (before !== undefined || isNamed || this.found.size >= learnedLimits.foundMax) return
    const neighbor = new Neighbor(url, this.context, learnedLimits.backoffMaxMs, known.site)
    this.found.set(url, { neighbor, cost: known.cost })
  }

  /** It is not named any more. */
  withdraw(url: string): void {
    this.found.get(url)?.neighbor.close()
    this.found.delete(url)
  }

  /** @returns what the node's own list says that the way to a site costs */
  costOf(site: PeerId): number | undefined {
    for (const { neighbor, cost } of this.found.values()) if (neighbor.site === site) return cost
    return undefined
  }

  private all(): Neighbor[] {
    const found = [...this.found.values()].map(({ neighbor }) => neighbor)
    return [...this.list, ...this.learned.values(), ...found]
  }

  /** Of those that were found, only who has answered; a site that was found under two addresses is one. */
  status(): NeighborStatus[] {
    const seen = new Set<PeerId>()
    return this.all().flatMap((one) => {
      const { url, site } = one
      const isFound = this.found.get(url)?.neighbor === one
      if (isFound && (site === undefined || seen.has(site))) return []
      if (site !== undefined) seen.add(site)
      return [{ url, site }]
    })
  }

  close(): void {
    clearInterval(this.timer)
    for (const neighbor of this.all()) neighbor.close()
  }
}
