/** What was said about the messages in sight: edits, deletions, reactions, and the messages that they answer. */
import type { PlacedEvent } from '#mesh/clock.ts'
import type { EventId } from '#mesh/ids.ts'
import { readBody, targetOf } from '#mesh/timeline/body.ts'
import { fold, type Folded } from '#mesh/timeline/fold.ts'
import type { RoomRules } from '#mesh/timeline/rules.ts'
import type { History } from '../start.ts'

interface Known {
  readonly about: readonly PlacedEvent[]
  readonly rules: RoomRules | undefined
  readonly folded: Folded
}

export class Abouts {
  #history: History
  #byTarget = $state.raw<ReadonlyMap<EventId, readonly PlacedEvent[]>>(new Map())
  /** Messages that are answered and not in sight; undefined: looked for, and not held. */
  #answered = $state.raw<ReadonlyMap<EventId, PlacedEvent | undefined>>(new Map())
  #folded = new WeakMap<PlacedEvent, Known>()

  constructor(history: History) {
    this.#history = history
  }

  /** Looks for everything about these messages, and for what they answer. */
  async load(messages: readonly PlacedEvent[]): Promise<void> {
    const ids = messages.map(({ id }) => id)
    const answered = messages.flatMap((event) => replyTargetOf(event) ?? [])
    const [about, found] = await Promise.all([
      this.#history.about([...ids, ...answered]),
      this.#history.find(answered.filter((id) => !ids.includes(id))),
    ])
    this.#put(about)
    this.#answered = new Map([
      ...this.#answered,
      ...answered.map((id) => [id, found.find((event) => event.id === id)] as const),
    ])
  }

  /** What has just come, whatever it is about. @param isWanted whether a message is in sight */
  take(events: readonly PlacedEvent[], isWanted: (id: EventId) => boolean): void {
    this.#put(
      events.filter((event) => {
        const target = targetOf(event)
        return target !== undefined && (isWanted(target) || this.#answered.has(target))
      }),
    )
    const awaited = events.filter(({ id }) => this.#answered.has(id))
    if (awaited.length > 0)
      this.#answered = new Map([...this.#answered, ...awaited.map((event) => [event.id, event] as const)])
  }

  #put(about: readonly PlacedEvent[]): void {
    if (about.length === 0) return
    const all = new Map(this.#byTarget)
    for (const event of about) {
      const target = targetOf(event)
      if (target === undefined) continue
      const others = (all.get(target) ?? []).filter(({ id }) => id !== event.id)
      all.set(target, [...others, event])
    }
    this.#byTarget = all
  }

  /** Lets go of what is about messages that are out of sight. */
  keepOnly(messages: readonly PlacedEvent[]): void {
    const wanted = new Set(messages.flatMap((event) => [event.id, replyTargetOf(event) ?? event.id]))
    this.#byTarget = new Map([...this.#byTarget].filter(([id]) => wanted.has(id)))
    this.#answered = new Map([...this.#answered].filter(([id]) => wanted.has(id)))
  }

  fold(event: PlacedEvent, rules: RoomRules | undefined): Folded {
    const about = this.#byTarget.get(event.id) ?? nothing
    const known = this.#folded.get(event)
    if (known?.about === about && known.rules === rules) return known.folded
    const folded = fold(event, about, rules)
    this.#folded.set(event, { about, rules, folded })
    return folded
  }

  /** @returns a message that is answered by one in sight, if it is held. */
  answered(id: EventId): PlacedEvent | undefined {
    return this.#answered.get(id)
  }
}

const nothing: readonly PlacedEvent[] = []

/** @returns the message that an event answers */
export function replyTargetOf(event: PlacedEvent): EventId | undefined {
  const body = readBody(event)
  return body?.type === 'message' || body?.type === 'file' ? body.replyTo : undefined
}
