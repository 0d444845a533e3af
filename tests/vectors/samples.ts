/** The frames whose bytes stand in frames.json. A changed vector needs a new version of the protocol. */
import { signPlainly } from '../../src/adapters/signature.ts'
import type { Frame } from '../../src/mesh/frame.ts'
import { itemOf, shortIdFrom } from '../../src/mesh/gossip/item.ts'
import { shortOf } from '../../src/mesh/gossip/short.ts'
import type { EventId } from '../../src/mesh/ids.ts'
import { roomsDigest, siteWordSigningBytes, type SiteWordFields } from '../../src/mesh/overlay/site-word.ts'
import {
  receiptSigningBytes,
  tallySigningBytes,
  type ReceiptFields,
  type TallyFields,
} from '../../src/mesh/record.ts'
import { readMarkSigningBytes, type ReadMarkFields } from '../../src/mesh/timeline/read-marks.ts'
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

const wordFields: SiteWordFields = {
  site: keyOf(99).peer,
  primary: keyOf(1).peer,
  standby: keyOf(2).peer,
  counter: 88,
  people: 12,
  meshPeople: 300,
  near: [
    { site: keyOf(98).peer, cost: 10, linked: true },
    { site: keyOf(97).peer, cost: 35, linked: false },
  ],
  rooms: roomsDigest([general]),
  gone: ['0102030405060708'],
}
const word = { ...wordFields, signature: signPlainly(keyOf(1), siteWordSigningBytes(wordFields)) }

const tallyFields: TallyFields = {
  signer: keyOf(1).peer,
  site: keyOf(99).peer,
  room: general,
  counter: 99,
  people: 300,
  stretches: [
    { minute: 29_666_664, level: 3, print: '0123456789abcdef', readers: 299 },
    { minute: 29_666_656, level: 3, print: '00000000ffffffff', readers: 300 },
  ],
}
const tally = { ...tallyFields, signature: signPlainly(keyOf(1), tallySigningBytes(tallyFields)) }

const readMarkFields: ReadMarkFields = {
  device: keyOf(2).peer,
  room: general,
  counter: 100,
  effective: 57_000_000_000_032,
  id: runOf({ seed: 3, count: 1 }).events[0]?.id as EventId,
}
const readMark = {
  ...readMarkFields,
  signature: signPlainly(keyOf(2), readMarkSigningBytes(readMarkFields)),
}

