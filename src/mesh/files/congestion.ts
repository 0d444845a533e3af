/**
 * How much content may be under way over a link, so that a message waits for next to nothing behind it; and what of it is
 * lost. Rules C16 and C17 in PROTOCOL.md.
 *
 * Source: LEDBAT (RFC 6817 §2.4) with the slow start and the multiplicative decrease of LEDBAT++
 * (draft-irtf-iccrg-ledbat-plus-plus-01 §4); losses as in QUIC (RFC 9002 §6). Deviations: the round trip is measured
 * instead of one way, as LEDBAT++ does too; a loss does not narrow the window, since the layer below slows down at one by
 * itself; the bare path is measured when nothing is under way, once a minute.
 */
import type { FileId } from './hash-tree.ts'
import { fileLimits } from './limits.ts'

/** A part that was sent, of a chunk whose bytes are kept until it has arrived. */
export interface SentPart {
  readonly file: FileId
  readonly chunk: number
  readonly at: number
  readonly end: number
  readonly bytes: Uint8Array
}

interface Mark extends SentPart {
  readonly sentMs: number
}

export interface Congestion {
  /** So much may be under way, bytes. */
  windowBytes: number
  /** Of parts that are under way, bytes. */
  underWayBytes: number
  /** Parts that are under way by their numbers, ascending. */
  readonly marks: Map<number, Mark>
  nextNumber: number
  /** When something was sent last, ms; how often nothing was heard in time since something arrived. */
  lastSentMs: number
  timeouts: number
  /** How much is lost of late, 0 to 1. */
  lossShare: number
  /** The shortest round trip of this interval and of the one before, ms. */
  baseMs: number
  baseBeforeMs: number
  baseSinceMs: number
  /** Round trips of late, each shorter than those after it: the first one shows what the queue costs now. */
  readonly recent: { readonly atMs: number; readonly tookMs: number }[]
  /** The round trip, smoothed, ms. */
  smoothMs: number
  /** Until the first queue. */
  isStarting: boolean
  /** Nothing is sent until what is under way has arrived: the bare path is to be measured. */
  isDraining: boolean
  /** The window is narrowed once in a round trip: again when this part has arrived. */
  narrowAtNumber: number
  /** What has arrived since when; and how fast that is, smoothed, bytes per second. */
  rateBytes: number
  rateSinceMs: number
  rate: number
}

export function createCongestion(nowMs: number): Congestion {
  return {
    windowBytes: fileLimits.windowParts * fileLimits.smallPartBytes,
    underWayBytes: 0,
    marks: new Map(),
    nextNumber: 0,
    lastSentMs: nowMs,
    timeouts: 0,
    lossShare: 0,
    baseMs: Number.POSITIVE_INFINITY,
    baseBeforeMs: Number.POSITIVE_INFINITY,
    baseSinceMs: nowMs,
    recent: [],
    smoothMs: fileLimits.timeoutMinMs,
    isStarting: true,
    isDraining: false,
    narrowAtNumber: 0,
    rateBytes: 0,
    rateSinceMs: nowMs,
    rate: 0,
  }
}

/** C13: as many packets as hold the link up for 18 ms, or a whole chunk for 65, at most; where much is lost one. */
export function partBytes(state: Congestion): number {
  const { smallPartBytes, packetBytes, partPacketsMax, packetRate, wholeFromRate } = fileLimits
  const { rate } = state
  const packets = Math.min(partPacketsMax, Math.floor(rate / packetRate))
  if (isLossy(state) || packets < 2) return smallPartBytes
  return rate < wholeFromRate ? smallPartBytes + (packets - 1) * packetBytes : fileLimits.chunkBytes
}

/** On a fast link a part of many packets that is lost is sent again sooner than so many small ones. */
function isLossy({ rate, lossShare }: Congestion): boolean {
  const { lossySharePackets, lossyShareChunks, fastFromRate } = fileLimits
  return lossShare > (rate < fastFromRate ? lossySharePackets : lossyShareChunks)
}

