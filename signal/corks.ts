/** What is said to one socket within one turn of the event loop leaves in one write: a write is what a signal costs most. */
import type { Duplex } from 'node:stream'

export class Corks {
  private readonly corked = new Set<Duplex>()

  /** What is written to it from now on waits until this turn is over. */
  hold(socket: Duplex): void {
    if (this.corked.has(socket)) return
    if (this.corked.size === 0) setImmediate(() => this.release())
    this.corked.add(socket)
    socket.cork()
  }

  private release(): void {
    for (const socket of this.corked) socket.uncork()
    this.corked.clear()
  }
}
