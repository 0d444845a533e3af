/**
 * The same bytes between two pages over other software: a bare data channel, simple-peer's stream, PeerJS. What arrives is
 * counted and thrown away; ours hashes, checks and stores it.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'

export const rivals = ['bare data channel', 'simple-peer', 'PeerJS'] as const
export type Rival = (typeof rivals)[number]

const scripts: Readonly<Record<Rival, string | undefined>> = {
  'bare data channel': undefined,
  'simple-peer': 'simple-peer/simplepeer.min.js',
  PeerJS: 'peerjs/dist/peerjs.min.js',
}

/** A page without a policy that would keep the libraries out. */
export const rivalOrigin = 'http://empty.test'
const emptyUrl = `${rivalOrigin}/`
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))

/** Rivals do not help themselves where browsers hide their addresses behind names that leave no machine. */
export const rivalArgs = ['--disable-features=WebRtcHideLocalIpsWithMdns,LocalNetworkAccessChecks']

/** Two pages that can be told to send and to take. */
export interface Pair {
  readonly from: Page
  readonly to: Page
}

/** What a page of a rival has: set up by `give` and `take`. */
interface Held {
  readonly signals: string[]
  signal: (data: string) => void
  send: (bytes: number) => Promise<void>
  taken: number
}

/** @param broker where a helper answers for PeerJS @returns MB/s from the first byte that is sent to the last that came */
export async function speedOf(rival: Rival, pair: Pair, broker: URL, bytes: number): Promise<number> {
  const library = scripts[rival]
  for (const page of [pair.from, pair.to]) {
    await page.route(emptyUrl, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }),
    )
    await page.goto(emptyUrl)
    if (library !== undefined) await page.addScriptTag({ path: join(modules, library) })
  }
  if (rival === 'PeerJS') await meetByPeerJs(pair, broker)
  else await meetBySignals(rival, pair)
  const startMs = performance.now()
  await pair.from.evaluate((count) => (globalThis as unknown as { held: Held }).held.send(count), bytes)
  await pair.to.waitForFunction(
    (count) => (globalThis as unknown as { held: Held }).held.taken >= count,
    bytes,
    { timeout: 300_000, polling: 20 },
  )
  return bytes / 1e3 / (performance.now() - startMs)
}

async function meetBySignals(rival: Rival, { from, to }: Pair): Promise<void> {
  const make = rival === 'simple-peer' ? makeSimplePeer : makeBare
  await from.evaluate(make, true)
  await to.evaluate(make, false)
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const) {
    await one.waitForFunction(() => (globalThis as unknown as { held: Held }).held.signals.length > 0)
    const signals = await one.evaluate(() => (globalThis as unknown as { held: Held }).held.signals)
    for (const data of signals)
      await other.evaluate((text) => (globalThis as unknown as { held: Held }).held.signal(text), data)
  }
}

async function meetByPeerJs({ from, to }: Pair, broker: URL): Promise<void> {
  const at = { host: broker.hostname, port: Number(broker.port) }
  await to.evaluate(makePeerJsTaker, at)
  await from.evaluate(makePeerJsGiver, at)
}

/** In the page: chunks of 16 KiB, up to 1 MiB waiting below. */
async function makeBare(isFirst: boolean): Promise<void> {
  const connection = new RTCPeerConnection()
  const channel = connection.createDataChannel('bare', { negotiated: true, id: 0 })
  channel.binaryType = 'arraybuffer'
  const held: Held = {
    signals: [],
    taken: 0,
    signal: (data) => void answer(JSON.parse(data) as RTCSessionDescriptionInit),
    send: async (bytes) => {
      if (channel.readyState !== 'open')
        await new Promise((done) => channel.addEventListener('open', done, { once: true }))
      channel.bufferedAmountLowThreshold = 262_144
      for (let at = 0; at < bytes; at += 16_384) {
        if (channel.bufferedAmount > 1_048_576)
          await new Promise((done) => channel.addEventListener('bufferedamountlow', done, { once: true }))
        channel.send(new Uint8Array(Math.min(16_384, bytes - at)))
      }
    },
  }
  channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => void (held.taken += data.byteLength)
  Object.assign(globalThis, { held })
  const gathered = async () => {
    while (connection.iceGatheringState !== 'complete')
      await new Promise((done) =>
        connection.addEventListener('icegatheringstatechange', done, { once: true }),
      )
    held.signals.push(JSON.stringify(connection.localDescription))
  }
  const answer = async (description: RTCSessionDescriptionInit) => {
    await connection.setRemoteDescription(description)
    if (isFirst) return
    await connection.setLocalDescription(await connection.createAnswer())
    await gathered()
  }
  if (!isFirst) return
  await connection.setLocalDescription(await connection.createOffer())
  await gathered()
}

