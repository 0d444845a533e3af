/**
 * Where each event of a journal stands, in a hundred bytes: a node with a million of them must fit a small computer.
 * Typed arrays instead of objects; texts stay on the volume. Knows no files and no rules.
 */
import { bytesToHex, hexToBytes, type EventId } from '#mesh/ids.ts'
import { BytesColumn, bytes8, float64, unsigned32 } from './column.ts'

/** Of one event; valid until it is removed. */
export type Slot = number

/** Where a row stands on the volume. */
export interface Span {
  readonly segment: number
  readonly offset: number
  readonly length: number
}

export interface Entry {
  readonly id: EventId
  /** Number of its (room, feed). */
  readonly place: number
  readonly seq: number
  readonly effective: number
  readonly signed: boolean
  /** It is about another message and does not stand in the room by itself. */
  readonly about: boolean
}

const signedBit = 1
const aboutBit = 2
/** Sequence numbers that share an array. */
const block = 64

/**
 * From 64 bits of a key to numbers; several entries may share a key. Chained, so that an id which everybody names costs
 * nobody more to add.
 */
class Multimap {
  private heads = new Int32Array(1_024)
  private readonly highs = unsigned32()
  private readonly lows = unsigned32()
  private readonly values = unsigned32()
  /** Of entries with the same bucket, and of free entries; one more than the entry, 0 at the end. */
  private readonly nexts = unsigned32()
  private free = 0
  private size = 0

  /** @param value ≥ 0 */
  add(high: number, low: number, value: number): void {
    let entry = this.free - 1
    if (entry >= 0) this.free = this.nexts.get(entry)
    else {
      if (this.size === this.heads.length) this.grow()
      entry = this.size++
    }
    this.highs.set(entry, high)
    this.lows.set(entry, low)
    this.values.set(entry, value)
    this.chain(entry)
  }

  private chain(entry: number): void {
    const bucket = mix(this.highs.get(entry), this.lows.get(entry)) & (this.heads.length - 1)
    this.nexts.set(entry, this.heads[bucket] ?? 0)
    this.heads[bucket] = entry + 1
  }

  get(high: number, low: number): number[] {
    const found: number[] = []
    let entry = (this.heads[mix(high, low) & (this.heads.length - 1)] ?? 0) - 1
    for (; entry >= 0; entry = this.nexts.get(entry) - 1) {
      if (this.highs.get(entry) === high && this.lows.get(entry) === low) found.push(this.values.get(entry))
    }
    return found
  }

  remove(high: number, low: number, value: number): void {
    const bucket = mix(high, low) & (this.heads.length - 1)
    let before = -1
    for (let entry = (this.heads[bucket] ?? 0) - 1; entry >= 0; entry = this.nexts.get(entry) - 1) {
      const isIt =
        this.highs.get(entry) === high && this.lows.get(entry) === low && this.values.get(entry) === value
      if (!isIt) {
        before = entry
        continue
      }
      const after = this.nexts.get(entry)
      if (before < 0) this.heads[bucket] = after
      else this.nexts.set(before, after)
      this.nexts.set(entry, this.free)
      this.free = entry + 1
      return
    }
  }

  /** Every entry is in use when there are too few. */
  private grow(): void {
    this.heads = new Int32Array(this.heads.length * 2)
    for (let entry = 0; entry < this.size; entry++) this.chain(entry)
  }
}

/** Ids of events are hashes already; the ancestors that somebody names can be any bytes. */
function mix(high: number, low: number): number {
  const mixed = Math.imul(high ^ (low >>> 15), 0x9e37_79b1) ^ Math.imul(low, 0x85eb_ca77)
  return (mixed ^ (mixed >>> 13)) >>> 0
}

function halves(id: EventId): [number, number] {
  return [Number.parseInt(id.slice(0, 8), 16), Number.parseInt(id.slice(8, 16), 16)]
}

export class EventIndex {
  private high = 0
  private readonly free: Slot[] = []
  private readonly ids = new BytesColumn(32)
  private readonly places = unsigned32()
  private readonly seqs = float64()
  private readonly effectives = float64()
  private readonly segments = unsigned32()
  private readonly offsets = unsigned32()
  private readonly lengths = unsigned32()
  private readonly flags = bytes8()
  private readonly byId = new Multimap()
  private readonly links = new Multimap()
  private readonly bySeq = new Map<number, Map<number, Int32Array>>()
  count = 0

  find(id: EventId): Slot | undefined {
    return this.byId.get(...halves(id)).find((slot) => this.idOf(slot) === id)
  }

  at(place: number, seq: number): Slot | undefined {
    const value = this.bySeq.get(place)?.get(Math.floor(seq / block))?.[seq % block] ?? 0
    return value === 0 ? undefined : value - 1
  }