/** C16: whether one more part may be sent. */
export function mayGive(state: Congestion, nowMs: number): boolean {
  const isIdle = state.marks.size === 0
  if (state.isDraining && !isIdle) return false
  state.isDraining = false
  if (isIdle) {
    state.rateBytes = 0
    state.rateSinceMs = nowMs
  }
  return state.underWayBytes < state.windowBytes
}

/** @returns the number of the part */
export function noteGiven(state: Congestion, part: SentPart, nowMs: number): number {
  const number = state.nextNumber++
  state.marks.set(number, { ...part, sentMs: nowMs })
  state.underWayBytes += part.end - part.at
  state.lastSentMs = nowMs
  return number
}

/** What the other side has: the newest part, and of the 64 before it those whose bit is set, the nearest first. */
export interface Got {
  readonly newest: number
  readonly before: readonly [number, number]
}

/** C16, C17. @returns what was lost; of a number that was never given nothing is believed */
export function takeGot(state: Congestion, got: Got, nowMs: number): SentPart[] {
  const { newest } = got
  if (newest >= state.nextNumber) return []
  const isUsed = state.underWayBytes + partBytes(state) >= state.windowBytes
  const sentMs = state.marks.get(newest)?.sentMs
  const lost: SentPart[] = []
  let gained = 0
  for (const [number, mark] of state.marks) {
    if (number > newest) break
    const isThere = hasArrived(got, newest - number)
    // RFC 9002 §6.1.1: three that were sent later have arrived.
    if (!isThere && newest - number < fileLimits.overtakenParts) continue
    state.marks.delete(number)
    state.underWayBytes -= mark.end - mark.at
    state.lossShare += ((isThere ? 0 : 1) - state.lossShare) / fileLimits.lossMemory
    if (isThere) gained += mark.end - mark.at
    else lost.push(mark)
  }
  if (gained > 0) {
    state.timeouts = 0
    noteRate(state, gained, nowMs)
  }
  if (sentMs !== undefined)
    adapt(state, { tookMs: nowMs - sentMs, gained: isUsed ? gained : 0, newest }, nowMs)
  return lost
}

function hasArrived({ before }: Got, distance: number): boolean {
  if (distance === 0) return true
  const bit = distance - 1
  if (bit >= 64) return false
  return ((before[bit < 32 ? 0 : 1] >>> (bit & 31)) & 1) === 1
}

/** C17: when nothing has been heard for so long, the oldest part is sent once more. Infinite while nothing is under way. */
export function timeoutAtMs(state: Congestion): number {
  if (state.marks.size === 0) return Number.POSITIVE_INFINITY
  const { timeoutMinMs, timeoutCleanMs, timeoutMaxMs } = fileLimits
  // Where next to nothing is lost, a machine that is busy is the likelier cause.
  const leastMs = isLossy(state) ? timeoutMinMs : timeoutCleanMs
  const waitMs = Math.max(leastMs, 3 * state.smoothMs) * 2 ** state.timeouts
  return state.lastSentMs + Math.min(timeoutMaxMs, waitMs)
}

/** C17. @returns what is to be sent once more */
export function takeTimeout(state: Congestion, nowMs: number): SentPart | undefined {
  if (nowMs < timeoutAtMs(state)) return undefined
  const [oldest] = state.marks
  if (oldest === undefined) return undefined
  const [number, mark] = oldest
  state.marks.delete(number)
  state.underWayBytes -= mark.end - mark.at
  state.timeouts = Math.min(state.timeouts + 1, fileLimits.timeoutsMax)
  state.lastSentMs = nowMs
  return mark
}

function noteRate(state: Congestion, gained: number, nowMs: number): void {
  state.rateBytes += gained
  const spanMs = nowMs - state.rateSinceMs
  if (spanMs < fileLimits.rateIntervalMs) return
  const rate = (state.rateBytes / spanMs) * 1_000
  state.rate = state.rate === 0 ? rate : state.rate + (rate - state.rate) / 4
  state.rateBytes = 0
  state.rateSinceMs = nowMs
}

interface Arrival {
  readonly tookMs: number
  /** What it lets the window grow by, bytes: nothing where it was not used. */
  readonly gained: number
  readonly newest: number
}

