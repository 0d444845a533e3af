/** The helper as its own resident sees it: no socket between them, the same frames. */
import { limits } from '#mesh/limits.ts'
import type { PeerId } from '#mesh/ids.ts'
import type { HelperEvents, Helpers } from '#runtime/ports.ts'
import { placedOf, type Neighbor, type SignalFrame } from '#runtime/signal-frame.ts'
import type { Self } from '../session.ts'
import type { LocalPeer, Sockets } from '../sockets.ts'

export class ResidentHelpers implements Helpers {
  private events: HelperEvents | undefined
  private place: LocalPeer | undefined
  private readonly self: Self
  private readonly sockets: Sockets

  constructor(self: Self, sockets: Sockets) {
    this.self = self
    this.sockets = sockets
  }

  start(events: HelperEvents): void {
    const { key, name } = this.self
    this.events = events
    events.up(name, key.peer, name, key.peer)
    this.place = this.sockets.attach(key.peer, (frame) => this.received(frame))
  }

  private received(frame: SignalFrame): void {
    const { name } = this.self
    switch (frame.type) {
      case 'peers':
        return this.events?.peers(name, placedOf(frame.up), frame.down)
      case 'neighbors':
        return this.tellSites(frame.neighbors)
      case 'signal':
        return this.events?.signal(name, frame.peer, frame.payload)
      case 'unreachable':
        return this.events?.unreachable(name, frame.peer)
      default:
    }
  }

  private tellSites(neighbors: readonly Neighbor[]): void {
    const near = neighbors.filter((one) => one.linked)
    this.events?.sites(
      this.self.name,
      near.map(({ site, cost = limits.radioCost }) => ({ site, cost })),
    )
  }

  signal(_helper: string, to: PeerId, payload: string): void {
    this.place?.send({ type: 'signal', peer: to, payload })
  }

  /** It is always there. */
  retry(): void {}

  close(): void {
    this.events = undefined
    this.place?.detach()
    this.place = undefined
  }
}
