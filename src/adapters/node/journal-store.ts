/**
 * A store in append-only files, for a node that keeps what people said: each write is one transaction at the end of a
 * segment, with an index of a hundred bytes per event in memory and the texts on the volume.
 *
 * Many writes share a flush. A write resolves when its events are durable; what peers say of themselves (presence,
 * receipts, counts, marks) reaches the volume a little later, since flash wears out and others have it too.
 *
 * The oldest segment goes when it is mostly about what was let go of: what still counts is written again at the end,
 * and every segment begins with all that is no event. So only events need the segments before, and a cut or a split
 * that is forgotten with its segment concerned nothing but what is forgotten with it.
 */
import { Malformed } from '#mesh/bytes.ts'
import type { PlacedEvent, Placement } from '#mesh/clock.ts'
import type { StoreFailure, StoreWrite } from '#mesh/effects.ts'
import type { Event } from '#mesh/event.ts'
import { incarnationFrom, type EventId, type FeedId, type PeerId, type RoomId } from '#mesh/ids.ts'
import { isRuling, targetOf } from '#mesh/timeline/body.ts'
import type { HistoryQuery, OpenedStore, Position, Store } from '#runtime/ports.ts'
import type { Slot } from './event-index.ts'
import { planWrite, rowsFor } from './journal-plan.ts'
import { aboutSlots, countAfter, historySlots, loadSlots, rulingSlots } from './journal-queries.ts'
import { encodeTransaction, type JournalRow } from './journal-rows.ts'
import { readSegment, segmentMark, Damaged } from './journal-segment.ts'
import { JournalState } from './journal-state.ts'
import { putFeed, putStatements, rowsOf, storedState, type LazyRow } from './journal-tables.ts'
import { VolumeFault, type Volume } from './volume.ts'

export const journalLimits = {
  /** design: at most one flush a second, since flash wears out; the first one comes at once. */
  flushIntervalMs: 1_000,
  /** guess: what peers say of themselves waits at most this long. */
  statementsDelayMs: 10_000,
  /** guess: a segment is read at once when the store opens. */
  segmentBytesMax: 8_388_608,
  /** guess: as much again as what counts, and this on top, before the oldest segment goes. */
  slackBytes: 16_777_216,
  /** Events that are written again in one transaction. */
  movedAtOnce: 64,
} as const

export interface JournalOptions {
  /** Ms on the device's clock. */
  readonly nowMs: () => number
  /** What the journal holds cannot be read; it has been kept under this name. */
  readonly onDamaged: (aside: string) => void
  readonly flushIntervalMs?: number
  readonly segmentBytesMax?: number
  readonly slackBytes?: number
}

export class JournalStore implements Store {
  private readonly volume: Volume
  private readonly options: JournalOptions
  private state: JournalState
  private readonly lengths = new Map<number, number>()
  private segment = 0
  private isOpen = false
  private isBroken = false
  /** Writes take turns. */
  private turns: Promise<unknown> = Promise.resolve()
  private flushing: Promise<void> | undefined
  private flushedAtMs = Number.NEGATIVE_INFINITY
  private readonly statements = new Map<string, LazyRow>()
  private statementsTimer: ReturnType<typeof setTimeout> | undefined
  private isTidying = false
  private isStuck = false
  /** For figures: everything that was handed to the volume, and how often it was flushed. */
  readonly written = { bytes: 0, flushes: 0 }

  constructor(volume: Volume, options: JournalOptions) {
    this.volume = volume
    this.options = options
    this.state = new JournalState(volume)
  }

  /** Events that are held. */
  get eventCount(): number {
    return this.state.index.count
  }

  /** Rooms of which something is held. */
  get roomCount(): number {
    return new Set([...this.state.tables.feeds.values()].map(({ room }) => room)).size
  }

