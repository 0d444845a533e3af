/**
 * Real parts for end-to-end scenes: helper processes, Chromium, network namespaces. Whoever starts something
 * here gets it ended: `close` of the scene ends processes by id and removes the namespaces that it made.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../root.ts'
import { chromium, type BrowserContext, type Locator, type Page } from 'playwright-core'

export { root }
export const chromiumPath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

/** Debian's Chromium as root, without calls to its maker (`dependencies.md` §2). */
export const chromiumArgs = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export interface HelperProcess {
  readonly url: string
  readonly urls: readonly string[]
  readonly process: ChildProcess
  kill(signal?: NodeJS.Signals): Promise<void>
}

export interface HelperOptions {
  readonly args?: readonly string[]
  /** Network namespace to run in. */
  readonly namespace?: string
  readonly env?: Readonly<Record<string, string>>
  /** The helper's bundle, where it is not this one. */
  readonly program?: string
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('exit', () => resolve())
  })
}

/** One scene: everything that was opened, to be closed in reverse. */
export class Scene {
  private readonly closers: (() => Promise<void> | void)[] = []
  readonly folder = mkdtempSync(join(tmpdir(), 'meshchat-e2e-'))

  onClose(close: () => Promise<void> | void): void {
    this.closers.push(close)
  }

  async close(): Promise<void> {
    for (const close of this.closers.reverse()) await close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  async helper(options: HelperOptions = {}): Promise<HelperProcess> {
    const { args = [], namespace, env = {}, program: bundle = join(root, 'signal/dist/signal.mjs') } = options
    // Nothing of a test is told to the network that this machine is in.
    const quiet = namespace === undefined ? ['--no-discovery'] : []
    const command = [process.execPath, bundle, ...args, ...quiet]
    const full = namespace === undefined ? command : ['ip', 'netns', 'exec', namespace, ...command]
    const [program = '', ...rest] = full
    const child = spawn(program, rest, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, MESHCHAT_APP: join(root, 'build'), MESHCHAT_LOG: 'error', ...env },
    })
    const kill = async (signal: NodeJS.Signals = 'SIGTERM') => {
      child.kill(signal)
      await ended(child)
    }
    this.onClose(() => kill('SIGKILL'))
    const line = await readyLine(child)
    const urls = line.replace(/^.* ready at /, '').split(', ')
    return { url: urls[0] ?? '', urls, process: child, kill }
  }

  /** Two nodes on this machine that are neighbours. */
  async twoNodes(): Promise<[HelperProcess, HelperProcess]> {
    const base = ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1']
    const a = await this.helper({ args: [...base, '--name', 'node-a'] })
    return [a, await this.helper({ args: [...base, '--name', 'node-b', '--neighbor', a.url] })]
  }

  /** @param profile a name makes the profile survive the browser */
  async browser(options: BrowserOptions = {}): Promise<Browser> {
    const { namespace, profile, args = [], viewport = { width: 1280, height: 800 } } = options
    const folder = join(this.folder, profile ?? `profile-${Math.random().toString(36).slice(2)}`)
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: namespace === undefined ? chromiumPath : this.wrapper(namespace),
      args: [...chromiumArgs, ...args],
      viewport,
      colorScheme: options.colorScheme ?? 'light',
      hasTouch: options.isTouched ?? false,
      isMobile: options.isTouched ?? false,
      env: { ...process.env, ...options.env },
    })
    this.onClose(() => context.close().catch(() => undefined))
    await prepare(context)
    return { context, folder }
  }

  /** People at one machine, each with storage of their own that lasts as long as the browser. */
  async people(count: number, namespace: string): Promise<Browser[]> {
    const program = await chromium.launch({ executablePath: this.wrapper(namespace), args: chromiumArgs })
    this.onClose(() => program.close().catch(() => undefined))
    const made: Browser[] = []
    for (let i = 0; i < count; i++) {
      const context = await program.newContext({ viewport: { width: 1280, height: 800 } })
      await prepare(context)
      made.push({ context, folder: '' })
    }
    return made
  }

  /** Chromium inside a namespace: Playwright only needs a program to start. */
  private wrapper(namespace: string): string {
    const file = join(this.folder, `chromium-${namespace}`)
    if (!existsSync(file)) {
      writeFileSync(file, `#!/bin/sh\nexec ip netns exec ${namespace} ${chromiumPath} "$@"\n`, {
        mode: 0o755,
      })
    }
    return file
  }
}

