/** The rules of a room, where it has any: only owned rooms do, so that nobody else fetches the code for them. */
import type { PlacedEvent } from '#mesh/clock.ts'
import type { EventId, PeerId } from '#mesh/ids.ts'
import type { RoomRules } from '#mesh/timeline/rules.ts'
import type { RoomRecord } from '#mesh/effects.ts'
import type { History } from '../start.ts'
import type { Rulings } from './rulings.svelte.ts'

/** guess */
const patienceMs = 3_000

export class LateRulings {
  #history: History
  #record: RoomRecord
  #rulings = $state.raw<Rulings | undefined>()
  #fetching: Promise<void> | undefined

  constructor(history: History, record: RoomRecord) {
    this.#history = history
    this.#record = record
  }

  /** Looks for all that counts. @returns when it is there, or cannot be had */
  async fetch(): Promise<void> {
    if (this.#record.owner === undefined) return
    this.#fetching ??= this.#load()
    try {
      await this.#fetching
    } catch (error) {
      // No way to the node: tried again with the next message.
      if (!(error instanceof TypeError)) throw error
      this.#fetching = undefined
    }
  }

  async #load(): Promise<void> {
    const { Rulings } = await import('./rulings.svelte.ts')
    this.#rulings = new Rulings(this.#history, this.#record)
    await this.#rulings.load()
  }

  /** How long a channel waits to be opened for its rules. */
  async patience(): Promise<void> {
    if (this.#record.owner !== undefined) await new Promise((resolve) => setTimeout(resolve, patienceMs))
  }

  /** What has just come. */
  async take(events: readonly PlacedEvent[]): Promise<void> {
    await this.fetch()
    await this.#rulings?.take(events)
  }

  get rules(): RoomRules | undefined {
    return this.#rulings?.rules
  }

  get creation(): EventId | undefined {
    return this.#rulings?.creation
  }

  /** Pinned messages, the latest first. */
  get pins(): readonly PlacedEvent[] {
    return this.#rulings?.pins ?? []
  }

  isPinned(id: EventId): boolean {
    return this.#rulings?.isPinned(id) === true
  }

  get isClosed(): boolean {
    return this.rules?.closedAt !== undefined
  }

  /** @returns whether this person may pin, remove and close. */
  mayModerate(self: PeerId | undefined): boolean {
    if (self === undefined) return false
    return self === this.#record.owner || this.rules?.moderators.has(self) === true
  }
}
