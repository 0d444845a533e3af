/** The frames whose bytes stand in frames.json. A changed vector needs a new version of the protocol. */
import { signPlainly } from '../../src/adapters/signature.ts'
import type { Frame } from '../../src/mesh/frame.ts'
import { receiptSigningBytes, type ReceiptFields } from '../../src/mesh/record.ts'
import { feedOf, general, keyOf, presenceOf, runOf } from '../mesh/make.ts'

const receiptFields: ReceiptFields = {
  device: keyOf(2).peer,
  room: general,
  counter: 77,
  role: 'reader',
  entries: [
    { feed: feedOf(1), first: 0, last: 9 },
    { feed: feedOf(1), first: 12, last: 12 },
  ],
}
const receipt = { ...receiptFields, signature: signPlainly(keyOf(2), receiptSigningBytes(receiptFields)) }

/** One of each type, with what is easy to get wrong: empty lists, gaps, long text. */
export const samples: Readonly<Record<string, Frame>> = {
  rooms: { type: 'rooms', rooms: [general] },
  'rooms-none': { type: 'rooms', rooms: [] },
  have: {
    type: 'have',
    room: general,
    entries: [
      {
        feed: feedOf(1),
        newest: 32_000_000,
        ranges: [
          { first: 0, last: 4 },
          { first: 9, last: 300 },
        ],
      },
    ],
  },
  want: { type: 'want', room: general, feed: feedOf(1), first: 5, last: 8 },
  lacking: { type: 'lacking', room: general, feed: feedOf(1), first: 5, last: 8 },
  'events-live': { type: 'events', answer: false, runs: [runOf({ count: 1 })] },
  'events-answer': { type: 'events', answer: true, runs: [runOf({ first: 5, count: 2, text: 'grüße 😀' })] },
  presence: {
    type: 'presence',
    records: [presenceOf(1), presenceOf(2, { site: undefined, status: 'left' })],
  },
  receipts: { type: 'receipts', receipts: [receipt] },
  heartbeat: {
    type: 'heartbeat',
    nowMs: 1_795_262_400_000,
    digest: '0011223344556677',
    heard: [{ hint: '8899aabbccddeeff', ageS: 3 }],
  },
  signal: { type: 'signal', from: keyOf(1).peer, to: keyOf(2).peer, hops: 1, payload: '{"attempt":"00"}' },
}
