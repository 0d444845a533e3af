/**
 * Events: what a feed says in a room, how it is hashed, chained and signed, and how runs of it travel.
 *
 * Source: design decision 6 and `gossip.md` §7.2. Rules E1–E9 in PROTOCOL.md.
 * Deviation: a signature is over the event's id (which binds the whole header) behind its own domain, so that
 * a verifier needs 32 bytes and not the header. The hybrid logical clock is one integer (see clock.ts).
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { Malformed, Reader, Writer, concatBytes, encodeUtf8 } from './bytes.ts'
import {
  eventIdBytesLength,
  eventIdFromBytes,
  feedIdBytesLength,
  feedIdFromBytes,
  feedIdToBytes,
  hexToBytes,
  isDerived,
  roomIdBytesLength,
  roomIdFromBytes,
  type EventId,
  type FeedId,
  type RoomId,
} from './ids.ts'
import { limits } from './limits.ts'

export const eventVersion = 1
export const signatureBytesLength = 64
const seqMax = Number.MAX_SAFE_INTEGER - 1
/** A run, its head and its signature stay within one frame. */
const servableBytesMax = limits.frameBytesMax - limits.frameHeadBytesMax

export interface Event {
  readonly room: RoomId
  readonly feed: FeedId
  /** From 0, without holes, per (room, feed). */
  readonly seq: number
  /** The feed's previous event in this room; undefined at seq 0. */
  readonly prev: EventId | undefined
  /** Hybrid logical clock, see clock.ts. */
  readonly hlc: number
  /** Newest events of other feeds in this room that the author had seen and nobody had named yet. */
  readonly deps: readonly EventId[]
  /** What it says (timeline/body.ts). A kind that this version does not know is stored and passed on, never shown (E8). */
  readonly kind: number
  readonly flags: number
  /** Key epoch; 0 is public text. */
  readonly epoch: number
  readonly body: Uint8Array
  readonly id: EventId
  /** Absent inside a run: a later event of the run carries the signature for all before it. */
  readonly signature: Uint8Array | undefined
}

export type EventFields = Omit<Event, 'id' | 'signature'>

/** Consecutive events of one feed in one room; the last one is signed (E5). Never empty. */
export interface Run {
  readonly room: RoomId
  readonly feed: FeedId
  readonly events: readonly Event[]
}

