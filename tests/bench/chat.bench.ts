import { afterEach, describe, it } from 'vitest'
import { Lans, namespacesMissing } from '../e2e/lans.ts'
import { Person, Scene } from '../e2e/harness.ts'
import { Prng } from '../sim/prng.ts'
import { lines } from './corpus.ts'
import { bareChannel, sayAll, typeAndEnter, watchArrivals, type Bare, type Marks } from './pages.ts'
import { ms, percentile, printTable, type Row } from './table.ts'

const missing = namespacesMissing()
const rounds = 150
const everyMs = 150
/** Characters of a message of the history that is fetched. */
const longLength = 3_800

/** B20 and B21: chat between two real Chromium pages on two routed LANs, from the key press to the other screen. */
describe.skipIf(missing !== undefined)('chat on a bad link', () => {
  let scene: Scene
  let lans: Lans
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  async function node(side: string, other: string): Promise<void> {
    const neighbor = `http://${lans.address(other)}:8080/`
    const args = ['--name', `node-${side}`, '--memory', '--no-resident', '--neighbor', neighbor]
    await scene.helper({ args, namespace: lans.node(side) })
  }

  async function arrive(side: string, name: string): Promise<Person> {
    const browser = await scene.browser({ namespace: lans.host(side) })
    return Person.arrive(browser, `http://${lans.address(side)}:8080/`, name)
  }

  async function open(): Promise<void> {
    scene = new Scene()
    lans = new Lans()
    await node('a', 'b')
    await node('b', 'a')
  }

  it('loss', async () => {
    await open()
    const ana = await arrive('a', 'Ana')
    const bill = await arrive('b', 'Bill')
    await ana.reaches(1)
    await bill.reaches(1)
    await bareChannel(ana.page, bill.page, lans)
    await bill.page.evaluate(watchArrivals)
    await bill.page.evaluate(watchBare)
    const rows: Row[] = []
    for (const [share, goal] of [
      [0, undefined],
      [0.05, 70],
      [0.1, 70],
      [0.2, 100],
    ] as const) {
      lans.setLoss(share)
      const texts = Array.from({ length: rounds }, (_, i) => `${share} ${i} `.padEnd(60, '.'))
      await ana.page.evaluate(sayAll, { texts, everyMs, typed: typeAndEnter.toString() })
      for (const text of texts.slice(-5)) await bill.sees(text.trim())
      const sentAt = await ana.page.evaluate(() => (globalThis as unknown as Marks).marks)
      const seenAt = await bill.page.evaluate(() => (globalThis as unknown as Marks).marks)
      const bareAt = await bill.page.evaluate(() => (globalThis as unknown as BareMarks).bareMarks)
      const ours = texts.map((text) => (seenAt[text] ?? Number.NaN) - (sentAt[text] ?? Number.NaN))
      const bare = texts.map((text) => (bareAt[text] ?? Number.NaN) - (sentAt[text] ?? Number.NaN))
      for (const part of [0.5, 0.95]) {
        rows.push({
          what: `B20 ${share * 100} % loss each way, p${part * 100}${part < 0.9 || goal === undefined ? '' : ` (goal ${goal} ms)`}`,
          value: ms(percentile(ours, part)),
          against: `reliable ordered channel ${ms(percentile(bare, part))}`,
          ratio: percentile(ours, part) / percentile(bare, part),
        })
      }
    }
    lans.setLoss(0)
    printTable(`key press to remote screen, ${rounds} messages, one every ${everyMs} ms`, rows)
  })

  it('beside a transfer', async () => {
    await open()
    const ana = await arrive('a', 'Ana')
    // As hard to pack as what people write.
    const next = lines(new Prng(9))
    const long = (i: number) => {
      let said = `${i}`
      while (said.length < longLength) said += ` ${next()}`
      return said.slice(0, longLength)
    }
    await ana.page.evaluate(sayAll, {
      texts: Array.from({ length: 3_000 }, (_, i) => long(i)),
      everyMs: 1,
      typed: typeAndEnter.toString(),
    })
    const rows: Row[] = []
    lans.setRate(1_000)
    const bill = await arrive('b', 'Bill')
    await bill.page.evaluate(watchArrivals)
    await bill.reaches(1)
    await ana.reaches(1)
    const texts = Array.from({ length: 60 }, (_, i) => `beside ${i} `.padEnd(60, '.'))
    const heldBefore = await bill.page.evaluate(countHeld)
    const startMs = Date.now()
    await ana.page.evaluate(sayAll, { texts, everyMs, typed: typeAndEnter.toString() })
    const held = (await bill.page.evaluate(countHeld)) - heldBefore - texts.length
    const kbps = (held * longLength * 8) / (Date.now() - startMs)
    await bill.sees((texts.at(-1) ?? '').trim())
    const sentAt = await ana.page.evaluate(() => (globalThis as unknown as Marks).marks)
    const seenAt = await bill.page.evaluate(() => (globalThis as unknown as Marks).marks)
    const ours = texts.map((text) => (seenAt[text] ?? Number.NaN) - (sentAt[text] ?? Number.NaN))
    const megabytes = (((await ana.page.evaluate(countHeld)) * longLength) / 1e6).toFixed(1)
    for (const part of [0.5, 0.95]) {
      rows.push({
        what: `B21 history of ${megabytes} MB being fetched at 1 Mbit/s, p${part * 100}${part < 0.9 ? '' : ' (goal 150 ms)'}`,
        value: ms(percentile(ours, part)),
        against: 'goal 150 ms',
        ratio: percentile(ours, part) / 150,
      })
    }
    const value = `${kbps.toFixed(0)} kbit/s of text`
    rows.push({ what: 'meanwhile fetched', value, against: 'the link: 1,000 kbit/s', ratio: kbps / 1_000 })
    printTable('chat beside a transfer', rows)
  })
})

/** @returns how many events this browser has stored */
async function countHeld(): Promise<number> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open('meshchat')
    opening.onerror = () => reject(new Error('cannot open'))
    opening.onsuccess = () => resolve(opening.result)
  })
  const request = database.transaction('events').objectStore('events').count()
  await new Promise((r) => (request.onsuccess = r))
  database.close()
  return request.result
}

interface BareMarks {
  bareMarks: Record<string, number>
}

function watchBare(): void {
  const { bare } = globalThis as unknown as { bare: Bare }
  const bareMarks: Record<string, number> = {}
  Object.assign(globalThis, { bareMarks })
  bare.channel.onmessage = (event: MessageEvent<string>) => {
    bareMarks[event.data] = performance.timeOrigin + performance.now()
  }
}
