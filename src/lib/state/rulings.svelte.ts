/** What its owner and its moderators have said about an owned room: its rules, and what is pinned. Rules M7–M9. */
import type { PlacedEvent } from '#mesh/clock.ts'
import { feedAuthor, type EventId, type PeerId } from '#mesh/ids.ts'
import { isRuling, readBody } from '#mesh/timeline/body.ts'
import { ownerBy, pinned, rulesOf, type RoomRules } from '#mesh/timeline/rules.ts'
import type { RoomRecord } from '#mesh/effects.ts'
import type { History } from '../start.ts'

/** guess: of these the latest that are still there are shown. */
const pinsMax = 32

export class Rulings {
  #history: History
  #record: RoomRecord
  #heard = new Map<EventId, PlacedEvent>()
  /** Whose word has been looked for. */
  #asked = new Set<PeerId>()
  /** Messages that are pinned, held or not. */
  #wanted = new Set<EventId>()
  /** Undefined until the room's creation is held. */
  rules = $state.raw<RoomRules | undefined>()
  /** The latest first. */
  pins = $state.raw<readonly PlacedEvent[]>([])
  creation = $state.raw<EventId | undefined>()

  constructor(history: History, record: RoomRecord) {
    this.#history = history
    this.#record = record
  }

  /** Looks for all that counts, from the owner on. */
  async load(): Promise<void> {
    const { owner } = this.#record
    if (owner !== undefined) await this.#ask(owner)
  }

  async #ask(author: PeerId): Promise<void> {
    this.#asked.add(author)
    const said = await this.#history.rulings(this.#record.room, author)
    await this.#hear(said)
  }

  /** What has just come. What others say counts for nothing (M8). */
  async take(events: readonly PlacedEvent[]): Promise<void> {
    const said = events.filter((event) => isRuling(event) && this.#asked.has(feedAuthor(event.feed)))
    if (said.length > 0) await this.#hear(said)
    else if (events.some(({ id }) => this.#wanted.has(id))) await this.#findPins()
  }

  async #hear(said: readonly PlacedEvent[]): Promise<void> {
    for (const event of said) this.#heard.set(event.id, event)
    const all = [...this.#heard.values()]
    const creation = all.find((event) => ownerBy(event) === this.#record.owner)
    if (creation === undefined) return
    this.creation = creation.id
    this.rules = rulesOf(creation, all)
    // Whoever moderated once may have said something that still counts.
    for (const event of all) {
      const body = readBody(event)
      const isOwners = feedAuthor(event.feed) === this.#record.owner
      if (body?.type === 'appoint' && isOwners && !this.#asked.has(body.peer)) await this.#ask(body.peer)
    }
    await this.#findPins()
  }

  async #findPins(): Promise<void> {
    const { rules } = this
    if (rules === undefined) return
    const ids = pinned(rules, this.#record.room, [...this.#heard.values()]).slice(0, pinsMax)
    this.#wanted = new Set(ids)
    if (ids.join() === this.pins.map(({ id }) => id).join()) return
    const found = await this.#history.find(ids)
    this.pins = ids.flatMap((id) => found.find((event) => event.id === id) ?? [])
  }

  isPinned(id: EventId): boolean {
    return this.#wanted.has(id)
  }
}
