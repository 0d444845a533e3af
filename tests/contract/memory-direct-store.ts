/** Direct messages in memory, for tests without a browser: the same guarantees as in one. */
import { bytesEqual } from '../../src/mesh/bytes.ts'
import { keepLetters } from '../../src/mesh/direct/keeping.ts'
import type { Keeping, Letter } from '../../src/mesh/direct/direct-state.ts'
import type { EventId, PeerId } from '../../src/mesh/ids.ts'
import type { DirectStore, KeptPrekey, OpenedDirect } from '../../src/runtime/ports.ts'

export class MemoryDirectStore implements DirectStore {
  private readonly self: PeerId
  private readonly letters = new Map<EventId, Letter>()
  private readonly looked = new Set<EventId>()
  private prekeys: KeptPrekey[] = []

  constructor(self: PeerId) {
    this.self = self
  }

  async open(): Promise<OpenedDirect> {
    const letters = [...this.letters.values()]
    return {
      unconfirmed: letters.filter(({ state }) => state === 'written' || state === 'sealed'),
      received: letters.filter(({ state }) => state === 'received'),
      kept: letters.map(({ id }) => id),
      looked: [...this.looked],
      prekeys: [...this.prekeys].sort((a, b) => a.generation - b.generation),
    }
  }

  async keep(keeping: Keeping): Promise<void> {
    keepLetters(this.self, this.letters, keeping)
    if (keeping.looked !== undefined) this.looked.add(keeping.looked)
  }

  async addPrekey(prekey: KeptPrekey): Promise<void> {
    if (this.prekeys.some(({ generation }) => generation === prekey.generation))
      throw new Error('there is one of this generation')
    this.prekeys.push(prekey)
  }

  async notePublished(publicKey: Uint8Array): Promise<void> {
    this.prekeys = this.prekeys.map((one) =>
      bytesEqual(one.publicKey, publicKey) ? { ...one, isPublished: true } : one,
    )
  }

  async destroyPrekeys(madeBeforeMs: number): Promise<void> {
    this.prekeys = this.prekeys.filter(({ madeMs }) => madeMs >= madeBeforeMs)
  }

  close(): void {}
}
