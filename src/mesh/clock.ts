/**
 * Time in a mesh whose clocks are wrong: the hybrid logical clock that stamps events, and the effective time
 * that every replica sorts by.
 *
 * Source: `gossip.md` §7.3; Kulkarni et al., "Logical Physical Clocks", OPODIS 2014. Rules T1–T6 in PROTOCOL.md.
 * Deviation: one stamp is one safe integer, milliseconds × 32 plus a counter (48 + 5 bits instead of 48 + 16), so
 * that it is exact as a JavaScript number and as an IndexedDB key; a counter that runs over carries into the
 * milliseconds, which keeps the order.
 */
import type { Event } from './event.ts'
import type { EventId, PeerId } from './ids.ts'
import { limits } from './limits.ts'

const ticksPerMs = 32

export function stampFromMs(ms: number): number {
  return Math.min(limits.stampMax, Math.max(0, Math.floor(ms)) * ticksPerMs)
}

/** @returns milliseconds since 1970 */
export function stampToMs(stamp: number): number {
  return Math.floor(stamp / ticksPerMs)
}

export interface Clock {
  /** The largest stamp used or accepted so far. */
  last: number
  /** Milliseconds by which this device's wall clock was set since the start; `nowMs` itself never jumps. */
  jumpedMs: number
  /** Milliseconds to add to this device's wall clock, by its neighbours. */
  offsetMs: number
  /** When the offset last moved; frames may come as fast as they like. */
  slewedAtMs: number
  /** What each linked peer's clock said, as an offset to ours, in ms. */
  readonly offsetsByPeer: Map<PeerId, number>
}

export function createClock(): Clock {
  return { last: 0, jumpedMs: 0, offsetMs: 0, slewedAtMs: Number.NEGATIVE_INFINITY, offsetsByPeer: new Map() }
}

/** This device's wall clock in ms. */
export function wallMs(clock: Clock, nowMs: number): number {
  return nowMs + clock.jumpedMs
}

/** The estimated present in ms: this device's clock, corrected by its neighbours (T2). */
export function presentMs(clock: Clock, nowMs: number): number {
  return wallMs(clock, nowMs) + clock.offsetMs
}

/**
 * T1: a new stamp is later than every stamp used or accepted before, and not before the estimated present.
 * @param after the feed's own newest stamp: a feed's stamps rise, whatever the clock says
 */
export function nextStamp(clock: Clock, nowMs: number, after = 0): number {
  const least = Math.max(clock.last, after) + 1
  clock.last = Math.min(limits.stampMax, Math.max(stampFromMs(presentMs(clock, nowMs)), least))
  return clock.last
}

/** T3: somebody else's stamp moves the clock, but never further than `clockLeadMaxMs` past the present. */
export function witnessStamp(clock: Clock, stamp: number, nowMs: number): void {
  const bound = stampFromMs(presentMs(clock, nowMs) + limits.clockLeadMaxMs)
  clock.last = Math.max(clock.last, Math.min(stamp, bound))
}

/** T2: the offset follows the median of neighbours that agree, slowly; one neighbour alone moves nothing. */
export function witnessPeerClock(clock: Clock, peer: PeerId, theirNowMs: number, nowMs: number): void {
  clock.offsetsByPeer.set(peer, theirNowMs - wallMs(clock, nowMs))
  const target = agreedOffset([...clock.offsetsByPeer.values()])
  const step = Math.max(-limits.clockSlewMs, Math.min(limits.clockSlewMs, target - clock.offsetMs))
  if (step === 0 || nowMs - clock.slewedAtMs < limits.heartbeatIntervalMs) return
  clock.slewedAtMs = nowMs
  clock.offsetMs += step
}

/** The device's clock was set while running, or ran on while the device slept: what it says now counts. */
export function noteJump(clock: Clock, byMs: number): void {
  clock.jumpedMs += byMs
  clock.offsetMs = 0
  clock.offsetsByPeer.clear()
}

export function forgetPeerClock(clock: Clock, peer: PeerId): void {
  clock.offsetsByPeer.delete(peer)
}

