/**
 * Links of a resident: it dials other residents, and is dialled by browsers. A browser that it wants is asked to dial.
 */
import type { HangUpReason, LinkId } from '#mesh/effects.ts'
import type { FrameFault, Lane } from '#mesh/frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import type { LinkEvents, Links } from '#runtime/ports.ts'
import { comeHere } from '../joined-links.ts'

export class ResidentLinks implements Links {
  private events: LinkEvents | undefined
  private readonly called = new Map<PeerId, ReturnType<typeof setTimeout>>()
  private readonly links: Links
  private readonly hasAddress: (peer: PeerId) => boolean

  /** @param hasAddress whether the peer is a resident that can be dialled */
  constructor(links: Links, hasAddress: (peer: PeerId) => boolean) {
    this.links = links
    this.hasAddress = hasAddress
  }

  start(events: LinkEvents): void {
    this.events = events
    this.links.start({
      ...events,
      up: (link, peer, version) => {
        this.answered(peer)
        events.up(link, peer, version)
      },
    })
  }

  dial(peer: PeerId): void {
    if (this.hasAddress(peer)) return this.links.dial(peer)
    this.answered(peer)
    this.called.set(
      peer,
      setTimeout(() => this.failed(peer), limits.dialTimeoutMs),
    )
    this.events?.signal(peer, comeHere)
  }

  private answered(peer: PeerId): boolean {
    clearTimeout(this.called.get(peer))
    return this.called.delete(peer)
  }

  private failed(peer: PeerId): void {
    if (this.answered(peer)) this.events?.dialFailed(peer)
  }

  /** What browsers say to make a connection of their own kind is nothing to a resident. */
  signal(): void {}

  signalLost(to: PeerId): void {
    this.failed(to)
  }

  send(link: LinkId, lane: Lane, bytes: Uint8Array): boolean {
    return this.links.send(link, lane, bytes)
  }

  hangUp(link: LinkId, reason: HangUpReason | FrameFault): void {
    this.links.hangUp(link, reason)
  }

  close(): void {
    this.events = undefined
    for (const timer of this.called.values()) clearTimeout(timer)
    this.called.clear()
    this.links.close()
  }
}
