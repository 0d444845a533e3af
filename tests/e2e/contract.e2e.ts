import { createServer, type Server } from 'node:http'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ed25519 } from '@noble/curves/ed25519.js'
import { build } from 'vite'
import { WebSocketServer } from 'ws'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { wrapWebSocket } from '../../src/adapters/node/ws-socket.ts'
import { signPlainly, verifyPlainly } from '../../src/adapters/signature.ts'
import { WsLinks } from '../../src/adapters/ws-links.ts'
import { bytesToHex, hexToBytes, peerIdFromBytes } from '../../src/mesh/ids.ts'
import { keyOf } from '../mesh/make.ts'
import { Scene, root } from './harness.ts'

interface Contracts {
  store(): Promise<string[]>
  directStore(): Promise<string[]>
  links(): Promise<string[]>
  indexedDb(): Promise<string[]>
  attackRuntime(): Promise<string[]>
  writeWithoutSpace(): Promise<string>
  countQuota(): Promise<number>
  verdicts(cases: readonly { signer: string; message: string; signature: string }[]): Promise<boolean[]>
  dialNode(url: string, peer: string): Promise<string>
}
declare const contracts: Contracts

/** @returns a script that runs anywhere in a browser */
async function bundle(name: string): Promise<Buffer> {
  const outDir = join(root, 'tests/.cache', `contract-${name}`)
  await build({
    configFile: false,
    root,
    logLevel: 'error',
    publicDir: false,
    resolve: { alias: [{ find: /^simple-peer$/, replacement: 'simple-peer/simplepeer.min.js' }] },
    build: {
      outDir,
      lib: {
        entry: `tests/contract/${name}.ts`,
        formats: ['iife'],
        name: 'page',
        fileName: () => 'page.js',
      },
    },
  })
  return readFileSync(join(outDir, 'page.js'))
}

