/**
 * Signed statements of one device that are state, not history: what it says of itself (presence) and what it
 * durably holds (receipts). Rules P1–P3 and D1–D3 in PROTOCOL.md.
 */
import { Malformed, Reader, Writer, concatBytes, encodeUtf8 } from './bytes.ts'
import { signatureBytesLength, type Claim } from './event.ts'
import {
  bytesToHex,
  cleanName,
  feedIdBytesLength,
  feedIdFromBytes,
  feedIdToBytes,
  hexToBytes,
  peerIdBytesLength,
  peerIdFromBytes,
  peerIdToBytes,
  roomIdBytesLength,
  roomIdFromBytes,
  type FeedId,
  type PeerId,
  type RoomId,
} from './ids.ts'
import { limits } from './limits.ts'

export type Status = 'here' | 'asleep' | 'left'

/** P11: what somebody says of themselves beside the name. */
export interface Profile {
  /** One line; empty without. */
  readonly statusText: string
  /** 1 to 12; 0 for the one that follows from the key. */
  readonly colour: number
  /** Empty without. */
  readonly emoji: string
}

export interface PresenceFields {
  readonly peer: PeerId
  /** A stamp; of two records of one peer the larger one counts (P1). */
  readonly counter: number
  readonly status: Status
  /** A box (a resident) is never counted as a person. */
  readonly box: boolean
  readonly name: string
  /** P11: absent where somebody says nothing more of themselves. */
  readonly profile?: Profile
  /** The helper's name at the person's site, as shown; empty when none was reached yet. */
  readonly node: string
  /** The helper's key, which names the site. */
  readonly site: PeerId | undefined
  /** Rooms in this device's list: it is a member there. */
  readonly rooms: readonly RoomId[]
}
export interface Presence extends PresenceFields {
  readonly signature: Uint8Array
}

/** Durably held by the device. A feed may stand in several entries, one for each range. */
export interface ReceiptEntry {
  readonly feed: FeedId
  readonly first: number
  readonly last: number
}
export interface ReceiptFields {
  readonly device: PeerId
  readonly room: RoomId
  /** A stamp; of two receipts of one device for one feed the one with the larger counter counts (D2). */
  readonly counter: number
  /** A reader has the room in its list; a carrier only holds it for others. */
  readonly role: 'reader' | 'carrier'
  readonly entries: readonly ReceiptEntry[]
}
export interface Receipt extends ReceiptFields {
  readonly signature: Uint8Array
}

/** A stretch of a room's time, and how many hold exactly what was said in it. */
export interface TallyStretch {
  /** Since 1970; a multiple of its length. */
  readonly minute: number
  /** It is 2^level minutes long. */
  readonly level: number
  /** 8 bytes as hex: XOR of the beginnings of the ids of all events whose stamps lie in it. */
  readonly print: string
  readonly readers: number
}
export interface TallyFields {
  /** A device, or the primary gateway of a site. */
  readonly signer: PeerId
  /** Whose people are counted; undefined: the device speaks for itself. */
  readonly site: PeerId | undefined
  readonly room: RoomId
  /** A stamp; of two tallies of a site, or of a device, for one room the larger one counts (D8, D9). */
  readonly counter: number
  /** How many there have the room. */
  readonly people: number
  readonly stretches: readonly TallyStretch[]
}
export interface Tally extends TallyFields {
  readonly signature: Uint8Array
}

const presenceDomain = encodeUtf8('meshchat/1/sign/presence')
const receiptDomain = encodeUtf8('meshchat/1/sign/receipt')
const tallyDomain = encodeUtf8('meshchat/1/sign/tally')
const printBytesLength = 8
const statuses: readonly Status[] = ['here', 'asleep', 'left']
/** Pictures and flags with what joins and colours them (UTS #51 §1.4.9, less strict), nothing else. */
const emojiPattern = /^(?:[\p{Extended_Pictographic}\p{RI}][\p{Emoji_Component}\ufe0f\u200d]*)+$/u
const nameBytesMax = limits.nameCharactersMax * 4
const seqMax = Number.MAX_SAFE_INTEGER - 1

