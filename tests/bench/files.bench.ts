/** What sharing a large file costs its page: how fast it is hashed and kept, and how long the screen is held up. */
import { afterEach, describe, it } from 'vitest'
import { Person, Scene } from '../e2e/harness.ts'
import { Lans, namespacesMissing } from '../e2e/lans.ts'
import { attach, card, get, isLinkedTo, isWhole, makeFile, reachesShare, shareOf } from '../e2e/sharing.ts'
import { sayAll, typeAndEnter, watchArrivals, type Marks } from './pages.ts'
import { rivalArgs, rivalOrigin, rivals, speedOf } from './rivals.ts'
import { ms, percentile, printTable, type Row } from './table.ts'

const helperArgs = ['--port', '0', '--stun-port', '0', '--memory', '--host', '127.0.0.1']
const megabytes = Number(process.env['MB'] ?? 256)

describe('files', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it.each([
    ['localhost, file system', 'localhost'],
    ['plain http, IndexedDB', 'node1.local.mesh'],
  ])('%s', { timeout: megabytes * 3_000 + 300_000 }, async (tier, host) => {
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
    console.log(`${megabytes} MB hashed and kept in ${(takenMs / 1_000).toFixed(1)} s`)
    await get(bill, file)
    await card(bill, file)
      .getByText('complete and checked')
      .waitFor({ timeout: megabytes * 1_500 + 60_000 })
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
    const [ana, bill] = await twoSites(scene, lans)
    lans.setRate(1_000)
    lans.setLoss(loss)
    const alone = await delaysOf(ana, bill, 'Alone', 10)
    const file = makeFile(scene, 'map.bin', 4_000_000)
    await attach(ana, [file.path])
    await card(bill, file).waitFor()
    await get(bill, file)
    await reachesShare(bill, file, 0.05)
    const before = await shareOf(bill, file)
    const startMs = performance.now()
    const beside = await delaysOf(ana, bill, 'Report', 40)
    const share = (await shareOf(bill, file)) - before
    const goodput = (share * file.bytes * 8) / (performance.now() - startMs)
    printTable(`a transfer over 1 Mbit/s, ${100 * loss} % of UDP lost`, [
      {
        what: 'goodput of the file',
        value: `${goodput.toFixed(0)} kbit/s`,
        against: 'link 1,000',
        ratio: goodput / 1_000,
      },
      {
        what: 'message, key to other screen, p50 (without a file)',
        value: `${ms(percentile(beside, 0.5))} (${ms(percentile(alone, 0.5))})`,
        against: 'no goal',
      },
      {
        what: 'message, key to other screen, p95 (without a file)',
        value: `${ms(percentile(beside, 0.95))} (${ms(percentile(alone, 0.95))})`,
        against: 'goal 150 ms',
      },
    ])
  })
})

/** Between two LANs that nothing slows down: what a link of ours carries, beside others doing the same in the same run. */
describe.skipIf(namespacesMissing() !== undefined)('files beside others', () => {
  let scene: Scene
  let lans: Lans
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  it.each([
    ['64 MB, as fast as this machine goes', 64_000_000, undefined],
    ['24 MB over 20 Mbit/s', 24_000_000, 20_000],
  ] as const)('%s', async (title, bytes, kbps) => {
    scene = new Scene()
    lans = new Lans(['a', 'b'])
    if (kbps !== undefined) lans.setRate(kbps)
    const people = await twoSites(scene, lans, { args: rivalArgs, helperArgs: ['--origin', rivalOrigin] })
    const [ana, bill] = people
    const broker = new URL(`http://${lans.address('a')}:8080/`)
    const pair = { from: await ana.page.context().newPage(), to: await bill.page.context().newPage() }
    const speeds = new Map<string, number[]>()
    const note = (who: string, speed: number) => speeds.set(who, [...(speeds.get(who) ?? []), speed])
    for (let round = 0; round < 3; round++) {
      for (const rival of rivals) note(rival, await speedOf(rival, pair, broker, bytes))
      const file = makeFile(scene, `speed-${round}.bin`, bytes)
      await attach(ana, [file.path])
      await card(bill, file).waitFor({ timeout: 60_000 })
      const startMs = performance.now()
      await get(bill, file)
      await isWhole(bill, file)
      note('meshchat', bytes / 1e3 / (performance.now() - startMs))
    }
    const middle = (who: string) => percentile(speeds.get(who) ?? [], 0.5)
    const [bare, best] = [middle('bare data channel'), Math.max(middle('simple-peer'), middle('PeerJS'))]
    const ours = middle('meshchat')
    printTable(`${title}, middle of 3`, [
      ...rivals.map((one) => ({ what: one, value: `${middle(one).toFixed(1)} MB/s`, against: '' })),
      { what: 'meshchat, hashed, checked and stored', value: `${ours.toFixed(1)} MB/s`, against: '' },
      { what: 'against a bare data channel', value: '', against: 'goal 0.9', ratio: ours / bare },
      { what: 'against the better of the others', value: '', against: 'goal 1.0', ratio: ours / best },
    ])
  })
})

/** Ana and Bill, each at a node of a LAN of its own, linked directly. */
async function twoSites(scene: Scene, lans: Lans, options: { args?: string[]; helperArgs?: string[] } = {}) {
  const address = (side: string) => `http://${lans.address(side)}:8080/`
  for (const [side, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const args = [
      '--name',
      `node-${side}`,
      '--memory',
      '--neighbor',
      address(other),
      ...(options.helperArgs ?? []),
    ]
    await scene.helper({ args, namespace: lans.node(side) })
  }
  const arrive = async (side: string, name: string) =>
    Person.arrive(
      await scene.browser({ namespace: lans.host(side), ...(options.args && { args: options.args }) }),
      address(side),
      name,
    )
  const people = [await arrive('a', 'Ana'), await arrive('b', 'Bill')] as const
  for (const one of people) await isLinkedTo(one, 1)
  return people
}

/** Says so many messages one after the other. @returns how long each took from the key to the other screen, ms */
async function delaysOf(from: Person, to: Person, text: string, count: number): Promise<number[]> {
  await to.page.evaluate(watchArrivals)
  const texts = Array.from({ length: count }, (_, i) => `${text} ${i} `.padEnd(60, '.'))
  await from.page.evaluate(sayAll, { texts, everyMs: 300, typed: typeAndEnter.toString() })
  await to.sees((texts.at(-1) ?? '').trim())
  const sentAt = await from.page.evaluate(() => (globalThis as unknown as Marks).marks)
  const seenAt = await to.page.evaluate(() => (globalThis as unknown as Marks).marks)
  return texts.map((one) => (seenAt[one] ?? Number.NaN) - (sentAt[one] ?? Number.NaN))
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
