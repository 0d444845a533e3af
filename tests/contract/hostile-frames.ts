/** Bytes that a peer with a valid key may send over an open link, and the name that it is cut off with (F1, F4). */
import { signPlainly } from '../../src/adapters/signature.ts'
import { Writer } from '../../src/mesh/bytes.ts'
import { encodeFrame } from '../../src/mesh/frame.ts'
import { hexToBytes } from '../../src/mesh/ids.ts'
import { itemOf } from '../../src/mesh/gossip/item.ts'
import { limits } from '../../src/mesh/limits.ts'
import { feedOf, general, keyOf, presenceOf, runOf } from '../mesh/make.ts'

export interface HostileFrame {
  readonly name: string
  readonly reason: 'malformed' | 'unknown-type' | 'too-large' | 'bad-signature'
  readonly bytes: Uint8Array
}

function malformed(name: string, bytes: Uint8Array): HostileFrame {
  return { name, reason: 'malformed', bytes }
}

/** A want of one part of a feed. */
function want(first: number, more: number): Uint8Array {
  const writer = new Writer().u8(3).fixed(hexToBytes(general)).varint(1).u32(7)
  return writer.varint(first).varint(more).finish()
}

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice()
  copy[at < 0 ? copy.length + at : at] = value
  return copy
}

const run = runOf({ count: 2 })
const events = encodeFrame({ type: 'events', runs: [run] })
const presence = presenceFrame()
const receipt = {
  device: keyOf(1).peer,
  room: general,
  counter: 1,
  role: 'reader' as const,
  entries: [{ feed: feedOf(2), first: 0, last: 1 }],
  signature: signPlainly(keyOf(1), new Uint8Array([1])),
}
const identity = new Uint8Array(32)
identity[0] = 1

function presenceFrame(change: Parameters<typeof presenceOf>[1] = {}): Uint8Array {
  return encodeFrame({ type: 'items', items: [itemOf({ type: 'presence', record: presenceOf(1, change) })] })
}

function smallOrderRun(): Uint8Array {
  // type, one run, room, then the feed: its key becomes the identity point, which "signs" everything.
  const bytes = events.slice()
  bytes.set(identity, 2 + 16)
  bytes.fill(0, bytes.length - 64)
  bytes[bytes.length - 64] = 1
  return bytes
}

export const hostileFrames: readonly HostileFrame[] = [
  malformed('nothing at all', new Uint8Array(0)),
  { name: 'an unknown type', reason: 'unknown-type', bytes: new Uint8Array([99, 1, 2, 3]) },
  { name: 'a frame over its size', reason: 'too-large', bytes: new Uint8Array(limits.frameBytesMax + 1) },
  malformed('a want that ends early', want(0, 1).slice(0, 20)),
  malformed('bytes behind the end', new Uint8Array([...want(0, 1), 0])),
  malformed('a range beyond all numbers', want(Number.MAX_SAFE_INTEGER, 9)),
  malformed('a number that is not minimal', new Uint8Array([...want(0, 1).slice(0, -1), 0x81, 0x00])),
  malformed(
    'a number above 2^53',
    new Uint8Array([...want(0, 1).slice(0, -1), ...Array<number>(9).fill(0xff)]),
  ),
  malformed(
    'more rooms than a peer may have',
    new Writer()
      .u8(1)
      .varint(129)
      .fixed(new Uint8Array(129 * 16))
      .finish(),
  ),
  malformed('a list longer than the frame', new Writer().u8(1).varint(60).fixed(new Uint8Array(16)).finish()),
  malformed('a flag that is neither', changed(events, 1, 7)),
  malformed(
    'a run without events',
    new Writer()
      .u8(5)
      .varint(1)
      .fixed(new Uint8Array(64))
      .varint(0)
      .varint(0)
      .fixed(new Uint8Array(64))
      .finish(),
  ),
  malformed(
    'a body over its size',
    new Writer()
      .u8(5)
      .varint(1)
      .fixed(new Uint8Array(64))
      .varint(0)
      .varint(1)
      .u64(1)
      .u8(0)
      .u8(1)
      .u8(0)
      .varint(0)
      .varint(20_000)
      .finish(),
  ),
  malformed(
    'a stamp beyond time',
    new Writer()
      .u8(5)
      .varint(1)
      .fixed(new Uint8Array(64))
      .varint(0)
      .varint(1)
      .fixed(new Uint8Array(8).fill(255))
      .finish(),
  ),
  malformed('a status that does not exist', changed(presence, 3 + 32 + 8, 9)),
  malformed('a name with a direction override', presenceFrame({ name: 'a\u202eb' })),
  malformed('a name that is no UTF-8', changed(presence, 3 + 32 + 8 + 3, 0xff)),
  malformed(
    'a heartbeat with half its digests',
    new Writer().u8(8).u64(1).fixed(new Uint8Array(8)).u32(1).u16(1).finish(),
  ),
  malformed(
    'a signal over its size',
    new Writer().u8(9).fixed(new Uint8Array(64)).u8(0).block(new Uint8Array(20_000)).finish(),
  ),
  malformed('a packet with an unknown note', new Writer().u8(7).u8(0).u8(99).finish()),
  malformed('a packet with answers to nothing', new Writer().u8(7).u8(4).u32(1).finish()),
  malformed('a walk without an end', new Writer().u8(12).fixed(new Uint8Array(32).fill(1)).u8(255).finish()),
  {
    name: 'an event that its author did not sign',
    reason: 'bad-signature',
    bytes: changed(events, -1, 0x5a),
  },
  { name: 'an event of a key of small order', reason: 'bad-signature', bytes: smallOrderRun() },
  {
    name: 'a presence that its device did not sign',
    reason: 'bad-signature',
    bytes: changed(presence, -2, 0x5b),
  },
  {
    name: 'a receipt that its device did not sign',
    reason: 'bad-signature',
    bytes: encodeFrame({ type: 'items', items: [itemOf({ type: 'receipt', record: receipt })] }),
  },
]
