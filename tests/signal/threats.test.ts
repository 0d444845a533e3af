/** `reliability.md` §2.2: what strangers try on a helper, by the ids of that table. Frames at `/signal`: hostile.test.ts. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { request } from 'node:http'
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { resolveTarget } from '../../signal/discovery/dial.ts'
import { answerStun } from '../../signal/ice/stun.ts'
import type { Helper } from '../../signal/server.ts'
import { TestPeer } from './client.ts'
import { metric, NodeRig, url } from './node-rig.ts'

const rig = new NodeRig()
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await rig.closeHelpers()
})
afterAll(() => rig.close())

/** A connection to the helper that says what it is given. @returns what comes back until it ends, or for so long */
function raw(
  helper: Helper,
  text: string | Buffer,
  waitMs = 2_000,
): Promise<{ text: string; ended: boolean }> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(helper.port, '127.0.0.1', () => socket.write(text))
    sockets.push(socket)
    const timer = setTimeout(() => resolve({ text: answer, ended: false }), waitMs)
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve({ text: answer, ended: true })
    })
  })
}

function upgrade(path: string, extra = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n${extra}\r\n`
}

const doors = ['/signal', '/link', '/peerjs/peerjs?key=peerjs&id=a&token=b']

/** Header of a masked binary frame that says how much follows (RFC 6455 §5.2). */
function frameOf(bytes: bigint): Buffer {
  const header = Buffer.alloc(14)
  header[0] = 0x82
  header[1] = 0xff
  header.writeBigUInt64BE(bytes, 2)
  return header
}

async function isServing(helper: Helper, seed: number): Promise<boolean> {
  const peer = new TestPeer(url(helper), seed, { localAddress: '127.0.7.7' })
  await peer.enter()
  peer.send({ type: 'ping' })
  await peer.frame('pong')
  peer.socket.terminate()
  return (await fetch(`http://127.0.0.1:${helper.port}/healthz`)).ok
}

