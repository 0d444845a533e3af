import fc from 'fast-check'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { Helper } from '../../signal/server.ts'
import { guestName, signalLimits } from '../../src/runtime/signal-frame.ts'
import { TestPeer } from './client.ts'
import { metric, NodeRig, url } from './node-rig.ts'

const rig = new NodeRig()
afterEach(() => rig.closeHelpers())
afterAll(() => rig.close())

interface Message {
  readonly type: string
  readonly src?: string
  readonly payload?: unknown
}

/** A socket as a PeerJS client opens it. */
class Client {
  readonly messages: Message[] = []
  readonly socket: WebSocket
  isClosed = false
  private wake: () => void = () => undefined

  constructor(helper: Helper, name: string, token = `token of ${name}`, key = 'peerjs') {
    const query = new URLSearchParams({ key, id: name, token, version: '1.5.5' })
    this.socket = new WebSocket(`ws://127.0.0.1:${helper.port}/peerjs/peerjs?${query}`)
    this.socket.on('message', (data: Buffer) => {
      this.messages.push(JSON.parse(data.toString()) as Message)
      this.wake()
    })
    this.socket.on('close', () => {
      this.isClosed = true
      this.wake()
    })
    this.socket.on('error', () => this.wake())
  }

  async until(look: () => boolean): Promise<void> {
    while (!look()) await new Promise<void>((resolve) => (this.wake = resolve))
  }

  async get(type: string): Promise<Message> {
    await this.until(() => this.messages.some((one) => one.type === type))
    return this.messages.find((one) => one.type === type) ?? { type }
  }

  say(message: Readonly<Record<string, unknown>>): void {
    this.socket.send(JSON.stringify(message))
  }
}

async function guestsAt(helper: Helper): Promise<unknown> {
  return (await fetch(`http://127.0.0.1:${helper.port}/peerjs/peerjs/peers`)).json()
}