export interface BrowserOptions {
  readonly namespace?: string
  readonly profile?: string
  readonly args?: readonly string[]
  readonly viewport?: { readonly width: number; readonly height: number }
  readonly colorScheme?: 'light' | 'dark'
  readonly env?: Readonly<Record<string, string>>
  /** A phone: fingers instead of a mouse. */
  readonly isTouched?: boolean
}

export interface Browser {
  readonly context: BrowserContext
  readonly folder: string
}

/**
 * Pages of a browser stand still, with their connections, as on a phone that was put away. (A page that has WebRTC is
 * not frozen by `Page.setWebLifecycleState`.) @returns what lets them go on
 */
export function standStill({ folder }: Browser): () => void {
  const processes = new Map<number, { readonly parent: number; readonly command: string }>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8')
      // After the name of the program in brackets: state, parent (proc(5)).
      const parent = readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) \S+ (\d+) [\s\S]*$/, '$1')
      processes.set(Number(name), { parent: Number(parent), command })
    } catch {
      // It has ended meanwhile.
    }
  }
  const belongs = (id: number): boolean => {
    const one = processes.get(id)
    return one !== undefined && (one.command.includes(`--user-data-dir=${folder}`) || belongs(one.parent))
  }
  const pages = [...processes].flatMap(([id, { command }]) =>
    command.includes('--type=renderer') && belongs(id) ? [id] : [],
  )
  if (pages.length === 0) throw new Error('no page to stop')
  for (const id of pages) process.kill(id, 'SIGSTOP')
  return () => {
    for (const id of pages) process.kill(id, 'SIGCONT')
  }
}

/** SIGKILL to the browser's process, as Android does it. */
export async function killBrowser({ context, folder }: Browser): Promise<void> {
  // Chromium writes `host-pid` into this link; the process is ours, its profile is in our folder.
  const pid = Number(readlinkSync(join(folder, 'SingletonLock')).split('-').at(-1))
  const gone = new Promise((resolve) => context.once('close', resolve))
  process.kill(pid, 'SIGKILL')
  await gone
  // The kill leaves its locks behind.
  for (const name of ['SingletonLock', 'SingletonSocket', 'SingletonCookie'])
    rmSync(join(folder, name), { force: true })
}

async function prepare(context: BrowserContext): Promise<void> {
  context.setDefaultTimeout(30_000)
  await context.addInitScript(watchConnections)
  // Asked whether to go although something waits here: yes.
  context.on('dialog', (dialog) => {
    if (dialog.type() === 'beforeunload') void dialog.accept()
    else void dialog.dismiss()
  })
}

/** In the page, before the app: remembers each connection, so that a test can ask for its statistics. */
function watchConnections(): void {
  const made: RTCPeerConnection[] = []
  const Original = RTCPeerConnection
  class Watched extends Original {
    constructor(config?: RTCConfiguration) {
      super(config)
      made.push(this)
    }
  }
  Object.assign(globalThis, { RTCPeerConnection: Watched, watchedConnections: made })
}

function readyLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const line = text.split('\n').find((one) => one.includes(' ready at '))
      if (line !== undefined) resolve(line)
    })
    child.once('exit', (code) => reject(new Error(`the helper ended with ${code} before it was ready`)))
  })
}

/** A person at a page, by the accessible names that the design page fixes. */
export class Person {
  readonly page: Page
  readonly name: string

