/** Links whose bulk lane is packed, whatever they are made of. Both sides have to be. */
import type { HangUpReason, LinkId } from '#mesh/effects.ts'
import type { FrameFault, Lane } from '#mesh/frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import type { LinkEvents, Links } from '#runtime/ports.ts'
import { Packer } from './packer.ts'

interface Ways {
  readonly out: Packer
  readonly in: Packer
}

export class PackedLinks<Inner extends Links> implements Links {
  readonly inner: Inner
  private readonly ways = new Map<LinkId, Ways>()

  constructor(inner: Inner) {
    this.inner = inner
  }

  start(events: LinkEvents): void {
    this.inner.start({
      drained: (link) => events.drained(link),
      dialFailed: (peer) => events.dialFailed(peer),
      signal: (to, payload) => events.signal(to, payload),
      refused: (peer, reason) => events.refused(peer, reason),
      up: (link, peer, version) => {
        this.ways.set(link, { out: new Packer(), in: new Packer() })
        events.up(link, peer, version)
      },
      down: (link) => {
        this.ways.delete(link)
        events.down(link)
      },
      frame: (link, lane, bytes) => {
        const frame = lane === 'bulk' ? this.ways.get(link)?.in.unpack(bytes) : bytes
        if (typeof frame === 'string') this.hangUp(link, frame)
        else if (frame !== undefined) events.frame(link, lane, frame)
      },
    })
  }

  dial(peer: PeerId): void {
    this.inner.dial(peer)
  }

  signal(from: PeerId, payload: string): void {
    this.inner.signal(from, payload)
  }

  signalLost(to: PeerId): void {
    this.inner.signalLost(to)
  }

  send(link: LinkId, lane: Lane, bytes: Uint8Array): boolean {
    const ways = lane === 'bulk' ? this.ways.get(link) : undefined
    return this.inner.send(link, lane, ways === undefined ? bytes : ways.out.pack(bytes))
  }

  hangUp(link: LinkId, reason: HangUpReason | FrameFault): void {
    this.ways.delete(link)
    this.inner.hangUp(link, reason)
  }

  close(): void {
    this.ways.clear()
    this.inner.close()
  }
}
