/**
 * Which feeds of a room differ between two peers, found from a sketch in one packet, and what either then tells.
 * Stateless on the side that answers. Rules R8–R13 in PROTOCOL.md.
 *
 * Source: the hybrid of `gossip.md` §7.7. Deviation: the set that is compared is feeds with what is held of them,
 * not events: a room has at most some thousand feeds however many events, a feed's hole shows as such, and no
 * index of events is needed. So the ladder, the newest ids and range-based comparison have nothing left to do;
 * where a sketch would be larger than the list of feeds, the list is told.
 */
import type { Frame, HaveEntry } from '../frame.ts'
import { isBranch, isLoose, type FeedId, type RoomId } from '../ids.ts'
import { limits } from '../limits.ts'
import { feedsOf } from '../log.ts'
import {
  belowFloor,
  printAbove,
  logDigest,
  subtractRanges,
  type FeedState,
  type Floors,
  type Log,
} from './held.ts'
import { noteHave, type Session, type Want } from './reconcile.ts'
import { differenceOf, fieldSize, sketchOf, toField, type Element } from './sketch.ts'
import type { Holding, ShortEntry, Span, SyncFrame } from './sync-frame.ts'

export const emptyPrint = '0000000000000000'

/** R8 */
export function printsOf(log: Log, rooms: readonly RoomId[], floors?: LinkFloors): SyncFrame {
  return { type: 'prints', rooms: rooms.map((room) => ({ room, print: logDigest(log, [room], floors) })) }
}

/** N2: below which numbers the other side keeps nothing, by room. */
export type LinkFloors = ReadonlyMap<RoomId, Floors>

type Held = readonly [FeedId, FeedState]
type Feeds = ReadonlyMap<number, readonly Held[]>

function held(log: Log, room: RoomId): Held[] {
  return [...feedsOf(log, room)].filter(([, state]) => state.ranges.length > 0)
}

function byName(log: Log, room: RoomId): Feeds {
  const feeds = new Map<number, Held[]>()
  for (const one of held(log, room)) {
    const same = feeds.get(one[1].name)
    if (same === undefined) feeds.set(one[1].name, [one])
    else same.push(one)
  }
  return feeds
}

/** N2: above the floors of the other side. */
function elementsOf(log: Log, room: RoomId, linkFloors: LinkFloors | undefined): Element[] {
  const floors = linkFloors?.get(room)
  const elements: Element[] = []
  for (const [feed, state] of held(log, room)) {
    const [half, other] = printAbove(room, feed, state, floors?.get(feed))
    // All that is held has been let go of there.
    if (half !== 0 || other !== 0) elements.push({ name: state.name, state: toField(half) })
  }
  return elements
}

/** R10: @returns the sketch of what is held in a room. */
export function sketchRoom(log: Log, room: RoomId, symbols: number, floors?: LinkFloors): SyncFrame {
  return { type: 'sketch', room, symbols: sketchOf(elementsOf(log, room, floors), symbols) }
}

/** R10, R11: @returns what to say to a sketch: which feeds differ, or how many symbols it takes. */
export function answerSketch(
  log: Log,
  frame: Extract<SyncFrame, { type: 'sketch' }>,
  floors?: LinkFloors,
): Frame[] {
  const { room, symbols } = frame
  const differing = differenceOf(elementsOf(log, room, floors), symbols)
  if (differing === undefined) {
    const more = Math.ceil(symbols.length * limits.sketchGrowth)
    const isTooMuch =
      more > limits.sketchMax || symbols.length > 2 * held(log, room).length + limits.sketchFirst
    if (isTooMuch) return listRoom(log, room)
    return [{ type: 'differ', room, isLast: false, entries: [], unknown: [], more }]
  }
  const feeds = byName(log, room)
  const entries: ShortEntry[] = []
  const unknown: number[] = []
  const whole: Held[] = []
  for (const { name, theirs } of differing) {
    const same = feeds.get(name) ?? []
    const [only] = same
    if (only === undefined) unknown.push(name)
    else if (theirs === 0 || same.length > 1) whole.push(...same)
    else entries.push({ name, ...holdingOf(only[1]) })
  }
  // R13: equal sketches of different prints: names or states that are equal by chance. Everything is told.
  if (differing.length === 0) return tellFeeds(room, held(log, room))
  const told = entries.slice(0, limits.listEntriesMax)
  return [{ type: 'differ', room, isLast: false, entries: told, unknown, more: 0 }, ...tellFeeds(room, whole)]
}

export interface Answered {
  readonly frames: Frame[]
  /** To be sent unasked. */
  readonly push: Want[]
  /** L8: feeds that differ although both hold the same numbers. */
  readonly doubts: { readonly room: RoomId; readonly feed: FeedId }[]
  /** L8: numbers from which on a feed goes on here and ended there, and a branch begins. */
  readonly ends: Want[]
}