/** The adapters that only a browser has, under the same contracts as the others, in real Chromium. */
describe('contracts in a real page', () => {
  const scene = new Scene()
  let server: Server
  let page: Page
  let port = 0

  beforeAll(async () => {
    const [script, files] = [await bundle('page'), await bundle('file-page')]
    server = createServer((request, response) => {
      const found = { '/page.js': script, '/file-page.js': files }[request.url ?? '']
      const type = found === undefined ? 'html' : 'javascript'
      response.setHeader('Content-Type', `text/${type}; charset=utf-8`)
      response.end(found ?? '<!doctype html><script src="/page.js"></script>')
    })
    const sockets = new WebSocketServer({ server })
    const key = keyOf(2)
    const links = new WsLinks(
      {
        self: key.peer,
        sign: (message) => Promise.resolve(signPlainly(key, message)),
        verify: (claim) => Promise.resolve(verifyPlainly(claim)),
      },
      () => undefined,
    )
    const ignore = () => undefined
    links.start({
      up: ignore,
      down: ignore,
      frame: (link, lane, bytes) =>
        void links.send(
          link,
          lane,
          bytes.map((byte) => byte * 2),
        ),
      drained: ignore,
      dialFailed: ignore,
      signal: ignore,
      refused: ignore,
    })
    sockets.on('connection', (socket) => links.accept(wrapWebSocket(socket)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    port = typeof address === 'object' && address !== null ? address.port : 0
    const { context } = await scene.browser()
    page = context.pages()[0] ?? (await context.newPage())
    await page.goto(`http://localhost:${port}/`)
  })
  afterAll(async () => {
    await scene.close()
    server.closeAllConnections()
    server.close()
  })

  function allOk(lines: readonly string[], least: number): void {
    expect(lines.filter((line) => !line.startsWith('ok'))).toEqual([])
    expect(lines.length).toBeGreaterThanOrEqual(least)
  }

  it('store contract: IndexedDB', async () => {
    allOk(await page.evaluate(() => contracts.store()), 6)
  })

  it('direct store contract: IndexedDB', async () => {
    allOk(await page.evaluate(() => contracts.directStore()), 4)
  })

  /** @returns what the worker says in the end */
  function inWorker(place: Page, wanted: string): Promise<string[]> {
    return place.evaluate(
      (words) =>
        new Promise<string[]>((resolve, reject) => {
          const worker = new Worker('/file-page.js')
          worker.onmessage = ({ data }: MessageEvent<string[]>) => resolve(data)
          worker.onerror = ({ message }) => reject(new Error(message))
          worker.postMessage(words)
        }),
      wanted,
    )
  }

  it.each(['file system', 'IndexedDB'] as const)('file store contract: %s', async (kind) => {
    allOk(await inWorker(page, kind), 7)
  })

  it('the file system answers also when its handles would be collected meanwhile', async () => {
    const { context } = await scene.browser({ args: ['--js-flags=--expose-gc'] })
    const place = await context.newPage()
    await place.goto(`http://localhost:${port}/`)
    const late = new Promise<string[]>((resolve) => setTimeout(resolve, 90_000, ['it does not answer']))
    expect(await Promise.race([inWorker(place, 'collected'), late])).toEqual(['ok'])
  })

  it('links contract: WebRTC', async () => {
    allOk(await page.evaluate(() => contracts.links()), 7)
  })

  it('what only IndexedDB can do', async () => {
    allOk(await page.evaluate(() => contracts.indexedDb()), 5)
  })

  it('hostile frames on a data channel: the sender is cut off by name, a friend notices nothing', async () => {
    allOk(await page.evaluate(() => contracts.attackRuntime()), 20)
  })

  it('links over WebSockets, browser side', async () => {
    const result = await page.evaluate(([url, peer]) => contracts.dialNode(url, peer), [
      `ws://localhost:${port}/`,
      keyOf(2).peer,
    ] as const)
    expect(result).toBe('chat 2,4,6')
  })

  it('a full disk is said, keeps what was there, and is over when there is room', async () => {
    const origin = `http://localhost:${port}`
    // Chromium remembers for minutes how much room there was, so each state of the disk gets a browser of its own.
    const open = async (quotaSize?: number): Promise<[Page, () => Promise<void>]> => {
      const { context } = await scene.browser({ profile: 'quota' })
      const tab = context.pages()[0] ?? (await context.newPage())
      const client = await context.newCDPSession(tab)
      if (quotaSize !== undefined) await client.send('Storage.overrideQuotaForOrigin', { origin, quotaSize })
      await tab.goto(origin)
      return [tab, () => context.close()]
    }
    const [full, closeFull] = await open(1_000)
    expect(await full.evaluate(() => contracts.writeWithoutSpace())).toBe('full')
    await closeFull()
    const [roomy, closeRoomy] = await open()
    expect(await roomy.evaluate(() => contracts.countQuota())).toBe(0)
    expect(await roomy.evaluate(() => contracts.writeWithoutSpace())).toBe('stored')
    expect(await roomy.evaluate(() => contracts.countQuota())).toBe(64)
    await closeRoomy()
  })

  it('WebCrypto and pure JavaScript give one verdict, also on keys of mixed and small order', async () => {
    const cases = signatureCases()
    const here = cases.map(({ signer, message, signature }) =>
      verifyPlainly({
        signer: peerIdFromBytes(hexToBytes(signer)),
        message: hexToBytes(message),
        signature: hexToBytes(signature),
      }),
    )
    expect(here).toContain(true)
    expect(here.filter((verdict) => !verdict).length).toBeGreaterThan(60)
    expect(await page.evaluate((list) => contracts.verdicts(list), cases)).toEqual(here)
  })
})

interface SignatureCase {
  readonly signer: string
  readonly message: string
  readonly signature: string
}

/** Good signatures, each of them mutated, and keys that must never be admitted. */
function signatureCases(): SignatureCase[] {
  const cases: SignatureCase[] = []
  const { Point } = ed25519
  const torsion = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
  for (let seed = 1; seed <= 20; seed++) {
    const key = keyOf(seed)
    const message = new Uint8Array([seed, 2, 3])
    const signature = signPlainly(key, message)
    const publicKey = ed25519.getPublicKey(key.secret)
    const push = (signer: Uint8Array, sig: Uint8Array) =>
      cases.push({ signer: bytesToHex(signer), message: bytesToHex(message), signature: bytesToHex(sig) })
    push(publicKey, signature)
    for (const at of [0, 31, 32, 63]) {
      const mutated = signature.slice()
      mutated[at] = (mutated[at] ?? 0) ^ (1 << (seed % 8))
      push(publicKey, mutated)
    }
    // A key of mixed order: a good point plus one of order 8.
    push(Point.fromBytes(publicKey).add(torsion).toBytes(), signature)
  }
  const identity = new Uint8Array(32)
  identity[0] = 1
  const zero = new Uint8Array(64)
  zero[0] = 1
  for (const signer of [identity, torsion.toBytes(), new Uint8Array(32), new Uint8Array(32).fill(255)]) {
    cases.push({ signer: bytesToHex(signer), message: '00', signature: bytesToHex(zero) })
  }
  return cases
}
