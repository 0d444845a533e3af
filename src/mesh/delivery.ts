/**
 * Who durably holds what: receipts, and the state of an own message that follows from them. Rules D1–D6.
 *
 * Source: "Message states" on the design page. Nothing here is inferred from a frame having been sent.
 */
import { bytesEqual } from './bytes.ts'
import { bytesToHex, feedAuthor, isDerived, type FeedId, type PeerId, type RoomId } from './ids.ts'
import { limits } from './limits.ts'
import { feedsOf, heldRanges } from './log.ts'
import { covers, joinRanges, subtractRanges, type FeedRecord, type Log } from './sync/held.ts'
import type { Range } from './sync/sync-frame.ts'
import type { Receipt, ReceiptEntry, ReceiptFields } from './record.ts'

type Role = Receipt['role']

export interface Holder {
  /** A device, or a site whose people were counted. */
  readonly device: PeerId
  readonly role: Role
  readonly feed: FeedId
  readonly ranges: readonly Range[]
  /** Of a site: how many there hold each of the ranges, and how many have the room whose names are not known here. */
  readonly counted?: { readonly ranges: readonly CountedRange[]; readonly others: number }
}

export interface CountedRange extends Range {
  readonly readers: number
}

/** D10: how many people at one site held something of an own feed, at most, as it has been heard. */
export interface Count {
  readonly room: RoomId
  /** The site. */
  readonly by: PeerId
  readonly feed: FeedId
  /** People of it who have the room and whose names are not known here. */
  readonly others: number
  /** Ascending, apart. */
  readonly ranges: readonly CountedRange[]
}

export interface Delivery {
  /** By room, then `device feed`: the newest receipt. */
  readonly receipts: Map<RoomId, Map<string, Receipt>>
  /** For how many feeds a receipt is the newest. */
  readonly uses: Map<Receipt, number>
  /** Feeds whose durable ranges changed since this device last confirmed them. */
  readonly unconfirmed: Map<RoomId, Set<FeedId>>
  /** By room, then `by feed`. */
  readonly counts: Map<RoomId, Map<string, Count>>
}

export function createDelivery(receipts: readonly Receipt[], counts: readonly Count[]): Delivery {
  const delivery: Delivery = {
    receipts: new Map(),
    uses: new Map(),
    unconfirmed: new Map(),
    counts: new Map(),
  }
  for (const receipt of receipts) acceptReceipt(delivery, receipt)
  for (const count of counts) countHeld(delivery, count)
  return delivery
}

/** D10: a larger number counts, whenever it was heard. @returns what is known now, if that is more than before */
export function countHeld(delivery: Delivery, count: Count): Count | undefined {
  const room = delivery.counts.get(count.room) ?? new Map<string, Count>()
  const key = `${count.by} ${count.feed}`
  const known = room.get(key)
  if (known === undefined && room.size >= limits.countsPerRoomMax) return undefined
  const readers = new Map<number, number>()
  for (const { first, last, readers: many } of [...(known?.ranges ?? []), ...count.ranges]) {
    for (let seq = first; seq <= last; seq++) readers.set(seq, Math.max(many, readers.get(seq) ?? 0))
  }
  const ranges: CountedRange[] = []
  for (const [seq, many] of [...readers].sort(([a], [b]) => a - b)) {
    const before = ranges.at(-1)
    const isNext = before?.last === seq - 1 && before.readers === many
    if (isNext) ranges[ranges.length - 1] = { ...before, last: seq }
    else ranges.push({ first: seq, last: seq, readers: many })
  }
  const next = { ...count, ranges: ranges.slice(-limits.countRangesMax) }
  if (JSON.stringify(next) === JSON.stringify(known)) return undefined
  room.set(key, next)
  delivery.counts.set(count.room, room)
  return next
}

/** D2: @returns whether the receipt says anything new, and which ones say nothing any more. */
export function acceptReceipt(
  delivery: Delivery,
  receipt: Receipt,
): { readonly isNews: boolean; readonly outdone: readonly Receipt[] } {
  const room = delivery.receipts.get(receipt.room) ?? new Map<string, Receipt>()
  delivery.receipts.set(receipt.room, room)
  const outdone: Receipt[] = []
  const release = (key: string) => {
    const known = room.get(key)
    if (known === undefined) return
    room.delete(key)
    const left = (delivery.uses.get(known) ?? 1) - 1
    delivery.uses.set(known, left)
    if (left > 0) return
    delivery.uses.delete(known)
    outdone.push(known)
  }
  let isNews = false
  for (const feed of new Set(receipt.entries.map((entry) => entry.feed))) {
    const key = `${receipt.device} ${feed}`
    const known = room.get(key)
    if (known !== undefined && !outdoes(receipt, known)) continue
    release(key)
    room.set(key, receipt)
    delivery.uses.set(receipt, (delivery.uses.get(receipt) ?? 0) + 1)
    isNews = true
  }
  for (const key of room.keys()) {
    if (room.size <= limits.receiptsPerRoomMax) break
    release(key)
  }
  return { isNews, outdone }
}

/**
 * The larger counter counts. Two lives of one device can have used one: then the signature that is larger as bytes,
 * so that everybody keeps the same one, and the device, which hears of it, confirms anew.
 */
export function outdoes(receipt: Receipt, known: Receipt): boolean {
  if (receipt.counter !== known.counter) return receipt.counter > known.counter
  return bytesToHex(receipt.signature) > bytesToHex(known.signature)
}

/** What the device itself has to outdo: also its own of another life with the same counter (a crash took the first one's record). */
function supersedes(known: Receipt, receipt: Receipt): boolean {
  if (known.counter !== receipt.counter) return known.counter > receipt.counter
  return !bytesEqual(known.signature, receipt.signature)
}