function writePresence(writer: Writer, record: PresenceFields): Writer {
  writer.fixed(peerIdToBytes(record.peer)).u64(record.counter)
  const { profile } = record
  writer.u8(statuses.indexOf(record.status)).u8((record.box ? 1 : 0) + (profile === undefined ? 0 : 2))
  writer.text(record.name)
  if (profile !== undefined) writer.text(profile.statusText).u8(profile.colour).text(profile.emoji)
  writer.text(record.node)
  writer.u8(record.site === undefined ? 0 : 1)
  if (record.site !== undefined) writer.fixed(peerIdToBytes(record.site))
  writer.varint(record.rooms.length)
  for (const room of record.rooms) writer.fixed(hexToBytes(room))
  return writer
}

export function presenceSigningBytes(record: PresenceFields): Uint8Array {
  return concatBytes(presenceDomain, writePresence(new Writer(), record).finish())
}

export function presenceClaim(record: Presence): Claim {
  return { signer: record.peer, message: presenceSigningBytes(record), signature: record.signature }
}

export function encodePresence(writer: Writer, record: Presence): void {
  writePresence(writer, record).fixed(record.signature)
}

/** @throws Malformed, also for names that carry characters which must not be shown. */
export function decodePresence(reader: Reader): Presence {
  const peer = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const counter = reader.u64()
  if (counter > limits.stampMax) throw new Malformed('stamp out of range')
  const status = statuses[reader.u8()]
  const flags = reader.u8()
  if (status === undefined || flags > 3) throw new Malformed('status')
  const name = readName(reader)
  const profile = (flags & 2) === 0 ? undefined : readProfile(reader)
  const node = readName(reader)
  const hasSite = reader.u8()
  if (hasSite > 1) throw new Malformed('flag')
  const site = hasSite === 1 ? peerIdFromBytes(reader.fixed(peerIdBytesLength)) : undefined
  // Q1: the direct room beside them.
  const rooms = reader.list(limits.roomsMax + 1, () => roomIdFromBytes(reader.fixed(roomIdBytesLength)))
  const signature = reader.fixed(signatureBytesLength)
  return {
    peer,
    counter,
    status,
    box: (flags & 1) === 1,
    name,
    ...(profile === undefined ? {} : { profile }),
    node,
    site,
    rooms,
    signature,
  }
}

/** P11 */
function readProfile(reader: Reader): Profile {
  const profile = {
    statusText: reader.text(limits.statusCharactersMax * 4),
    colour: reader.u8(),
    emoji: reader.text(limits.emojiBytesMax),
  }
  const clean = cleanProfile(profile)
  const isClean = clean?.statusText === profile.statusText && clean.emoji === profile.emoji
  // One that says nothing is left out.
  if (!isClean || clean.colour !== profile.colour) throw new Malformed('profile')
  return profile
}

/** P11: @returns what of it can be said; undefined for nothing */
export function cleanProfile({ statusText, colour, emoji }: Profile): Profile | undefined {
  const isEmoji = emojiPattern.test(emoji) && encodeUtf8(emoji).length <= limits.emojiBytesMax
  const profile = {
    statusText: cleanName(statusText, limits.statusCharactersMax),
    colour: Number.isInteger(colour) && colour >= 0 && colour <= limits.coloursMax ? colour : 0,
    emoji: isEmoji ? emoji : '',
  }
  return profile.statusText === '' && profile.colour === 0 && profile.emoji === '' ? undefined : profile
}

function readName(reader: Reader): string {
  const name = reader.text(nameBytesMax)
  if (cleanName(name, limits.nameCharactersMax) !== name) throw new Malformed('name')
  return name
}

