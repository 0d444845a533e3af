import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Person, root, Scene, type Browser, type HelperProcess } from './harness.ts'

const client = join(root, 'node_modules/peerjs/dist/peerjs.min.js')

describe('programs that speak PeerJS', () => {
  let scene: Scene
  beforeEach(() => {
    scene = new Scene()
  })
  afterEach(() => scene.close())

  /** A page of somebody else's, with the unmodified client. */
  async function page(browser: Browser, body: string, said: string[] = []): Promise<Page> {
    const script = readFileSync(client, 'utf8')
    const server = createServer((request, response) => {
      const isScript = request.url === '/peerjs.min.js'
      response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html; charset=utf-8')
      response.end(isScript ? script : body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    scene.onClose(() => void server.close())
    const made = await browser.context.newPage()
    made.on('console', (line) => said.push(line.text()))
    await made.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    return made
  }

  it('reach each other on two nodes, and are told of who is not there and of names that are taken', async () => {
    const [a, b] = await scene.twoNodes()
    const browser = await scene.browser()
    const plain = '<!doctype html><script src="peerjs.min.js"></script>'
    const open = async (helper: HelperProcess, id: string) => {
      const made = await page(browser, plain)
      await made.evaluate(
        ([port, name]) =>
          new Promise<void>((resolve, reject) => {
            const { Peer } = globalThis as unknown as { Peer: new (id: string, options: object) => PeerLike }
            const options = {
              host: '127.0.0.1',
              port: Number(port),
              path: '/peerjs/',
              config: { iceServers: [] },
            }
            const peer = new Peer(name, options)
            const errors: string[] = []
            Object.assign(globalThis, { peerOf: () => peer, errors, got: [] })
            peer.on('open', () => resolve())
            peer.on('error', (error: { type: string }) => {
              errors.push(error.type)
              reject(new Error(error.type))
            })
            peer.on('connection', (connection: ConnectionLike) =>
              connection.on('data', (data: unknown) => {
                ;(globalThis as unknown as { got: unknown[] }).got.push(data)
                connection.send('heard')
              }),
            )
          }),
        [new URL(helper.url).port, id] as const,
      )
      return made
    }
    const first = await open(a, 'first')
    const second = await open(b, 'second')
    await expect
      .poll(() => second.evaluate(() => new Promise((resolve) => peerOf().listAllPeers(resolve))), {
        timeout: 10_000,
      })
      .toEqual(expect.arrayContaining(['first', 'second']))
    const heard = await second.evaluate(
      () =>
        new Promise((resolve) => {
          const connection = peerOf().connect('first', { serialization: 'json' })
          connection.on('open', () => connection.send({ text: 'grüße' }))
          connection.on('data', resolve)
        }),
    )
    expect(heard).toBe('heard')
    expect(await first.evaluate(() => (globalThis as unknown as { got: unknown[] }).got)).toEqual([
      { text: 'grüße' },
    ])
    await second.evaluate(() => void peerOf().connect('nobody'))
    await expect
      .poll(() => second.evaluate(() => (globalThis as unknown as { errors: string[] }).errors), {
        timeout: 10_000,
      })
      .toEqual(['peer-unavailable'])
    await expect(open(b, 'first')).rejects.toThrow('unavailable-id')
  })

  it('write and read through the guest door of a person at another node, by the example of the docs', async () => {
    const [a, b] = await scene.twoNodes()
    const ana = await Person.arrive(await scene.browser(), a.url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), b.url, 'Bill')
    await ana.reaches(1)
    await ana.page.getByRole('button', { name: 'Switch node' }).first().click()
    await ana.page.getByText('Guest door for programs').click()
    await ana.page.getByRole('checkbox', { name: /programs on this mesh may read and write/ }).check()
    const name = await ana.page.getByText(/^meshchat-[a-z2-7]{12}$/).innerText()
    const [, example = ''] =
      /```html\n([^`]+)```/.exec(readFileSync(join(root, 'docs/guest-door.md'), 'utf8')) ?? []
    expect(example).toContain('meshchat-abcdefghijkl')
    const body = example
      .replace('meshchat-abcdefghijkl', name)
      .replace('location.hostname', "'127.0.0.1'")
      .replace('8080', new URL(b.url).port)
    const browser = await scene.browser()
    const said: string[] = []
    await page(browser, body, said)
    await bill.sees('[Weather station] 12 °C, wind from the west')
    await bill.say('thank you')
    await expect.poll(() => said.join('\n'), { timeout: 10_000 }).toContain('thank you')
    await ana.page.getByText('1 program is connected').waitFor()
    expect(said.join('\n')).toMatch(/welcome[\s\S]*joined[\s\S]*posted/)
    await ana.page.getByRole('checkbox', { name: /programs on this mesh may read and write/ }).uncheck()
    // Doors are in no list: that nobody is there any more, an offer shows.
    const probe = new WebSocket(`${a.url.replace('http', 'ws')}peerjs/peerjs?key=peerjs&id=probe&token=t`)
    scene.onClose(() => probe.terminate())
    const answer = await new Promise<string>((resolve) => {
      probe.on('open', () => probe.send(JSON.stringify({ type: 'OFFER', dst: name, payload: {} })))
      probe.on('message', (data: Buffer) => {
        if (!data.includes('"OPEN"')) resolve(data.toString())
      })
    })
    expect(answer).toContain('"EXPIRE"')
  })
})

interface ConnectionLike {
  on(event: string, run: (value: unknown) => void): void
  send(value: unknown): void
}

interface PeerLike {
  on(event: 'open', run: () => void): void
  on(event: 'error', run: (error: { type: string }) => void): void
  on(event: 'connection', run: (connection: ConnectionLike) => void): void
  connect(id: string, options?: object): ConnectionLike
  listAllPeers(run: (names: unknown) => void): void
}

declare function peerOf(): PeerLike
