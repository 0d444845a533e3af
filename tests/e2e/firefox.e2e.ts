import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { connect as netConnect, createServer } from 'node:net'
import { join } from 'node:path'
import { connect, type Browser, type Page } from 'puppeteer-core'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene, type HelperProcess } from './harness.ts'
import { Lans, namespacesMissing } from './lans.ts'

const firefoxPath = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr'
const missing = existsSync(firefoxPath) ? namespacesMissing() : 'needs firefox-esr'

/** Firefox is spoken to by a port of its own loopback: passed on through a socket in the file system, which all see. */
async function firefoxIn(scene: Scene, namespace: string): Promise<Browser> {
  const port = await freePort()
  const socket = join(scene.folder, `bridge-${namespace}`)
  const inside = `
    const net = require('node:net')
    net.createServer((one) => {
      const other = net.connect(${port}, '127.0.0.1')
      one.pipe(other).pipe(one)
      for (const end of [one, other]) end.on('error', () => { one.destroy(); other.destroy() })
    }).listen(${JSON.stringify(socket)})`
  const run = (program: string, args: readonly string[]) => {
    const child = spawn('ip', ['netns', 'exec', namespace, program, ...args], {
      stdio: 'ignore',
      env: { ...process.env, HOME: scene.folder },
    })
    scene.onClose(async () => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once('exit', resolve))
    })
  }
  run(process.execPath, ['-e', inside])
  const profile = join(scene.folder, `firefox-${namespace}`)
  mkdirSync(profile)
  run(firefoxPath, ['--headless', '--no-remote', '--profile', profile, `--remote-debugging-port=${port}`])
  const bridge = createServer((one) => {
    const other = netConnect(socket)
    one.pipe(other).pipe(one)
    for (const end of [one, other]) end.on('error', () => [one, other].map((side) => side.destroy()))
  })
  await new Promise<void>((resolve) => bridge.listen(port, '127.0.0.1', resolve))
  scene.onClose(() => {
    bridge.close()
  })
  const browserWSEndpoint = `ws://127.0.0.1:${port}/session`
  let browser: Browser | undefined
  await expect
    .poll(
      async () => {
        browser ??= await connect({ browserWSEndpoint, protocol: 'webDriverBiDi' }).catch(() => undefined)
        return browser !== undefined
      },
      { timeout: 60_000, interval: 500 },
    )
    .toBe(true)
  if (browser === undefined) throw new Error('no Firefox')
  return browser
}

/** Free on this machine; the same one is free in a namespace that was just made. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** A person at a page in Firefox, by the same accessible names. */
class FirefoxPerson {
  private readonly page: Page

  private constructor(page: Page) {
    this.page = page
  }

  static async arrive(scene: Scene, url: string, name: string, namespace: string): Promise<FirefoxPerson> {
    const browser = await firefoxIn(scene, namespace)
    const page = await browser.newPage()
    await page.setViewport({ width: 1280, height: 800 })
    page.setDefaultTimeout(60_000)
    await page.goto(url)
    const field = await page.waitForSelector('aria/Your name[role="textbox"]')
    await field?.click({ count: 3 })
    await field?.type(name)
    await (await page.waitForSelector('aria/Start chatting[role="button"]'))?.click()
    await page.waitForSelector('aria/Message #general[role="textbox"]')
    return new FirefoxPerson(page)
  }

  async say(text: string): Promise<void> {
    const box = await this.page.waitForSelector('aria/Message #general[role="textbox"]')
    await box?.type(text)
    await this.page.click('form button.primary')
    await this.page.waitForFunction(() => document.querySelector('textarea')?.value === '')
  }

  async sees(text: string): Promise<void> {
    await this.page.waitForFunction(
      (wanted) => [...document.querySelectorAll('article .text')].some((one) => one.textContent === wanted),
      {},
      text,
    )
  }

  async seesState(text: string, state: string): Promise<void> {
    await this.page.waitForFunction(
      (wanted, words) =>
        [...document.querySelectorAll('article')].some(
          (one) =>
            one.querySelector('.text')?.textContent === wanted &&
            one.getAttribute('aria-label')?.endsWith(`, ${words}`) === true,
        ),
      {},
      text,
      state,
    )
  }

  reload(): Promise<unknown> {
    return this.page.reload()
  }
}