function writeReceipt(writer: Writer, receipt: ReceiptFields): Writer {
  writer.fixed(peerIdToBytes(receipt.device)).fixed(hexToBytes(receipt.room))
  writer
    .u64(receipt.counter)
    .u8(receipt.role === 'reader' ? 0 : 1)
    .varint(receipt.entries.length)
  for (const entry of receipt.entries) {
    writer
      .fixed(feedIdToBytes(entry.feed))
      .varint(entry.first)
      .varint(entry.last - entry.first)
  }
  return writer
}

export function receiptSigningBytes(receipt: ReceiptFields): Uint8Array {
  return concatBytes(receiptDomain, writeReceipt(new Writer(), receipt).finish())
}

export function receiptClaim(receipt: Receipt): Claim {
  return { signer: receipt.device, message: receiptSigningBytes(receipt), signature: receipt.signature }
}

export function encodeReceipt(writer: Writer, receipt: Receipt): void {
  writeReceipt(writer, receipt).fixed(receipt.signature)
}

/** @throws Malformed */
export function decodeReceipt(reader: Reader): Receipt {
  const device = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const room = roomIdFromBytes(reader.fixed(roomIdBytesLength))
  const counter = reader.u64()
  const role = reader.u8()
  if (role > 1 || counter > limits.stampMax) throw new Malformed('receipt')
  const entries = reader.list(limits.receiptEntriesMax, () => {
    const feed = feedIdFromBytes(reader.fixed(feedIdBytesLength))
    const first = reader.varint(seqMax)
    const last = first + reader.varint(seqMax)
    if (!Number.isSafeInteger(last)) throw new Malformed('range out of bounds')
    return { feed, first, last }
  })
  const signature = reader.fixed(signatureBytesLength)
  return { device, room, counter, role: role === 0 ? 'reader' : 'carrier', entries, signature }
}

function writeTally(writer: Writer, tally: TallyFields): Writer {
  writer.fixed(peerIdToBytes(tally.signer)).u8(tally.site === undefined ? 0 : 1)
  if (tally.site !== undefined) writer.fixed(peerIdToBytes(tally.site))
  writer.fixed(hexToBytes(tally.room)).u64(tally.counter)
  writer.varint(tally.people).varint(tally.stretches.length)
  for (const { minute, level, print, readers } of tally.stretches) {
    writer.varint(minute).u8(level).fixed(hexToBytes(print)).varint(readers)
  }
  return writer
}

export function tallySigningBytes(tally: TallyFields): Uint8Array {
  return concatBytes(tallyDomain, writeTally(new Writer(), tally).finish())
}

export function tallyClaim(tally: Tally): Claim {
  return { signer: tally.signer, message: tallySigningBytes(tally), signature: tally.signature }
}

export function encodeTally(writer: Writer, tally: Tally): void {
  writeTally(writer, tally).fixed(tally.signature)
}

/** @throws Malformed */
export function decodeTally(reader: Reader): Tally {
  const signer = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const hasSite = reader.u8()
  if (hasSite > 1) throw new Malformed('flag')
  const site = hasSite === 1 ? peerIdFromBytes(reader.fixed(peerIdBytesLength)) : undefined
  const room = roomIdFromBytes(reader.fixed(roomIdBytesLength))
  const counter = reader.u64()
  if (counter > limits.stampMax) throw new Malformed('stamp out of range')
  const people = reader.varint(limits.peoplePerSiteMax)
  const stretches = reader.list(limits.tallyStretchesMax, () => {
    const minute = reader.varint(limits.stampMax)
    const level = reader.u8()
    if (level > limits.tallyLevelMax || minute % 2 ** level !== 0) throw new Malformed('stretch')
    const print = bytesToHex(reader.fixed(printBytesLength))
    const readers = reader.varint(people)
    return { minute, level, print, readers }
  })
  const signature = reader.fixed(signatureBytesLength)
  return { signer, site, room, counter, people, stretches, signature }
}