function adapt(state: Congestion, { tookMs, gained, newest }: Arrival, nowMs: number): void {
  const queueMs = noteTrip(state, tookMs, nowMs) - Math.min(state.baseMs, state.baseBeforeMs)
  const { windowBytesMax, growthShare, fastFromRate } = fileLimits
  const queueTargetMs = state.rate < fastFromRate ? fileLimits.queueTargetMs : fileLimits.queueTargetFastMs
  const part = partBytes(state)
  if (queueMs > queueTargetMs) {
    state.isStarting = false
    if (newest >= state.narrowAtNumber) {
      state.windowBytes *= Math.max(0.5, 2 - queueMs / queueTargetMs)
      state.narrowAtNumber = state.nextNumber
    }
  } else if (state.isStarting && queueMs <= 0.75 * queueTargetMs) state.windowBytes += gained
  else {
    state.isStarting = false
    // By more than LEDBAT's part for each round trip: a busy machine looks like a queue for a while, and ends the start.
    const share = Math.max(growthShare, part / state.windowBytes)
    state.windowBytes += (1 - queueMs / queueTargetMs) * gained * share
  }
  state.windowBytes = Math.max(leastBytes(state), Math.min(windowBytesMax, state.windowBytes))
}

/** Where much is lost, some is under way that will not arrive, and some that nobody will say has arrived. */
function leastBytes(state: Congestion): number {
  const { windowParts, lossyWindowParts, chunkBytes } = fileLimits
  const part = partBytes(state)
  // The end of a chunk is said at once.
  if (part === chunkBytes) return part
  return part * (isLossy(state) ? lossyWindowParts : windowParts)
}

/** @returns the shortest round trip of late, ms: a machine that is busy makes many of them long, a queue all */
function noteTrip(state: Congestion, tookMs: number, nowMs: number): number {
  const { recent } = state
  while ((recent.at(-1)?.tookMs ?? -1) >= tookMs) recent.pop()
  recent.push({ atMs: nowMs, tookMs })
  while (nowMs - (recent[0]?.atMs ?? nowMs) > fileLimits.recentMs) recent.shift()
  state.smoothMs += (tookMs - state.smoothMs) / 8
  if (nowMs - state.baseSinceMs >= fileLimits.baseIntervalMs) {
    state.baseBeforeMs = state.baseMs
    state.baseMs = tookMs
    state.baseSinceMs = nowMs
    state.isDraining = true
  }
  state.baseMs = Math.min(state.baseMs, tookMs)
  return recent[0]?.tookMs ?? tookMs
}

/** What has come over a link, as it is said to the other side. */
export interface Arrivals {
  newest: number
  before: [number, number]
  /** What the other side has not been told of, bytes. */
  untoldBytes: number
}

export function createArrivals(): Arrivals {
  return { newest: -1, before: [0, 0], untoldBytes: 0 }
}

/** C16. @returns whether it is time to say so */
export function noteArrived(state: Arrivals, number: number, bytes: number): boolean {
  const ahead = number - state.newest
  if (ahead > 0) {
    state.before = shifted(state.before, state.newest < 0 ? 65 : ahead)
    state.newest = number
  } else if (ahead < 0 && ahead >= -64) {
    const bit = -ahead - 1
    state.before[bit < 32 ? 0 : 1] |= 1 << (bit & 31)
  }
  state.untoldBytes += bytes
  // Where parts are lost, what is said of them is, too.
  return state.untoldBytes >= fileLimits.untoldBytes || hasHoles(state)
}

function hasHoles({ newest, before: [low, high] }: Arrivals): boolean {
  if (newest < 64) return false
  let holes = 0
  for (let bits = ~low; bits !== 0; bits &= bits - 1) holes += 1
  for (let bits = ~high; bits !== 0; bits &= bits - 1) holes += 1
  return holes >= fileLimits.holesMin
}

/** The newest one becomes one of those before. */
function shifted([low, high]: readonly [number, number], by: number): [number, number] {
  let bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
  bits = by > 64 ? 0n : ((bits << 1n) | 1n) << BigInt(by - 1)
  return [Number(bits & 0xffffffffn), Number((bits >> 32n) & 0xffffffffn)]
}