/** Something that was signed, to be checked before it reaches the engine. */
export interface Claim {
  /** 32-byte public key as peer id text. */
  readonly signer: string
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

const idDomain = encodeUtf8('meshchat/1/event')
const signDomain = encodeUtf8('meshchat/1/sign/event')
const noEvent = new Uint8Array(eventIdBytesLength)

/** The bytes that an event's id is the hash of: every field, the body by its hash (E2). */
export function encodeHeader(event: EventFields): Uint8Array {
  const writer = new Writer()
  writer.u8(eventVersion)
  writer.fixed(hexToBytes(event.room))
  writer.fixed(feedIdToBytes(event.feed))
  writer.varint(event.seq)
  writer.fixed(event.prev === undefined ? noEvent : hexToBytes(event.prev))
  writer.u64(event.hlc)
  writer.u8(event.deps.length)
  for (const dep of event.deps) writer.fixed(hexToBytes(dep))
  writer.u8(event.kind).u8(event.flags).varint(event.epoch)
  writer.varint(event.body.length).fixed(sha256(event.body))
  return writer.finish()
}

export function eventIdOf(fields: EventFields): EventId {
  return eventIdFromBytes(sha256(concatBytes(idDomain, encodeHeader(fields))))
}

/** What the author signs: the id behind a domain of its own, so that no other signature can pass for it. */
export function eventSigningBytes(id: EventId): Uint8Array {
  return concatBytes(signDomain, hexToBytes(id))
}

export function runClaim(run: Run): Claim {
  const last = run.events[run.events.length - 1]
  if (last?.signature === undefined) throw new Malformed('run without signature')
  return { signer: run.feed.slice(0, 52), message: eventSigningBytes(last.id), signature: last.signature }
}

export function encodeRun(writer: Writer, run: Run): void {
  const first = run.events[0]
  const last = run.events[run.events.length - 1]
  if (first === undefined || last?.signature === undefined) throw new Error('bug: run without signed end')
  writer.fixed(hexToBytes(run.room)).fixed(feedIdToBytes(run.feed)).varint(first.seq)
  if (first.prev !== undefined) writer.fixed(hexToBytes(first.prev))
  writer.varint(run.events.length)
  for (const event of run.events) {
    writer.u64(event.hlc).u8(event.deps.length)
    for (const dep of event.deps) writer.fixed(hexToBytes(dep))
    writer.u8(event.kind).u8(event.flags).varint(event.epoch).block(event.body)
  }
  writer.fixed(last.signature)
}

/** @throws Malformed */
export function decodeRun(reader: Reader): Run {
  const room = roomIdFromBytes(reader.fixed(roomIdBytesLength))
  const feed = feedIdFromBytes(reader.fixed(feedIdBytesLength))
  // L8: branches are how a feed is kept; nobody signs one.
  if (isDerived(feed)) throw new Malformed('nobody signs a branch')
  const firstSeq = reader.varint(seqMax)
  let prev = firstSeq === 0 ? undefined : eventIdFromBytes(reader.fixed(eventIdBytesLength))
  const count = reader.varint(limits.runEventsMax)
  if (count === 0) throw new Malformed('empty run')
  const unsigned: Omit<Event, 'signature'>[] = []
  for (let i = 0; i < count; i++) {
    const fields = decodeEvent(reader, { room, feed, seq: firstSeq + i, prev })
    const id = eventIdOf(fields)
    if (fields.hlc <= (unsigned[i - 1]?.hlc ?? -1)) throw new Malformed('stamps do not rise')
    unsigned.push({ ...fields, id })
    prev = id
  }
  const signature = reader.fixed(signatureBytesLength)
  const events = unsigned.map((event, i) => ({
    ...event,
    signature: i === count - 1 ? signature : undefined,
  }))
  return { room, feed, events }
}

function decodeEvent(
  reader: Reader,
  place: Pick<EventFields, 'room' | 'feed' | 'seq' | 'prev'>,
): EventFields {
  const hlc = reader.u64()
  if (hlc > limits.stampMax) throw new Malformed('stamp out of range')
  const deps = reader.list(limits.depsMax, () => eventIdFromBytes(reader.fixed(eventIdBytesLength)))
  const kind = reader.u8()
  const flags = reader.u8()
  const epoch = reader.varint(0xffff_ffff)
  const body = reader.block(limits.bodyBytesMax)
  return { ...place, hlc, deps, kind, flags, epoch, body }
}

/** About how many bytes an event adds to a run. */
export function eventWireBytes(event: EventFields): number {
  return 16 + event.deps.length * eventIdBytesLength + event.body.length
}

/**
 * Cuts stored events into runs that each end signed, stay within `runEventsMax` and, where signatures allow,
 * within `runBytesMax` (E6). Events behind the last signature are left out.
 * @param events of one feed in one room, ascending; a hole ends a run
 */
export function cutRuns(events: readonly Event[]): Run[] {
  const runs: Run[] = []
  let open: Event[] = []
  let openBytes = 0
  let signedCount = 0
  const close = () => {
    const first = open[0]
    // A stretch without signatures that no frame can hold cannot be served from here (E6).
    const isServable = signedCount > 0 && signedCount <= limits.runEventsMax && openBytes <= servableBytesMax
    if (first !== undefined && isServable) {
      runs.push({ room: first.room, feed: first.feed, events: open.slice(0, signedCount) })
    }
    open = open.slice(signedCount)
    openBytes = open.reduce((sum, event) => sum + eventWireBytes(event), 0)
    signedCount = 0
  }
  for (const event of events) {
    const before = open[open.length - 1]
    if (before !== undefined && event.seq !== before.seq + 1) {
      close()
      open = []
      openBytes = 0
    }
    const full = open.length >= limits.runEventsMax || openBytes + eventWireBytes(event) > limits.runBytesMax
    if (full && signedCount > 0) close()
    open.push(event)
    openBytes += eventWireBytes(event)
    if (event.signature !== undefined) signedCount = open.length
  }
  close()
  return runs
}
