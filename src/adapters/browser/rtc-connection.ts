/**
 * One RTCPeerConnection to one peer: simple-peer negotiates, negotiated channels carry the lanes, a handshake proves who
 * is there. Becomes a link once, ends once.
 */
import type SimplePeer from 'simple-peer'
import type { Instance, SignalData } from 'simple-peer'
import { isLooseFrame } from '#mesh/files/file-codes.ts'
import type { Lane } from '#mesh/frame.ts'
import type { PeerId } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import type { Keys, LinkRefusal } from '#runtime/ports.ts'
import { LinkHandshake, linkVersion } from '../link-handshake.ts'

/**
 * Id 0 is simple-peer's own channel, which carries nothing. Chat is repeated by the engine, which does it sooner than
 * SCTP would (measured, `gossip.md` §5).
 * Parts of files are repeated by their engine too (C17).
 */
const ways = {
  control: { id: 1, ordered: true },
  chat: { id: 2, ordered: false, maxRetransmits: 0 },
  bulk: { id: 3, ordered: true },
  parts: { id: 4, ordered: false, maxRetransmits: 0 },
} as const
type Way = keyof typeof ways
const wayNames = ['control', 'chat', 'bulk', 'parts'] as const
const laneOf = (way: Way): Lane => (way === 'parts' ? 'bulk' : way)

export const rtcLimits = {
  /** design: bulk never delays chat; what waits in the lower layers stays shallow. */
  bulkBufferedBytesMax: 65_536,
  bulkLowBytes: 16_384,
  /** guess: a reader this far behind on chat or control is cut off. */
  bufferedBytesMax: 4_194_304,
  /** guess: frames that may arrive before the proof is checked. */
  earlyFramesMax: 256,
  /** guess: between two ICE restarts of one connection. */
  restartIntervalMs: 5_000,
} as const

export interface ConnectionParts {
  readonly peer: PeerId
  readonly initiator: boolean
  /** Tells one attempt from the next: signals of an older one are dropped. */
  readonly attempt: string
  readonly keys: Keys
  readonly rtcConfig: RTCConfiguration
  readonly library: typeof SimplePeer
  readonly onSignal: (data: SignalData) => void
  readonly onUp: () => void
  readonly onFrame: (lane: Lane, bytes: Uint8Array) => void
  readonly onDrained: () => void
  readonly onEnd: (reason: LinkRefusal | 'closed') => void
}

type Phase = 'connecting' | 'proving' | 'up' | 'closed'

export class RtcConnection {
  phase: Phase = 'connecting'
  readonly parts: ConnectionParts
  private readonly simplePeer: Instance
  private readonly channels: Readonly<Record<Way, RTCDataChannel>>
  private readonly timer: ReturnType<typeof setTimeout>
  private handshake: LinkHandshake | undefined
  /** What both ends speak, once the other one has proven itself. */
  version = linkVersion
  /** What came on chat and bulk, or on control behind the proof, before the proof was checked. */
  private early: { readonly lane: Lane; readonly bytes: Uint8Array }[] = []
  private proofs = 0
  private isCongested = false
  private restartedAtMs = 0

  constructor(parts: ConnectionParts) {
    this.parts = parts
    this.simplePeer = new parts.library({
      initiator: parts.initiator,
      trickle: true,
      config: parts.rtcConfig,
      channelConfig: { negotiated: true, id: 0 },
    })
    const connection = this.rtc()
    const open = (way: Way) => connection.createDataChannel(way, { negotiated: true, ...ways[way] })
    this.channels = { control: open('control'), chat: open('chat'), bulk: open('bulk'), parts: open('parts') }
    for (const way of wayNames) this.listen(way)
    this.simplePeer.on('signal', (data: SignalData) => parts.onSignal(data))
    this.simplePeer.on('iceStateChange', (state: string) => this.iceChanged(state))
    this.simplePeer.on('close', () => this.end('closed'))
    // simple-peer closes itself after each error; `close` follows.
    this.simplePeer.on('error', () => undefined)
    this.timer = setTimeout(() => this.end('timeout'), limits.dialTimeoutMs)
  }

  /** simple-peer offers no way to more channels, to ICE restarts or to the fingerprints; its own field does. */
  private rtc(): RTCPeerConnection {
    return (this.simplePeer as unknown as { _pc: RTCPeerConnection })._pc
  }

  private listen(way: Way): void {
    const channel = this.channels[way]
    const lane = laneOf(way)
    channel.binaryType = 'arraybuffer'
    channel.onopen = () => this.opened()
    channel.onclose = () => this.end('closed')
    channel.onmessage = (event: MessageEvent<unknown>) => {
      if (event.data instanceof ArrayBuffer) this.received(lane, new Uint8Array(event.data))
      else this.end('bad-proof')
    }
    if (lane !== 'bulk') return
    channel.bufferedAmountLowThreshold = rtcLimits.bulkLowBytes
    channel.onbufferedamountlow = () => {
      // Each by itself: the last one that falls below is the last one to say so.
      const { bulk, parts } = this.channels
      const waiting = Math.max(bulk.bufferedAmount, parts.bufferedAmount)
      if (!this.isCongested || waiting > rtcLimits.bulkLowBytes) return
      this.isCongested = false
      this.parts.onDrained()
    }
  }