describe('[H11] PeerServer at /peerjs', () => {
  it('gives ids, lists who is there, and carries an offer to somebody at this node', async () => {
    const helper = await rig.open()
    const answer = await fetch(`http://127.0.0.1:${helper.port}/peerjs/peerjs/id?ts=1`)
    expect(guestName(await answer.text())).toBeDefined()
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect((await fetch(`http://127.0.0.1:${helper.port}/peerjs/other/id`)).status).toBe(404)
    const [ann, bot] = [new Client(helper, 'ann'), new Client(helper, 'bot 7')]
    await Promise.all([ann.get('OPEN'), bot.get('OPEN')])
    await expect.poll(() => guestsAt(helper)).toEqual(['ann', 'bot 7'])
    ann.say({ type: 'OFFER', src: 'somebody else', dst: 'bot 7', payload: { sdp: 'v=0 “ü”' } })
    expect(await bot.get('OFFER')).toEqual({
      type: 'OFFER',
      src: 'ann',
      dst: 'bot 7',
      payload: { sdp: 'v=0 “ü”' },
    })
    bot.socket.terminate()
    await expect.poll(() => guestsAt(helper)).toEqual(['ann'])
    ann.socket.terminate()
  })

  it('reaches somebody at a neighbour node, whose name is taken here too', async () => {
    const first = await rig.open()
    const second = await rig.open('--neighbor', url(first))
    const [ann, bot] = [new Client(first, 'ann'), new Client(second, 'bot')]
    await Promise.all([ann.get('OPEN'), bot.get('OPEN')])
    await expect.poll(() => guestsAt(first), { timeout: 10_000 }).toEqual(['ann', 'bot'])
    ann.say({ type: 'CANDIDATE', dst: 'bot', payload: { candidate: 'x' } })
    expect((await bot.get('CANDIDATE')).src).toBe('ann')
    expect((await new Client(first, 'bot').get('ID-TAKEN')).payload).toEqual({ msg: 'ID is taken' })
    await rig.helpers.splice(1, 1)[0]?.close()
    await expect.poll(() => guestsAt(first), { timeout: 10_000 }).toEqual(['ann'])
    ann.socket.terminate()
  })

  it('keeps what is said to somebody who is about to come, and tells of who does not', async () => {
    const helper = await rig.open()
    const ann = new Client(helper, 'ann')
    await ann.get('OPEN')
    ann.say({ type: 'OFFER', dst: 'late', payload: 1 })
    ann.say({ type: 'CANDIDATE', dst: 'late', payload: 2 })
    const late = new Client(helper, 'late')
    await late.get('CANDIDATE')
    expect(late.messages.map(({ type }) => type)).toEqual(['OPEN', 'OFFER', 'CANDIDATE'])
    ann.say({ type: 'OFFER', dst: 'nobody', payload: 3 })
    expect(await ann.get('EXPIRE')).toEqual({ type: 'EXPIRE', src: 'nobody', dst: 'ann' })
    ann.say({ type: 'LEAVE' })
    await ann.until(() => ann.isClosed)
    late.socket.terminate()
  })

  it('lets the same client come back, and nobody else under its name', async () => {
    const helper = await rig.open()
    const first = new Client(helper, 'ann', 'secret')
    await first.get('OPEN')
    expect((await new Client(helper, 'ann', 'other').get('ID-TAKEN')).type).toBe('ID-TAKEN')
    const again = new Client(helper, 'ann', 'secret')
    await again.get('OPEN')
    await first.until(() => first.isClosed)
    await expect.poll(() => guestsAt(helper)).toEqual(['ann'])
    again.socket.terminate()
  })

  it('gives the name of a person to nobody who has not proven that key', async () => {
    const helper = await rig.open()
    const peer = new TestPeer(url(helper), 1)
    await peer.enter()
    peer.send({ type: 'ask-door' })
    const { name, token } = await peer.frame('door')
    expect(name).toBe(`meshchat-${peer.key.peer.slice(0, 12)}`)
    const strangers = [new Client(helper, name), new Client(helper, name, token.replace(/^../, '00'))]
    strangers.push(new Client(helper, 'MESHCHAT-x'))
    for (const stranger of strangers) expect((await stranger.get('ID-TAKEN')).type).toBe('ID-TAKEN')
    const own = new Client(helper, name, token)
    await own.get('OPEN')
    own.socket.terminate()
    peer.socket.terminate()
  })

  it('refuses other keys, odd names and one too many, and goes on after nonsense', async () => {
    const helper = await rig.open()
    expect((await new Client(helper, 'ann', 't', 'other').get('ERROR')).payload).toEqual({
      msg: 'Invalid key provided',
    })
    expect((await new Client(helper, '../x').get('ERROR')).type).toBe('ERROR')
    expect((await new Client(helper, 'ann', '').get('ERROR')).type).toBe('ERROR')
    const ann = new Client(helper, 'ann')
    await ann.get('OPEN')
    for (const text of ['', '[]', 'null', '{"type":7}', '{"type":"OFFER","dst":["x"]}', '{"__proto__":1}']) {
      ann.socket.send(text)
    }
    ann.say({ type: 'OFFER', dst: 'ann', payload: 'to myself' })
    expect((await ann.get('OFFER')).payload).toBe('to myself')
    ann.socket.send('x'.repeat(20_000))
    await ann.until(() => ann.isClosed)
    const fast = new Client(helper, 'fast')
    await fast.get('OPEN')
    for (let i = 0; i < 300; i++) fast.say({ type: 'HEARTBEAT' })
    await fast.until(() => fast.isClosed)
    expect(await metric(helper, 'meshchat_refused_total{reason="too-fast"}')).toBeGreaterThan(0)
    const response = await new Promise<number | undefined>((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${helper.port}/peerjs/peerjs?key=peerjs&id=a&token=b`, {
        headers: { origin: 'http://evil.example' },
      })
      socket.on('unexpected-response', (_, { statusCode }) => resolve(statusCode))
      socket.on('error', () => undefined)
    })
    expect(response).toBe(403)
  })

  it('names are what PeerJS allows, and never longer than ours', () => {
    const isName = /^[A-Za-z0-9]+([ _-][A-Za-z0-9]+)*$/
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (text) => {
        const isFine = isName.test(text) && text.length <= signalLimits.guestNameCharactersMax
        expect(guestName(text)).toBe(isFine ? text : undefined)
      }),
      { seed: 5 },
    )
  })
})
