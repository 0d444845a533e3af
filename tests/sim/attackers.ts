/**
 * Peers that do not keep to the protocol. Each runs the honest engine; what it sends is changed on the way out, so
 * that it stays in the middle of things. What breaks the wire itself gets it cut off, as the runtime does.
 */
import { encodeFrame, type Frame } from '../../src/mesh/frame.ts'
import { bytesToHex } from '../../src/mesh/ids.ts'
import type { Prng } from './prng.ts'

export const attacks = ['withhold', 'lie', 'inflate', 'replay', 'flood', 'garbage', 'forge'] as const
export type Attack = (typeof attacks)[number]

const remembered = 64

export class Attacker {
  readonly attack: Attack
  private readonly random: Prng
  private readonly heard: Uint8Array[] = []

  constructor(attack: Attack, random: Prng) {
    this.attack = attack
    this.random = random
  }

  hear(bytes: Uint8Array): void {
    if (this.heard.length >= remembered) this.heard.shift()
    this.heard.push(bytes)
  }

  /** @returns what goes out in place of this frame */
  send(frame: Frame): Uint8Array[] {
    const bytes = encodeFrame(frame)
    switch (this.attack) {
      case 'withhold':
        return withhold(frame).map(encodeFrame)
      case 'lie':
        return [encodeFrame(this.lie(frame))]
      case 'inflate':
        return [encodeFrame(inflate(frame))]
      case 'replay': {
        const old = this.random.chance(0.3) ? this.random.pick(this.heard) : undefined
        return old === undefined ? [bytes] : [bytes, old]
      }
      case 'flood':
        return [bytes, bytes, bytes]
      case 'garbage':
        return this.random.chance(0.02) ? [bytes, this.random.bytes(this.random.between(0, 200))] : [bytes]
      case 'forge':
        return [this.random.chance(0.02) ? this.bend(bytes) : bytes]
    }
  }

  /** One byte of what it says is another one. */
  private bend(bytes: Uint8Array): Uint8Array {
    const bent = bytes.slice()
    const at = this.random.between(0, bent.length - 1)
    bent[at] = (bent[at] ?? 0) ^ this.random.between(1, 255)
    return bent
  }

  /** Digests and prints of nothing that exists. */
  private lie(frame: Frame): Frame {
    const word = () => this.random.uint32()
    if (frame.type === 'heartbeat') {
      const log = bytesToHex(this.random.bytes(8))
      const digests = { log, sites: word(), presences: word(), receipts: word(), alive: word() }
      return { ...frame, digests }
    }
    if (frame.type !== 'prints') return frame
    const rooms = frame.rooms.map(({ room }) => ({ room, print: bytesToHex(this.random.bytes(8)) }))
    return { ...frame, rooms }
  }
}

/** Passes on neither messages nor answers, and does not say that it has them. */
function withhold(frame: Frame): Frame[] {
  if (frame.type === 'events' || frame.type === 'items') return []
  if (frame.type !== 'packet') return [frame]
  const notes = frame.notes.filter((note) => note.type === 'graft' || note.type === 'prune')
  return [{ ...frame, notes }]
}

/** Says that it has what nobody has written. */
function inflate(frame: Frame): Frame {
  const longer = <T extends { readonly first: number; readonly last: number }>(ranges: readonly T[]) =>
    ranges.map((range, i) => (i === ranges.length - 1 ? { ...range, last: range.last + 7 } : range))
  if (frame.type === 'have' || frame.type === 'differ') {
    const entries = frame.entries.map((entry) => ({ ...entry, ranges: longer(entry.ranges) }))
    return { ...frame, entries } as Frame
  }
  return frame
}