describe('strangers', () => {
  it('[T1] a flood of sockets and datagrams from one address leaves others served', async () => {
    const helper = await rig.open()
    const flood = Array.from({ length: 400 }, (_, i) => new TestPeer(url(helper), 1_000 + i))
    const udp = createSocket('udp4')
    for (let i = 0; i < 5_000; i++) udp.send(Buffer.alloc(20, i), helper.stunPort, '127.0.0.1')
    await expect.poll(() => metric(helper, 'meshchat_refused_total{reason="too-many"}')).toBeGreaterThan(200)
    expect(await isServing(helper, 1)).toBe(true)
    for (const one of flood) one.socket.terminate()
    udp.close()
  })

  it.each(doors)('[T11] a frame that says it has a gigabyte ends its socket at %s', async (path) => {
    const helper = await rig.open()
    const { text, ended } = await raw(
      helper,
      Buffer.concat([Buffer.from(upgrade(path)), frameOf(2n ** 30n)]),
      5_000,
    )
    expect(text).toContain('101 Switching Protocols')
    expect(ended).toBe(true)
    expect(await isServing(helper, 2)).toBe(true)
  })

  it.each(doors)('[T12] nothing is decompressed for a stranger at %s', async (path) => {
    const helper = await rig.open()
    const { text } = await raw(helper, upgrade(path, 'Sec-WebSocket-Extensions: permessage-deflate\r\n'), 300)
    expect(text).toContain('101 Switching Protocols')
    expect(text.toLowerCase()).not.toContain('sec-websocket-extensions')
  })

  it('[T6] links are made at a bounded pace: who asks for a thousand waits, others are served', async () => {
    const helper = await rig.open()
    const codes: string[] = []
    for (let i = 0; i < 400; i++) {
      const socket = connect(helper.port, '127.0.0.1', () => socket.write(upgrade('/link')))
      const [answer] = (await once(socket, 'data')) as [Buffer]
      codes.push(answer.toString('latin1').split(' ')[1] ?? '')
      socket.destroy()
    }
    expect(codes.slice(0, 200)).not.toContain('503')
    expect(codes.slice(-50)).toContain('503')
    expect(await metric(helper, 'meshchat_refused_total{reason="too-fast"}')).toBeGreaterThan(0)
    expect(await isServing(helper, 3)).toBe(true)
  })

  it('[T7] a proof that was overheard opens nothing again, on this node or another', async () => {
    const [helper, second] = [await rig.open(), await rig.open()]
    const ana = new TestPeer(url(helper), 1)
    const said: string[] = []
    const send = ana.socket.send.bind(ana.socket)
    ana.socket.send = (data: string) => {
      said.push(data)
      send(data)
    }
    await ana.enter()
    for (const node of [helper, second]) {
      const thief = new TestPeer(url(node), 2, { localAddress: '127.0.7.8' })
      await thief.frame('challenge')
      for (const one of said) thief.socket.send(one)
      expect(await thief.refusal()).toBe('bad-proof')
    }
    ana.send({ type: 'ping' })
    await ana.frame('pong')
  })

  it('[T13] slow clients are cut off, and others are served meanwhile', { timeout: 40_000 }, async () => {
    const helper = await rig.open()
    const slow = Array.from({ length: 200 }, () => raw(helper, 'GET / HTTP/1.1\r\nHost: local', 25_000))
    expect(await isServing(helper, 3)).toBe(true)
    const ends = await Promise.all(slow)
    expect(ends.every(({ ended }) => ended)).toBe(true)
  })

  it('[T14] STUN answers nobody with much more than was asked, and garbage with nothing', () => {
    const request = Buffer.alloc(20)
    request.writeUInt16BE(1, 0)
    request.writeUInt32BE(0x2112a442, 4)
    expect((answerStun(request, '10.1.2.3', 1)?.length ?? 0) / 20).toBeLessThanOrEqual(1.6)
    expect((answerStun(request, 'fd00::1', 1)?.length ?? 0) / 20).toBeLessThanOrEqual(2.2)
  })

  it('[T16] nobody gets a relay of a helper: TURN is not spoken (RFC 8656 §5)', () => {
    for (const method of [0x0003, 0x0004, 0x0006, 0x0008, 0x0009]) {
      const request = Buffer.alloc(20)
      request.writeUInt16BE(method, 0)
      request.writeUInt32BE(0x2112a442, 4)
      expect(answerStun(request, '10.1.2.3', 1)).toBeUndefined()
    }
  })

  it('[T17] no address that somebody names makes a helper dial its own machine', async () => {
    let connects = 0
    const canary = createServer(() => (connects += 1))
    await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve))
    const { port } = canary.address() as { port: number }
    const guard = { names: [], origins: [], prefixes: [], ownTargets: [] }
    const hosts = [
      '127.0.0.1',
      '[::1]',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '127.1',
      'localhost',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      '[::]',
      '8.8.8.8',
    ]
    for (const host of hosts) {
      expect(await resolveTarget(guard, `http://${host}:${port}/`, () => undefined)).toBeUndefined()
    }
    expect(connects).toBe(0)
    canary.close()
  })

  it('[T18] no way of writing a path leads out of the app', async () => {
    writeFileSync(join(rig.folder, '..', 'canary.txt'), 'canary')
    const helper = await rig.open()
    const ups = [
      '../',
      '..%2f',
      '%2e%2e/',
      '%2e%2e%2f',
      '..\\',
      '..%5c',
      '..;/',
      '....//',
      '%252e%252e%252f',
      '..%c0%af',
      '..%00/',
    ]
    for (const up of ups) {
      for (const path of [
        `/${up}canary.txt`,
        `/${up.repeat(3)}canary.txt`,
        `/_app/${up.repeat(6)}etc/passwd`,
        `//${up}canary.txt`,
      ]) {
        const { text } = await raw(
          helper,
          `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
        )
        expect(text).toMatch(/^HTTP\/1\.1 (404|400)/)
        expect(text).not.toMatch(/canary$|root:/)
      }
    }
  })

  it('[T24] every answer forbids framing and sniffing, tells nobody where it came from, and runs nothing of others', async () => {
    const helper = await rig.open()
    const paths = [
      '/',
      '/index.html',
      '/healthz',
      '/metrics',
      '/api/node',
      '/trust',
      '/peerjs/peerjs/id',
      '/nothing',
      '/signal',
    ]
    for (const path of paths) {
      const { headers } = await fetch(`http://127.0.0.1:${helper.port}${path}`, { redirect: 'manual' })
      expect(headers.get('x-content-type-options'), path).toBe('nosniff')
      expect(headers.get('referrer-policy'), path).toBe('no-referrer')
      expect(headers.get('x-frame-options'), path).toBe('DENY')
      expect(headers.get('content-security-policy'), path).toMatch(
        /default-src 'none'.*frame-ancestors 'none'/,
      )
      expect(headers.get('set-cookie'), path).toBeNull()
    }
    const early = await new Promise<number | undefined>((resolve) => {
      request(
        { port: helper.port, path: '/', headers: { Host: 'evil.example' } },
        ({ statusCode, headers }) => {
          expect(headers['x-content-type-options']).toBe('nosniff')
          resolve(statusCode)
        },
      ).end()
    })
    expect(early).toBe(421)
  })

  it('[T23] neither the metrics nor the answer about the node name a person or a key', async () => {
    const helper = await rig.open()
    const peer = new TestPeer(url(helper), 4)
    await peer.enter()
    for (const path of ['/metrics', '/api/node']) {
      expect(await (await fetch(`http://127.0.0.1:${helper.port}${path}`)).text()).not.toContain(
        peer.key.peer,
      )
    }
    peer.socket.terminate()
  })
})
