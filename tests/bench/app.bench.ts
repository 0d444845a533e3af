import { readFileSync } from 'node:fs'
import { afterEach, describe, it } from 'vitest'
import { openRoomId } from '../../src/mesh/ids.ts'
import { Person, Scene } from '../e2e/harness.ts'
import { keyOf } from '../mesh/make.ts'
import { TestPeer } from '../signal/client.ts'
import { fill, firstArticle } from './pages.ts'
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
    // H9: it is told of everybody at its own site, and of eight at the other.
    const toldMin = 119 + 8
    const [first] = peers
    await first?.until(() => {
      const known = new Set(
        first.frames.flatMap((frame) =>
          frame.type === 'peers' ? frame.up.flatMap(({ peers }) => peers) : [],
        ),
      )
      return known.size >= toldMin ? true : undefined
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
