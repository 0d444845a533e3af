/** The way of a person without a browser to helpers, for the demo and for tests. */
import { randomBytes } from 'node:crypto'
import { WebSocket } from 'ws'
import { signPlainly, type PlainKey } from '../../src/adapters/signature.ts'
import { limits } from '#mesh/limits.ts'
import { bytesToHex, type PeerId } from '#mesh/ids.ts'
import type { HelperEvents, Helpers } from '#runtime/ports.ts'
import {
  parseSignalFrame,
  placedOf,
  proofBytes,
  signalVersion,
  type SignalFrame,
} from '#runtime/signal-frame.ts'

/** One socket to one helper; when it ends the next one is tried after a second. The first one's site is the person's. */
export class SocketHelpers implements Helpers {
  private events: HelperEvents | undefined
  private socket: WebSocket | undefined
  private timer: NodeJS.Timeout | undefined
  readonly urls = new Map<PeerId, string>()
  private readonly all: readonly string[]
  private at = 0
  private place: { readonly site: PeerId; readonly node: string } | undefined
  private readonly key: PlainKey

  constructor(all: readonly string[], key: PlainKey) {
    this.all = all
    this.key = key
  }

  private get url(): string {
    return this.all[this.at % this.all.length] ?? ''
  }

  start(events: HelperEvents): void {
    this.events = events
    this.open()
  }

  private open(): void {
    const socket = new WebSocket(`${this.url.replace(/^http/, 'ws')}signal`)
    this.socket = socket
    socket.on('message', (data: Buffer) => this.heard(data.toString()))
    socket.on('error', () => socket.terminate())
    socket.on('close', () => {
      this.events?.down(this.url)
      this.at += 1
      if (this.events !== undefined) this.timer = setTimeout(() => this.open(), 1_000)
    })
  }

  private heard(text: string): void {
    const frame = parseSignalFrame(text)
    if (typeof frame !== 'string') this.received(frame)
  }

  private received(frame: SignalFrame): void {
    const { events, url, key } = this
    if (frame.type === 'challenge') {
      const nonce = randomBytes(32).toString('hex')
      const proof = signPlainly(key, proofBytes(frame.helper, frame.nonce, key.peer, nonce))
      const prove = { type: 'prove', version: signalVersion, peer: key.peer, nonce } as const
      this.say({ ...prove, signature: bytesToHex(proof) })
    } else if (frame.type === 'welcome') {
      this.urls.set(frame.site, url)
      this.place ??= frame
      events?.up(url, this.place.site, this.place.node, frame.site)
    } else if (frame.type === 'peers') events?.peers(url, placedOf(frame.up), frame.down)
    else if (frame.type === 'neighbors') {
      const near = frame.neighbors
        .filter(({ linked }) => linked)
        .map(({ site }) => ({ site, cost: limits.radioCost }))
      events?.sites(url, near)
    } else if (frame.type === 'signal') events?.signal(url, frame.peer, frame.payload)
    else if (frame.type === 'unreachable') events?.unreachable(url, frame.peer)
  }

  private say(frame: SignalFrame): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame))
  }

  signal(_helper: string, to: PeerId, payload: string): void {
    this.say({ type: 'signal', peer: to, payload })
  }

  /** Back to the first helper, since it answers again. */
  goHome(): void {
    if (this.at % this.all.length === 0) return
    this.at = -1
    this.socket?.terminate()
  }

  retry(): void {}

  close(): void {
    this.events = undefined
    clearTimeout(this.timer)
    this.socket?.terminate()
  }
}
