import { execFileSync } from 'node:child_process'
import { afterEach, describe, it } from 'vitest'
import type { Page } from 'playwright-core'
import { encodeFrame } from '../../src/mesh/frame.ts'
import { itemOf } from '../../src/mesh/gossip/item.ts'
import { Lans, namespacesMissing } from '../e2e/lans.ts'
import { Person, Scene } from '../e2e/harness.ts'
import { runOf } from '../mesh/make.ts'
import { bareChannel, typeAndEnter, watchArrivals, type Bare, type Marks } from './pages.ts'
import { ms, percentile, printTable } from './table.ts'

const missing = namespacesMissing()
const rounds = 60

/** On the standard scene, beside a bare data channel between the same two pages in the same run. */
describe.skipIf(missing !== undefined)('two routed LANs', () => {
  let scene: Scene
  let lans: Lans
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  it('latency, connection set-up, bytes', async () => {
    scene = new Scene()
    lans = new Lans()
    for (const [side, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const neighbor = `http://${lans.address(other)}:8080/`
      const args = ['--name', `node-${side}`, '--memory', '--no-resident', '--neighbor', neighbor]
      await scene.helper({ args, namespace: lans.node(side) })
    }
    const [hostA, hostB] = [lans.host('a'), lans.host('b')]
    const ana = await Person.arrive(
      await scene.browser({ namespace: hostA }),
      `http://${lans.address('a')}:8080/`,
      'Ana',
    )
    const browser = await scene.browser({ namespace: hostB })
    const page = browser.context.pages()[0] ?? (await browser.context.newPage())
    await page.goto(`http://${lans.address('b')}:8080/`)
    await page.getByText('node node-b').waitFor()
    const setUps: number[] = []
    setUps.push(await page.evaluate(startAndReach))
    const bill = new Person(page, 'Bill')
    for (let i = 0; i < 9; i++) {
      await page.reload()
      setUps.push(await page.evaluate(reached))
    }

    const bare = await bareChannel(ana.page, page, lans)
    const bareMs = await ana.page.evaluate(bareEcho, rounds)

    await bill.page.evaluate(watchArrivals)
    for (let i = 0; i < rounds; i++) {
      const text = `latency ${String(i).padStart(50, '.')}`
      await ana.page.evaluate(typeAndEnter, text)
      await bill.sees(text)
    }
    const sentAt = await ana.page.evaluate(() => (globalThis as unknown as Marks).marks)
    const seenAt = await bill.page.evaluate(() => (globalThis as unknown as Marks).marks)
    const latencies = Object.entries(sentAt).map(([text, atMs]) => (seenAt[text] ?? Number.NaN) - atMs)

    const idle = await wireBytes(hostA, ana.page, 10_000, () => Promise.resolve())
    const talk = await wireBytes(hostA, ana.page, 10_000, async () => {
      for (let i = 0; i < 40; i++) {
        const text = `${String(i).padStart(4, '0')} ${'x'.repeat(55)}`
        await ana.page.evaluate(typeAndEnter, text)
        await bill.sees(text)
        await ana.seesState(text, 'delivered 1 of 1')
      }
    })
    const perMessage = (talk - idle) / 40
    const bareTalk = await wireBytes(hostA, ana.page, 10_000, () =>
      ana.page.evaluate(bareSend, { count: 40, length: 60 }),
    )
    const barePerMessage = (bareTalk - idle) / 40
    const frame = encodeFrame({
      type: 'packet',
      seq: 1,
      ack: undefined,
      notes: [
        {
          type: 'item',
          item: itemOf({ type: 'run', run: runOf({ count: 1, text: 'x'.repeat(58) }) }),
          cost: 1,
        },
      ],
    })

    printTable('two routed LANs, plain http', [
      {
        what: 'keystroke to remote screen, p50',
        value: ms(percentile(latencies, 0.5)),
        against: `bare data channel, one way, p50 ${ms(percentile(bareMs, 0.5) / 2)}`,
        ratio: percentile(latencies, 0.5) / (percentile(bareMs, 0.5) / 2),
      },
      {
        what: 'keystroke to remote screen, p95',
        value: ms(percentile(latencies, 0.95)),
        against: `bare data channel, one way, p95 ${ms(percentile(bareMs, 0.95) / 2)}`,
        ratio: percentile(latencies, 0.95) / (percentile(bareMs, 0.95) / 2),
      },
      {
        what: 'page opened to first person in reach, p50 of 9 reloads',
        value: ms(percentile(setUps.slice(1), 0.5)),
        against: `bare RTCPeerConnection, offer to open channel ${ms(bare)}`,
        ratio: percentile(setUps.slice(1), 0.5) / bare,
      },
      {
        what: '“Start chatting” to first person in reach',
        value: ms(setUps[0] ?? Number.NaN),
        against: 'the same',
        ratio: (setUps[0] ?? Number.NaN) / bare,
      },
      {
        what: 'bytes on the wire per 60-character message, both directions, with its receipt',
        value: `${perMessage.toFixed(0)} B`,
        against: `the same 60 characters on a bare channel ${barePerMessage.toFixed(0)} B`,
        ratio: perMessage / barePerMessage,
      },
      {
        what: 'bytes of the frame of a first 60-character message',
        value: `${frame.length} B`,
        against: 'text, signature and keys alone: 60 + 64 + 64 B',
        ratio: frame.length / 188,
      },
      {
        what: 'idle bytes on the wire of one browser with one link and one node, per second',
        value: `${(idle / 10).toFixed(0)} B`,
        against: 'an idle WebRTC link 242 B (measured before, gossip.md)',
        ratio: idle / 10 / 242,
      },
    ])
  })
})

/** Both browsers read one machine's clock. */
function startAndReach(): Promise<number> {
  const button = [...document.querySelectorAll('button')].find((one) =>
    one.textContent.includes('Start chatting'),
  )
  const startMs = performance.now()
  button?.click()
  return new Promise((resolve) => {
    const look = () => {
      const isReached = [...document.querySelectorAll('[role=status]')].some((one) =>
        one.textContent.includes('1 in reach'),
      )
      if (isReached) resolve(performance.now() - startMs)
      else requestAnimationFrame(look)
    }
    look()
  })
}

/** Since the navigation started. */
function reached(): Promise<number> {
  return new Promise((resolve) => {
    const look = () => {
      const isReached = [...document.querySelectorAll('[role=status]')].some((one) =>
        one.textContent.includes('1 in reach'),
      )
      if (isReached) resolve(performance.now())
      else requestAnimationFrame(look)
    }
    look()
  })
}

async function bareEcho(count: number): Promise<number[]> {
  const { bare } = globalThis as unknown as { bare: Bare }
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const startMs = performance.now()
    bare.channel.send('x'.repeat(60))
    await new Promise((r) => bare.channel.addEventListener('message', r, { once: true }))
    times.push(performance.now() - startMs)
  }
  return times
}

async function bareSend({ count, length }: { count: number; length: number }): Promise<void> {
  const { bare } = globalThis as unknown as { bare: Bare }
  for (let i = 0; i < count; i++) {
    bare.channel.send('x'.repeat(length))
    // The echo makes it a message each way, so half of it is counted below.
    await new Promise((r) => bare.channel.addEventListener('message', r, { once: true }))
  }
}

/** Bytes that crossed a host's cable, both directions, over a fixed time in which `work` happens. */
async function wireBytes(
  namespace: string,
  page: Page,
  durationMs: number,
  work: () => Promise<void>,
): Promise<number> {
  const read = () => {
    const text = execFileSync('ip', ['-n', namespace, '-s', '-j', 'link', 'show', 'eth0']).toString()
    const [link] = JSON.parse(text) as { stats64: { rx: { bytes: number }; tx: { bytes: number } } }[]
    return (link?.stats64.rx.bytes ?? 0) + (link?.stats64.tx.bytes ?? 0)
  }
  const before = read()
  const fixed = page.evaluate((time) => new Promise((r) => setTimeout(r, time)), durationMs)
  await Promise.all([fixed, work()])
  return read() - before
}
