/** Reads a segment of a journal back, as a crash or a bad disk may have left it. */
import { Malformed } from '#mesh/bytes.ts'
import type { FeedId, RoomId } from '#mesh/ids.ts'
import { claimedLength, isWhole, readRows, transactionHeadBytes } from './journal-rows.ts'
import type { JournalState } from './journal-state.ts'
import type { Volume } from './volume.ts'

/** The first bytes of each segment. */
export const segmentMark = Uint8Array.from([0x6d, 0x65, 0x73, 0x68, 0x6c, 0x6f, 0x67, 1])

/** guess: read at once; a transaction may be longer. */
const windowBytes = 65_536

/** What is on the volume is not what this software wrote. */
export class Damaged extends Error {}

export interface ReadSegment {
  readonly length: number
  /** It begins with the tables: the segments before it are needed for their events only. */
  readonly isRestated: boolean
}

/** A segment, a part at a time: all of it at once would stay in the memory of a small computer. */
class Window {
  private buffer = new Uint8Array(windowBytes)
  private from = 0
  /** What of the buffer is filled. */
  private bytes = this.buffer.subarray(0, 0)
  private readonly volume: Volume
  private readonly segment: number
  readonly size: number

  constructor(volume: Volume, segment: number, size: number) {
    this.volume = volume
    this.segment = segment
    this.size = size
  }

  /** @returns that many bytes, or as many as there are; they stand there until the next call */
  async read(at: number, length: number): Promise<Uint8Array> {
    const end = Math.min(this.size, at + length)
    if (at < this.from || end > this.from + this.bytes.length) {
      if (length > this.buffer.length) this.buffer = new Uint8Array(length)
      const wanted = Math.max(0, Math.min(this.size - at, this.buffer.length))
      this.bytes = this.buffer.subarray(0, wanted)
      await this.volume.readInto(this.segment, at, this.bytes)
      this.from = at
    }
    return this.bytes.subarray(at - this.from, Math.max(at, end) - this.from)
  }

  /** @returns the transaction that stands there, or undefined when none does that is whole */
  async transaction(at: number): Promise<Uint8Array | undefined> {
    const length = claimedLength(await this.read(at, transactionHeadBytes))
    if (length === undefined || at + length > this.size) return undefined
    const bytes = await this.read(at, length)
    return isWhole(bytes) ? bytes : undefined
  }

  /** @returns whether something whole stands behind the transaction that is not. */
  async hasMore(at: number): Promise<boolean> {
    const length = claimedLength(await this.read(at, transactionHeadBytes))
    return (
      length !== undefined && at + length < this.size && (await this.transaction(at + length)) !== undefined
    )
  }
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
  const window = new Window(volume, segment, await volume.lengthOf(segment))
  const mark = await window.read(0, segmentMark.length)
  if (!segmentMark.every((byte, i) => mark[i] === byte)) {
    // A crash may come between a segment's name and its first bytes.
    if (!isLast || window.size > segmentMark.length) throw new Damaged('no journal')
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
  for (let read = await window.transaction(at); read !== undefined; read = await window.transaction(at)) {
    for (const { row, offset, length: rowLength } of readRows(read)) {
      if (row.type === 'place') name(row.place, row.room, row.feed)
      isRestated ||= row.type === 'restated'
      state.take(row, { segment, offset: at + offset, length: rowLength }, numberOf)
    }
    at += read.length
  }
  if (at < window.size) {
    if (!isLast || (await window.hasMore(at))) throw new Damaged('a hole in the journal')
    await volume.truncate(segment, at)
  }
  return { length: at, isRestated }
}