/** R12: takes what the other side says of feeds that differ. @returns what to say and to send */
export function answerDiffer(
  session: Session,
  log: Log,
  frame: Extract<SyncFrame, { type: 'differ' }>,
): Answered {
  const { room } = frame
  const nothing = { push: [], doubts: [], ends: [] }
  if (frame.more > 0) return { frames: [sketchRoom(log, room, frame.more, session.floors)], ...nothing }
  const feeds = byName(log, room)
  const push: Want[] = []
  const own: ShortEntry[] = []
  const doubts: { readonly room: RoomId; readonly feed: FeedId }[] = []
  const ends: Want[] = []
  let missing = 0
  let isNewsHere = false
  for (const { name, ...holding } of frame.entries) {
    for (const [feed, state] of feeds.get(name) ?? []) {
      const { ranges, floor = 0 } = holding
      const isNews = (session.floors.get(room)?.get(feed) ?? 0) !== floor
      noteHave(session, room, [{ feed, newest: state.newest, ...holding }])
      const lacking = subtractRanges(state.ranges, [...belowFloor(floor), ...ranges])
      const news = subtractRanges(ranges, [...belowFloor(state.floor), ...state.ranges])
      const isEqual = lacking.length === 0 && news.length === 0
      const isHigher = state.floor > floor
      // Where everything is listed, most is equal; where one keeps less, that may be all.
      const isDoubtful = isEqual && frame.span === undefined && !isNews && !isHigher
      if (isDoubtful) doubts.push({ room, feed })
      // L8: it goes on there, and ended here.
      const isEnded = (ranges.at(-1)?.last ?? -1) >= (state.endsAt ?? Number.POSITIVE_INFINITY)
      isNewsHere ||= isHigher || isEnded
      const end = (ranges.at(-1)?.last ?? -1) + 1
      if (lacking.length > 0 && mayEnd(log, room, feed, end)) ends.push({ room, feed, first: end, last: end })
      if (lacking.length > 0 || isHigher || isEnded) own.push({ name, ...holdingOf(state) })
      for (const { first, last } of lacking) {
        missing += last - first + 1
        push.push({ room, feed, first, last })
      }
    }
  }
  const untold = frame.span === undefined ? [] : unlisted(feeds, frame.entries, frame.span)
  const asked = frame.unknown.flatMap((name) => [...(feeds.get(name) ?? [])])
  const frames = tellFeeds(room, [...asked, ...untold])
  if (frame.isLast) return { frames, push: [], doubts: [], ends }
  const unknown =
    frame.span === undefined ? [] : frame.entries.map(({ name }) => name).filter((name) => !feeds.has(name))
  if (missing <= limits.pushEventsMax && unknown.length === 0 && !isNewsHere)
    return { frames, push, doubts, ends }
  // What does not fit one frame comes to light again the next time.
  const entries = own.slice(0, limits.listEntriesMax)
  const last: Frame = { type: 'differ', room, isLast: true, entries, unknown, more: 0 }
  return { frames: [last, ...frames], push: [], doubts, ends }
}

/** L8: the other side holds less of a feed that is whole here, and a branch begins right there. */
function mayEnd(log: Log, room: RoomId, feed: FeedId, end: number): boolean {
  const feeds = feedsOf(log, room)
  const state = feeds.get(feed)
  if (state === undefined || state.endsAt !== undefined || isLoose(feed)) return false
  for (const [other, { origin, ranges }] of feeds) {
    const begins = ranges[0]?.first === end && isBranch(other) && other !== feed
    if (begins && origin === (state.origin ?? feed)) return true
  }
  return false
}

/** R11: @returns all that is held, by short names, so that each side finds what the other lacks. */
function listRoom(log: Log, room: RoomId): Frame[] {
  const named = [...byName(log, room)].sort(([a], [b]) => a - b)
  const frames: Frame[] = []
  let from = 0
  do {
    const part = named.splice(0, limits.listEntriesMax)
    const to = named.length === 0 ? fieldSize : (part.at(-1)?.[0] ?? 0)
    // Two feeds of one name are told in whole.
    const entries = part.flatMap(([name, [only, ...more]]) =>
      only === undefined || more.length > 0 ? [] : [{ name, ...holdingOf(only[1]) }],
    )
    const same = part.flatMap(([, feeds]) => (feeds.length > 1 ? feeds : []))
    frames.push({ type: 'differ', room, isLast: false, span: { from, to }, entries, unknown: [], more: 0 })
    frames.push(...tellFeeds(room, same))
    from = to + 1
  } while (named.length > 0)
  return frames
}

function unlisted(feeds: Feeds, entries: readonly ShortEntry[], { from, to }: Span): Held[] {
  const listed = new Set(entries.map(({ name }) => name))
  return [...feeds].flatMap(([name, same]) =>
    name >= from && name <= to && !listed.has(name) ? [...same] : [],
  )
}

function holdingOf({ ranges, floor }: FeedState): Holding {
  const newest = ranges.slice(-limits.rangesMax).map(({ first, last }) => ({ first, last }))
  return floor === 0 ? { ranges: newest } : { ranges: newest, floor }
}

/** R1: feeds with their whole ids, newest first. */
export function tellFeeds(room: RoomId, feeds: readonly Held[]): Frame[] {
  const entries: HaveEntry[] = [...feeds]
    .sort(([, a], [, b]) => b.newest - a.newest)
    .map(([feed, state]) => ({ feed, newest: state.newest, ...holdingOf(state) }))
  const frames: Frame[] = []
  for (let i = 0; i < entries.length; i += limits.haveEntriesMax) {
    frames.push({ type: 'have', room, entries: entries.slice(i, i + limits.haveEntriesMax) })
  }
  return frames
}

/** R1: @returns everything that is held in a room, for a peer that has nothing of it. */
export function tellRoom(log: Log, room: RoomId): Frame[] {
  return tellFeeds(room, held(log, room))
}
