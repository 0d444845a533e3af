/**
 * Makes the chat lane of one link reliable enough: packets that may be lost, repeated and reordered are numbered,
 * acknowledged and repeated a few times. What stays lost is left to reconciliation. Rules A1–A6 in PROTOCOL.md.
 *
 * Source: retransmission timer of RFC 6298 with the bounds of `gossip.md` §7.6 (measured: SCTP's own recovery has a
 * minimum of 400 ms). Deviation: the timer grows by 1.5, not 2, and an answer that comes too soon after a repeat to
 * belong to it counts as a sample for the first sending (RFC 3522, without its timestamps).
 */
import { limits } from '../limits.ts'
import type { Note } from './note.ts'
import { isFleeting, noteSize } from './note.ts'

export interface Ack {
  /** 16 bits of the sequence number that this is about. */
  readonly base: number
  /** Bit i: base − 1 − i has come too. */
  readonly bits: number
}

export interface Packet {
  /** 16 bits; absent when nothing in it needs an answer. */
  readonly seq: number | undefined
  readonly ack: Ack | undefined
  readonly notes: readonly Note[]
  /** A7: what it had in short form could not be completed; its notes are left out. */
  readonly isUnclear?: boolean
  /** Something in it was completed; if its signature does not fit, it is unclear and nobody's fault. */
  readonly isShort?: boolean
}

interface Flight {
  readonly notes: readonly Note[]
  readonly firstMs: number
  lastMs: number
  dueMs: number
  tries: number
}

export interface Lane {
  /** Last own number. */
  sent: number
  readonly inFlight: Map<number, Flight>
  /** Waits for a place in the packetWindow, or for the end of this turn. */
  queue: Note[]
  /** Newest number of the other side; −1 before the first. */
  newest: number
  /** Which of the 32 numbers before `newest` have come. */
  bits: number
  /** To be acknowledged: the number itself. */
  ackFor: number | undefined
  /** More than `ackFor` is to be acknowledged. */
  ackMany: boolean
  /** The answer is said once more then, since answers get lost on this link. */
  ackAgainMs: number | undefined
  /** Announcements are answered too: on a link between sites nobody else makes them. */
  isThorough: boolean
  /** 0 to 1: how often the other side repeated what had come. */
  repeats: number
  smoothedMs: number | undefined
  varianceMs: number
  /** What a repetition waited last, until a round trip is known again, ms. */
  heldMs: number
  /** The shortest round trip that was measured, ms. */
  leastMs: number
  /** Which part of the own packets had to be repeated lately. */
  losses: number
}

const wireMask = 0xffff
const packetWindow = 32

export function createLane(isThorough: boolean): Lane {
  return {
    isThorough,
    sent: -1,
    inFlight: new Map(),
    queue: [],
    newest: -1,
    bits: 0,
    ackFor: undefined,
    ackMany: false,
    ackAgainMs: undefined,
    repeats: 0,
    smoothedMs: undefined,
    varianceMs: 0,
    heldMs: 0,
    leastMs: Number.POSITIVE_INFINITY,
    losses: 0,
  }
}

/** A6: what waits is bounded; the oldest goes first and is left to reconciliation. */
export function enqueueNote(lane: Lane, note: Note): void {
  lane.queue.push(note)
  if (lane.queue.length > limits.laneQueueMax) lane.queue.shift()
}

/** A1, A2: @returns what to send now: repeats that are due, then everything that waits, with answers on board. */
export function duePackets(lane: Lane, nowMs: number): Packet[] {
  const packets = dueRepeats(lane, nowMs)
  for (let notes = takeNotes(lane); notes.length > 0; notes = takeNotes(lane)) {
    packets.push(numbered(lane, notes, nowMs))
  }
  const again = lane.ackAgainMs !== undefined && nowMs >= lane.ackAgainMs
  if (again) lane.ackAgainMs = undefined
  const ack = dueAck(lane, nowMs, again)
  if (ack === undefined) return packets
  const [first, ...rest] = packets
  return first === undefined ? [{ seq: undefined, ack, notes: [] }] : [{ ...first, ack }, ...rest]
}

