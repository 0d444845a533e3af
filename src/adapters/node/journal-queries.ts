/** What is asked of a journal: which events, in which order. A node asks seldom, so rooms are sorted when they are asked for. */
import { feedAuthor, type EventId, type FeedId, type PeerId, type RoomId } from '#mesh/ids.ts'
import type { Range } from '#mesh/sync/sync-frame.ts'
import type { HistoryQuery, Position } from '#runtime/ports.ts'
import type { Slot } from './event-index.ts'
import type { JournalState } from './journal-state.ts'

/** @returns a range of a feed, and on through what the signature at its end needs */
export function loadSlots(state: JournalState, room: RoomId, feed: FeedId, { first, last }: Range): Slot[] {
  const { index } = state
  const place = state.knownPlace(room, feed)
  if (place === undefined) return []
  const slots = state.slotsIn(place, first, last)
  let seq = last
  for (let end = index.at(place, seq); end !== undefined && !index.isSigned(end);) {
    end = index.at(place, ++seq)
    if (end !== undefined) slots.push(end)
  }
  return slots
}

/** @returns what stands in a room by itself, ascending */
function inOrder(
  state: JournalState,
  room: RoomId,
  isWanted: (position: Position, feed: FeedId) => boolean,
): Slot[] {
  const { index } = state
  const found: { readonly slot: Slot; readonly effective: number; readonly id: EventId }[] = []
  for (const slot of index.slots()) {
    const place = state.placeOf(index.placeOf(slot))
    if (place.room !== room || index.isAbout(slot)) continue
    const position = { effective: index.effectiveOf(slot), id: index.idOf(slot) }
    if (isWanted(position, place.feed)) found.push({ slot, ...position })
  }
  return found.sort(comparePositions).map(({ slot }) => slot)
}

export function historySlots(state: JournalState, { room, before, after, limit }: HistoryQuery): Slot[] {
  const slots = inOrder(
    state,
    room,
    (one) =>
      (before === undefined || comparePositions(one, before) < 0) &&
      (after === undefined || comparePositions(one, after) > 0),
  )
  return after === undefined ? slots.slice(-limit) : slots.slice(0, limit)
}

/** @returns what may be about these messages; whoever needs to be certain looks at it */
export function aboutSlots(state: JournalState, targets: readonly EventId[]): Slot[] {
  const slots = new Set(targets.flatMap((id) => state.index.linkedTo(id)))
  return [...slots].filter((slot) => state.index.isAbout(slot))
}

/** @returns what a device has said in a room; whoever needs to be certain what about looks at it */
export function rulingSlots(state: JournalState, room: RoomId, author: PeerId): Slot[] {
  const { index } = state
  return [...index.slots()].filter((slot) => {
    const place = state.placeOf(index.placeOf(slot))
    return place.room === room && index.isAbout(slot) && feedAuthor(place.feed) === author
  })
}

export function countAfter(
  state: JournalState,
  room: RoomId,
  after: Position | undefined,
  except: PeerId,
): number {
  const isLater = (one: Position) => after === undefined || comparePositions(one, after) > 0
  return inOrder(state, room, (one, feed) => feedAuthor(feed) !== except && isLater(one)).length
}

function comparePositions(a: Position, b: Position): number {
  return a.effective - b.effective || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
