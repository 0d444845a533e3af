/** One socket at `/signal`: what is known of who is at the other end, and how much it may take. */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { PlainKey } from '../src/adapters/signature.ts'
import type { PeerId } from '#mesh/ids.ts'
import type { DoorTokens } from './peerjs/door-tokens.ts'
import type { SocketId } from './relay/relay.ts'
import type { TurnServer } from './ice/turn.ts'

export const socketLimits = {
  /** design: a shelter behind one address has 64; twice that. */
  socketsPerAddressMax: 128,
  /** guess */
  proofTimeoutMs: 10_000,
  /** design: a neighbour that dies is noticed within 10 s. */
  neighborPingMs: 3_000,
  neighborSilentMs: 9_000,
  /** guess: a browser that answers no ping for two of these is gone. */
  peerPingMs: 20_000,
  /** guess: what may wait for a slow reader. */
  bufferedBytesMax: 1_048_576,
  flushMs: 150,
  /** guess: how often each socket is looked at. */
  lookMs: 1_000,
  /** guess: per key; a start with 16 dials is about 300 frames. */
  keyBucket: { perSecond: 60, burst: 600, keysMax: 8_192 },
  /** guess: a neighbour speaks for a whole site. */
  helperBucket: { perSecond: 300, burst: 6_000, keysMax: 256 },
  /** guess: proofs cost a few milliseconds each; 64 browsers may come at once. */
  proofBucket: { perSecond: 20, burst: 256, keysMax: 8_192 },
  /** guess: 64 browsers behind one address. */
  addressBucket: { perSecond: 1_000, burst: 20_000, keysMax: 8_192 },
} as const

export type Phase =
  | { readonly type: 'proving'; readonly nonce: string }
  /** We dialled; the other side's challenge is awaited, then its acceptance. */
  | {
      readonly type: 'dialed'
      readonly nonce: string
      challenge: { helper: PeerId; nonce: string } | undefined
    }
  | { readonly type: 'peer'; readonly peer: PeerId }
  | { readonly type: 'helper'; readonly site: PeerId }
  | { readonly type: 'closed' }

export interface Session {
  readonly id: SocketId
  readonly socket: WebSocket
  /** What it writes to, where that is known. */
  readonly wire: Duplex | undefined
  readonly address: string
  phase: Phase
  readonly openedMs: number
  /** What the other side has proven to be, also when this socket had to give way. */
  site: PeerId | undefined
  lastHeardMs: number
  pingedMs: number
  pings: number
  /** When it was last told of the TURN server. */
  turnMs: number
}

export interface Self {
  readonly key: PlainKey
  readonly name: string
  url: string
  /** On https, or the empty string. */
  readonly secureUrl: string
  readonly maxPeers: number
  readonly turn: TurnServer | undefined
  readonly doors: DoorTokens
  readonly stunPorts: () => readonly number[]
}
