/** What sharing a large file costs its page: how fast it is hashed and kept, and how long the screen is held up. */
import { afterEach, describe, it } from 'vitest'
import { Person, Scene } from '../e2e/harness.ts'
import { card, get, isWhole, makeFile } from '../e2e/sharing.ts'
import { printTable, type Row } from './table.ts'

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
