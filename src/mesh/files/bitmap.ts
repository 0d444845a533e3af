/** Which chunks of a file there are. On the wire the lengths of its stretches, missing and held in turn (C4). */
import { Malformed, type Reader, type Writer } from '../bytes.ts'
import { fileLimits } from './limits.ts'

/** A map as it travels. */
export type Runs = readonly number[]

export class Bitmap {
  readonly size: number
  private readonly bits: Uint8Array
  private counted = 0

  constructor(size: number) {
    this.size = size
    this.bits = new Uint8Array(Math.ceil(size / 8))
  }

  static full(size: number): Bitmap {
    const map = new Bitmap(size)
    map.fill(0, size)
    return map
  }

  get count(): number {
    return this.counted
  }

  get isFull(): boolean {
    return this.counted === this.size
  }

  has(index: number): boolean {
    return ((this.bits[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0
  }

  /** @returns whether it was missing */
  add(index: number): boolean {
    if (index < 0 || index >= this.size || this.has(index)) return false
    this.bits[index >>> 3] = (this.bits[index >>> 3] ?? 0) | (1 << (index & 7))
    this.counted += 1
    return true
  }

  /** @returns whether it was there */
  delete(index: number): boolean {
    if (!this.has(index)) return false
    this.bits[index >>> 3] = (this.bits[index >>> 3] ?? 0) & ~(1 << (index & 7))
    this.counted -= 1
    return true
  }

  fill(from: number, to: number): void {
    for (let index = from; index < to; index++) {
      if ((index & 7) === 0 && index + 8 <= to && this.bits[index >>> 3] === 0) {
        this.bits[index >>> 3] = 255
        this.counted += 8
        index += 7
      } else this.add(index)
    }
  }

  addAll(other: Bitmap): void {
    if (other.isFull) this.fill(0, this.size)
    else if (!this.isFull)
      for (let index = 0; index < this.size; index++) if (other.has(index)) this.add(index)
  }

  /** @returns the first missing one from there on, or `size` */
  nextMissing(from: number): number {
    let index = from
    while (index < this.size && this.has(index))
      index += (index & 7) === 0 && this.bits[index >>> 3] === 255 ? 8 : 1
    return Math.min(index, this.size)
  }

  /** @returns the first one from there on that is missing here and held there, or `size` */
  nextMissingOf(other: Bitmap, from: number): number {
    let index = from
    for (; index < this.size; index++) {
      const left = (other.bits[index >>> 3] ?? 0) & ~(this.bits[index >>> 3] ?? 0)
      if ((left & (1 << (index & 7))) !== 0) return index
      if ((index & 7) === 0 && left === 0) index += 7
    }
    return this.size
  }

  /** Lengths of stretches in turn, the first of missing ones; what is missing at the end is left out. */
  get runs(): Runs {
    const runs: number[] = []
    let isHeld = false
    let length = 0
    for (let index = 0; index < this.size && runs.length < fileLimits.mapRunsMax; index++) {
      if (this.has(index) !== isHeld) {
        runs.push(length)
        isHeld = !isHeld
        length = 0
      }
      length += 1
    }
    if (isHeld && runs.length < fileLimits.mapRunsMax) runs.push(length)
    // A held stretch that did not fit any more has no length.
    return runs.length % 2 === 0 ? runs : runs.slice(0, -1)
  }

  /** One bit for each, the first in the lowest bit of the first byte. */
  get bytes(): Uint8Array {
    return this.bits.slice()
  }

  /** @returns undefined when these are not the bits of so many */
  static ofBytes(size: number, bytes: Uint8Array): Bitmap | undefined {
    const map = new Bitmap(size)
    if (bytes.length !== map.bits.length) return undefined
    map.bits.set(bytes)
    const above = size & 7
    if (above !== 0) map.bits[bytes.length - 1] = (bytes.at(-1) ?? 0) & ((1 << above) - 1)
    for (let index = 0; index < size; index++) if (map.has(index)) map.counted += 1
    return map
  }

  /** @param runs of a stranger @returns undefined when they do not fit a file of so many chunks */
  static from(size: number, runs: Runs): Bitmap | undefined {
    if (runs.reduce((sum, run) => sum + run, 0) > size) return undefined
    const map = new Bitmap(size)
    let at = 0
    for (const [i, run] of runs.entries()) {
      if (i % 2 === 1) map.fill(at, at + run)
      at += run
    }
    return map
  }
}

export function writeRuns(writer: Writer, runs: Runs): void {
  writer.varint(runs.length / 2)
  for (const run of runs) writer.varint(run)
}

/** Takes no more room than its bytes. @throws Malformed when it is no map, or not the one encoding of it */
export function readRuns(reader: Reader): Runs {
  const runs: number[] = []
  const count = reader.varint(fileLimits.mapRunsMax / 2)
  for (let i = 0; i < count; i++) {
    const missing = reader.varint(fileLimits.chunksMax)
    const held = reader.varint(fileLimits.chunksMax)
    if (held === 0 || (missing === 0 && i > 0)) throw new Malformed('map')
    runs.push(missing, held)
  }
  return runs
}
