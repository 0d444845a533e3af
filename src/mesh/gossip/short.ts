/**
 * Short forms of what crosses links most, messages and receipts: who a feed is, and which event came before, is said
 * by names that the other side can complete from what it holds. What it cannot complete is asked for in whole.
 * Rules A7 and A8 in PROTOCOL.md.
 *
 * Source: wire form of `gossip.md` §7.2. Deviation: names are hashes and beginnings of ids, not indexes of a
 * dictionary per link, so that there is no state to agree on and a packet that was lost takes nothing along.
 */
import { Malformed, Reader, Writer, bytesEqual } from '../bytes.ts'
import { eventIdOf, signatureBytesLength, type Event, type Run } from '../event.ts'
import {
  bytesToHex,
  hexToBytes,
  isDerived,
  peerIdFromBytes,
  peerIdToBytes,
  shortName,
  type EventId,
  type FeedId,
  type PeerId,
  type RoomId,
} from '../ids.ts'
import { limits } from '../limits.ts'
import { feedsOf } from '../log.ts'
import type { Log, RoomSet } from '../sync/held.ts'
import type { Receipt, ReceiptEntry } from '../record.ts'
import { itemOf, type Content, type Item } from './item.ts'

interface ShortEvent {
  readonly hlc: number
  /** The first four bytes of each ancestor's id, as hex. */
  readonly deps: readonly string[]
  readonly kind: number
  readonly flags: number
  readonly epoch: number
  readonly body: Uint8Array
}

export type Short =
  | {
      readonly type: 'run'
      readonly room: string
      readonly feed: number
      readonly first: number
      readonly events: readonly ShortEvent[]
      readonly signature: Uint8Array
    }
  | {
      readonly type: 'receipt'
      readonly room: string
      readonly device: string
      readonly counter: number
      readonly role: 'reader' | 'carrier'
      readonly entries: readonly { readonly feed: number; readonly first: number; readonly last: number }[]
      readonly signature: Uint8Array
    }

/** What a reader completes short forms from. */
export interface Holdings {
  readonly rooms: RoomSet
  readonly log: Log
  readonly peers: Iterable<PeerId>
  /** Items that came lately. */
  readonly recent: Iterable<Item>
}

const codes = { run: 6, receipt: 7 } as const
const roomBytes = 2
const depBytes = 4
const deviceBytes = 6
const seqMax = Number.MAX_SAFE_INTEGER - 1

/** A8: the first event of a feed names what nobody knows yet; presence and the words of sites are told once. */
export function hasShortForm(content: Content): boolean {
  return content.type === 'receipt' || (content.type === 'run' && (content.run.events[0]?.seq ?? 0) > 0)
}

/** @returns encoded length of the short form, bytes. */
export function shortSize(content: Content): number {
  const writer = new Writer()
  encodeShort(writer, shortOf(content))
  return writer.size
}

export function isShortCode(code: number): boolean {
  return code === codes.run || code === codes.receipt
}

/** @param content of which `hasShortForm` is true */
export function shortOf(content: Content): Short {
  if (content.type === 'run') return shortRun(content.run)
  if (content.type === 'receipt') return shortReceipt(content.record)
  throw new Error(`bug: ${content.type} has no short form`)
}

function shortRun(run: Run): Short {
  const last = run.events.at(-1)
  const first = run.events[0]
  if (first === undefined || last?.signature === undefined) throw new Error('bug: run without signed end')
  const events = run.events.map(({ hlc, deps, kind, flags, epoch, body }) => {
    return { hlc, deps: deps.map((dep) => dep.slice(0, 2 * depBytes)), kind, flags, epoch, body }
  })
  const room = run.room.slice(0, 2 * roomBytes)
  const feed = shortName(run.feed)
  return { type: 'run', room, feed, first: first.seq, events, signature: last.signature }
}

function shortReceipt({ device, room, counter, role, entries, signature }: Receipt): Short {
  return {
    type: 'receipt',
    room: room.slice(0, 2 * roomBytes),
    device: bytesToHex(peerIdToBytes(device).subarray(0, deviceBytes)),
    counter,
    role,
    entries: entries.map(({ feed, first, last }) => ({ feed: shortName(feed), first, last })),
    signature,
  }
}

export function encodeShort(writer: Writer, short: Short): void {
  writer.u8(codes[short.type]).fixed(hexToBytes(short.room))
  if (short.type === 'run') writeRun(writer, short)
  else writeReceipt(writer, short)
  writer.fixed(short.signature)
}

