/**
 * Peers that do not keep to the protocol. Each runs the honest engine; what it sends is changed on the way out, so
 * that it stays in the middle of things. What breaks the wire itself gets it cut off, as the runtime does.
 */
import { encodeFrame, type Frame } from '../../src/mesh/frame.ts'
import type { LinkId } from '../../src/mesh/effects.ts'
import { eventIdOf, eventSigningBytes } from '../../src/mesh/event.ts'
import { itemOf } from '../../src/mesh/gossip/item.ts'
import type { Note } from '../../src/mesh/gossip/note.ts'
import { bytesToHex, feedAuthor, type PeerId } from '../../src/mesh/ids.ts'
import { encodeBody } from '../../src/mesh/timeline/body.ts'
import type { Prng } from './prng.ts'

export const attacks = [
  'withhold',
  'lie',
  'inflate',
  'replay',
  'flood',
  'garbage',
  'forge',
  'equivocate',
] as const
export type Attack = (typeof attacks)[number]

export interface Key {
  readonly self: PeerId
  readonly sign: (message: Uint8Array) => Uint8Array
}

const remembered = 64

export class Attacker {
  readonly attack: Attack
  private readonly random: Prng
  private readonly key: Key
  private readonly heard: Uint8Array[] = []

  constructor(attack: Attack, random: Prng, key: Key) {
    this.attack = attack
    this.random = random
    this.key = key
  }

  hear(bytes: Uint8Array): void {
    if (this.heard.length >= remembered) this.heard.shift()
    this.heard.push(bytes)
  }

  /** @returns what goes out in place of this frame over this link */
  send(frame: Frame, link: LinkId): Uint8Array[] {
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
      case 'equivocate':
        return [link % 2 === 0 ? bytes : encodeFrame(this.contradict(frame))]
    }
  }

  /** Says something else to half of the others, under the same number and with its own signature. */
  private contradict(frame: Frame): Frame {
    if (frame.type !== 'packet') return frame
    const notes = frame.notes.map((note): Note => {
      if (note.type !== 'item' || note.item.content.type !== 'run') return note
      const { run } = note.item.content
      const [event] = run.events
      if (event === undefined || run.events.length > 1 || feedAuthor(run.feed) !== this.key.self) return note
      if (event.seq % 3 !== 0) return note
      const { kind, bytes: body } = encodeBody({ type: 'message', text: `the other ${event.seq}` })
      const fields = { ...event, kind, body }
      const id = eventIdOf(fields)
      const other = { ...fields, id, signature: this.key.sign(eventSigningBytes(id)) }
      return { ...note, item: itemOf({ type: 'run', run: { ...run, events: [other] } }) }
    })
    return { ...frame, notes }
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
