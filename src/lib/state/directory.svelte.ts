/** Channels that people in reach are in and this device is not, and what they are called. Rule M11 in PROTOCOL.md. */
import { directRoom } from '#mesh/direct/sealed-body.ts'
import type { RoomCard } from '#mesh/effects.ts'
import type { RoomId } from '#mesh/ids.ts'
import type { MeshState } from './mesh.svelte.ts'

/** guess: as many as anybody looks through. */
const shownMax = 64
/** guess: somebody who did not answer is given so long before another one is asked. */
const againMs = 10_000
/** guess: a second; somebody may claim to be in any number of channels. */
const askedAtOnceMax = 2

export interface Found {
  readonly room: RoomId
  readonly people: number
  /** Undefined until somebody has said what it is called. */
  readonly card: RoomCard | undefined
}

/** For who opens it again. */
let lastCards: ReadonlyMap<RoomId, RoomCard> = new Map()

export class Directory {
  #mesh: MeshState
  #cards = $state.raw(lastCards)
  #askedMs = new Map<RoomId, number>()
  /** Whoever opened it closes it. */
  readonly close: () => void

  constructor(mesh: MeshState) {
    this.#mesh = mesh
    this.close = mesh.source.subscribe((event) => {
      if (event.type === 'room-card') this.#take(event.card)
    })
  }

  #take(card: RoomCard): void {
    this.#cards = lastCards = new Map([...this.#cards, [card.room, card] as const].slice(-2 * shownMax))
  }

  /** The ones with most people first. */
  get found(): readonly Found[] {
    const counts = new Map<RoomId, number>()
    for (const person of this.#mesh.people) {
      if (person.box || person.status === 'left') continue
      for (const room of person.rooms) counts.set(room, (counts.get(room) ?? 0) + 1)
    }
    for (const { record } of this.#mesh.rooms) counts.delete(record.room)
    counts.delete(directRoom)
    return [...counts]
      .map(([room, people]) => ({ room, people, card: this.#cards.get(room) }))
      .sort((a, b) => b.people - a.people || (a.room < b.room ? -1 : 1))
      .slice(0, shownMax)
  }

  /** Asks for names that nobody has said yet. */
  ask(nowMs: number): void {
    let asked = 0
    for (const { room, card } of this.found) {
      if (asked >= askedAtOnceMax) break
      const isDue = nowMs - (this.#askedMs.get(room) ?? Number.NEGATIVE_INFINITY) >= againMs
      if (card !== undefined || !isDue) continue
      asked += 1
      // Asked last, to be asked again last.
      this.#askedMs.delete(room)
      this.#askedMs.set(room, nowMs)
      this.#mesh.command({ type: 'ask-room', room })
    }
    for (const room of this.#askedMs.keys()) {
      if (this.#askedMs.size <= 2 * shownMax) break
      this.#askedMs.delete(room)
    }
  }
}
