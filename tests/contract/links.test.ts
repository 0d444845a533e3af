import { createServer } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import { afterEach, describe, expect, it } from 'vitest'
import { MemoryHub, MemoryLinks } from '../../src/adapters/memory/memory-links.ts'
import { wrapWebSocket } from '../../src/adapters/node/ws-socket.ts'
import { PackedLinks } from '../../src/adapters/packed-links.ts'
import { WsLinks } from '../../src/adapters/ws-links.ts'
import { keyOf } from '../mesh/make.ts'
import { testKeys } from './test-keys.ts'
import { linksContract, type LinkPair } from './links-contract.ts'

function memoryPair(): Promise<LinkPair> {
  const hub = new MemoryHub()
  const [peerA, peerB] = [keyOf(1).peer, keyOf(2).peer]
  const a = new MemoryLinks(hub, peerA)
  const b = new MemoryLinks(hub, peerB)
  return Promise.resolve({ a, b, peerA, peerB, signal: () => undefined, close: () => Promise.resolve() })
}

/** Two ends of real sockets on loopback: one dials, one accepts. */
async function socketPair(expected = keyOf(2).peer): Promise<LinkPair> {
  const [keysA, keysB] = [testKeys(1), testKeys(2)]
  const server = createServer()
  const sockets = new WebSocketServer({ server })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const a = new WsLinks(keysA, (peer) =>
    peer === expected ? wrapWebSocket(new WebSocket(`ws://127.0.0.1:${port}`)) : undefined,
  )
  const b = new WsLinks(keysB, () => undefined)
  sockets.on('connection', (socket) => b.accept(wrapWebSocket(socket)))
  const close = async () => {
    for (const socket of sockets.clients) socket.terminate()
    await new Promise((resolve) => server.close(resolve))
  }
  return { a, b, peerA: keysA.self, peerB: keysB.self, signal: () => undefined, close }
}

async function packedPair(): Promise<LinkPair> {
  const pair = await memoryPair()
  return { ...pair, a: new PackedLinks(pair.a), b: new PackedLinks(pair.b) }
}

describe.each([
  ['memory', memoryPair],
  ['memory, packed', packedPair],
  ['WebSocket, Node side', socketPair],
] as const)('links contract: %s', (_name, make) => {
  let pair: LinkPair | undefined
  afterEach(async () => {
    pair?.a.close()
    pair?.b.close()
    await pair?.close()
  })

  it.each(linksContract.map((one) => [one.name, one] as const))('%s', async (_title, one) => {
    pair = await make()
    await one.run(pair)
  })
})

describe('links over WebSockets', () => {
  it('[K4] whoever answers with another key than the one dialled is refused', async () => {
    const other = keyOf(3).peer
    const pair = await socketPair(other)
    const refused = new Promise<string>((resolve) => {
      const ignore = () => undefined
      const events = {
        up: ignore,
        down: ignore,
        frame: ignore,
        drained: ignore,
        dialFailed: ignore,
        signal: ignore,
      }
      pair.a.start({ ...events, refused: (_peer, reason) => resolve(reason) })
    })
    pair.a.dial(other)
    expect(await refused).toBe('wrong-peer')
    pair.a.close()
    pair.b.close()
    await pair.close()
  })
})
