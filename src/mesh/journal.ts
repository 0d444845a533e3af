/**
 * Group commit: everything that must become durable collects while one transaction is on its way, and goes out
 * as the next one. At most one transaction is in flight, so its feed records are always true. Rules J1–J3.
 */
import type { Count } from './delivery.ts'
import type { FeedCut, NewEvent, StoreFailure, StoreWrite, RoomRecord } from './effects.ts'
import type { FeedId, RoomId } from './ids.ts'
import { commit, recordWith, release } from './log.ts'
import type { FeedRecord, Log } from './sync/held.ts'
import type { Split } from './sync/branches.ts'
import { limits } from './limits.ts'
import type { Presence, Receipt } from './record.ts'
import { eventKinds } from './timeline/body.ts'
import type { ReadMark } from './timeline/read-marks.ts'

interface FeedPlace {
  readonly room: RoomId
  readonly feed: FeedId
}

export interface Journal {
  splits: readonly Split[]
  cuts: readonly FeedCut[]
  /** Feeds of which something else is held than the disk says, though no event of them was written. */
  changed: readonly FeedPlace[]
  incarnation: Uint8Array | undefined
  events: NewEvent[]
  presences: Presence[]
  receipts: Receipt[]
  /** By what they are stored under. */
  counts: Map<string, Count>
  readMarks: ReadMark[]
  rooms: readonly RoomRecord[] | undefined
  name: string | undefined
  inFlight:
    { readonly token: number; readonly write: StoreWrite; readonly changed: readonly FeedPlace[] } | undefined
  /** After a failure nothing is written before this, ms. */
  retryAtMs: number
  failure: StoreFailure | undefined
}

export function createJournal(): Journal {
  return {
    splits: [],
    cuts: [],
    changed: [],
    incarnation: undefined,
    events: [],
    presences: [],
    receipts: [],
    counts: new Map(),
    readMarks: [],
    rooms: undefined,
    name: undefined,
    inFlight: undefined,
    retryAtMs: 0,
    failure: undefined,
  }
}

/** J2: a full queue takes no more from others; what is refused is asked for again later. */
export function hasSpace(journal: Journal): boolean {
  return journal.events.length < limits.journalEventsMax
}

function isEmpty(journal: Journal): boolean {
  return (
    journal.events.length === 0 &&
    journal.splits.length === 0 &&
    journal.changed.length === 0 &&
    journal.incarnation === undefined &&
    journal.presences.length === 0 &&
    journal.receipts.length === 0 &&
    journal.counts.size === 0 &&
    journal.readMarks.length === 0 &&
    journal.rooms === undefined &&
    journal.name === undefined
  )
}

/** @returns the next transaction, if one is due (J1). */
export function nextWrite(journal: Journal, log: Log, token: number, nowMs: number): StoreWrite | undefined {
  if (journal.inFlight !== undefined || isEmpty(journal) || nowMs < journal.retryAtMs) return undefined
  // An own batch is never split, so that what is told as posted is durable as a whole.
  const own = journal.events.filter((event) => event.audience !== undefined)
  const others = journal.events.filter((event) => event.audience === undefined)
  const events = [...own, ...others.slice(0, Math.max(0, limits.transactionEventsMax - own.length))]
  const { changed } = journal
  const write: StoreWrite = {
    splits: journal.splits,
    cuts: journal.cuts,
    incarnation: journal.incarnation,
    events,
    feeds: feedRecords(log, events, changed),
    presences: journal.presences,
    receipts: journal.receipts,
    counts: [...journal.counts.values()],
    readMarks: journal.readMarks,
    rooms: journal.rooms,
    name: journal.name,
    clearDrafts: [...new Set(own.filter(isFromComposer).map(({ room }) => room))],
  }
  journal.events = others.slice(events.length - own.length)
  journal.splits = []
  journal.cuts = []
  journal.changed = []
  journal.incarnation = undefined
  journal.presences = []
  journal.receipts = []
  journal.counts = new Map()
  journal.readMarks = []
  journal.rooms = undefined
  journal.name = undefined
  journal.inFlight = { token, write, changed }
  return write
}

/** What a person wrote in the composer leaves it when it is stored (W3). */
function isFromComposer({ kind, keepsDraft }: NewEvent): boolean {
  return (kind === eventKinds.message || kind === eventKinds.reply) && keepsDraft !== true
}

