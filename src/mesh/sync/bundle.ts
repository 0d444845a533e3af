/**
 * Several runs in one frame. Most of their ancestors stand in the same frame, and are named by their place in it
 * instead of by 32 bytes; stamps are told as what they are later than the one before. Rule E7 in PROTOCOL.md.
 *
 * Source: the dots of `gossip.md` §7.2. Deviation: a place in the frame, not (author, number): nothing has to be held
 * to read it, and what was fetched newest first has no ancestors yet.
 */
import { Malformed, Reader, Writer } from '../bytes.ts'
import { eventIdOf, signatureBytesLength, type Event, type EventFields, type Run } from '../event.ts'
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
} from '../ids.ts'
import { limits } from '../limits.ts'

const seqMax = Number.MAX_SAFE_INTEGER - 1
/** An ancestor that stands elsewhere: its whole id follows. Others count from 1. */
const elsewhere = 0
const placesMax = limits.recordsPerFrameMax * limits.runEventsMax

export function encodeBundle(writer: Writer, runs: readonly Run[]): void {
  // One event may stand there twice.
  const places = new Map<EventId, number>()
  let place = 0
  for (const { events } of runs) for (const { id } of events) places.set(id, ++place)
  writer.varint(runs.length)
  for (const { room, feed, events } of runs) {
    const [first, last] = [events[0], events.at(-1)]
    if (first === undefined || last?.signature === undefined) throw new Error('bug: run without signed end')
    writer.fixed(hexToBytes(room)).fixed(feedIdToBytes(feed)).varint(first.seq)
    if (first.prev !== undefined) writer.fixed(hexToBytes(first.prev))
    writer.varint(events.length)
    events.forEach((event, i) => writeEvent(writer, event, events[i - 1]?.hlc ?? 0, places))
    writer.fixed(last.signature)
  }
}

function writeEvent(
  writer: Writer,
  event: Event,
  before: number,
  places: ReadonlyMap<EventId, number>,
): void {
  writer.varint(event.hlc - before).u8(event.deps.length)
  for (const dep of event.deps) {
    const place = places.get(dep) ?? elsewhere
    writer.varint(place)
    if (place === elsewhere) writer.fixed(hexToBytes(dep))
  }
  writer.u8(event.kind).u8(event.flags).varint(event.epoch).block(event.body)
}

type Draft = Pick<Event, 'hlc' | 'kind' | 'flags' | 'epoch' | 'body'> & {
  readonly deps: readonly (EventId | number)[]
}

interface RunDraft {
  readonly room: RoomId
  readonly feed: FeedId
  readonly firstSeq: number
  /** The place of its first event in the frame. */
  readonly firstPlace: number
  readonly drafts: readonly Draft[]
  readonly signature: Uint8Array
  readonly events: Event[]
  prev: EventId | undefined
}

/** @throws Malformed, also where ancestors go in a ring */
export function decodeBundle(reader: Reader): Run[] {
  let count = 0
  const runs = reader.list(limits.recordsPerFrameMax, () => {
    const run = readRun(reader, count + 1)
    count += run.drafts.length
    return run
  })
  const ids: EventId[] = []
  // An id follows from those of the ancestors, which may stand further back.
  for (let isNews = true; isNews;) {
    isNews = false
    for (const run of runs) isNews = complete(run, ids) || isNews
  }
  if (runs.some(({ drafts, events }) => events.length < drafts.length))
    throw new Malformed('ring of ancestors')
  const told = new Set(ids)
  const isLong = ({ drafts }: RunDraft) =>
    drafts.some(({ deps }) => deps.some((dep) => typeof dep !== 'number' && told.has(dep)))
  if (runs.some(isLong)) throw new Malformed('an ancestor has a place')
  return runs.map(({ room, feed, events }) => ({ room, feed, events }))
}

function readRun(reader: Reader, firstPlace: number): RunDraft {
  const room = roomIdFromBytes(reader.fixed(roomIdBytesLength))
  const feed = feedIdFromBytes(reader.fixed(feedIdBytesLength))
  // L8: branches are how a feed is kept; nobody signs one.
  if (isDerived(feed)) throw new Malformed('nobody signs a branch')
  const firstSeq = reader.varint(seqMax)
  const prev = firstSeq === 0 ? undefined : eventIdFromBytes(reader.fixed(eventIdBytesLength))
  let stamp = -1
  const drafts = reader.list(limits.runEventsMax, () => {
    const later = reader.varint(limits.stampMax)
    if (later === 0 && stamp >= 0) throw new Malformed('stamps do not rise')
    stamp = Math.max(stamp, 0) + later
    if (stamp > limits.stampMax) throw new Malformed('stamp out of range')
    return readEvent(reader, stamp)
  })
  if (drafts.length === 0) throw new Malformed('empty run')
  return {
    room,
    feed,
    firstSeq,
    firstPlace,
    drafts,
    signature: reader.fixed(signatureBytesLength),
    events: [],
    prev,
  }
}

function readEvent(reader: Reader, hlc: number): Draft {
  const deps = reader.list(limits.depsMax, () => {
    const place = reader.varint(placesMax)
    return place === elsewhere ? eventIdFromBytes(reader.fixed(eventIdBytesLength)) : place
  })
  const kind = reader.u8()
  const flags = reader.u8()
  const epoch = reader.varint(0xffff_ffff)
  return { hlc, deps, kind, flags, epoch, body: reader.block(limits.bodyBytesMax) }
}

/** @param ids by place, as far as they are known; gets those that follow now @returns whether there were any */
function complete(run: RunDraft, ids: EventId[]): boolean {
  const { room, feed, firstSeq, firstPlace, drafts, signature, events } = run
  const known = events.length
  for (let i = known; i < drafts.length; i++) {
    const draft = drafts[i]
    if (draft === undefined) break
    const deps = draft.deps.flatMap((dep) => (typeof dep === 'number' ? (ids[dep] ?? []) : [dep]))
    if (deps.length < draft.deps.length) break
    const fields: EventFields = { ...draft, deps, room, feed, seq: firstSeq + i, prev: run.prev }
    const id = eventIdOf(fields)
    events.push({ ...fields, id, signature: i === drafts.length - 1 ? signature : undefined })
    ids[firstPlace + i] = id
    run.prev = id
  }
  return events.length > known
}
