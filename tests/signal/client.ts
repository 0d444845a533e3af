/** A peer at `/signal` for tests: proves its key, and remembers what it is told. */
import { WebSocket } from 'ws'
import { plainKey, signPlainly, type PlainKey } from '../../src/adapters/signature.ts'
import { bytesToHex } from '../../src/mesh/ids.ts'
import { proofBytes, signalVersion, type SignalFrame } from '../../src/runtime/signal-frame.ts'

export interface TestPeerOptions {
  readonly headers?: Record<string, string>
  readonly localAddress?: string
}

type Welcome = Extract<SignalFrame, { type: 'welcome' }>

export class TestPeer {
  readonly key: PlainKey
  readonly socket: WebSocket
  readonly frames: SignalFrame[] = []
  closeCode: number | undefined
  private waiting: (() => void)[] = []

  /** @param options of the socket: headers, or the address that it comes from */
  constructor(url: string, seed: number, options: TestPeerOptions = {}) {
    this.key = plainKey(new Uint8Array(32).map((_, i) => (i < 4 ? (seed >>> (8 * i)) & 255 : 9)))
    this.socket = new WebSocket(`${url.replace(/^http/, 'ws')}signal`, options)
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString()) as SignalFrame)
      this.wake()
    })
    this.socket.on('close', (code) => {
      this.closeCode = code
      this.wake()
    })
    this.socket.on('error', () => this.wake())
  }

  private wake(): void {
    for (const run of this.waiting.splice(0)) run()
  }

  /** Waits until the frames, or the end of the socket, satisfy. */
  async until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
  }

  frame<K extends SignalFrame['type']>(type: K): Promise<Extract<SignalFrame, { type: K }>> {
    return this.until(() =>
      this.frames.find((one): one is Extract<SignalFrame, { type: K }> => one.type === type),
    )
  }

  send(frame: SignalFrame): void {
    this.socket.send(JSON.stringify(frame))
  }

  async prove(change: Partial<Extract<SignalFrame, { type: 'prove' }>> = {}): Promise<void> {
    const { helper, nonce } = await this.frame('challenge')
    const own = '11'.repeat(32)
    const signature = bytesToHex(signPlainly(this.key, proofBytes(helper, nonce, this.key.peer, own)))
    this.send({
      type: 'prove',
      version: signalVersion,
      peer: this.key.peer,
      nonce: own,
      signature,
      ...change,
    })
  }

  async enter(): Promise<Welcome> {
    await this.prove()
    return this.frame('welcome')
  }

  closed(): Promise<number> {
    return this.until(() => this.closeCode)
  }

  async refusal(): Promise<string> {
    await this.closed()
    return this.frames.map((frame) => (frame.type === 'refused' ? frame.reason : '')).join('')
  }
}
