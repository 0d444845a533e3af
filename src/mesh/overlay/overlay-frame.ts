/**
 * Frames about the overlay itself: who a link's other side is, the view's walks, and signals on their way.
 * Part of the one union of `frame.ts`, in a file of its own because nothing but the overlay needs their fields.
 */
import { Malformed, decodeUtf8, encodeUtf8, type Reader, type Writer } from '../bytes.ts'
import { unreachable } from '../effects.ts'
import {
  bytesToHex,
  hexToBytes,
  peerIdBytesLength,
  peerIdFromBytes,
  peerIdToBytes,
  type PeerId,
} from '../ids.ts'
import { limits } from '../limits.ts'
import type { Purpose } from './links.ts'

export type OverlayFrame =
  /** First on every link, and again when it changes: who this is on the overlay. */
  | {
      readonly type: 'hello'
      /** What the side that dialled wants the link for; absent from the other side. */
      readonly purpose: Purpose | undefined
      /** It has no other link. */
      readonly isUrgent: boolean
      readonly site: PeerId | undefined
    }
  /** Hints of those of the own site that the sender holds for alive. */
  | { readonly type: 'roster'; readonly hints: readonly string[] }
  /** Sites that the sender holds links to; told to the gateway of its own site. */
  | { readonly type: 'linked'; readonly sites: readonly PeerId[] }
  | { readonly type: 'forward-join'; readonly peer: PeerId; readonly ttl: number }
  /** The link will be hung up, and its peer is not to be suspected. */
  | { readonly type: 'disconnect' }
  | {
      readonly type: 'shuffle'
      readonly walk: number
      readonly ttl: number
      readonly peers: readonly PeerId[]
    }
  | { readonly type: 'shuffle-reply'; readonly walk: number; readonly peers: readonly PeerId[] }
  | {
      readonly type: 'signal'
      readonly from: PeerId
      readonly to: PeerId
      readonly hops: number
      readonly payload: string
    }

const codes = {
  signal: 9,
  hello: 10,
  roster: 11,
  'forward-join': 12,
  disconnect: 13,
  shuffle: 14,
  'shuffle-reply': 15,
  linked: 16,
} as const
const purposes: readonly (Purpose | undefined)[] = [undefined, 'view', 'gateway', 'standby', 'resident']
const sampleMax = 1 + limits.shuffleActive + limits.shufflePassive
export const hintBytesLength = 8

export function isOverlayFrame(frame: { readonly type: string }): frame is OverlayFrame {
  return frame.type in codes
}

export function writeOverlayFrame(writer: Writer, frame: OverlayFrame): void {
  writer.u8(codes[frame.type])
  switch (frame.type) {
    case 'hello':
      writer.u8(purposes.indexOf(frame.purpose)).u8(frame.isUrgent ? 1 : 0)
      if (frame.site !== undefined) writer.fixed(peerIdToBytes(frame.site))
      return
    case 'roster':
      writer.varint(frame.hints.length)
      for (const hint of frame.hints) writer.fixed(hexToBytes(hint))
      return
    case 'forward-join':
      writer.fixed(peerIdToBytes(frame.peer)).u8(frame.ttl)
      return
    case 'linked':
      return writePeers(writer, frame.sites)
    case 'disconnect':
      return
    case 'shuffle':
      writer.u32(frame.walk).u8(frame.ttl)
      return writePeers(writer, frame.peers)
    case 'shuffle-reply':
      writer.u32(frame.walk)
      return writePeers(writer, frame.peers)
    case 'signal':
      writer.fixed(peerIdToBytes(frame.from)).fixed(peerIdToBytes(frame.to)).u8(frame.hops)
      writer.block(encodeUtf8(frame.payload))
      return
    default:
      unreachable(frame)
  }
}

function writePeers(writer: Writer, peers: readonly PeerId[]): void {
  writer.varint(peers.length)
  for (const peer of peers) writer.fixed(peerIdToBytes(peer))
}

/** @returns undefined for a type that is not known. @throws Malformed */
export function readOverlayFrame(reader: Reader, code: number): OverlayFrame | undefined {
  switch (code) {
    case codes.hello:
      return readHello(reader)
    case codes.roster:
      return {
        type: 'roster',
        hints: reader.list(limits.rosterMax, () => bytesToHex(reader.fixed(hintBytesLength))),
      }
    case codes['forward-join']: {
      const peer = peerIdFromBytes(reader.fixed(peerIdBytesLength))
      return { type: 'forward-join', peer, ttl: readTtl(reader) }
    }
    case codes.disconnect:
      return { type: 'disconnect' }
    case codes.disconnect:
      return { type: 'disconnect' }
    case codes.linked:
      return { type: 'linked', sites: readPeers(reader, limits.nearSitesMax) }
    case codes.shuffle: {
      const walk = reader.u32()
      return { type: 'shuffle', walk, ttl: readTtl(reader), peers: readPeers(reader, sampleMax) }
    }
    case codes['shuffle-reply']:
      return { type: 'shuffle-reply', walk: reader.u32(), peers: readPeers(reader, sampleMax) }
    case codes.signal:
      return readSignal(reader)
    default:
      return undefined
  }
}

function readHello(reader: Reader): OverlayFrame {
  const code = reader.u8()
  const flags = reader.u8()
  if (code >= purposes.length || flags > 1) throw new Malformed('hello')
  const site = reader.isAtEnd ? undefined : peerIdFromBytes(reader.fixed(peerIdBytesLength))
  return { type: 'hello', purpose: purposes[code], isUrgent: flags === 1, site }
}

function readTtl(reader: Reader): number {
  const ttl = reader.u8()
  if (ttl > limits.activeWalk) throw new Malformed('walk too long')
  return ttl
}

function readPeers(reader: Reader, countMax: number): PeerId[] {
  return reader.list(countMax, () => peerIdFromBytes(reader.fixed(peerIdBytesLength)))
}

function readSignal(reader: Reader): OverlayFrame {
  const from = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const to = peerIdFromBytes(reader.fixed(peerIdBytesLength))
  const hops = reader.u8()
  return { type: 'signal', from, to, hops, payload: decodeUtf8(reader.block(limits.signalBytesMax)) }
}
