/** The rules of a room, where it has any: only owned rooms do, so that nobody else fetches the code for them. */
import type { PlacedEvent } from '#mesh/clock.ts'
import type { EventId, PeerId } from '#mesh/ids.ts'
import type { RoomRules } from '#mesh/timeline/rules.ts'
import type { RoomRecord } from '#mesh/effects.ts'
import type { History } from '../start.ts'
import type { Rulings } from './rulings.svelte.ts'

export class LateRulings {
  #history: History
  #record: RoomRecord
  #rulings = $state.raw<Rulings | undefined>()
  #isFetching = false

  constructor(history: History, record: RoomRecord) {
    this.#history = history
    this.#record = record
  }

  /** Looks for all that counts. @returns when it is there */
  async fetch(): Promise<void> {
    if (this.#record.owner === undefined || this.#rulings !== undefined || this.#isFetching) return
    this.#isFetching = true
    try {
      const { Rulings } = await import('./rulings.svelte.ts')
      this.#rulings = new Rulings(this.#history, this.#record)
      await this.#rulings.load()
    } catch (error) {
      // No way to the node: tried again with the next message.
      if (!(error instanceof TypeError)) throw error
    } finally {
      this.#isFetching = false
    }
  }

  /** What has just come. */
  async take(events: readonly PlacedEvent[]): Promise<void> {
    if (this.#rulings === undefined) await this.fetch()
    else await this.#rulings.take(events)
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
    return this.pins.some((event) => event.id === id)
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
