import { createHmac } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { openHelperKey } from '../../signal/helper-key.ts'
import { createLog } from '../../signal/log.ts'
import { placedOf } from '../../src/runtime/signal-frame.ts'
import { keyOf } from '../mesh/make.ts'
import type { Helper } from '../../signal/server.ts'
import { TestPeer } from './client.ts'
import { metric, NodeRig, url } from './node-rig.ts'

const rig = new NodeRig()
const { folder, helpers } = rig
const open = (...args: string[]) => rig.open(...args)

afterEach(() => rig.closeHelpers())
afterAll(() => rig.close())

describe('TURN', () => {
  it('is told to browsers with a password that expires, when there is one', async () => {
    const args = ['--turn-url', 'turn:10.1.2.3:3478?transport=udp', '--turn-secret', 'north']
    const peer = new TestPeer(url(await open(...args)), 1)
    await peer.enter()
    const { url: at, username, credential } = await peer.frame('turn')
    expect(at).toBe('turn:10.1.2.3:3478?transport=udp')
    const [until = '', who] = username.split(':')
    expect(who).toBe(peer.key.peer.slice(0, 12))
    const hours = (Number(until) * 1_000 - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(11)
    expect(hours).toBeLessThanOrEqual(12)
    expect(credential).toBe(createHmac('sha1', 'north').update(username).digest('base64'))
    peer.socket.terminate()
  })

  it('is not spoken of when there is none', async () => {
    const helper = await open()
    const peer = new TestPeer(url(helper), 2)
    await peer.enter()
    const other = new TestPeer(url(helper), 3)
    await other.enter()
    await peer.frame('peers')
    other.socket.terminate()
    expect(peer.frames.map(({ type }) => type)).not.toContain('turn')
    peer.socket.terminate()
  })
})

describe('HTTP', () => {
  it('serves the app at once, precompressed, and the API as the contract says', async () => {
    const helper = await open('--base', '/mc/')
    const page = await fetch(url(helper), { redirect: 'manual' })
    expect([page.status, page.headers.get('content-encoding'), page.headers.get('cache-control')]).toEqual([
      200,
      'gzip',
      'no-cache',
    ])
    expect(await page.text()).toBe('<p>the app</p>')
    const bare = await fetch(url(helper).slice(0, -1) + '?x=1', { redirect: 'manual' })
    expect([bare.status, bare.headers.get('location')]).toEqual([301, '/mc/?x=1'])
    const etag = page.headers.get('etag') ?? ''
    expect((await fetch(url(helper), { headers: { 'if-none-match': etag } })).status).toBe(304)
    expect((await fetch(url(helper), { headers: { range: 'bytes=5-2' } })).status).toBe(200)
    expect(await (await fetch(`http://127.0.0.1:${helper.port}/healthz`)).json()).toEqual({ status: 'ok' })
    const node = await fetch(`http://127.0.0.1:${helper.port}/api/node`)
    expect(node.headers.get('access-control-allow-origin')).toBe('*')
    expect(await node.json()).toEqual({
      name: rig.lastName,
      version: '0.1.0',
      profile: 'open',
      url: url(helper),
      neighbors: [],
      peers: 0,
      rooms: 0,
      stunPorts: [helper.stunPort],
    })
    expect(await metric(helper, 'meshchat_frames_total{lane="chat",direction="in"}')).toBe(0)
  })

  it('[T15] answers 421 to a strange host, 403 to a strange origin, 404 outside, 405 to a POST', async () => {
    const helper = await open()
    expect(await rawStatus(helper, 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n')).toBe(421)
    expect((await fetch(`${url(helper)}nothing`)).status).toBe(404)
    expect((await fetch(url(helper), { method: 'POST' })).status).toBe(405)
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '//etc/passwd']) {
      expect(await rawStatus(helper, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)).toBe(404)
    }
    const evil = new WebSocket(`ws://127.0.0.1:${helper.port}/signal`, {
      headers: { origin: 'http://evil.example' },
    })
    const failure = await new Promise<Error>((resolve) => evil.once('error', resolve))
    expect(failure.message).toContain('403')
  })
})

function rawStatus(helper: Helper, text: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(helper.port, '127.0.0.1', () => socket.write(text))
    socket.once('data', (data) => {
      resolve(Number(data.toString().split(' ')[1]))
      socket.destroy()
    })
  })
}

