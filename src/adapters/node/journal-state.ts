/**
 * What a journal's rows add up to: where every event stands, and the tables. The same steps when a row has just been
 * written and when it is read back.
 */
import { Malformed } from '#mesh/bytes.ts'
import { parentsOf, type PlacedEvent } from '#mesh/clock.ts'
import { assert } from '#mesh/effects.ts'
import type { EventId, FeedId, RoomId } from '#mesh/ids.ts'
import type { FeedRecord, HeldRange } from '#mesh/sync/held.ts'
import { standsByItself, targetOf } from '#mesh/timeline/body.ts'
import { EventIndex, type Slot, type Span } from './event-index.ts'
import type { BareRange, EventRow, FeedRow } from './journal-fields.ts'
import { readEventRow, type JournalRow } from './journal-rows.ts'
import { createTables, placeKey, putFeed, putRow } from './journal-tables.ts'
import type { Volume } from './volume.ts'

export interface Place {
  readonly room: RoomId
  readonly feed: FeedId
}

export class JournalState {
  readonly index = new EventIndex()
  readonly tables = createTables()
  readonly places: Place[] = []
  /** Bytes of events that still count, by segment. */
  readonly liveBytes = new Map<number, number>()
  /** Places that have their number in the segment that is written to. */
  readonly declared = new Set<number>()
  /** Those that the transaction being made gives one. */
  private readonly declaring = new Set<number>()
  private readonly placeNumbers = new Map<string, number>()
  private readonly feedRows = new Map<number, FeedRow>()
  private readonly volume: Volume

  constructor(volume: Volume) {
    this.volume = volume
  }

  /** @returns the number of a place, a new one for a new place */
  placeNumber(room: RoomId, feed: FeedId): number {
    const key = placeKey(room, feed)
    const known = this.placeNumbers.get(key)
    if (known !== undefined) return known
    const number = this.places.push({ room, feed }) - 1
    this.placeNumbers.set(key, number)
    return number
  }

  knownPlace(room: RoomId, feed: FeedId): number | undefined {
    return this.placeNumbers.get(placeKey(room, feed))
  }

  placeOf(number: number): Place {
    const place = this.places[number]
    if (place === undefined) throw new Malformed('a place without a name')
    return place
  }

  /** @param numberOf the number here of a place that the row numbers @throws Malformed */
  take(row: JournalRow, span: Span, numberOf: (place: number) => number): void {
    switch (row.type) {
      case 'place':
        return
      case 'event':
        return this.takeEvent(row.event, numberOf(row.event.place), span)
      case 'effective': {
        const slot = this.index.find(row.id)
        if (slot !== undefined) this.index.setEffective(slot, row.effective)
        return
      }
      case 'split': {
        const to = numberOf(row.to)
        for (const slot of this.slotsIn(numberOf(row.from), row.first, row.last)) this.index.move(slot, to)
        return
      }
      case 'cut':
        for (const slot of this.slotsIn(numberOf(row.place), 0, row.below - 1)) this.drop(slot)
        return
      case 'feed':
        this.feedRows.set(numberOf(row.feed.place), row.feed)
        return
      default:
        if (row.type === 'restated') this.feedRows.clear()
        putRow(this.tables, row)
    }
  }

  /** A row of an event that is held already is the same event, written again. */
  private takeEvent(event: EventRow, place: number, span: Span): void {
    const { id, seq, effective } = event
    const signed = event.signature !== undefined
    const known = this.index.find(id)
    if (known === undefined) {
      const about = !standsByItself(event)
      this.index.add({ id, place, seq, effective, signed, about }, span, linkedIds(event))
    } else {
      this.release(known)
      this.index.locate(known, span, signed)
      this.index.setEffective(known, effective)
      if (this.index.placeOf(known) !== place) this.index.move(known, place)
    }
    this.liveBytes.set(span.segment, (this.liveBytes.get(span.segment) ?? 0) + span.length)
  }

  private release(slot: Slot): void {
    const { segment, length } = this.index.spanOf(slot)
    this.liveBytes.set(segment, (this.liveBytes.get(segment) ?? 0) - length)
  }

  private drop(slot: Slot): void {
    const linked = linkedIds(this.rowAt(slot))
    this.release(slot)
    this.index.remove(slot, linked)
  }

