/** Links between engines of one process: each a pair of queues that run in later turns, never inside a call. */
import { linkVersion } from '../link-handshake.ts'
import type { HangUpReason, LinkId } from '#mesh/effects.ts'
import type { FrameFault, Lane } from '#mesh/frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import type { LinkEvents, Links } from '#runtime/ports.ts'

/** guess: as shallow as the real ones. */
const bulkBytesMax = 65_536

interface End {
  readonly links: MemoryLinks
  readonly link: LinkId
  other: End | undefined
  bulkBytes: number
  isCongested: boolean
}

/** Where the peers of one process find each other. */
export class MemoryHub {
  readonly linksByPeer = new Map<PeerId, MemoryLinks>()
}

export class MemoryLinks implements Links {
  events: LinkEvents | undefined
  private readonly ends = new Map<LinkId, End>()
  private lastLink = 0
  readonly self: PeerId
  private readonly hub: MemoryHub

  constructor(hub: MemoryHub, self: PeerId) {
    this.hub = hub
    this.self = self
    hub.linksByPeer.set(self, this)
  }

  start(events: LinkEvents): void {
    this.events = events
  }

  dial(peer: PeerId): void {
    queueMicrotask(() => {
      const other = this.hub.linksByPeer.get(peer)
      if (other?.events === undefined || other === this) return this.events?.dialFailed(peer)
      const here = this.end()
      const there = other.end()
      here.other = there
      there.other = here
      this.events?.up(here.link, peer, linkVersion)
      other.events.up(there.link, this.self, linkVersion)
    })
  }

  private end(): End {
    const end: End = {
      links: this,
      link: ++this.lastLink,
      other: undefined,
      bulkBytes: 0,
      isCongested: false,
    }
    this.ends.set(end.link, end)
    return end
  }

  /** Nothing has to be negotiated. */
  signal(): void {}
  signalLost(): void {}

  send(link: LinkId, lane: Lane, bytes: Uint8Array): boolean {
    const end = this.ends.get(link)
    if (end === undefined) return true
    const copy = bytes.slice()
    if (lane === 'bulk') end.bulkBytes += copy.length
    const deliver = () => this.deliver(end, lane, copy)
    // Bulk yields: it goes a whole turn later than the others.
    if (lane === 'bulk') setTimeout(deliver, 0)
    else queueMicrotask(deliver)
    if (lane !== 'bulk') return true
    end.isCongested ||= end.bulkBytes > bulkBytesMax
    return !end.isCongested
  }

  private deliver(end: End, lane: Lane, bytes: Uint8Array): void {
    const { other } = end
    if (other !== undefined && other.links.ends.has(other.link))
      other.links.events?.frame(other.link, lane, bytes)
    if (lane !== 'bulk') return
    end.bulkBytes -= bytes.length
    if (!end.isCongested || end.bulkBytes > bulkBytesMax / 2 || !this.ends.has(end.link)) return
    end.isCongested = false
    this.events?.drained(end.link)
  }

  hangUp(link: LinkId, reason: HangUpReason | FrameFault): void {
    const end = this.ends.get(link)
    if (end === undefined) return
    this.events?.refused(end.other?.links.self, reason)
    this.cut(end)
  }

  private cut(end: End): void {
    this.ends.delete(end.link)
    const { other } = end
    queueMicrotask(() => {
      if (other !== undefined && other.links.ends.delete(other.link)) other.links.events?.down(other.link)
    })
  }

  close(): void {
    this.events = undefined
    this.hub.linksByPeer.delete(this.self)
    for (const end of [...this.ends.values()]) this.cut(end)
  }
}