  idOf(slot: Slot): EventId {
    return bytesToHex(this.ids.get(slot)) as EventId
  }

  /** @returns a length of 0 for what has been removed. */
  spanOf(slot: Slot): Span {
    return {
      segment: this.segments.get(slot),
      offset: this.offsets.get(slot),
      length: this.lengths.get(slot),
    }
  }

  isSigned(slot: Slot): boolean {
    return (this.flags.get(slot) & signedBit) !== 0
  }

  isAbout(slot: Slot): boolean {
    return (this.flags.get(slot) & aboutBit) !== 0
  }

  seqOf(slot: Slot): number {
    return this.seqs.get(slot)
  }

  placeOf(slot: Slot): number {
    return this.places.get(slot)
  }

  effectiveOf(slot: Slot): number {
    return this.effectives.get(slot)
  }

  /** @param linked ids that lead to this event: its ancestors, and what it is about */
  add(row: Entry, span: Span, linked: readonly EventId[]): Slot {
    const slot = this.free.pop() ?? this.high++
    this.ids.set(slot, hexToBytes(row.id))
    this.effectives.set(slot, row.effective)
    this.flags.set(slot, row.about ? aboutBit : 0)
    this.byId.add(...halves(row.id), slot)
    for (const id of linked) this.links.add(...halves(id), slot)
    this.stand(slot, row.place, row.seq)
    this.locate(slot, span, row.signed)
    this.count += 1
    return slot
  }

  private stand(slot: Slot, place: number, seq: number): void {
    this.places.set(slot, place)
    this.seqs.set(slot, seq)
    const blocks = this.bySeq.get(place) ?? new Map<number, Int32Array>()
    this.bySeq.set(place, blocks)
    const number = Math.floor(seq / block)
    const slots = blocks.get(number) ?? new Int32Array(block)
    blocks.set(number, slots)
    slots[seq % block] = slot + 1
  }

  private leave(slot: Slot): void {
    const [place, seq] = [this.placeOf(slot), this.seqOf(slot)]
    const blocks = this.bySeq.get(place)
    const slots = blocks?.get(Math.floor(seq / block))
    if (slots?.[seq % block] === slot + 1) slots[seq % block] = 0
    if (slots?.every((value) => value === 0) === true) blocks?.delete(Math.floor(seq / block))
    if (blocks?.size === 0) this.bySeq.delete(place)
  }

  /** It stands under another feed from now on. */
  move(slot: Slot, place: number): void {
    const seq = this.seqs.get(slot)
    this.leave(slot)
    this.stand(slot, place, seq)
  }

  /** It has been written down elsewhere. */
  locate(slot: Slot, { segment, offset, length }: Span, signed: boolean): void {
    this.segments.set(slot, segment)
    this.offsets.set(slot, offset)
    this.lengths.set(slot, length)
    this.flags.set(slot, (this.flags.get(slot) & ~signedBit) | (signed ? signedBit : 0))
  }

  setEffective(slot: Slot, effective: number): void {
    this.effectives.set(slot, effective)
  }

  /** @param linked as it was added */
  remove(slot: Slot, linked: readonly EventId[]): void {
    const id = this.idOf(slot)
    this.leave(slot)
    this.byId.remove(...halves(id), slot)
    for (const one of linked) this.links.remove(...halves(one), slot)
    this.lengths.set(slot, 0)
    this.free.push(slot)
    this.count -= 1
  }

  /** @returns events that may be linked to this id; whoever needs to be certain looks at them. */
  linkedTo(id: EventId): Slot[] {
    return this.links.get(...halves(id))
  }

  /** Numbers of a feed that are held, ascending. */
  seqsOf(place: number, first = 0, last = Number.MAX_SAFE_INTEGER): number[] {
    const blocks = this.bySeq.get(place)
    if (blocks === undefined) return []
    const [low, high] = [Math.floor(first / block), Math.floor(last / block)]
    const isNarrow = high - low < blocks.size
    const numbers = isNarrow
      ? Array.from({ length: high - low + 1 }, (_, i) => low + i)
      : [...blocks.keys()].filter((number) => low <= number && number <= high).sort((a, b) => a - b)
    return numbers.flatMap((number) => {
      const slots = blocks.get(number) ?? []
      return Array.from(slots, (value, i) => (value > 0 ? number * block + i : -1)).filter(
        (seq) => seq >= first && seq <= last,
      )
    })
  }

  *slots(): Generator<Slot> {
    for (let slot = 0; slot < this.high; slot++) if (this.lengths.get(slot) > 0) yield slot
  }
}