  /** After the last row has been read: feeds get the ends of their ranges from the events that stand there. */
  resolveFeeds(): void {
    for (const [number, row] of this.feedRows) {
      const { ranges, ...rest } = row
      // What its events do not bear out is not held, and will be fetched again.
      const held = ranges.flatMap((range) => this.endsOf(number, range) ?? [])
      putFeed(this.tables, { ...withoutPlace(rest), ...this.placeOf(number), ranges: held })
    }
    this.feedRows.clear()
  }

  private endsOf(place: number, { first, last, ends }: BareRange): HeldRange | undefined {
    if (ends !== undefined) return { first, last, ...ends }
    const [firstSlot, lastSlot] = [this.index.at(place, first), this.index.at(place, last)]
    if (firstSlot === undefined || lastSlot === undefined) return undefined
    const { prev, id, hlc } = this.rowAt(firstSlot)
    return { first, last, prev, firstId: id, firstStamp: hlc, lastId: this.index.idOf(lastSlot) }
  }

  slotsIn(place: number, first: number, last: number): Slot[] {
    return this.index
      .seqsOf(place, first, last)
      .map((seq) => this.index.at(place, seq))
      .filter((slot) => slot !== undefined)
  }

  rowAt(slot: Slot): EventRow {
    const { segment, offset, length } = this.index.spanOf(slot)
    return readEventRow(this.volume.readNow(segment, offset, length))
  }

  eventAt(slot: Slot): PlacedEvent {
    return this.complete(slot, this.rowAt(slot))
  }

  /** What is let go of, or written again, while it is read is left out or read once more. */
  async readAll(slots: readonly Slot[]): Promise<PlacedEvent[]> {
    const wanted = slots.map((slot) => ({ slot, id: this.index.idOf(slot), span: this.index.spanOf(slot) }))
    const read = await Promise.all(
      wanted.map(async ({ slot, id, span: { segment, offset, length } }) => {
        const bytes = await this.volume.read(segment, offset, length).catch((error: unknown) => {
          // Its segment may have gone meanwhile, after it had been written again.
          if (this.index.find(id) === slot && this.index.spanOf(slot).segment !== segment) return undefined
          throw error
        })
        if (this.index.find(id) !== slot) return []
        return [bytes === undefined ? this.eventAt(slot) : this.complete(slot, readEventRow(bytes))]
      }),
    )
    return read.flat()
  }

  /** As it stands now: its feed and its place in the order may have changed since it was written. */
  private complete(slot: Slot, row: EventRow): PlacedEvent {
    return {
      ...withoutPlace(row),
      ...this.placeOf(this.index.placeOf(slot)),
      effective: this.index.effectiveOf(slot),
    }
  }

  /** The transaction is written down, or nothing of it is. */
  settleDeclared(isWritten: boolean): void {
    if (isWritten) for (const place of this.declaring) this.declared.add(place)
    this.declaring.clear()
  }

  /** Rows that give a place its number, where it has none in this segment yet. */
  *declare(place: number): Generator<JournalRow> {
    if (this.declared.has(place) || this.declaring.has(place)) return
    this.declaring.add(place)
    yield { type: 'place', place, ...this.placeOf(place) }
  }

  /** @param idAt the event that will stand under a number */
  *feedRow(
    record: FeedRecord,
    idAt?: (place: number, seq: number) => EventId | undefined,
  ): Generator<JournalRow> {
    const { room, feed, ranges, ...rest } = record
    const place = this.placeNumber(room, feed)
    const held = (seq: number): EventId | undefined => {
      const slot = this.index.at(place, seq)
      return slot === undefined ? undefined : this.index.idOf(slot)
    }
    const bare = ranges.map(({ first, last, ...ends }) => {
      const [firstId, lastId] =
        idAt === undefined ? [held(first), held(last)] : [idAt(place, first), idAt(place, last)]
      const isBorneOut = ends.firstStamp !== undefined && firstId === ends.firstId && lastId === ends.lastId
      return { first, last, ends: isBorneOut ? undefined : ends }
    })
    yield* this.declare(place)
    yield { type: 'feed', feed: { ...rest, place, ranges: bare } }
  }
}

function withoutPlace<T extends { readonly place: number }>(row: T): Omit<T, 'place'> {
  const { place, ...rest } = row
  assert(place >= 0, 'a place has a number')
  return rest
}

/** Its ancestors, and what it is about. */
function linkedIds(event: EventRow): EventId[] {
  const target = targetOf(event)
  const parents = parentsOf(event)
  return target === undefined || parents.includes(target) ? parents : [...parents, target]
}