describe('signalling', () => {
  it('[H1] lets in who proves its key, and tells it how it is seen', async () => {
    const helper = await open()
    const peer = new TestPeer(url(helper), 1)
    const welcome = await peer.enter()
    expect(welcome).toMatchObject({ address: '127.0.0.1', node: rig.lastName, stunPorts: [helper.stunPort] })
    const other = new TestPeer(url(helper), 2)
    await other.enter()
    await peer.until(() =>
      peer.frames.find(
        (one) => one.type === 'peers' && placedOf(one.up).some(({ peer: up }) => up === other.key.peer),
      ),
    )
    other.send({ type: 'signal', peer: peer.key.peer, payload: 'offer' })
    expect(await peer.frame('signal')).toEqual({ type: 'signal', peer: other.key.peer, payload: 'offer' })
  })

  it('a shelter of 64 browsers behind one address gets in, a flood of sockets does not', async () => {
    const helper = await open()
    const peers = Array.from({ length: 64 }, (_, i) => new TestPeer(url(helper), 100 + i))
    await Promise.all(peers.map((peer) => peer.enter()))
    expect(await metric(helper, 'meshchat_peers')).toBe(64)
    const flood = Array.from({ length: 80 }, (_, i) => new TestPeer(url(helper), 300 + i))
    const reasons = await Promise.all(flood.slice(64).map((peer) => peer.refusal()))
    expect(new Set(reasons)).toEqual(new Set(['too-many']))
    const [first] = peers
    expect(first?.closeCode).toBeUndefined()
  })

  it('--max-peers holds', async () => {
    const helper = await open('--max-peers', '1')
    await new TestPeer(url(helper), 1).enter()
    const second = new TestPeer(url(helper), 2)
    await second.prove()
    expect(await second.refusal()).toBe('too-many')
    const replaced = new TestPeer(url(helper), 1)
    await replaced.enter()
  })

  it('[T6] paces a key without touching the others', async () => {
    const helper = await open()
    const calm = new TestPeer(url(helper), 1)
    const loud = new TestPeer(url(helper), 2)
    await calm.enter()
    await loud.enter()
    for (let i = 0; i < 2_000; i++) loud.send({ type: 'ping' })
    expect(await loud.refusal()).toContain('too-fast')
    calm.send({ type: 'ping' })
    await calm.frame('pong')
  })
})

describe('hostile helpers', () => {
  it('[H5] nobody speaks for another site, and a signal cannot outgrow a frame on its way', async () => {
    const first = await open()
    const evil = new TestPeer(url(first), 9)
    await evil.prove({ helper: { name: 'evil', url: '' } })
    await evil.frame('accept')
    const word = {
      type: 'site',
      site: keyOf(1).peer,
      sequence: 2 ** 47,
      name: 'x',
      url: '',
      secureUrl: '',
      neighbors: [],
      full: true,
      up: [],
      down: [],
      guestsUp: [],
      guestsDown: [],
    } as const
    evil.send({ ...word, signature: '0'.repeat(128) })
    expect(await evil.refusal()).toBe('bad-proof')
    const loud = new TestPeer(url(first), 10)
    await loud.enter()
    loud.send({ type: 'signal', peer: keyOf(1).peer, payload: '\u0001'.repeat(9_000) })
    expect(await loud.refusal()).toBe('bad-field')
  })
})

