import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene, killBrowser, type Browser } from './harness.ts'

const helperArgs = ['--stun-port', '0', '--memory']

/** E2E 4, 5 and 6. */
describe('nothing is lost', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it('opens from its cache without any node, and what was typed goes out by itself later', async () => {
    scene = new Scene()
    // Under a sub-path, as a node may serve it.
    const first = await scene.helper({ args: ['--port', '0', '--base', '/mc/', ...helperArgs] })
    const port = new URL(first.url).port
    const browser = await scene.browser({ profile: 'ana' })
    const ana = await Person.arrive(browser, first.url, 'Ana')
    await ana.say('Before the node went')
    await ana.page.evaluate(workerActive)
    await first.kill()
    await browser.context.close()

    const again = await scene.browser({ profile: 'ana' })
    const page = again.context.pages()[0] ?? (await again.context.newPage())
    await page.goto(first.url)
    const back = new Person(page, 'Ana')
    await back.sees('Before the node went')
    await page.getByRole('button', { name: 'Send when in reach' }).waitFor()
    await back.say('Written while alone')
    await back.seesState('Written while alone', 'waiting')

    await scene.helper({ args: ['--port', port, '--base', '/mc/', ...helperArgs] })
    const bill = await Person.arrive(await scene.browser(), first.url, 'Bill')
    await bill.sees('Written while alone')
    await back.seesState('Written while alone', 'delivered 1 of 1')
    await bill.sees('Before the node went')
  })

  it('survives a torn log, which makes Chromium throw everything away at the second start', async () => {
    scene = new Scene()
    const helper = await scene.helper({ args: ['--port', '0', ...helperArgs] })
    const browser = await scene.browser({ profile: 'ana' })
    const ana = await Person.arrive(browser, helper.url, 'Ana')
    for (let i = 0; i < 20; i++) await ana.say(`kept ${i}`)
    await killBrowser(browser)
    tearLog(browser.folder)
    for (const start of ['first', 'second', 'third']) {
      const again = await scene.browser({ profile: 'ana' })
      const page = again.context.pages()[0] ?? (await again.context.newPage())
      await page.goto(helper.url)
      const back = new Person(page, 'Ana')
      await back.sees('kept 15')
      await back.say(`written at the ${start} start`)
      await again.context.close()
    }
  })

  it('keeps every message that had left the composer, through five kills on each side', async () => {
    scene = new Scene()
    const helper = await scene.helper({ args: ['--port', '0', ...helperArgs] })
    const sent: string[] = []
    const open = async (profile: string): Promise<[Person, Browser]> => {
      const browser = await scene.browser({ profile })
      const page = browser.context.pages()[0] ?? (await browser.context.newPage())
      const said: string[] = []
      page.on('console', (message) => said.push(message.text()))
      page.on('pageerror', (error) => said.push(error.message))
      await page.goto(helper.url)
      const person = new Person(page, profile)
      await person
        .composer('general')
        .waitFor()
        .catch(async (error: unknown) => {
          const shown = await page.locator('body').innerText()
          throw new Error(`${profile} shows no composer but: ${shown}\n${said.join('\n')}`, { cause: error })
        })
      return [person, browser]
    }
    for (const profile of ['ana', 'bill']) {
      const browser = await scene.browser({ profile })
      const person = await Person.arrive(browser, helper.url, profile)
      // The name is durable with the first message at the latest.
      await person.say(`hello from ${profile}`)
      await browser.context.close()
    }

    for (let round = 0; round < 5; round++) {
      const victims = [await open('ana'), await open('bill')]
      await Promise.all(victims.map(([person]) => person.reaches(1)))
      const left = await Promise.all(
        victims.map(([person, browser]) => sendUntilKilled(person, round, () => killBrowser(browser))),
      )
      sent.push(...left.flat())
    }
    expect(sent.length).toBeGreaterThan(20)

    const [ana] = await open('ana')
    const [bill] = await open('bill')
    for (const person of [ana, bill]) {
      await person.reaches(1)
      await person.page.evaluate(storeHolds, sent.length)
      const missing = async () => {
        const texts = new Set(await person.page.evaluate(storedTexts))
        return sent.filter((text) => !texts.has(text))
      }
      // As many may be there before those that are meant: some were stored and had not left the composer.
      await expect.poll(missing, { timeout: 60_000 }).toEqual([])
      const stored = await person.page.evaluate(storedTexts)
      expect(new Set(stored).size).toBe(stored.length)
    }
    expect(await ana.page.evaluate(storedTexts)).toEqual(await bill.page.evaluate(storedTexts))
  })

  it('shows a newcomer the newest first and then all, and gives a returner only what it missed', async () => {
    scene = new Scene()
    const helper = await scene.helper({ args: ['--port', '0', '--no-resident', ...helperArgs] })
    const ana = await Person.arrive(await scene.browser(), helper.url, 'Ana')
    await ana.page.evaluate(typeMany, { from: 1, to: 1000 })
    await ana.sees('message 1000')

    const bill = await Person.arrive(await scene.browser({ profile: 'bill' }), helper.url, 'Bill')
    const firstSeen = await bill.page.evaluate(firstArticles, 50)
    expect(firstSeen.at(-1)).toBe('message 1000')
    expect(firstSeen.slice(-50)).toEqual(Array.from({ length: 50 }, (_, i) => `message ${951 + i}`))
    await bill.page.evaluate(storeHolds, 1000)
    await ana.seesState('message 1000', 'delivered 1 of 1')
    const whole = await bill.connections()

    await bill.page.goto('about:blank')
    await ana.page.evaluate(typeMany, { from: 1001, to: 1010 })
    await ana.sees('message 1010')
    await bill.page.goto(helper.url)
    await bill.sees('message 1010')
    await bill.page.evaluate(storeHolds, 1010)
    const missed = await bill.connections()
    const all = whole.reduce((sum, one) => sum + one.bytesReceived, 0)
    const few = missed.reduce((sum, one) => sum + one.bytesReceived, 0)
    console.log(`1,000 messages: ${all} B received; 10 missed: ${few} B received`)
    // Packed, a thousand messages as short and alike as these cost little more than the link itself does.
    expect(few).toBeLessThan(all / 2)
    expect(few).toBeLessThan(6_000)
  })
})

