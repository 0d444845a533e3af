/**
 * Links whose making is fetched when the first one is wanted: on a slow link what is needed to type comes before
 * what is needed to connect. What was asked meanwhile is done then, in order.
 */
import type { HangUpReason, LinkId } from '#mesh/effects.ts'
import type { FrameFault, Lane } from '#mesh/frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import type { LinkEvents, Links } from '#runtime/ports.ts'
import type { Vantage } from './rtc-links.ts'

/** guess: what is older has been given up by the engine. */
const waitingMax = 256

interface VantagedLinks extends Links {
  setVantage(vantage: Vantage): void
}

export class LateLinks implements VantagedLinks {
  private readonly load: () => Promise<VantagedLinks>
  private links: VantagedLinks | undefined
  private events: LinkEvents | undefined
  private waiting: ((links: VantagedLinks) => void)[] = []
  private isLoading = false
  private isClosed = false

  /** @param load fetches and makes the real ones */
  constructor(load: () => Promise<VantagedLinks>) {
    this.load = load
  }

  private with(run: (links: VantagedLinks) => void, isNeeded: boolean): void {
    if (this.isClosed) return
    if (this.links !== undefined) return run(this.links)
    this.waiting.push(run)
    if (this.waiting.length > waitingMax) this.waiting.shift()
    if (isNeeded && !this.isLoading) void this.fetch()
  }

  private async fetch(): Promise<void> {
    this.isLoading = true
    let links: VantagedLinks
    try {
      links = await this.load()
    } catch {
      // The node could not be reached just now; the next dial tries again.
      this.isLoading = false
      return
    }
    if (this.isClosed) return links.close()
    this.links = links
    if (this.events !== undefined) links.start(this.events)
    const waiting = this.waiting
    this.waiting = []
    for (const run of waiting) run(links)
  }

  start(events: LinkEvents): void {
    // Kept apart from the queue: it must come first and never be dropped.
    this.events = events
  }

  setVantage(vantage: Vantage): void {
    this.with((links) => links.setVantage(vantage), false)
  }

  dial(peer: PeerId): void {
    this.with((links) => links.dial(peer), true)
  }

  signal(from: PeerId, payload: string): void {
    this.with((links) => links.signal(from, payload), true)
  }

  signalLost(to: PeerId): void {
    this.with((links) => links.signalLost(to), false)
  }

  /** Before the real links are there, there is no link to send on. */
  send(link: LinkId, lane: Lane, bytes: Uint8Array): boolean {
    return this.links?.send(link, lane, bytes) ?? true
  }

  hangUp(link: LinkId, reason: HangUpReason | FrameFault): void {
    this.links?.hangUp(link, reason)
  }

  close(): void {
    this.isClosed = true
    this.waiting = []
    this.links?.close()
  }
}