function feedRecords(log: Log, events: readonly NewEvent[], also: readonly FeedPlace[]): FeedRecord[] {
  const changed = new Map<string, { room: RoomId; feed: FeedId; events: NewEvent[] }>()
  const entryOf = (room: RoomId, feed: FeedId) => {
    const known = changed.get(key(room, feed))
    if (known !== undefined) return known
    const entry = { room, feed, events: [] }
    changed.set(key(room, feed), entry)
    return entry
  }
  for (const event of events) if (event.isHeld !== true) entryOf(event.room, event.feed).events.push(event)
  for (const { room, feed } of also) entryOf(room, feed)
  return [...changed.values()].map(({ room, feed, events: fresh }) => recordWith(log, fresh, room, feed))
}

/** L8: events move on the disk, and both feeds' records with them. */
export function noteSplits(journal: Journal, splits: readonly Split[]): void {
  for (const split of splits) {
    // With a full disk a feed is ended and joined again and again: what undoes the last move leaves nothing to do.
    const last = journal.splits.at(-1)
    const isUndone =
      last !== undefined &&
      last.room === split.room &&
      last.from === split.to &&
      last.to === split.from &&
      last.first === split.first &&
      last.last === split.last
    journal.splits = isUndone ? journal.splits.slice(0, -1) : [...journal.splits, split]
  }
  for (const { room, from, to } of splits) noteChanged(journal, room, [from, to])
}

/** N1: the disk forgets it in the write that says so; of two cuts of a feed the higher one is enough. */
export function noteCut(journal: Journal, cut: FeedCut): void {
  const others = journal.cuts.filter(({ room, feed }) => room !== cut.room || feed !== cut.feed)
  journal.cuts = [...others, cut]
  noteChanged(journal, cut.room, [cut.feed])
}

export function noteChanged(journal: Journal, room: RoomId, feeds: readonly FeedId[]): void {
  const isKnown = (feed: FeedId) => journal.changed.some((one) => one.room === room && one.feed === feed)
  const fresh = feeds.filter((feed) => !isKnown(feed))
  journal.changed = [...journal.changed, ...fresh.map((feed) => ({ room, feed }))]
}

/** @returns whether what is held of a feed is about to change: a write with it is under way. */
export function isWriting(journal: Journal, room: RoomId, feed: FeedId): boolean {
  return journal.inFlight?.write.feeds.some((record) => record.room === room && record.feed === feed) === true
}

/** @returns what has become durable, or undefined for an answer to nothing. */
export function settleStored(journal: Journal, log: Log, token: number): StoreWrite | undefined {
  const flight = journal.inFlight
  if (flight?.token !== token) return undefined
  journal.inFlight = undefined
  journal.failure = undefined
  for (const record of flight.write.feeds) commit(log, record)
  return flight.write
}

/**
 * J3: nothing of a failed transaction counts as held. Settings and splits are kept for the next try; events of others are
 * let go, since their feeds will be asked for again; own posts go back to the person who wrote them.
 * @returns what failed
 */
export function settleFailed(
  journal: Journal,
  log: Log,
  answer: { readonly token: number; readonly cause: StoreFailure },
  nowMs: number,
): StoreWrite | undefined {
  const flight = journal.inFlight
  if (flight?.token !== answer.token) return undefined
  journal.inFlight = undefined
  journal.failure = answer.cause
  journal.retryAtMs = nowMs + limits.storeRetryMs
  journal.splits = [...flight.write.splits, ...journal.splits]
  journal.cuts = [...flight.write.cuts, ...journal.cuts]
  journal.changed = [...flight.changed, ...journal.changed]
  journal.incarnation ??= flight.write.incarnation
  journal.rooms ??= flight.write.rooms
  journal.name ??= flight.write.name
  const lost = new Set<string>()
  for (const record of flight.write.feeds) {
    release(log, record.room, record.feed)
    lost.add(key(record.room, record.feed))
  }
  journal.events = journal.events.filter((event) => !lost.has(key(event.room, event.feed)))
  return flight.write
}

function key(room: RoomId, feed: FeedId): string {
  return `${room}/${feed}`
}
