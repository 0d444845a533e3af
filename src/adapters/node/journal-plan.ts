/** What a write will do to a journal, decided before anything is changed, and the rows that say so. */
import { parentsOf, placeEvents, type PlaceAnswer, type Placement, type PlaceQuery } from '#mesh/clock.ts'
import type { NewEvent, StoreWrite } from '#mesh/effects.ts'
import { isLoose, type EventId, type FeedId } from '#mesh/ids.ts'
import type { Slot } from './event-index.ts'
import type { JournalRow } from './journal-rows.ts'
import type { JournalState } from './journal-state.ts'

export interface Plan {
  readonly placement: Placement
  /** Held events that go to another feed, and where they go. */
  readonly placeOf: ReadonlyMap<Slot, number>
  /** Those of them that no split row moves. */
  readonly rekeyed: ReadonlySet<Slot>
  readonly gone: ReadonlySet<Slot>
  /** Held events whose signature has come. */
  readonly signatures: ReadonlyMap<Slot, Uint8Array>
  /** New events, by `place/seq`. */
  readonly taken: ReadonlyMap<string, EventId>
}

/** @returns undefined for another event under a number that is taken @param storedAtMs a whole number */
export function planWrite(state: JournalState, write: StoreWrite, storedAtMs: number): Plan | undefined {
  const planner = new Planner(state)
  for (const split of write.splits) planner.split(split)
  for (const { room, feed, below } of write.cuts) planner.cut(state.placeNumber(room, feed), below)
  for (const event of write.events) if (!planner.add(event)) return undefined
  return planner.finish(storedAtMs)
}

class Planner {
  private readonly placeOf = new Map<Slot, number>()
  /** What is to stand under a number that nothing stood under. */
  private readonly arrived = new Map<string, Slot>()
  private readonly rekeyed = new Set<Slot>()
  private readonly gone = new Set<Slot>()
  private readonly signatures = new Map<Slot, Uint8Array>()
  private readonly taken = new Map<string, EventId>()
  private readonly fresh = new Map<EventId, NewEvent>()
  private readonly state: JournalState

  constructor(state: JournalState) {
    this.state = state
  }

  private move(slot: Slot, place: number): void {
    const { index } = this.state
    const seq = index.seqOf(slot)
    this.arrived.delete(`${this.placeOf.get(slot) ?? index.placeOf(slot)}/${seq}`)
    this.arrived.set(`${place}/${seq}`, slot)
    this.placeOf.set(slot, place)
  }

  split({ room, from, first, last, to }: StoreWrite['splits'][number]): void {
    const { state } = this
    const [source, target] = [state.placeNumber(room, from), state.placeNumber(room, to)]
    const held = new Set([...state.slotsIn(source, first, last), ...this.placeOf.keys()])
    for (const slot of held) {
      const seq = state.index.seqOf(slot)
      if (first <= seq && seq <= last && this.standing(source, seq) === slot) this.move(slot, target)
    }
  }

  cut(place: number, below: number): void {
    for (const slot of [...this.state.slotsIn(place, 0, below - 1), ...this.placeOf.keys()]) {
      const seq = this.state.index.seqOf(slot)
      if (seq < below && this.standing(place, seq) === slot) this.gone.add(slot)
    }
  }

  /** Who stands there once what was planned so far has happened. */
  private standing(place: number, seq: number): Slot | undefined {
    const arrived = this.arrived.get(`${place}/${seq}`)
    const slot = arrived ?? this.state.index.at(place, seq)
    if (slot === undefined || this.gone.has(slot)) return undefined
    return arrived === undefined && this.placeOf.has(slot) ? undefined : slot
  }