interface SimplePeer {
  on(name: string, run: (data: Uint8Array) => void): void
  once(name: string, run: () => void): void
  signal(data: unknown): void
  write(bytes: Uint8Array): boolean
  readonly connected: boolean
}

/** In the page: written as to any stream of Node, which says when to wait. */
function makeSimplePeer(initiator: boolean): void {
  const { SimplePeer: Maker } = globalThis as unknown as { SimplePeer: new (options: object) => SimplePeer }
  const peer = new Maker({ initiator, trickle: false })
  const held: Held = {
    signals: [],
    taken: 0,
    signal: (data) => peer.signal(JSON.parse(data)),
    send: async (bytes) => {
      if (!peer.connected) await new Promise<void>((done) => peer.once('connect', done))
      for (let at = 0; at < bytes; at += 16_384) {
        if (!peer.write(new Uint8Array(Math.min(16_384, bytes - at))))
          await new Promise<void>((done) => peer.once('drain', done))
      }
    },
  }
  peer.on('signal', (data) => void held.signals.push(JSON.stringify(data)))
  peer.on('data', (data) => void (held.taken += data.length))
  Object.assign(globalThis, { held })
}

interface Broker {
  readonly host: string
  readonly port: number
}

interface PeerJs {
  on(name: string, run: (value: PeerJsConnection) => void): void
  connect(id: string, options: object): PeerJsConnection
}

interface PeerJsConnection {
  on(name: string, run: (data: ArrayBuffer) => void): void
  send(bytes: ArrayBuffer): void
  readonly dataChannel: RTCDataChannel
}

/** In the page. */
async function makePeerJsTaker(broker: Broker): Promise<void> {
  const { Peer } = globalThis as unknown as { Peer: new (id: string, options: object) => PeerJs }
  const peer = new Peer('rival-taker', { ...broker, path: '/peerjs/', config: { iceServers: [] } })
  const held: Partial<Held> = { taken: 0 }
  Object.assign(globalThis, { held })
  peer.on('connection', (connection) =>
    connection.on('data', (data) => void (held.taken = (held.taken ?? 0) + data.byteLength)),
  )
  await new Promise<void>((done) => peer.on('open', () => done()))
}

/** In the page: pieces of 1 MiB, which it cuts and puts together; the next one when the one before has left. */
async function makePeerJsGiver(broker: Broker): Promise<void> {
  const { Peer } = globalThis as unknown as { Peer: new (id: string, options: object) => PeerJs }
  const peer = new Peer('rival-giver', { ...broker, path: '/peerjs/', config: { iceServers: [] } })
  await new Promise<void>((done) => peer.on('open', () => done()))
  const connection = peer.connect('rival-taker', { reliable: true, serialization: 'binary' })
  await new Promise<void>((done) => connection.on('open', () => done()))
  const held: Partial<Held> = {
    send: async (bytes) => {
      const channel = connection.dataChannel
      channel.bufferedAmountLowThreshold = 262_144
      for (let at = 0; at < bytes; at += 1_048_576) {
        connection.send(new ArrayBuffer(Math.min(1_048_576, bytes - at)))
        if (channel.bufferedAmount > 1_048_576)
          await new Promise((done) => channel.addEventListener('bufferedamountlow', done, { once: true }))
      }
    },
  }
  Object.assign(globalThis, { held })
}
