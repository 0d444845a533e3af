/** Links of two makes as one: which make a peer is dialled by is decided by who it is. */
import type { HangUpReason, LinkId } from '#mesh/effects.ts'
import type { FrameFault, Lane } from '#mesh/frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import type { LinkEvents, Links } from '#runtime/ports.ts'

/** A resident cannot dial a browser, which has no address; it asks it by a signal to dial instead. */
export const comeHere = '{"come":1}'

/** guess: a browser is asked by one resident, when it is the gateway of a site that has none. */
const comeIntervalMs = 5_000

export class JoinedLinks<First extends Links, Second extends Links> implements Links {
  protected readonly first: First
  private readonly second: Second
  private readonly isSecond: (peer: PeerId) => boolean
  /** Links of the second make. */
  private readonly linked = new Map<LinkId, PeerId>()
  /** When somebody last asked to be dialled, ms. */
  private askedMs = Number.NEGATIVE_INFINITY

  /** @param isSecond whether this peer is dialled by the second make */
  constructor(first: First, second: Second, isSecond: (peer: PeerId) => boolean) {
    this.first = first
    this.second = second
    this.isSecond = isSecond
  }

  start(events: LinkEvents): void {
    this.first.start(numbered(events, 0))
    const second = numbered(events, 1)
    this.second.start({
      ...second,
      up: (link, peer, version) => {
        this.linked.set(link, peer)
        second.up(link, peer, version)
      },
      down: (link) => {
        this.linked.delete(link)
        second.down(link)
      },
    })
  }

  dial(peer: PeerId): void {
    if (this.isSecond(peer)) this.second.dial(peer)
    else this.first.dial(peer)
  }

  signal(from: PeerId, payload: string): void {
    if (payload !== comeHere) this.first.signal(from, payload)
    else if (this.isSecond(from)) this.come(from)
  }

  /** Anybody can say that a resident asks: one that is linked does not, and not many do at once. */
  private come(from: PeerId): void {
    const nowMs = performance.now()
    if ([...this.linked.values()].includes(from) || nowMs - this.askedMs < comeIntervalMs) return
    this.askedMs = nowMs
    this.second.dial(from)
  }

  signalLost(to: PeerId): void {
    this.first.signalLost(to)
    this.second.signalLost(to)
  }

  private of(link: LinkId): Links {
    return link % 2 === 0 ? this.first : this.second
  }

  send(link: LinkId, lane: Lane, bytes: Uint8Array): boolean {
    return this.of(link).send(Math.floor(link / 2), lane, bytes)
  }

  hangUp(link: LinkId, reason: HangUpReason | FrameFault): void {
    if (link % 2 === 1) this.linked.delete(Math.floor(link / 2))
    this.of(link).hangUp(Math.floor(link / 2), reason)
  }

  close(): void {
    this.first.close()
    this.second.close()
  }
}

/** Link ids of two makes would meet; here they are even and odd. */
function numbered(events: LinkEvents, rest: 0 | 1): LinkEvents {
  const outer = (link: LinkId) => 2 * link + rest
  return {
    ...events,
    up: (link, peer, version) => events.up(outer(link), peer, version),
    down: (link) => events.down(outer(link)),
    frame: (link, lane, bytes) => events.frame(outer(link), lane, bytes),
    drained: (link) => events.drained(outer(link)),
  }
}