function dueRepeats(lane: Lane, nowMs: number): Packet[] {
  const packets: Packet[] = []
  for (const [seq, flight] of lane.inFlight) {
    if (flight.dueMs > nowMs) continue
    if (flight.tries >= limits.laneTriesMax) {
      lane.inFlight.delete(seq)
      continue
    }
    flight.tries += 1
    flight.lastMs = nowMs
    flight.dueMs = nowMs + timeoutMs(lane) * 1.5 ** (flight.tries - 1)
    packets.push({ seq: seq & wireMask, ack: undefined, notes: flight.notes })
  }
  return packets
}

/** A2: as many as fit one packet, while the packetWindow has a place. */
function takeNotes(lane: Lane): Note[] {
  if (lane.queue.length === 0) return []
  const [oldest] = lane.inFlight.keys()
  const blocked = oldest !== undefined && lane.sent + 1 - oldest >= packetWindow
  const notes: Note[] = []
  let size = limits.packetHeadBytesMax
  while (lane.queue.length > 0) {
    const note = lane.queue[0]
    if (note === undefined || (blocked && (!isFleeting(note) || lane.isThorough))) break
    size += noteSize(note)
    if (notes.length > 0 && size > limits.packetPayloadBytesMax) break
    notes.push(note)
    lane.queue.shift()
  }
  return notes
}

/** A1: announcements alone are not answered: somebody else announces the same. */
function numbered(lane: Lane, notes: readonly Note[], nowMs: number): Packet {
  const areFleeting = notes.every(isFleeting)
  if (areFleeting && !lane.isThorough) return { seq: undefined, ack: undefined, notes }
  lane.sent += 1
  lane.inFlight.set(lane.sent, {
    notes,
    firstMs: nowMs,
    lastMs: nowMs,
    dueMs: nowMs + timeoutMs(lane),
    tries: 1,
  })
  return { seq: lane.sent & wireMask, ack: undefined, notes }
}

/** A3, A4 */
function dueAck(lane: Lane, nowMs: number, again: boolean): Ack | undefined {
  if (lane.ackFor === undefined && !again) return undefined
  const base = lane.ackFor ?? lane.newest
  const isNewest = base === lane.newest
  const bits = isNewest && (lane.ackMany || again || lane.repeats > limits.laneLossyFrom) ? lane.bits : 0
  if (!again && lane.repeats > limits.laneLossyFrom) lane.ackAgainMs = nowMs + limits.laneAckAgainMs
  lane.ackFor = undefined
  lane.ackMany = false
  return { base: base & wireMask, bits }
}

/** A3: @returns whether the notes of this packet are new. */
export function receivePacket(lane: Lane, packet: Packet, nowMs: number): boolean {
  if (packet.ack !== undefined) receiveAck(lane, packet.ack, nowMs)
  if (packet.seq === undefined) return true
  if (packet.isUnclear === true && !hasCome(lane, packet.seq)) {
    enqueueNote(lane, { type: 'unclear', seq: packet.seq })
    return false
  }
  const seq = unwrap(packet.seq, lane.newest)
  const isRepeat = noteCome(lane, seq)
  lane.repeats += ((isRepeat ? 1 : 0) - lane.repeats) / 32
  lane.ackMany ||= lane.ackFor !== undefined
  lane.ackFor = isRepeat ? seq : Math.max(seq, lane.ackFor ?? seq)
  return !isRepeat
}

/** A7: @returns whether this packet has come before, so that it need not be read again. */
export function hasCome(lane: Lane, wireSeq: number): boolean {
  const age = lane.newest - unwrap(wireSeq, lane.newest)
  if (age < 0) return false
  return age === 0 || age > packetWindow || (lane.bits & ((1 << (age - 1)) >>> 0)) !== 0
}

/** A7: the other side could not complete what this packet had in short form: all of it goes again, in whole. */
export function repeatWhole(lane: Lane, wireSeq: number): void {
  const seq = unwrap(wireSeq, lane.sent)
  const flight = lane.inFlight.get(seq)
  if (flight === undefined) return
  lane.inFlight.delete(seq)
  for (const note of flight.notes) enqueueNote(lane, note.type === 'item' ? { ...note, isWhole: true } : note)
}