  constructor(page: Page, name: string) {
    this.page = page
    this.name = name
  }

  static async arrive(browser: Browser, url: string, name: string): Promise<Person> {
    const page = browser.context.pages()[0] ?? (await browser.context.newPage())
    const person = new Person(page, name)
    await page.goto(url)
    await page.getByRole('textbox', { name: 'Your name' }).fill(name)
    await page.getByRole('button', { name: 'Start chatting' }).click()
    await person.composer('general').waitFor()
    return person
  }

  composer(room: string): Locator {
    return this.page.getByRole('textbox', { name: `Message #${room}`, exact: true })
  }

  async say(text: string, room = 'general'): Promise<void> {
    await this.composer(room).fill(text)
    await this.page.getByRole('button', { name: /^Send/ }).click()
    await this.cleared(room)
  }

  /** The composer is empty: the message is durable here. */
  async cleared(room = 'general'): Promise<void> {
    await this.page.waitForFunction((label) => {
      const box = [...document.querySelectorAll('textarea')].find((one) => one.ariaLabel === label)
      return box?.value === ''
    }, `Message #${room}`)
  }

  article(text: string): Locator {
    return this.page
      .locator('article')
      .filter({ has: this.page.locator('.text', { hasText: exactly(text) }) })
  }

  async sees(text: string): Promise<void> {
    await this.article(text).first().waitFor()
  }

  async stateOf(text: string): Promise<string> {
    return ((await this.article(text).first().getAttribute('aria-label')) ?? '').split(', ').at(-1) ?? ''
  }

  /** Waits until the words after the last comma of the message's name match. */
  async seesState(text: string, words: string): Promise<void> {
    await this.page.waitForFunction(
      ([wanted, state]) =>
        [...document.querySelectorAll('article')].some(
          (one) =>
            one.querySelector('.text')?.textContent === wanted &&
            one.ariaLabel?.endsWith(`, ${state}`) === true,
        ),
      [text, words] as const,
    )
  }

  /** Waits until so many people are in reach. */
  async reaches(people: number): Promise<void> {
    await this.page.waitForFunction(
      (wanted) =>
        [...document.querySelectorAll('[role=status]')].some((one) =>
          one.textContent.trim().match(new RegExp(`(^|\\s)${wanted} in reach`)),
        ),
      people,
    )
  }

  /** Texts on the screen from top to bottom. */
  async texts(): Promise<string[]> {
    return this.page.locator('article .text').allTextContents()
  }

  /** Type and address family of the selected candidate pairs, and bytes on the data channels. */
  async connections(): Promise<ConnectionReport[]> {
    return this.page.evaluate(reportConnections)
  }
}

export interface ConnectionReport {
  readonly local: string
  readonly remote: string
  readonly bytesReceived: number
  readonly bytesSent: number
}

async function reportConnections(): Promise<ConnectionReport[]> {
  const { watchedConnections } = globalThis as unknown as { watchedConnections: RTCPeerConnection[] }
  const reports: ConnectionReport[] = []
  for (const connection of watchedConnections) {
    if (connection.connectionState !== 'connected') continue
    const stats = new Map<string, Record<string, unknown>>()
    ;(await connection.getStats()).forEach((one: { id: string }) => stats.set(one.id, { ...one }))
    for (const one of stats.values()) {
      if (one['type'] !== 'transport') continue
      const pair = stats.get(String(one['selectedCandidatePairId']))
      const local = stats.get(String(pair?.['localCandidateId']))
      const remote = stats.get(String(pair?.['remoteCandidateId']))
      reports.push({
        local: String(local?.['candidateType']),
        remote: String(remote?.['candidateType']),
        bytesReceived: Number(one['bytesReceived']),
        bytesSent: Number(one['bytesSent']),
      })
    }
  }
  return reports
}

function exactly(text: string): RegExp {
  return new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)
}