function writeRun(writer: Writer, short: Extract<Short, { type: 'run' }>): void {
  writer.u32(short.feed).varint(short.first).varint(short.events.length)
  for (const event of short.events) {
    writeStamp(writer, event.hlc)
    const isPlain = event.flags === 0 && event.epoch === 0
    writer.u8(event.deps.length * 2 + (isPlain ? 0 : 1))
    for (const dep of event.deps) writer.fixed(hexToBytes(dep))
    writer.u8(event.kind)
    if (!isPlain) writer.u8(event.flags).varint(event.epoch)
    writer.block(event.body)
  }
}

function writeReceipt(writer: Writer, short: Extract<Short, { type: 'receipt' }>): void {
  writer.fixed(hexToBytes(short.device))
  writeStamp(writer, short.counter)
  writer.u8(short.role === 'reader' ? 0 : 1).varint(short.entries.length)
  for (const { feed, first, last } of short.entries) {
    writer
      .u32(feed)
      .varint(first)
      .varint(last - first)
  }
}

function writeStamp(writer: Writer, stamp: number): void {
  writer
    .u8(Math.floor(stamp / 2 ** 48))
    .u16(Math.floor(stamp / 2 ** 32) & 0xffff)
    .u32(stamp % 2 ** 32)
}

/** @throws Malformed @param code the first byte, read already */
export function decodeShort(reader: Reader, code: number): Short {
  const room = bytesToHex(reader.fixed(roomBytes))
  return code === codes.run ? readRun(reader, room) : readReceipt(reader, room)
}

function readRun(reader: Reader, room: string): Short {
  const feed = reader.u32()
  const first = reader.varint(seqMax - limits.runEventsMax)
  if (first === 0) throw new Malformed('the first event has no short form')
  const events = reader.list(limits.runEventsMax, () => readEvent(reader))
  if (events.length === 0) throw new Malformed('empty run')
  return { type: 'run', room, feed, first, events, signature: reader.fixed(signatureBytesLength) }
}

function readEvent(reader: Reader): ShortEvent {
  const hlc = readStamp(reader)
  const head = reader.u8()
  const isPlain = head % 2 === 0
  if (head >> 1 > limits.depsMax) throw new Malformed('too many ancestors')
  const deps = Array.from({ length: head >> 1 }, () => bytesToHex(reader.fixed(depBytes)))
  const kind = reader.u8()
  const flags = isPlain ? 0 : reader.u8()
  const epoch = isPlain ? 0 : reader.varint(0xffff_ffff)
  if (!isPlain && flags === 0 && epoch === 0) throw new Malformed('flags')
  return { hlc, deps, kind, flags, epoch, body: reader.block(limits.bodyBytesMax) }
}

function readReceipt(reader: Reader, room: string): Short {
  const device = bytesToHex(reader.fixed(deviceBytes))
  const counter = readStamp(reader)
  const role = reader.u8()
  if (role > 1) throw new Malformed('role')
  const entries = reader.list(limits.receiptEntriesMax, () => {
    const feed = reader.u32()
    const first = reader.varint(seqMax)
    const last = first + reader.varint(seqMax)
    if (!Number.isSafeInteger(last)) throw new Malformed('range out of bounds')
    return { feed, first, last }
  })
  const signature = reader.fixed(signatureBytesLength)
  return {
    type: 'receipt',
    room,
    device,
    counter,
    role: role === 0 ? 'reader' : 'carrier',
    entries,
    signature,
  }
}

function readStamp(reader: Reader): number {
  const stamp = reader.u8() * 2 ** 48 + reader.u16() * 2 ** 32 + reader.u32()
  if (stamp > limits.stampMax) throw new Malformed('stamp out of range')
  return stamp
}

/** Newest events by the beginning of their id, by room; what two share leads nowhere. Made once per packet. */
type Ends = Map<RoomId, Map<string, EventId | undefined>>

/** A7: @returns what was meant, in the order of the packet, or undefined if something in it cannot be completed. */
export function completeAll(shorts: readonly Short[], holdings: Holdings): Item[] | undefined {
  const items: Item[] = []
  const ends: Ends = new Map()
  for (const short of shorts) {
    const content =
      short.type === 'run' ? completeRun(short, holdings, items, ends) : completeReceipt(short, holdings)
    if (content === undefined) return undefined
    const item = itemOf(content)
    // In whole it has to fit a frame, or nobody could pass it on.
    if (item.size > limits.frameBytesMax - limits.frameHeadBytesMax) return undefined
    items.push(item)
  }
  return items
}

function roomOf(start: string, holdings: Holdings): RoomId | undefined {
  const rooms = [...holdings.rooms.keys()].filter((room) => room.startsWith(start))
  return rooms.length === 1 ? rooms[0] : undefined
}

