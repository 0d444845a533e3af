import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect as netConnect, createServer } from 'node:net'
import { join } from 'node:path'
import { connect, type Browser, type Page } from 'puppeteer-core'
import { expect } from 'vitest'
import type { Scene } from './harness.ts'

const firefoxPath = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr'
/** Why no scene with Firefox can be played here; undefined: one can. */
export const firefoxMissing = existsSync(firefoxPath) ? undefined : 'needs firefox-esr'

export interface FirefoxOptions {
  /** Network namespace to run in. */
  readonly namespace?: string
  /** Lines of `user.js`. */
  readonly preferences?: readonly string[]
}

/** Firefox is spoken to by a port of its own loopback: passed on through a socket in the file system, which all see. */
async function startFirefox(scene: Scene, { namespace, preferences = [] }: FirefoxOptions): Promise<Browser> {
  const port = await freePort()
  const profile = join(scene.folder, `firefox-${port}`)
  mkdirSync(profile)
  writeFileSync(join(profile, 'user.js'), preferences.join('\n'))
  const args = ['--headless', '--no-remote', '--profile', profile, `--remote-debugging-port=${port}`]
  run(scene, namespace, firefoxPath, args)
  if (namespace !== undefined) await bridge(scene, namespace, port)
  return connected(`ws://127.0.0.1:${port}/session`)
}

function run(
  scene: Scene,
  namespace: string | undefined,
  program: string,
  args: readonly string[],
): ChildProcess {
  const whole = [...(namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]), program, ...args]
  const [first = '', ...rest] = whole
  const child = spawn(first, rest, { stdio: 'ignore', env: { ...process.env, HOME: scene.folder } })
  scene.onClose(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null)
      await new Promise((resolve) => child.once('exit', resolve))
  })
  return child
}

async function bridge(scene: Scene, namespace: string, port: number): Promise<void> {
  const socket = join(scene.folder, `bridge-${port}`)
  const inside = `
    const net = require('node:net')
    net.createServer((one) => {
      const other = net.connect(${port}, '127.0.0.1')
      one.pipe(other).pipe(one)
      for (const end of [one, other]) end.on('error', () => { one.destroy(); other.destroy() })
    }).listen(${JSON.stringify(socket)})`
  run(scene, namespace, process.execPath, ['-e', inside])
  const outside = createServer((one) => {
    const other = netConnect(socket)
    one.pipe(other).pipe(one)
    for (const end of [one, other]) end.on('error', () => [one, other].map((side) => side.destroy()))
  })
  await new Promise<void>((resolve) => outside.listen(port, '127.0.0.1', resolve))
  scene.onClose(() => {
    outside.close()
  })
}

async function connected(browserWSEndpoint: string): Promise<Browser> {
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
export class FirefoxPerson {
  readonly page: Page

  private constructor(page: Page) {
    this.page = page
  }

  static async arrive(
    scene: Scene,
    url: string,
    name: string,
    options: FirefoxOptions = {},
  ): Promise<FirefoxPerson> {
    const browser = await startFirefox(scene, options)
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

  async attach(path: string): Promise<void> {
    const input = await this.page.waitForSelector('input[type=file]')
    // The selector says what it is.
    await input?.uploadFile(path)
    await (await this.page.waitForSelector('dialog button.primary'))?.click()
    await this.page.waitForFunction(() => document.querySelector('dialog[open]') === null)
  }

  /** Fetches it, until it is here whole. */
  async getsFile(name: string): Promise<void> {
    await (await this.page.waitForSelector(`[role=group][aria-label="${name}"] .actions button`))?.click()
    await this.page.waitForFunction(
      (wanted) =>
        document
          .querySelector(`[role=group][aria-label="${wanted}"]`)
          ?.textContent.includes('complete and checked') === true,
      {},
      name,
    )
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

  /** Waits until some element says it. */
  async isTold(text: string): Promise<void> {
    await this.page.waitForFunction((wanted) => document.body.innerText.includes(wanted), {}, text)
  }

  reload(): Promise<unknown> {
    return this.page.reload()
  }
}
