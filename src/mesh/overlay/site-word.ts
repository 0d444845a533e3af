/**
 * What a site's gateway says of its site: who speaks for it, which sites are near, which it is linked to, how
 * many people it has. Signed by the gateway's device; of two words the one with the larger counter counts.
 * Rules X1–X3 in PROTOCOL.md.
 *
 * Source: link-state routing (OSPF, RFC 2328 §12), with one word per site and costs from the helper.
 */
import { Malformed, Reader, Writer, concatBytes, encodeUtf8 } from '../bytes.ts'
import { signatureBytesLength, type Claim } from '../event.ts'
import {
  bytesToHex,
  hexToBytes,
  peerIdBytesLength,
  peerIdFromBytes,
  peerIdToBytes,
  type PeerId,
} from '../ids.ts'
import { limits } from '../limits.ts'

export interface NearSite {
  readonly site: PeerId
  /** What one frame costs on the way there: 10 is one radio hop of good quality, 1 to 255. */
  readonly cost: number
  /** A gateway of this site has a link there now. */
  readonly linked: boolean
}

export interface SiteWordFields {
  readonly site: PeerId
  /** Who says so: the primary gateway. */
  readonly primary: PeerId
  readonly standby: PeerId | undefined
  readonly counter: number
  /** People (never boxes) who are here or asleep. */
  readonly people: number
  /** People of all sites that it reaches, so that everybody of this site takes the mesh for equally large. */
  readonly meshPeople: number
  readonly near: readonly NearSite[]
  /** 16 bytes as hex: a Bloom filter over the rooms that somebody there has (`roomsDigest`). */
  readonly rooms: string
  /** Hints of people of this site who said that they are here and are not heard any more. */
  readonly gone: readonly string[]
}
export interface SiteWord extends SiteWordFields {
  readonly signature: Uint8Array
}

const domain = encodeUtf8('meshchat/1/sign/site-word')
export const roomsDigestBytesLength = 16
const hintBytesLength = 8

function writeFields(writer: Writer, word: SiteWordFields): Writer {
  writer.fixed(peerIdToBytes(word.site)).fixed(peerIdToBytes(word.primary))
  writer.u8(word.standby === undefined ? 0 : 1)
  if (word.standby !== undefined) writer.fixed(peerIdToBytes(word.standby))
  writer.u64(word.counter).varint(word.people).varint(word.meshPeople).varint(word.near.length)
  for (const { site, cost, linked } of word.near) {
    writer
      .fixed(peerIdToBytes(site))
      .u8(cost)
      .u8(linked ? 1 : 0)
  }
  writer.fixed(hexToBytes(word.rooms)).varint(word.gone.length)
  for (const hint of word.gone) writer.fixed(hexToBytes(hint))
  return writer
}

export function siteWordSigningBytes(word: SiteWordFields): Uint8Array {
  return concatBytes(domain, writeFields(new Writer(), word).finish())
}

export function siteWordClaim(word: SiteWord): Claim {
  return { signer: word.primary, message: siteWordSigningBytes(word), signature: word.signature }
}

export function encodeSiteWord(writer: Writer, word: SiteWord): void {
  writeFields(writer, word).fixed(word.signature)
}

/** @throws Malformed */
export function decodeSiteWord(reader: Reader): SiteWord {
  const site = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const primary = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const standby = readFlag(reader) ? peerIdFromBytes(reader.fixed(peerIdBytesLength)) : undefined
  const counter = reader.u64()
  if (counter > limits.stampMax) throw new Malformed('stamp out of range')
  const people = reader.varint(limits.peoplePerSiteMax)
  const meshPeople = reader.varint(limits.peoplePerMeshMax)
  const near = reader.list(limits.nearSitesMax, () => {
    const other = peerIdFromBytes(reader.fixed(peerIdBytesLength))
    const cost = reader.u8()
    if (cost === 0 || other === site) throw new Malformed('near site')
    return { site: other, cost, linked: readFlag(reader) }
  })
  const rooms = bytesToHex(reader.fixed(roomsDigestBytesLength))
  const gone = reader.list(limits.goneMax, () => bytesToHex(reader.fixed(hintBytesLength)))
  const signature = reader.fixed(signatureBytesLength)
  return { site, primary, standby, counter, people, meshPeople, near, rooms, gone, signature }
}

function readFlag(reader: Reader): boolean {
  const value = reader.u8()
  if (value > 1) throw new Malformed('flag')
  return value === 1
}

/** 16 bytes as hex: for each room two bits, taken from its id. */
export function roomsDigest(rooms: Iterable<string>): string {
  const bits = new Uint8Array(roomsDigestBytesLength)
  for (const room of rooms) {
    for (const bit of roomBits(room)) bits[bit >> 3] = (bits[bit >> 3] ?? 0) | (1 << (bit & 7))
  }
  return bytesToHex(bits)
}

/** @returns false when nobody there has the room; true when somebody may have it. */
export function mayHaveRoom(digest: string, room: string): boolean {
  return roomBits(room).every((bit) => {
    const byte = Number.parseInt(digest.slice((bit >> 3) * 2, (bit >> 3) * 2 + 2), 16)
    return (byte & (1 << (bit & 7))) !== 0
  })
}

function roomBits(room: string): number[] {
  const width = roomsDigestBytesLength * 8
  return [0, 4].map((at) => Number.parseInt(room.slice(at, at + 4), 16) % width)
}
