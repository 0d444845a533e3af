/**
 * What is broadcast: runs of events and signed records, each under a short id. Rules G1–G3 in PROTOCOL.md.
 *
 * Source: `gossip.md` §7.1 and §7.6. Deviation: the short id is the start of the event's own hash, not a keyed
 * one: a key that everybody of an open room has would keep nobody from grinding. What collides is found by the log.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { Malformed, Reader, Writer, concatBytes, encodeUtf8 } from '../bytes.ts'
import { unreachable } from '../effects.ts'
import { decodeRun, encodeRun, runClaim, type Claim, type Run } from '../event.ts'
import {
  bytesToHex,
  hexToBytes,
  peerIdBytesLength,
  peerIdFromBytes,
  peerIdToBytes,
  type PeerId,
  type RoomId,
} from '../ids.ts'
import { limits } from '../limits.ts'
import {
  decodePresence,
  decodeReceipt,
  decodeTally,
  encodePresence,
  encodeReceipt,
  encodeTally,
  presenceClaim,
  receiptClaim,
  tallyClaim,
  type Presence,
  type Receipt,
  type Tally,
} from '../record.ts'
import { decodeReadMark, encodeReadMark, readMarkClaim, type ReadMark } from '../timeline/read-marks.ts'
import { decodeSiteWord, encodeSiteWord, siteWordClaim, type SiteWord } from '../overlay/site-word.ts'

/** 6 bytes as 12 hex digits. */
export type ShortId = string & { readonly brand: 'ShortId' }
export const shortIdBytesLength = 6

export type Content =
  | { readonly type: 'run'; readonly run: Run }
  | { readonly type: 'presence'; readonly record: Presence }
  | { readonly type: 'receipt'; readonly record: Receipt }
  | { readonly type: 'site'; readonly record: SiteWord }
  | { readonly type: 'tally'; readonly record: Tally }
  | { readonly type: 'read-mark'; readonly record: ReadMark }
  /** Somebody's link to this peer fell silent; whoever is meant answers with a later record of itself. */
  | {
      readonly type: 'suspicion'
      readonly peer: PeerId
      readonly counter: number
      /** About when, in `suspicionRoundMs`: the same suspicion can be raised again later. */
      readonly round: number
    }

export interface Item {
  readonly id: ShortId
  readonly content: Content
  /** Encoded length in whole, bytes. */
  readonly size: number
}

/** 6 and 7 are short forms (short.ts). */
const codes = { run: 1, presence: 2, receipt: 3, site: 4, suspicion: 5, tally: 8, 'read-mark': 9 } as const
const known: ReadonlySet<number> = new Set(Object.values(codes))

export function isItemCode(code: number): boolean {
  return known.has(code)
}

export function shortIdFrom(bytes: Uint8Array): ShortId {
  return bytesToHex(bytes.subarray(0, shortIdBytesLength)) as ShortId
}

export function writeShortId(writer: Writer, id: ShortId): void {
  writer.fixed(hexToBytes(id))
}

export function readShortId(reader: Reader): ShortId {
  return shortIdFrom(reader.fixed(shortIdBytesLength))
}

export function itemOf(content: Content): Item {
  const writer = new Writer()
  writeContent(writer, content)
  return { id: shortIdOf(content), content, size: writer.size }
}

function shortIdOf(content: Content): ShortId {
  switch (content.type) {
    case 'run':
      return (content.run.events.at(-1)?.id.slice(0, 2 * shortIdBytesLength) ?? '') as ShortId
    case 'presence':
    case 'receipt':
    case 'site':
    case 'tally':
    case 'read-mark':
      return shortIdFrom(sha256(content.record.signature))
    case 'suspicion':
      return shortIdFrom(
        sha256(concatBytes(encodeUtf8(`suspicion ${content.peer} ${content.counter} ${content.round}`))),
      )
    default:
      return unreachable(content)
  }
}

/** G12: who speaks for a site, and who seems gone, is told while the tree may be broken for that very reason. */
export function isUrgent({ content }: Item): boolean {
  return content.type === 'site' || content.type === 'suspicion'
}

/** What goes other ways than the tree's inside a site, and so says nothing of which link is needed (G12, D8). */
export function isBesideTree(item: Item): boolean {
  return isUrgent(item) || item.content.type === 'tally'
}

/** The room that an item belongs to, if it does. */
export function itemRoom(item: Item): RoomId | undefined {
  const { content } = item
  if (content.type === 'run') return content.run.room
  const isOfRoom = content.type === 'receipt' || content.type === 'tally' || content.type === 'read-mark'
  return isOfRoom ? content.record.room : undefined
}

function writeContent(writer: Writer, content: Content): void {
  writer.u8(codes[content.type])
  switch (content.type) {
    case 'run':
      return encodeRun(writer, content.run)
    case 'presence':
      return encodePresence(writer, content.record)
    case 'receipt':
      return encodeReceipt(writer, content.record)
    case 'site':
      return encodeSiteWord(writer, content.record)
    case 'tally':
      return encodeTally(writer, content.record)
    case 'read-mark':
      return encodeReadMark(writer, content.record)
    case 'suspicion':
      writer.fixed(peerIdToBytes(content.peer)).u64(content.counter).u32(content.round)
      return
    default:
      unreachable(content)
  }
}

export function encodeItem(writer: Writer, item: Item): void {
  writeContent(writer, item.content)
}

/** @throws Malformed @param code the item's first byte, read already */
export function decodeItem(reader: Reader, code: number): Item {
  const start = reader.position - 1
  const content = readContent(reader, code)
  return { id: shortIdOf(content), content, size: reader.position - start }
}

function readContent(reader: Reader, code: number): Content {
  switch (code) {
    case codes.run:
      return { type: 'run', run: decodeRun(reader) }
    case codes.presence:
      return { type: 'presence', record: decodePresence(reader) }
    case codes.receipt:
      return { type: 'receipt', record: decodeReceipt(reader) }
    case codes.site:
      return { type: 'site', record: decodeSiteWord(reader) }
    case codes['read-mark']:
      return { type: 'read-mark', record: decodeReadMark(reader) }
    case codes.tally:
      return { type: 'tally', record: decodeTally(reader) }
    case codes.suspicion: {
      const peer = peerIdFromBytes(reader.fixed(peerIdBytesLength))
      const counter = reader.u64()
      if (counter > limits.stampMax) throw new Malformed('stamp out of range')
      return { type: 'suspicion', peer, counter, round: reader.u32() }
    }
    default:
      throw new Malformed('unknown item')
  }
}

/** What has to be checked before the item may be used or passed on. */
export function itemClaim(item: Item): Claim | undefined {
  const { content } = item
  switch (content.type) {
    case 'run':
      return runClaim(content.run)
    case 'presence':
      return presenceClaim(content.record)
    case 'receipt':
      return receiptClaim(content.record)
    case 'site':
      return siteWordClaim(content.record)
    case 'tally':
      return tallyClaim(content.record)
    case 'read-mark':
      return readMarkClaim(content.record)
    case 'suspicion':
      return undefined
    default:
      return unreachable(content)
  }
}