  open(): Promise<OpenedStore> {
    return this.inTurn(async () => {
      if (!this.isOpen) await this.readBack()
      this.isOpen = true
      const { tables } = this.state
      return { stored: storedState(tables), incarnation: tables.incarnation ?? new Uint8Array(16) }
    })
  }

  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.turns.then(work)
    // Whoever asked is told; the next one begins all the same.
    this.turns = result.catch(() => undefined)
    return result
  }

  private async readBack(): Promise<void> {
    let isRestated = false
    try {
      const segments = await this.volume.segments()
      for (const segment of segments) {
        const read = await readSegment(this.volume, this.state, segment, segment === segments.at(-1))
        if (read === undefined) continue
        this.segment = segment
        this.lengths.set(segment, read.length)
        isRestated = read.isRestated
      }
      this.state.resolveFeeds()
    } catch (error) {
      if (!(error instanceof Damaged) && !(error instanceof Malformed)) throw error
      this.options.onDamaged(await this.volume.setAside())
      this.state = new JournalState(this.volume)
      this.lengths.clear()
      this.segment = 0
    }
    const { tables } = this.state
    tables.incarnation ??= incarnationFrom(crypto.getRandomValues(new Uint8Array(16)))
    // A crash may have come between a segment's first bytes and its tables.
    if (this.segment === 0 || !isRestated) await this.beginSegment()
  }

  // Writing

  async write(write: StoreWrite): Promise<Placement | StoreFailure> {
    try {
      const { result, isDurable } = await this.inTurn(() => this.transact(write))
      // Others may write meanwhile; this one is told when it is durable.
      if (!isDurable) await this.flush()
      return result
    } catch (error) {
      if (!(error instanceof VolumeFault)) throw error
      return error.failure
    }
  }

  private async transact(
    write: StoreWrite,
  ): Promise<{ readonly result: Placement | StoreFailure; readonly isDurable: boolean }> {
    if (!this.isOpen || this.isBroken) return { result: 'closed', isDurable: true }
    const { state } = this
    const plan = planWrite(state, write, Math.max(0, Math.floor(this.options.nowMs())))
    if (plan === undefined) return { result: 'conflict', isDurable: true }
    await this.makeRoom()
    state.settleDeclared(false)
    const rows = [...rowsFor(state, write, plan)]
    await this.append(rows)
    for (const record of write.feeds) putFeed(state.tables, record)
    putStatements(state.tables, write, this.statements)
    if (this.statements.size > 0) this.scheduleStatements()
    this.tidy()
    const { added, moved } = plan.placement
    const ids = new Set(moved.map(({ id }) => id))
    const moving = [...plan.placeOf.keys()].filter((slot) => !plan.gone.has(slot))
    const rekeyed = moving.filter((slot) => !ids.has(state.index.idOf(slot)))
    const result = { added, moved: [...moved, ...rekeyed.map((slot) => state.eventAt(slot))] }
    return { result, isDurable: rows.length === 0 }
  }

  private async makeRoom(): Promise<void> {
    const most = this.options.segmentBytesMax ?? journalLimits.segmentBytesMax
    if ((this.lengths.get(this.segment) ?? 0) > most) await this.beginSegment()
  }

  /** Writes rows down, and takes them as if they had been read. */
  private async append(rows: readonly JournalRow[]): Promise<void> {
    if (rows.length === 0) return
    const { segment, state } = this
    const { bytes, spans } = encodeTransaction(rows)
    const at = this.lengths.get(segment) ?? 0
    try {
      await this.volume.append(segment, bytes)
    } catch (error) {
      // Nothing of it is there, and so are no names.
      state.settleDeclared(false)
      throw error
    }
    state.settleDeclared(true)
    this.written.bytes += bytes.length
    this.lengths.set(segment, at + bytes.length)
    rows.forEach((row, i) => {
      const { offset, length } = spans[i] ?? { offset: 0, length: 0 }
      // Feeds are here as they are; only what is read back has to be made whole.
      if (row.type !== 'feed' && row.type !== 'restated')
        state.take(row, { segment, offset: at + offset, length }, (place) => place)
    })
  }

  /** Starts with everything that is no event, so that earlier segments can go. */
  private async beginSegment(): Promise<void> {
    const { state } = this
    if (this.segment > 0) await this.sync()
    const segment = this.segment + 1
    try {
      await this.volume.create(segment)
      await this.volume.append(segment, segmentMark)
    } catch (error) {
      // So that it can be begun again when there is room.
      await this.volume.remove(segment)
      throw error
    }
    this.segment = segment
    this.lengths.set(segment, segmentMark.length)
    state.liveBytes.set(segment, 0)
    state.declared.clear()
    state.settleDeclared(false)
    const feeds = [...state.tables.feeds.values()]
    await this.append([...rowsOf(state.tables), ...feeds.flatMap((record) => [...state.feedRow(record)])])
    this.statements.clear()
    await this.sync()
  }

  /** At once when the last one is long enough ago; else together with others. */
  private flush(): Promise<void> {
    const intervalMs = this.options.flushIntervalMs ?? journalLimits.flushIntervalMs
    const waitMs = this.flushedAtMs + intervalMs - performance.now()
    this.flushing ??= (waitMs > 0 ? delay(waitMs) : Promise.resolve()).then(() => {
      this.flushing = undefined
      this.flushedAtMs = performance.now()
      return this.sync()
    })
    return this.flushing
  }

  private async sync(): Promise<void> {
    // A disk that failed once says yes the second time, and means nothing by it.
    if (this.isBroken) throw new VolumeFault('closed')
    this.written.flushes += 1
    try {
      await this.volume.sync(this.segment)
    } catch (error) {
      // Whether it is on the disk nobody knows any more.
      this.isBroken = true
      throw error
    }
  }

  private scheduleStatements(): void {
    this.statementsTimer ??= setTimeout(() => {
      void this.inTurn(() => this.writeStatements()).catch((error: unknown) => {
        // A volume that takes nothing more is found out by the next write, which can say so.
        if (!(error instanceof VolumeFault)) throw error
      })
    }, journalLimits.statementsDelayMs)
  }

  private async writeStatements(): Promise<void> {
    clearTimeout(this.statementsTimer)
    this.statementsTimer = undefined
    if (this.isBroken || !this.isOpen) return
    const rows = [...this.statements.values()]
    this.statements.clear()
    await this.makeRoom()
    await this.append(rows)
  }

  // Making room

  private tidy(): void {
    if (this.isTidying || this.isStuck) return
    const oldest = Math.min(...this.lengths.keys())
    const slack = this.options.slackBytes ?? journalLimits.slackBytes
    const isSpacious = sum(this.lengths.values()) <= 2 * sum(this.state.liveBytes.values()) + slack
    if (oldest === this.segment || isSpacious || !this.isOpen) return
    this.isTidying = true
    void this.giveUp(oldest).then(
      () => {
        this.isTidying = false
        this.tidy()
      },
      () => {
        // What cannot be read or written again stays where it is, and so does all that is newer; writes say it themselves.
        this.isStuck = true
        this.isTidying = false
      },
    )
  }

  /** Writes again what still counts of a segment, a little at a time, and removes it. */
  private async giveUp(segment: number): Promise<void> {
    const { index } = this.state
    const slots = [...index.slots()].filter((slot) => index.spanOf(slot).segment === segment)
    for (let at = 0; at < slots.length; at += journalLimits.movedAtOnce) {
      const part = slots.slice(at, at + journalLimits.movedAtOnce)
      await this.inTurn(() => this.writeAgain(segment, part))
    }
    await this.inTurn(async () => {
      if (!this.isOpen) return
      await this.sync()
      this.lengths.delete(segment)
      this.state.liveBytes.delete(segment)
      await this.volume.remove(segment)
    })
  }

  private async writeAgain(segment: number, slots: readonly Slot[]): Promise<void> {
    const { state } = this
    if (!this.isOpen || this.isBroken) throw new VolumeFault('closed')
    await this.makeRoom()
    state.settleDeclared(false)
    const rows: JournalRow[] = []
    for (const slot of slots) {
      // It may have gone, or moved, since it was listed.
      const span = state.index.spanOf(slot)
      if (span.length === 0 || span.segment !== segment) continue
      const place = state.index.placeOf(slot)
      const effective = state.index.effectiveOf(slot)
      rows.push(...state.declare(place), { type: 'event', event: { ...state.rowAt(slot), place, effective } })
    }
    await this.append(rows)
  }

  // Reading

  load(room: RoomId, feed: FeedId, first: number, last: number): Promise<Event[]> {
    return this.state.readAll(loadSlots(this.state, room, feed, { first, last }))
  }

  history(query: HistoryQuery): Promise<PlacedEvent[]> {
    return this.state.readAll(historySlots(this.state, query))
  }

  find(ids: readonly EventId[]): Promise<PlacedEvent[]> {
    return this.state.readAll(ids.flatMap((id) => this.state.index.find(id) ?? []))
  }

  async about(targets: readonly EventId[]): Promise<PlacedEvent[]> {
    const wanted = new Set<EventId | undefined>(targets)
    const about = await this.state.readAll(aboutSlots(this.state, targets))
    return about.filter((event) => wanted.has(targetOf(event)))
  }

  async rulings(room: RoomId, author: PeerId): Promise<PlacedEvent[]> {
    return (await this.state.readAll(rulingSlots(this.state, room, author))).filter(isRuling)
  }

  countAfter(room: RoomId, after: Position | undefined, except: PeerId, limit: number): Promise<number> {
    return Promise.resolve(Math.min(limit, countAfter(this.state, room, after, except)))
  }

  draft(room: RoomId): Promise<string> {
    return Promise.resolve(this.state.tables.drafts.get(room) ?? '')
  }

  saveDraft(room: RoomId, text: string): Promise<void> {
    return this.inTurn(() => this.append([{ type: 'draft', room, text }]))
  }

  readMark(room: RoomId): Promise<Position | undefined> {
    return Promise.resolve(this.state.tables.ownMarks.get(room))
  }

  saveReadMark(room: RoomId, position: Position): Promise<void> {
    return this.inTurn(() => this.append([{ type: 'own-mark', room, position }]))
  }

  /** Nothing is lost by leaving out what `finish` waits for but a few seconds of what peers said of themselves. */
  close(): void {
    void this.finish()
  }

  /** Writes down what was waiting, and lets go of the volume. */
  finish(): Promise<void> {
    return this.inTurn(async () => {
      clearTimeout(this.statementsTimer)
      if (!this.isOpen) return
      try {
        await this.writeStatements()
        if (!this.isBroken) await this.sync()
      } catch (error) {
        // It is on its way out; what could not be written, others have.
        if (!(error instanceof VolumeFault)) throw error
      }
      this.isOpen = false
      await this.volume.close()
    })
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}

function delay(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