/** Two feeds of one name are told apart by nobody: then it takes the whole form. */
function feedOf(log: Log, room: RoomId, name: number): FeedId | undefined {
  const feeds = log.rooms.get(room)?.byName.get(name) ?? []
  return feeds.length === 1 ? feeds[0] : undefined
}

function completeRun(
  short: Extract<Short, { type: 'run' }>,
  holdings: Holdings,
  before: readonly Item[],
  allEnds: Ends,
): Content | undefined {
  const room = roomOf(short.room, holdings)
  const feed = room === undefined ? undefined : feedOf(holdings.log, room, short.feed)
  // L8: nobody signs a branch.
  if (room === undefined || feed === undefined || isDerived(feed)) return undefined
  const known = sameRun(short, feed, [...before, ...holdings.recent])
  if (known !== undefined) return known
  let prev = eventBefore(holdings.log, room, feed, short.first, before)
  if (prev === undefined) return undefined
  const ends = endsOf(allEnds, holdings.log, room)
  const events: Event[] = []
  for (const [i, { deps: starts, ...fields }] of short.events.entries()) {
    const deps = starts.map((start) => ends.get(start))
    if (deps.includes(undefined)) return undefined
    const whole = { ...fields, room, feed, seq: short.first + i, prev, deps: deps as EventId[] }
    const id = eventIdOf(whole)
    if (fields.hlc <= (events.at(-1)?.hlc ?? -1)) return undefined
    const signature = i === short.events.length - 1 ? short.signature : undefined
    events.push({ ...whole, id, signature })
    noteEnd(ends, id)
    prev = id
  }
  return { type: 'run', run: { room, feed, events } }
}

/** The same run came another way: then its events are held, and no longer the newest. */
function sameRun(
  short: Extract<Short, { type: 'run' }>,
  feed: FeedId,
  items: readonly Item[],
): Content | undefined {
  return items.find(({ content }) => {
    if (content.type !== 'run' || content.run.feed !== feed) return false
    const signature = content.run.events.at(-1)?.signature
    return signature !== undefined && bytesEqual(signature, short.signature)
  })?.content
}

function eventBefore(
  log: Log,
  room: RoomId,
  feed: FeedId,
  first: number,
  before: readonly Item[],
): EventId | undefined {
  for (const { content } of before) {
    const last = content.type === 'run' ? content.run.events.at(-1) : undefined
    if (last?.room === room && last.feed === feed && last.seq === first - 1) return last.id
  }
  const state = feedsOf(log, room).get(feed)
  const ranges = [...(state?.pending ?? []), ...(state?.ranges ?? [])]
  return ranges.find((range) => range.last === first - 1)?.lastId
}

/** An ancestor is mostly the newest event of some feed. */
function endsOf(all: Ends, log: Log, room: RoomId): Map<string, EventId | undefined> {
  const known = all.get(room)
  if (known !== undefined) return known
  const ends = new Map<string, EventId | undefined>()
  all.set(room, ends)
  for (const state of feedsOf(log, room).values()) {
    for (const range of state.ranges) noteEnd(ends, range.lastId)
    for (const range of state.pending) noteEnd(ends, range.lastId)
  }
  return ends
}

function noteEnd(ends: Map<string, EventId | undefined>, id: EventId): void {
  const start = id.slice(0, 2 * depBytes)
  ends.set(start, ends.has(start) && ends.get(start) !== id ? undefined : id)
}

function completeReceipt(
  short: Extract<Short, { type: 'receipt' }>,
  holdings: Holdings,
): Content | undefined {
  const room = roomOf(short.room, holdings)
  const device = deviceOf(short.device, holdings)
  if (room === undefined || device === undefined) return undefined
  const entries: ReceiptEntry[] = []
  for (const { feed: name, first, last } of short.entries) {
    const feed = feedOf(holdings.log, room, name)
    if (feed === undefined) return undefined
    entries.push({ feed, first, last })
  }
  const { counter, role, signature } = short
  return { type: 'receipt', record: { device, room, counter, role, entries, signature } }
}

function deviceOf(start: string, holdings: Holdings): PeerId | undefined {
  const bytes = hexToBytes(start)
  // 48 bits are nine characters of base32 and three bits.
  const text = peerIdFromBytes(bytes).slice(0, 9)
  const found = [...holdings.peers].filter(
    (peer) => peer.startsWith(text) && bytesToHex(peerIdToBytes(peer).subarray(0, deviceBytes)) === start,
  )
  return found.length === 1 ? found[0] : undefined
}