describe('neighbours', () => {
  it('link both ways, carry signals, and notice within 10 s that one died and came back', async () => {
    const first = await open()
    const second = await open('--neighbor', url(first))
    const ana = new TestPeer(url(first), 1)
    const bill = new TestPeer(url(second), 2)
    await ana.enter()
    await bill.enter()
    await ana.until(() =>
      ana.frames.find(
        (one) => one.type === 'peers' && placedOf(one.up).some(({ peer }) => peer === bill.key.peer),
      ),
    )
    ana.send({ type: 'signal', peer: bill.key.peer, payload: 'over there' })
    expect(await bill.frame('signal')).toMatchObject({ peer: ana.key.peer, payload: 'over there' })
    await ana.until(() =>
      ana.frames.find((one) => one.type === 'neighbors' && one.neighbors[0]?.name === rig.lastName),
    )

    const atMs = performance.now()
    helpers.splice(helpers.indexOf(second), 1)
    await second.close()
    await ana.until(() => ana.frames.find((one) => one.type === 'peers' && one.down.includes(bill.key.peer)))
    expect(performance.now() - atMs).toBeLessThan(10_000)
  })

  it('[H6] two that dial each other keep one socket', async () => {
    const first = await open()
    // The second dials the first; then a third takes the first's key and dials the second too.
    const second = await open('--neighbor', url(first))
    const third = await open('--neighbor', url(first), '--neighbor', url(second))
    const ana = new TestPeer(url(third), 1)
    await ana.enter()
    await ana.until(() => ana.frames.find((one) => one.type === 'neighbors' && one.neighbors.length === 2))
    const node = (await (await fetch(`http://127.0.0.1:${third.port}/api/node`)).json()) as {
      neighbors: { state: string }[]
    }
    expect(node.neighbors.map((one) => one.state)).toEqual(['up', 'up'])
  })
})

describe('a helper that ends', () => {
  it('waits for nobody who went dumb', async () => {
    const helper = await open()
    const wire = connect(helper.port, '127.0.0.1')
    const ask = ['GET /link HTTP/1.1', `Host: 127.0.0.1:${helper.port}`, 'Connection: Upgrade']
    const socket = [
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ]
    wire.write(`${[...ask, ...socket].join('\r\n')}\r\n\r\n`)
    await once(wire, 'readable')
    helpers.splice(helpers.indexOf(helper), 1)
    // The handshake that ends a WebSocket is waited for 30 s by itself, which is longer than this test may take.
    await helper.close()
    wire.destroy()
  }, 15_000)
})

describe('STUN on the wire', () => {
  it('answers a request and is silent to garbage', async () => {
    const helper = await open()
    const socket = createSocket('udp4')
    const answers: Buffer[] = []
    socket.on('message', (message) => answers.push(message))
    for (let i = 0; i < 20; i++) socket.send(Buffer.alloc(i * 3, i), helper.stunPort, '127.0.0.1')
    const request = Buffer.from('000100002112a442000102030405060708090a0b', 'hex')
    const first = new Promise((resolve) => socket.once('message', resolve))
    socket.send(request, helper.stunPort, '127.0.0.1')
    await first
    expect(answers).toHaveLength(1)
    expect(await metric(helper, 'meshchat_refused_total{reason="stun-garbage"}')).toBeGreaterThan(0)
    socket.close()
  })
})

describe('the helper’s key', () => {
  it('is kept in the data directory, and a damaged one is moved aside', () => {
    const data = join(folder, 'data')
    const lines: string[] = []
    const log = createLog({ level: 'warn', write: (line) => lines.push(line), wallMs: () => 0 })
    const first = openHelperKey(data, log)
    expect(openHelperKey(data, log).peer).toBe(first.peer)
    expect(lines).toEqual([])
    writeFileSync(join(data, 'helper.key'), 'short')
    expect(openHelperKey(data, log).peer).not.toBe(first.peer)
    expect(JSON.parse(lines.join('')) as unknown).toMatchObject({ level: 'warn', event: 'key-damaged' })
  })
})