/** The number nearest to the newest one that has these 16 bits. */
function unwrap(wire: number, near: number): number {
  const ahead = (wire - near) & wireMask
  return near + (ahead > wireMask >> 1 ? ahead - wireMask - 1 : ahead)
}

function noteCome(lane: Lane, seq: number): boolean {
  if (seq > lane.newest) {
    const step = seq - lane.newest
    const shifted = step >= packetWindow ? 0 : (lane.bits << step) >>> 0
    lane.bits = lane.newest < 0 || step > packetWindow ? 0 : (shifted | (1 << (step - 1))) >>> 0
    lane.newest = seq
    return false
  }
  const age = lane.newest - seq
  if (age === 0 || age > packetWindow) return true
  const bit = (1 << (age - 1)) >>> 0
  if ((lane.bits & bit) !== 0) return true
  lane.bits = (lane.bits | bit) >>> 0
  return false
}

/** A5 */
function receiveAck(lane: Lane, ack: Ack, nowMs: number): void {
  const base = unwrap(ack.base, lane.sent)
  settle(lane, base, nowMs, true)
  for (let i = 0; i < packetWindow; i++) {
    if ((ack.bits & (1 << i)) !== 0) settle(lane, base - 1 - i, nowMs, false)
  }
}

/** @param isDirect it is what this acknowledgement answers; what it names beside that may have come long ago */
function settle(lane: Lane, seq: number, nowMs: number, isDirect: boolean): void {
  const flight = lane.inFlight.get(seq)
  if (flight === undefined) return
  lane.inFlight.delete(seq)
  const sinceLastMs = nowMs - flight.lastMs
  const isOnce = flight.tries === 1
  // An answer sooner than any way is long is to an earlier sending: nothing was lost.
  const isEarlier = !isOnce && lane.leastMs < Number.POSITIVE_INFINITY && sinceLastMs < lane.leastMs * 0.9
  lane.losses += ((isOnce || isEarlier ? 0 : 1) - lane.losses) / 32
  // Karn, Partridge, SIGCOMM 1987: which sending is answered is known only when there was one, or when the last
  // one was too short ago.
  if (!isDirect) return
  if (!isOnce && !isEarlier && lane.smoothedMs !== undefined) {
    // Until then others wait as long as this one did.
    lane.heldMs = flight.dueMs - flight.lastMs
    return
  }
  lane.heldMs = 0
  const sampleMs = nowMs - flight.firstMs
  if (isOnce) lane.leastMs = Math.min(lane.leastMs, sampleMs)
  if (lane.smoothedMs === undefined) {
    lane.smoothedMs = sampleMs
    lane.varianceMs = sampleMs / 2
    return
  }
  lane.varianceMs += (Math.abs(sampleMs - lane.smoothedMs) - lane.varianceMs) / 4
  lane.smoothedMs += (sampleMs - lane.smoothedMs) / 8
}

/** @returns within what nearly every answer comes over this link, ms; 0 until one was measured (RFC 6298 §2). */
export function answerWithinMs(lane: Lane): number {
  return Math.min(limits.laneTimeoutMaxMs, (lane.smoothedMs ?? 0) + 4 * lane.varianceMs)
}

function timeoutMs(lane: Lane): number {
  if (lane.smoothedMs === undefined) return limits.laneTimeoutFirstMs
  const leastMs =
    lane.losses > limits.laneLossyTimeoutFrom ? limits.laneTimeoutLossyMs : limits.laneTimeoutMinMs
  const wishMs = Math.max(lane.heldMs, answerWithinMs(lane))
  return Math.min(limits.laneTimeoutMaxMs, Math.max(leastMs, wishMs))
}

/** @returns when this lane has something to do without being asked, ms. */
export function nextLaneMs(lane: Lane): number | undefined {
  let next = lane.ackAgainMs
  for (const { dueMs } of lane.inFlight.values()) if (next === undefined || dueMs < next) next = dueMs
  return next
}