describe.skipIf(missing !== undefined)('Firefox and Chromium', () => {
  let scene: Scene
  let lans: Lans
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  const url = (side: string) => `http://${lans.address(side)}:8080/`

  /** One node on each LAN, told of each other. @param more beside what both need */
  async function twoNodes(...more: string[]): Promise<HelperProcess[]> {
    const start = (side: string, other: string) => {
      const args = ['--name', `node-${side}`, '--memory', '--neighbor', url(other), ...more]
      return scene.helper({ args, namespace: lans.node(side) })
    }
    return [await start('a', 'b'), await start('b', 'a')]
  }

  it('talk directly between two routed LANs, also when both helpers are dead, and keep what was said', async () => {
    scene = new Scene()
    lans = new Lans()
    const helpers = await twoNodes('--no-resident')
    const ana = await Person.arrive(await scene.browser({ namespace: lans.host('a') }), url('a'), 'Ana')
    const bill = await FirefoxPerson.arrive(scene, url('b'), 'Bill', lans.host('b'))
    await ana.reaches(1)
    for (let i = 1; i <= 5; i++) {
      await ana.say(`Ana ${i}`)
      await bill.say(`Bill ${i}`)
    }
    for (let i = 1; i <= 5; i++) {
      await ana.sees(`Bill ${i}`)
      await bill.sees(`Ana ${i}`)
    }
    await ana.seesState('Ana 5', 'delivered 1 of 1')
    await bill.seesState('Bill 5', 'delivered 1 of 1')
    for (const helper of helpers) await helper.kill('SIGKILL')
    await ana.say('no helper any more')
    await bill.sees('no helper any more')
    await bill.say('indeed')
    await ana.sees('indeed')
    await bill.seesState('indeed', 'delivered 1 of 1')
  })

  it('exchange everything through residents where WebRTC is blocked', async () => {
    scene = new Scene()
    lans = new Lans()
    await twoNodes()
    const [left, right] = [lans.host('a'), lans.host('b')]
    for (const namespace of [left, right]) lans.blockUdp(namespace)
    const ana = await Person.arrive(await scene.browser({ namespace: left }), url('a'), 'Ana')
    const bill = await FirefoxPerson.arrive(scene, url('b'), 'Bill', right)
    await ana.say('from Chromium')
    await bill.say('from Firefox')
    await ana.sees('from Firefox')
    await bill.sees('from Chromium')
    await ana.seesState('from Chromium', 'delivered 1 of 1')
    await bill.seesState('from Firefox', 'delivered 1 of 1')
    await bill.reload()
    await bill.sees('from Chromium')
    await bill.sees('from Firefox')
  })

  it('bring others together: two Chromiums find each other through a Firefox alone, with every helper dead', async () => {
    scene = new Scene()
    lans = new Lans()
    const helpers = await twoNodes()
    const ana = await FirefoxPerson.arrive(scene, url('a'), 'Ana', lans.host('a'))
    const bill = await Person.arrive(await scene.browser({ namespace: lans.host('b') }), url('b'), 'Bill')
    await bill.reaches(1)
    // Cara is on Ana's LAN; for now nothing passes between her and Bill.
    lans.block(lans.hostAddress('a', 2), lans.hostAddress('b', 1))
    const cara = await Person.arrive(await scene.browser({ namespace: lans.host('a') }), url('a'), 'Cara')
    await cara.reaches(2)
    const connections = async () => (await cara.connections()).length
    await expect.poll(connections, { timeout: 30_000 }).toBe(1)
    for (const helper of helpers) await helper.kill('SIGKILL')
    await ana.say('Still here?')
    await bill.sees('Still here?')
    await cara.sees('Still here?')
    await bill.say('Still here.')
    await ana.sees('Still here.')
    await cara.sees('Still here.')

    lans.unblock()
    const people = cara.page.getByRole('complementary', { name: 'People' })
    await people
      .getByRole('listitem', { name: 'Bill, here' })
      .filter({ hasText: 'direct' })
      .waitFor({ timeout: 90_000 })
    await cara.say('Direct now')
    await bill.sees('Direct now')
    await ana.sees('Direct now')
    await cara.seesState('Direct now', 'delivered 2 of 2')
    await ana.seesState('Still here?', 'delivered 2 of 2')
  })
})
