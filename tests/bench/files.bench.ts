/** What sharing a large file costs its page: how fast it is hashed and kept, and how long the screen is held up. */
import { afterEach, describe, it } from 'vitest'
import { Person, Scene } from '../e2e/harness.ts'
import { Lans, namespacesMissing } from '../e2e/lans.ts'
import { attach, card, get, isLinkedTo, isWhole, makeFile, reachesShare, shareOf } from '../e2e/sharing.ts'
import { pause } from './node-process.ts'
import { ms, percentile, printTable, type Row } from './table.ts'

const helperArgs = ['--port', '0', '--stun-port', '0', '--memory', '--host', '127.0.0.1']
const megabytes = 256

describe('files', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it.each([
    ['localhost, file system', 'localhost'],
    ['plain http, IndexedDB', 'node1.local.mesh'],
  ])('%s', async (tier, host) => {
    scene = new Scene()
    const helper = await scene.helper({ args: helperArgs })
    const url = helper.url.replace(/localhost|127\.0\.0\.1/, host)
    const mesh = {
      args: ['--host-resolver-rules=MAP *.local.mesh 127.0.0.1', '--enable-precise-memory-info'],
    }
    const ana = await Person.arrive(await scene.browser(mesh), url, 'Ana')
    const bill = await Person.arrive(await scene.browser(mesh), url, 'Bill')
    await ana.reaches(1)
    await ana.page.waitForFunction(() => performance.now() > 10_000)
    for (const { page } of [ana, bill]) await page.evaluate(watchTasks)
    const file = makeFile(scene, 'large.bin', megabytes * 1e6)
    await ana.page.getByLabel('File', { exact: true }).setInputFiles([file.path])
    const sheet = ana.page.getByRole('dialog')
    const fromMs = performance.now()
    await sheet.getByRole('button', { name: 'Send' }).click()
    await card(ana, file).waitFor({ timeout: 300_000 })
    const takenMs = performance.now() - fromMs
    const longestMs = await ana.page.evaluate(longestTask)
    await card(bill, file).waitFor()
    const askedMs = performance.now()
    await get(bill, file)
    await isWhole(bill, file)
    const fetchedMs = performance.now() - askedMs
    const rows: Row[] = [
      {
        what: 'hashed and kept',
        value: `${((megabytes * 1e3) / takenMs).toFixed(0)} MB/s`,
        against: 'goal 200',
      },
      { what: 'longest task of the page meanwhile', value: `${longestMs.toFixed(0)} ms`, against: 'goal 50' },
      {
        what: 'fetched by another browser of the same machine',
        value: `${((megabytes * 1e3) / fetchedMs).toFixed(1)} MB/s`,
        against: 'no goal',
      },
      {
        what: 'longest task of who fetches',
        value: `${(await bill.page.evaluate(longestTask)).toFixed(0)} ms`,
        against: 'goal 50',
      },
    ]
    for (const [who, person] of [
      ['who shares', ana],
      ['who fetches', bill],
    ] as const) {
      const client = await person.page.context().newCDPSession(person.page)
      await client.send('HeapProfiler.collectGarbage')
      const { usedSize } = await client.send('Runtime.getHeapUsage')
      rows.push({
        what: `heap of ${who}, afterwards`,
        value: `${(usedSize / 1e6).toFixed(1)} MB`,
        against: 'goal 100',
      })
    }
    printTable(`${megabytes} MB, ${tier}`, rows)
  })
})

/** Between two LANs whose link carries 1 Mbit/s: what of it is the file's, and how long a message takes meanwhile. */
describe.skipIf(namespacesMissing() !== undefined)('files over 1 Mbit/s', () => {
  let scene: Scene
  let lans: Lans
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  it.each([0, 0.05, 0.2])('loss %d', async (loss) => {
    scene = new Scene()
    lans = new Lans(['a', 'b'])
    const address = (side: string) => `http://${lans.address(side)}:8080/`
    for (const [side, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const args = ['--name', `node-${side}`, '--memory', '--neighbor', address(other)]
      await scene.helper({ args, namespace: lans.node(side) })
    }
    const arrive = async (side: string, name: string) =>
      Person.arrive(await scene.browser({ namespace: lans.host(side) }), address(side), name)
    const [ana, bill] = [await arrive('a', 'Ana'), await arrive('b', 'Bill')]
    for (const one of [ana, bill]) await isLinkedTo(one, 1)
    lans.setRate(1_000)
    lans.setLoss(loss)
    const file = makeFile(scene, 'map.bin', 3_000_000)
    await attach(ana, [file.path])
    await card(bill, file).waitFor()
    await get(bill, file)
    await reachesShare(bill, file, 0.05)
    await bill.page.evaluate(watchTexts)
    const fromMs = performance.now()
    const from = await shareOf(bill, file)
    const saidAtMs: number[] = []
    for (let i = 0; i < 20; i++) {
      saidAtMs.push(Date.now())
      await ana.say(`Report ${i}`)
      await pause(300)
    }
    const share = (await shareOf(bill, file)) - from
    const goodput = (share * file.bytes * 8) / (performance.now() - fromMs)
    await bill.sees('Report 19')
    const seen = await bill.page.evaluate(seenTexts)
    const delaysMs = saidAtMs.map((ms, i) => (seen[`Report ${i}`] ?? Number.NaN) - ms)
    printTable(`a transfer over 1 Mbit/s, ${100 * loss} % of UDP lost`, [
      {
        what: 'goodput of the file',
        value: `${goodput.toFixed(0)} kbit/s`,
        against: 'link 1,000',
        ratio: goodput / 1_000,
      },
      { what: 'message, key to other screen, p50', value: ms(percentile(delaysMs, 0.5)), against: 'no goal' },
      {
        what: 'message, key to other screen, p95',
        value: ms(percentile(delaysMs, 0.95)),
        against: 'goal 150 ms',
      },
    ])
  })
})

/** In the page: remembers when each text came to the screen, on the clock that all pages of a machine share. */
function watchTexts(): void {
  const seen: Record<string, number> = {}
  Object.assign(globalThis, { seenTexts: seen })
  const look = () => {
    for (const one of document.querySelectorAll('article .text')) seen[one.textContent.trim()] ??= Date.now()
  }
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true })
  look()
}

function seenTexts(): Record<string, number> {
  return (globalThis as unknown as { seenTexts: Record<string, number> }).seenTexts
}

/** In the page: remembers the longest task from now on. */
function watchTasks(): void {
  const seen = { longestMs: 0 }
  Object.assign(globalThis, { seenTasks: seen })
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) seen.longestMs = Math.max(seen.longestMs, duration)
  }).observe({ type: 'longtask' })
}

function longestTask(): number {
  return (globalThis as unknown as { seenTasks: { longestMs: number } }).seenTasks.longestMs
}