/** @returns receipts of the same device for the same feeds that it has to outdo. */
export function newerReceipts(delivery: Delivery, receipt: Receipt): Receipt[] {
  const room = delivery.receipts.get(receipt.room)
  const known = receipt.entries.flatMap((entry) => room?.get(`${receipt.device} ${entry.feed}`) ?? [])
  return [...new Set(known)].filter((one) => supersedes(one, receipt))
}

/** D1: @returns whether this device has confirmed exactly what it holds of a feed. */
export function isConfirmed(delivery: Delivery, device: PeerId, role: Role, held: FeedRecord): boolean {
  const entries = delivery.receipts.get(held.room)?.get(`${device} ${held.feed}`)?.entries ?? []
  const confirmed = entries.filter((entry) => entry.feed === held.feed)
  const newest = confirmable(role, held)
  return subtractRanges(newest, confirmed).length === 0 && subtractRanges(confirmed, newest).length === 0
}

/** D1, N6: a reader has had what it let go of; a carrier has it no more. */
function confirmable(role: Role, { ranges, had = [] }: Pick<FeedRecord, 'ranges' | 'had'>): Range[] {
  return joinRanges(role === 'reader' ? [...had, ...ranges] : ranges).slice(-limits.receiptRangesMax)
}

/** D1: called when events of somebody else have become durable here. */
export function noteDurable(delivery: Delivery, room: RoomId, feed: FeedId): void {
  const feeds = delivery.unconfirmed.get(room) ?? new Set()
  delivery.unconfirmed.set(room, feeds.add(feed))
}

/** D1: @returns what this device is to sign now: its newest durable ranges of the feeds that changed. */
export function dueReceipts(
  delivery: Delivery,
  log: Log,
  device: PeerId,
  parts: { readonly counter: () => number; readonly roleOf: (room: RoomId) => Role },
): ReceiptFields[] {
  const due: ReceiptFields[] = []
  for (const [room, feeds] of delivery.unconfirmed) {
    const role = parts.roleOf(room)
    let entries: ReceiptEntry[] = []
    const close = () => {
      if (entries.length > 0) due.push({ device, room, counter: parts.counter(), role, entries })
      entries = []
    }
    for (const feed of feeds) {
      const state = feedsOf(log, room).get(feed)
      const ranges = state === undefined ? [] : confirmable(role, state)
      if (entries.length + ranges.length > limits.receiptEntriesMax) close()
      entries.push(...ranges.map(({ first, last }) => ({ feed, first, last })))
    }
    close()
  }
  delivery.unconfirmed.clear()
  return due
}

/**
 * D7: @returns who holds what of the feeds that the writer of `own` wrote in this room, in any of its incarnations.
 * Who holds more of the present one than this device speaks of another life of it, that a restored backup forgot.
 */
export function holdersOf(delivery: Delivery, log: Log, room: RoomId, own: FeedId): Holder[] {
  const holders: Holder[] = []
  const self = feedAuthor(own)
  const last = heldRanges(log, room, own).at(-1)?.last ?? -1
  for (const [key, receipt] of delivery.receipts.get(room) ?? []) {
    const feed = receipt.entries.find((entry) => key.endsWith(entry.feed))?.feed
    if (feed === undefined || feedAuthor(feed) !== self || receipt.device === self) continue
    // What was signed before a fork was known says nothing of which branch it meant (L8).
    const end = feedsOf(log, room).get(feed)?.endsAt ?? Number.POSITIVE_INFINITY
    const ranges = receipt.entries
      .filter((entry) => entry.feed === feed && entry.first < end)
      .map(({ first, last: to }) => ({ first, last: Math.min(to, end - 1) }))
    // L8, L9: what has found its place, or become one again, is confirmed there.
    if (isDerived(feed) && heldRanges(log, room, feed).length === 0) continue
    if (feed === own && ranges.some((range) => range.last > last)) continue
    holders.push({ device: receipt.device, role: receipt.role, feed, ranges })
  }
  for (const { by, feed, ranges, others } of delivery.counts.get(room)?.values() ?? []) {
    if (feedAuthor(feed) !== self) continue
    holders.push({ device: by, role: 'reader', feed, ranges, counted: { ranges, others } })
  }
  return holders
}

export type MessageState =
  | { readonly type: 'waiting' }
  | { readonly type: 'sending' }
  | { readonly type: 'carried'; readonly by: number }
  | { readonly type: 'delivered'; readonly to: number; readonly of: number }

/**
 * D4–D6: the state of an own message in a room, from facts alone.
 * @param audience people seen in the room in the 24 h before sending, frozen with the message
 * @param reachable whether a link to somebody who has the room is open now
 */
export function messageState(
  message: { readonly feed: FeedId; readonly seq: number; readonly audience: readonly PeerId[] | undefined },
  holders: readonly Holder[],
  reachable: boolean,
): MessageState {
  const readers = new Set<PeerId>()
  const carriers = new Set<PeerId>()
  let counted = 0
  let others = 0
  for (const holder of holders) {
    if (holder.feed !== message.feed || !covers(holder.ranges, message.seq)) continue
    if (holder.counted === undefined) (holder.role === 'reader' ? readers : carriers).add(holder.device)
    else {
      others += holder.counted.others
      counted += holder.counted.ranges.find((range) => covers([range], message.seq))?.readers ?? 0
    }
  }
  const to = readers.size + counted
  if (to > 0) {
    const everybody = new Set([...(message.audience ?? []), ...readers])
    return { type: 'delivered', to, of: Math.max(to, everybody.size + others) }
  }
  if (carriers.size > 0) return { type: 'carried', by: carriers.size }
  return { type: reachable ? 'sending' : 'waiting' }
}