/** Names what stands behind it in the frame, and something elsewhere. */
const answered = runOf({
  count: 1,
  deps: [
    runOf({ seed: 3, count: 1 }).events[0]?.id as EventId,
    runOf({ seed: 4, count: 1 }).events[0]?.id as EventId,
  ],
})
const presentHead = runOf({ seed: 3, count: 1 }).events[0]?.id as EventId

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
      { feed: feedOf(2), newest: 32_000_000, ranges: [{ first: 300, last: 700 }], floor: 300 },
    ],
  },
  want: {
    type: 'want',
    room: general,
    parts: [
      { name: 0x7fff_fffe, first: 5, last: 8 },
      { name: 9, first: 0, last: 700 },
    ],
  },
  lacking: { type: 'lacking', room: general, name: 0x7fff_fffe, first: 5, last: 8 },
  events: { type: 'events', runs: [runOf({ first: 5, count: 2, text: 'grüße 😀' })] },
  'events-bundle': { type: 'events', runs: [answered, runOf({ seed: 3, count: 1 })] },
  items: {
    type: 'items',
    items: [
      itemOf({ type: 'presence', record: presenceOf(1) }),
      itemOf({ type: 'presence', record: presenceOf(2, { site: undefined, status: 'left' }) }),
      itemOf({ type: 'receipt', record: receipt }),
      itemOf({ type: 'site', record: word }),
    ],
  },
  'packet-items': {
    type: 'packet',
    seq: 65_535,
    ack: { base: 7, bits: 0x8000_0001 },
    notes: [
      { type: 'item', item: itemOf({ type: 'run', run: runOf({ count: 1 }) }), cost: 11 },
      {
        type: 'item',
        item: itemOf({ type: 'suspicion', peer: keyOf(3).peer, counter: 9, round: 2 }),
        cost: 0,
      },
    ],
  },
  'packet-short': {
    type: 'packet',
    seq: 3,
    ack: undefined,
    notes: [
      {
        type: 'short',
        short: shortOf({ type: 'run', run: runOf({ first: 7, count: 2, deps: [presentHead] }) }),
        cost: 1,
      },
      { type: 'short', short: shortOf({ type: 'receipt', record: receipt }), cost: 0 },
      {
        type: 'item',
        item: itemOf({ type: 'run', run: runOf({ first: 7, count: 1 }) }),
        cost: 2,
        isWhole: true,
      },
      { type: 'unclear', seq: 65_534 },
    ],
  },
  'packet-tree': {
    type: 'packet',
    seq: undefined,
    ack: undefined,
    notes: [
      {
        type: 'ihave',
        announcements: [
          { id: shortIdFrom(new Uint8Array([1, 2, 3, 4, 5, 6])), cost: 300 },
          { id: shortIdFrom(new Uint8Array([9, 8, 7, 6, 5, 4])), cost: 0 },
        ],
      },
      { type: 'graft', id: undefined },
      { type: 'graft', id: shortIdFrom(new Uint8Array([1, 2, 3, 4, 5, 6])) },
      { type: 'prune' },
      { type: 'offer', id: shortIdFrom(new Uint8Array([1, 1, 1, 1, 1, 1])), cost: 3 },
      { type: 'fetch', id: shortIdFrom(new Uint8Array([1, 1, 1, 1, 1, 1])) },
    ],
  },
  'items-profile': {
    type: 'items',
    items: [
      itemOf({
        type: 'presence',
        record: presenceOf(1, { profile: { statusText: 'Auf Wache bis 18:00', colour: 12, emoji: '📻' } }),
      }),
    ],
  },
  'packet-typing': {
    type: 'packet',
    seq: undefined,
    ack: undefined,
    notes: [{ type: 'typing', room: general }],
  },
  'items-tally': { type: 'items', items: [itemOf({ type: 'tally', record: tally })] },
  'items-read-mark': { type: 'items', items: [itemOf({ type: 'read-mark', record: readMark })] },
  'packet-ack': { type: 'packet', seq: undefined, ack: { base: 513, bits: 0 }, notes: [] },
  heartbeat: {
    type: 'heartbeat',
    nowMs: 1_795_262_400_000,
    digests: { log: '0011223344556677', sites: 1, presences: 2, receipts: 0xffff_ffff, alive: 4 },
  },
  hello: { type: 'hello', purpose: 'gateway', isUrgent: true, site: keyOf(99).peer },
  'hello to a resident': { type: 'hello', purpose: 'resident', isUrgent: true, site: keyOf(99).peer },
  'hello-answer': { type: 'hello', purpose: undefined, isUrgent: false, site: undefined },
  roster: { type: 'roster', hints: ['8899aabbccddeeff'] },
  linked: { type: 'linked', sites: [keyOf(98).peer] },
  'forward-join': { type: 'forward-join', peer: keyOf(4).peer, ttl: 6 },
  disconnect: { type: 'disconnect' },
  shuffle: { type: 'shuffle', walk: 0xdead_beef, ttl: 6, peers: [keyOf(1).peer, keyOf(2).peer] },
  'shuffle-reply': { type: 'shuffle-reply', walk: 0xdead_beef, peers: [] },
  prints: { type: 'prints', rooms: [{ room: general, print: '0011223344556677' }] },
  sketch: { type: 'sketch', room: general, symbols: [{ sum: 1, product: 0x7fff_fffe, check: 0 }] },
  differ: {
    type: 'differ',
    room: general,
    isLast: false,
    entries: [
      { name: 0x7fff_fffe, ranges: [{ first: 3, last: 300 }] },
      { name: 9, ranges: [{ first: 3, last: 300 }], floor: 3 },
    ],
    unknown: [7],
    span: { from: 7, to: 0x7fff_fffe },
    more: 0,
  },
  signal: { type: 'signal', from: keyOf(1).peer, to: keyOf(2).peer, hops: 1, payload: '{"attempt":"00"}' },
}