  private opened(): void {
    const isOpen = wayNames.every((way) => this.channels[way].readyState === 'open')
    if (!isOpen || this.phase !== 'connecting') return
    this.phase = 'proving'
    const { keys, peer } = this.parts
    const { localDescription, remoteDescription } = this.rtc()
    const binding = { own: fingerprints(localDescription), other: fingerprints(remoteDescription) }
    this.handshake = new LinkHandshake({
      keys,
      binding,
      nonce: crypto.getRandomValues(new Uint8Array(32)),
      expected: peer,
      send: (bytes) => this.transmit('control', bytes),
      done: (_peer, version) => this.proven(version),
      failed: (reason) => this.end(reason),
    })
    const waiting = this.early
    this.early = []
    for (const { lane, bytes } of waiting) this.received(lane, bytes)
  }

  private proven(version: number): void {
    this.version = version
    if (this.phase !== 'proving') return
    this.phase = 'up'
    clearTimeout(this.timer)
    this.parts.onUp()
    const waiting = this.early
    this.early = []
    for (const { lane, bytes } of waiting) this.parts.onFrame(lane, bytes)
  }

  private received(lane: Lane, bytes: Uint8Array): void {
    if (this.phase === 'closed') return
    if (this.phase === 'up') return this.parts.onFrame(lane, bytes)
    // The handshake is two messages on the control lane; what follows waits for the verdict.
    if (this.handshake !== undefined && lane === 'control' && this.proofs < 2) {
      this.proofs += 1
      return this.handshake.receive(bytes)
    }
    this.early.push({ lane, bytes })
    if (this.early.length > rtcLimits.earlyFramesMax) this.end('bad-proof')
  }

  signal(data: SignalData): void {
    if (this.phase === 'closed') return
    try {
      this.simplePeer.signal(data)
    } catch (error) {
      // simple-peer throws at what it cannot take; the other side sent nonsense.
      if (error instanceof Error) this.end('bad-proof')
    }
  }

  /** @returns false when the bulk lane should wait for `onDrained` */
  send(lane: Lane, bytes: Uint8Array): boolean {
    if (this.phase !== 'up') return true
    this.transmit(lane, bytes)
    if (lane !== 'bulk') return true
    // Only `drained` ends it: who was told to wait is told when to go on.
    this.isCongested ||= this.bulkBytes() > rtcLimits.bulkBufferedBytesMax
    return !this.isCongested
  }

  private bulkBytes(): number {
    return this.channels.bulk.bufferedAmount + this.channels.parts.bufferedAmount
  }

  private transmit(lane: Lane, bytes: Uint8Array): void {
    const channel = this.channels[lane === 'bulk' && isLooseFrame(bytes) ? 'parts' : lane]
    if (channel.readyState !== 'open') return
    if (channel.bufferedAmount > rtcLimits.bufferedBytesMax) return this.end('closed')
    channel.send(bytes.slice())
  }

  /** An interrupted path is repaired by the side that made the connection; a failed one is simple-peer's end. */
  private iceChanged(state: string): void {
    const nowMs = performance.now()
    const isDue = nowMs - this.restartedAtMs > rtcLimits.restartIntervalMs
    if (state !== 'disconnected' || !this.parts.initiator || this.phase !== 'up' || !isDue) return
    this.restartedAtMs = nowMs
    this.rtc().restartIce()
    ;(this.simplePeer as unknown as { negotiate(): void }).negotiate()
  }

  /** Ends once; afterwards nothing is reported and nothing is kept alive. */
  end(reason: LinkRefusal | 'closed'): void {
    if (this.phase === 'closed') return
    this.phase = 'closed'
    clearTimeout(this.timer)
    this.handshake?.cancel()
    for (const way of wayNames) {
      const channel = this.channels[way]
      channel.onopen = channel.onclose = channel.onmessage = channel.onbufferedamountlow = null
    }
    this.simplePeer.removeAllListeners()
    // It may still report an error while it tears down.
    this.simplePeer.on('error', () => undefined)
    this.simplePeer.destroy()
    this.parts.onEnd(reason)
  }
}

/** The DTLS fingerprints of one side, as its description states them. */
function fingerprints(description: RTCSessionDescription | null): string {
  const found = description?.sdp.match(/^a=fingerprint:\S+ \S+/gm) ?? []
  return [...new Set(found)].sort().join(' ')
}
