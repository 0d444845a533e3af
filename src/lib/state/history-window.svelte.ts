/** The part of a room's history that is loaded: it grows where somebody reads, and lets go at its far end. */
import type { PlacedEvent } from '#mesh/clock.ts'
import type { MeshEvent } from '#mesh/effects.ts'
import type { RoomId } from '#mesh/ids.ts'
import type { HistoryQuery, Position } from '#runtime/ports.ts'
import type { History } from '../start.ts'

export const pageSize = 50
/** More than this in the list and the far end is let go; scrolling brings it back. */
const windowMax = 200

export type Change = Extract<MeshEvent, { type: 'messages' }>

/** What its room does with it. */
export interface WindowParts {
  /** What was said about these has to be there before they are shown. */
  readonly prepare: (events: readonly PlacedEvent[]) => Promise<void>
  /** Another part is loaded now. */
  readonly changed: () => void
  /** What came while the store was asked. */
  readonly show: (change: Change) => void
}

export class HistoryWindow {
  #history: Pick<History, 'history'>
  #room: RoomId
  #parts: WindowParts
  #events = $state.raw<readonly PlacedEvent[]>([])
  #isLoading = false
  #loading: Promise<unknown> = Promise.resolve()
  #arrived: Change[] = []
  hasOlder = $state(false)
  hasNewer = $state(false)
  /** Somebody reads further up: the list grows at its end only. */
  isReading = $state(false)

  constructor(history: Pick<History, 'history'>, room: RoomId, parts: WindowParts) {
    this.#history = history
    this.#room = room
    this.#parts = parts
  }

  get events(): readonly PlacedEvent[] {
    return this.#events
  }

  async loadOlder(): Promise<void> {
    const before = this.#events[0]
    if (!this.hasOlder || before === undefined || this.#isLoading) return
    await this.load(async () => {
      const older = await this.#page({ before })
      this.hasOlder = older.length === pageSize
      const all = this.#merge(older)
      this.hasNewer ||= all.length > windowMax
      this.#events = all.slice(0, windowMax)
    })
  }

  async loadNewer(): Promise<void> {
    const after = this.#events.at(-1)
    if (!this.hasNewer || after === undefined || this.#isLoading) return
    await this.load(async () => {
      const newer = await this.#page({ after })
      this.hasNewer = newer.length === pageSize
      const all = this.#merge(newer)
      this.hasOlder ||= all.length > windowMax
      this.#events = all.slice(-windowMax)
    })
  }

  /** The newest messages, instead of what is loaded; together with it while that is the end anyway. */
  async showEnd(): Promise<void> {
    const events = await this.#page({})
    this.#events = this.hasNewer ? events : this.#merge(events)
    this.hasNewer = false
    this.hasOlder = events.length === pageSize
  }

  /** What stands before a place and after it, with the message that is there. */
  async showAround(place: Position, middle: readonly PlacedEvent[] = []): Promise<void> {
    const before = await this.#page({ before: place })
    const after = await this.#page({ after: place })
    await this.#parts.prepare(middle)
    this.hasOlder = before.length === pageSize
    this.hasNewer = after.length === pageSize
    this.#events = [...before, ...middle, ...after]
  }

  /** Up to `pageSize` messages, and what was said about them. */
  async #page(where: Pick<HistoryQuery, 'before' | 'after'>): Promise<readonly PlacedEvent[]> {
    const events = await this.#history.history({ room: this.#room, limit: pageSize, ...where })
    await this.#parts.prepare(events)
    return events
  }

  /** One after the other: what comes while the store is asked is shown when it has answered. */
  async load(work: () => Promise<void>): Promise<void> {
    const before = this.#loading
    this.#isLoading = true
    const done = (async () => {
      await before
      await work()
      this.#parts.changed()
    })()
    // Whoever asked is told; the next one begins all the same.
    this.#loading = done.catch(() => undefined)
    const own = this.#loading
    try {
      await done
    } finally {
      if (own === this.#loading) {
        this.#isLoading = false
        for (const change of this.#arrived.splice(0)) this.#parts.show(change)
      }
    }
  }

  /** New and moved messages: shown now, or when the store has answered. */
  take(change: Change): void {
    if (this.#isLoading) this.#arrived.push(change)
    else this.#parts.show(change)
  }

  /** Those that fall into what is loaded. @returns whether something was let go of for them */
  put(added: readonly PlacedEvent[], moved: readonly PlacedEvent[]): boolean {
    const first = this.#events[0]
    const last = this.#events.at(-1)
    const fits = (one: PlacedEvent) =>
      (!this.hasOlder || first === undefined || compare(one, first) >= 0) &&
      (!this.hasNewer || last === undefined || compare(one, last) <= 0)
    const movedIds = new Set(moved.map((one) => one.id))
    this.#events = this.#events.filter((one) => !movedIds.has(one.id))
    const all = this.#merge([...added, ...moved].filter(fits))
    const isTooLong = all.length > windowMax
    if (this.isReading) this.hasNewer ||= isTooLong
    else this.hasOlder ||= isTooLong
    this.#events = this.isReading ? all.slice(0, windowMax) : all.slice(-windowMax)
    return isTooLong
  }

  #merge(more: readonly PlacedEvent[]): PlacedEvent[] {
    const byId = new Map([...this.#events, ...more].map((event) => [event.id, event]))
    return [...byId.values()].sort(compare)
  }
}

export function compare(a: Position, b: Position): number {
  return a.effective - b.effective || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
