import { readFileSync } from 'node:fs'
import { afterEach, describe, it } from 'vitest'
import { openRoomId } from '../../src/mesh/ids.ts'
import { Person, Scene } from '../e2e/harness.ts'
import { keyOf } from '../mesh/make.ts'
import { TestPeer } from '../signal/client.ts'
import { ms, percentile, printTable } from './table.ts'

const helperArgs = ['--port', '0', '--stun-port', '0', '--memory', '--no-resident']

describe('one machine', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it('opening a room with much history', async () => {
    scene = new Scene()
    const helper = await scene.helper({ args: helperArgs })
    const medians: number[] = []
    for (const count of [0, 10_000, 100_000]) {
      const browser = await scene.browser()
      const ana = await Person.arrive(browser, helper.url, 'Ana')
      await ana.say('mine')
      const author = `${keyOf(7).peer}.${'01'.repeat(16)}`
      await ana.page.evaluate(fill, { count, room: openRoomId('general'), feed: author })
      const times: number[] = []
      for (let i = 0; i < 5; i++) {
        await ana.page.reload()
        times.push(await ana.page.evaluate(firstArticle))
      }
      medians.push(percentile(times, 0.5))
      await browser.context.close()
    }
    const [empty = Number.NaN, ten = Number.NaN, hundred = Number.NaN] = medians
    const against = `a room with one message ${ms(empty)}`
    printTable('open a room, reload to first message on the screen, p50 of 5', [
      { what: '10,000 stored messages', value: ms(ten), against, ratio: ten / empty },
      { what: '100,000 stored messages', value: ms(hundred), against, ratio: hundred / empty },
    ])
  })

  it('helper memory with 200 idle peers', async () => {
    scene = new Scene()
    const helper = await scene.helper({ args: [...helperArgs, '--host', '127.0.0.1'] })
    const other = await scene.helper({
      args: [...helperArgs, '--host', '127.0.0.1', '--neighbor', helper.url],
    })
    const residentMiB = () => {
      const status = readFileSync(`/proc/${helper.process.pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024
    }
    const before = residentMiB()
    // One address may hold 128 sockets; the others come by the neighbour.
    const peers = Array.from(
      { length: 200 },
      (_, i) => new TestPeer(i < 120 ? helper.url : other.url, 10_000 + i),
    )
    for (const peer of peers) await peer.enter()
    const [first] = peers
    await first?.until(() => {
      const known = new Set(
        first.frames.flatMap((frame) =>
          frame.type === 'peers' ? frame.up.flatMap(({ peers }) => peers) : [],
        ),
      )
      return known.size >= 199 ? true : undefined
    })
    const after = residentMiB()
    printTable('the helper', [
      {
        what: 'resident memory with 200 idle peers (120 of its own, 80 at its neighbour)',
        value: `${after.toFixed(1)} MiB`,
        against: `the same process without peers ${before.toFixed(1)} MiB`,
        ratio: after / before,
      },
    ])
    for (const peer of peers) peer.socket.terminate()
  })
})

/** Writes rows as the store does; their signatures are not genuine, and nobody asks for them here. */
async function fill({ count, room, feed }: { count: number; room: string; feed: string }): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open('meshchat')
    opening.onerror = () => reject(new Error('cannot open'))
    opening.onsuccess = () => resolve(opening.result)
  })
  const startMs = Date.now() - count * 1_000
  const idOf = (seq: number) => seq.toString(16).padStart(64, '0')
  for (let from = 0; from < count; from += 5_000) {
    const tx = database.transaction('events', 'readwrite', { durability: 'relaxed' })
    for (let seq = from; seq < Math.min(count, from + 5_000); seq++) {
      const stamp = (startMs + seq * 1_000) * 32
      const prev = seq === 0 ? undefined : idOf(seq - 1)
      tx.objectStore('events').put({
        ...{ room, feed, seq, prev, hlc: stamp, deps: [], kind: 1, flags: 0, epoch: 0, effective: stamp },
        body: new TextEncoder().encode(`message ${seq} about fuel, water and a closed bridge on 5th`),
        ...{
          id: idOf(seq),
          signature: new Uint8Array(64),
          storedAtMs: startMs + seq * 1_000,
          audience: undefined,
        },
        parents: prev === undefined ? [] : [prev],
      })
    }
    await new Promise((resolve) => (tx.oncomplete = resolve))
  }
  if (count > 0) {
    const tx = database.transaction('feeds', 'readwrite')
    const ranges = [{ first: 0, last: count - 1, prev: undefined, lastId: idOf(count - 1) }]
    tx.objectStore('feeds').put({ room, feed, newest: Date.now() * 32, ranges })
    await new Promise((resolve) => (tx.oncomplete = resolve))
  }
  database.close()
}

function firstArticle(): Promise<number> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.querySelector('article .text') !== null) resolve(performance.now())
      else requestAnimationFrame(look)
    }
    look()
  })
}
