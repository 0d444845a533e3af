/** Reads a segment of a journal back, as a crash or a bad disk may have left it. */
import { Malformed } from '#mesh/bytes.ts'
import type { FeedId, RoomId } from '#mesh/ids.ts'
import { readRows, transactionHeadBytes, transactionLength } from './journal-rows.ts'
import type { JournalState } from './journal-state.ts'
import type { Volume } from './volume.ts'

/** The first bytes of each segment. */
export const segmentMark = Uint8Array.from([0x6d, 0x65, 0x73, 0x68, 0x6c, 0x6f, 0x67, 1])

/** What is on the volume is not what this software wrote. */
export class Damaged extends Error {}

export interface ReadSegment {
  readonly length: number
  /** It begins with the tables: the segments before it are needed for their events only. */
  readonly isRestated: boolean
}

/**
 * @param isLast what has no end there was being written when the power went, and is cut off
 * @returns undefined for a segment that had not begun; it is removed
 * @throws Damaged, Malformed
 */
export async function readSegment(
  volume: Volume,
  state: JournalState,
  segment: number,
  isLast: boolean,
): Promise<ReadSegment | undefined> {
  const bytes = await volume.readAll(segment)
  if (!segmentMark.every((byte, i) => bytes[i] === byte)) {
    // A crash may come between a segment's name and its first bytes.
    if (!isLast || bytes.length > segmentMark.length) throw new Damaged('no journal')
    await volume.remove(segment)
    return undefined
  }
  state.declared.clear()
  state.liveBytes.set(segment, 0)
  const numbers = new Map<number, number>()
  const name = (place: number, room: RoomId, feed: FeedId) =>
    numbers.set(place, state.placeNumber(room, feed))
  const numberOf = (place: number): number => {
    const number = numbers.get(place)
    if (number === undefined) throw new Malformed('a place without a name')
    return number
  }
  let at = segmentMark.length
  let isRestated = false
  for (
    let length = transactionLength(bytes, at);
    length !== undefined;
    length = transactionLength(bytes, at)
  ) {
    for (const { row, offset, length: rowLength } of readRows(bytes.subarray(at, at + length))) {
      if (row.type === 'place') name(row.place, row.room, row.feed)
      isRestated ||= row.type === 'restated'
      state.take(row, { segment, offset: at + offset, length: rowLength }, numberOf)
    }
    at += length
  }
  if (at < bytes.length) {
    if (!isLast || hasMore(bytes, at)) throw new Damaged('a hole in the journal')
    await volume.truncate(segment, at)
  }
  return { length: at, isRestated }
}

/** @returns whether something whole stands behind the transaction that is not. */
function hasMore(bytes: Uint8Array, at: number): boolean {
  if (bytes.length - at < transactionHeadBytes) return false
  const length = new DataView(bytes.buffer, bytes.byteOffset + at, transactionHeadBytes).getUint32(0)
  const next = at + transactionHeadBytes + length
  return next < bytes.length && transactionLength(bytes, next) !== undefined
}