/** @returns by how many whole minutes this device's clock is ahead of what two neighbours agree on, in ms; 0 below two */
export function clockAheadMs(clock: Clock): number {
  const minutes = Math.round(-agreedOffset([...clock.offsetsByPeer.values()]) / 60_000)
  return Math.abs(minutes) < limits.clockToldMinutesMin ? 0 : minutes * 60_000
}

function agreedOffset(offsets: number[]): number {
  if (offsets.length < 2) return 0
  offsets.sort((a, b) => a - b)
  const median = offsets[Math.floor(offsets.length / 2)] ?? 0
  const agreeing = offsets.filter((offset) => Math.abs(offset - median) <= limits.clockAgreementMs)
  return agreeing.length >= 2 ? median : 0
}

/** An event as the store keeps it: with its place in the order. */
export interface PlacedEvent extends Event {
  /** Effective time (a stamp). Readers sort by (effective, id). */
  readonly effective: number
  /** When this device stored it first, ms on its own clock. */
  readonly storedAtMs: number
  /** Own events only: the people who were to get it, frozen when it was written. Local, never sent. */
  readonly audience: readonly PeerId[] | undefined
}

/** T4: the clamp. @param known effective times of those ancestors that are known */
export function effectiveTime(hlc: number, known: readonly number[]): number {
  if (known.length === 0) return hlc
  const latest = Math.max(...known)
  const low = latest + 1
  const high = latest + stampFromMs(limits.effectiveLeadMaxMs)
  return Math.min(Math.max(hlc, low), high)
}

/** What `placeEvents` asks of a store, inside one transaction. */
export type PlaceQuery =
  { readonly type: 'get'; readonly id: EventId } | { readonly type: 'children'; readonly id: EventId }
export type PlaceAnswer = readonly PlacedEvent[]

export interface Placement {
  /** The new events, each with its effective time. */
  readonly added: readonly PlacedEvent[]
  /** Stored events whose place changed because an ancestor became known. */
  readonly moved: readonly PlacedEvent[]
}

/** Ancestors as the order counts them: the feed's previous event and the named heads. */
export function parentsOf(event: Pick<Event, 'prev' | 'deps'>): EventId[] {
  return event.prev === undefined ? [...event.deps] : [event.prev, ...event.deps]
}

/**
 * Gives new events their effective time and moves the stored ones that this affects (T4, T5). Pure: it yields
 * what it needs to know, and whoever holds the store answers within the transaction that will write the result.
 * Ancestors that are not held count as absent; when they come, their descendants are placed again.
 */
export function* placeEvents(
  events: readonly (Event & Pick<PlacedEvent, 'audience'>)[],
  storedAtMs: number,
): Generator<PlaceQuery, Placement, PlaceAnswer> {
  const fresh = new Map<EventId, PlacedEvent>()
  const stored = new Map<EventId, PlacedEvent>()
  const movedIds = new Set<EventId>()
  for (const event of events) fresh.set(event.id, { ...event, effective: -1, storedAtMs })
  const pending = [...fresh.keys()]
  // An event is placed again only when an ancestor moved; ids are hashes, so there is no cycle and this ends.
  for (let id = pending.shift(); id !== undefined; id = pending.shift()) {
    const current: PlacedEvent | undefined = fresh.get(id) ?? stored.get(id)
    if (current === undefined) continue
    const known: number[] = []
    for (const parent of parentsOf(current)) {
      const held: PlacedEvent | undefined =
        fresh.get(parent) ?? stored.get(parent) ?? (yield { type: 'get', id: parent })[0]
      if (held !== undefined && held.effective >= 0) known.push(held.effective)
    }
    const effective = effectiveTime(current.hlc, known)
    if (effective === current.effective) continue
    if (fresh.has(id)) fresh.set(id, { ...current, effective })
    else {
      stored.set(id, { ...current, effective })
      movedIds.add(id)
    }
    const children: PlaceAnswer = yield { type: 'children', id }
    for (const child of children) {
      if (!stored.has(child.id)) stored.set(child.id, child)
      pending.push(child.id)
    }
    for (const child of fresh.values()) if (parentsOf(child).includes(id)) pending.push(child.id)
  }
  const moved = [...stored.values()].filter((event) => movedIds.has(event.id))
  return { added: [...fresh.values()], moved }
}