  /** @returns false for another event under a number that is taken */
  add(event: NewEvent): boolean {
    const { index } = this.state
    const place = this.state.placeNumber(event.room, event.feed)
    const found = index.find(event.id)
    const slot = found === undefined || this.gone.has(found) ? undefined : found
    if (event.isHeld !== true) {
      const key = `${place}/${event.seq}`
      const there = this.standing(place, event.seq)
      const occupant = there === undefined ? this.taken.get(key) : index.idOf(there)
      if (occupant !== undefined && occupant !== event.id) return false
      // What has its place keeps it.
      if (slot !== undefined && isLoose(event.feed) && !isLoose(this.feedOf(slot))) return true
      if (slot === undefined) {
        this.fresh.set(event.id, event)
        this.taken.set(key, event.id)
      } else if (occupant === undefined) {
        this.move(slot, place)
        this.rekeyed.add(slot)
      }
    }
    if (slot === undefined || event.signature === undefined || index.isSigned(slot)) return true
    this.signatures.set(slot, event.signature)
    return true
  }

  private feedOf(slot: Slot): FeedId {
    return this.state.placeOf(this.placeOf.get(slot) ?? this.state.index.placeOf(slot)).feed
  }

  finish(storedAtMs: number): Plan {
    const { placeOf, rekeyed, gone, signatures, taken } = this
    return { placement: this.place(storedAtMs), placeOf, rekeyed, gone, signatures, taken }
  }

  private place(storedAtMs: number): Placement {
    const steps = placeEvents([...this.fresh.values()], storedAtMs)
    let step = steps.next()
    while (step.done !== true) step = steps.next(this.answer(step.value))
    return step.value
  }

  private answer(query: PlaceQuery): PlaceAnswer {
    const { index } = this.state
    if (query.type === 'children') {
      return this.read(index.linkedTo(query.id)).filter((event) => parentsOf(event).includes(query.id))
    }
    const slot = index.find(query.id)
    return slot === undefined ? [] : this.read([slot])
  }

  private read(slots: readonly Slot[]): PlaceAnswer {
    return slots
      .filter((slot) => !this.gone.has(slot))
      .map((slot) => ({ ...this.state.eventAt(slot), feed: this.feedOf(slot) }))
  }
}

/** Gives places their numbers in the segment that is written to. */
export function* rowsFor(state: JournalState, write: StoreWrite, plan: Plan): Generator<JournalRow> {
  const { index } = state
  for (const { room, from, first, last, to } of write.splits) {
    const [source, target] = [state.placeNumber(room, from), state.placeNumber(room, to)]
    yield* state.declare(source)
    yield* state.declare(target)
    yield { type: 'split', from: source, first, last, to: target }
  }
  for (const { room, feed, below } of write.cuts) {
    const place = state.placeNumber(room, feed)
    yield* state.declare(place)
    yield { type: 'cut', place, below }
  }
  for (const slot of new Set([...plan.rekeyed, ...plan.signatures.keys()])) {
    if (plan.gone.has(slot)) continue
    const place = plan.placeOf.get(slot) ?? index.placeOf(slot)
    const row = state.rowAt(slot)
    const signature = row.signature ?? plan.signatures.get(slot)
    yield* state.declare(place)
    yield { type: 'event', event: { ...row, place, signature, effective: index.effectiveOf(slot) } }
  }
  for (const { id, effective } of plan.placement.moved) yield { type: 'effective', id, effective }
  for (const { room, feed, ...event } of plan.placement.added) {
    const place = state.placeNumber(room, feed)
    yield* state.declare(place)
    yield { type: 'event', event: { ...event, place } }
  }
  for (const record of write.feeds)
    yield* state.feedRow(record, (place, seq) => idAfter(state, plan, place, seq))
  if (write.rooms !== undefined) yield { type: 'rooms', rooms: write.rooms }
  if (write.name !== undefined) yield { type: 'name', name: write.name }
  if (write.incarnation !== undefined) yield { type: 'incarnation', incarnation: write.incarnation }
  for (const room of write.clearDrafts) yield { type: 'draft', room, text: '' }
}

function idAfter(state: JournalState, plan: Plan, place: number, seq: number): EventId | undefined {
  const fresh = plan.taken.get(`${place}/${seq}`)
  if (fresh !== undefined) return fresh
  const slot = state.index.at(place, seq)
  const isThere = slot !== undefined && !plan.gone.has(slot) && (plan.placeOf.get(slot) ?? place) === place
  return isThere ? state.index.idOf(slot) : undefined
}