/** Cuts into the last record of LevelDB's newest log, as a kill in the middle of a write does (`reliability.md` F1). */
function tearLog(folder: string): void {
  const databases = join(folder, 'Default', 'IndexedDB')
  const database = readdirSync(databases).find((name) => name.endsWith('.indexeddb.leveldb'))
  const log = readdirSync(join(databases, database ?? '')).find((name) => name.endsWith('.log'))
  if (database === undefined || log === undefined) throw new Error('no log to tear')
  const path = join(databases, database, log)
  truncateSync(path, statSync(path).size - 40)
}

/** Sends 200 as fast as the composer clears; @returns what had left the composer when the kill came. */
async function sendUntilKilled(person: Person, round: number, end: () => Promise<void>): Promise<string[]> {
  const left: string[] = []
  let reached: () => void = () => undefined
  const middle = new Promise<void>((resolve) => (reached = resolve))
  await person.page.exposeFunction('hasLeft', (text: string) => {
    left.push(text)
    if (left.length === 30 + 17 * round) reached()
  })
  const sending = person.page.evaluate(typeMany, { from: 1, to: 200, prefix: `${person.name} ${round} ` })
  await Promise.race([middle, sending])
  const ending = end()
  await sending.catch(() => undefined)
  await ending
  return left
}

function typeMany({
  from,
  to,
  prefix = 'message ',
}: {
  from: number
  to: number
  prefix?: string
}): Promise<void> {
  const { hasLeft } = globalThis as { hasLeft?: (text: string) => Promise<void> }
  const box = [...document.querySelectorAll('textarea')].find((one) => one.ariaLabel === 'Message #general')
  if (box === undefined) throw new Error('no composer')
  const send = async () => {
    for (let i = from; i <= to; i++) {
      const text = `${prefix}${i}`
      box.value = text
      box.dispatchEvent(new Event('input', { bubbles: true }))
      box.form?.requestSubmit()
      while (box.value !== '') await new Promise((resolve) => requestAnimationFrame(resolve))
      void hasLeft?.(text)
    }
  }
  return send()
}

/** The texts on the screen at the first moment when so many are there. */
function firstArticles(count: number): Promise<string[]> {
  return new Promise((resolve) => {
    const look = () => {
      const texts = [...document.querySelectorAll('article .text')].map((one) => one.textContent)
      if (texts.length >= count) resolve(texts)
      else requestAnimationFrame(look)
    }
    look()
  })
}

async function storedTexts(): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('meshchat')
    opening.onerror = () => reject(new Error('cannot open'))
    opening.onsuccess = () => {
      const database = opening.result
      const request = database.transaction('events').objectStore('events').index('position').getAll()
      request.onerror = () => reject(new Error('cannot read'))
      request.onsuccess = () => {
        database.close()
        const events = request.result as { body: Uint8Array }[]
        resolve(events.map((event) => new TextDecoder().decode(event.body)))
      }
    }
  })
}

/** Resolves when the service worker has kept the app. */
async function workerActive(): Promise<void> {
  const { active } = await navigator.serviceWorker.ready
  while (active?.state !== 'activated') await new Promise((resolve) => requestAnimationFrame(resolve))
}

/** Resolves when so many events are durable in this page's store. */
async function storeHolds(wanted: number): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open('meshchat')
    opening.onerror = () => reject(new Error('cannot open'))
    opening.onsuccess = () => resolve(opening.result)
  })
  for (let count = 0; count < wanted;) {
    const request = database.transaction('events').objectStore('events').count()
    await new Promise((resolve) => (request.onsuccess = resolve))
    count = request.result
    await new Promise((resolve) => requestAnimationFrame(resolve))
  }
  database.close()
}
