import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene, root } from './harness.ts'
import { bothSizes } from './picture.ts'

const port = '18' + String(900 + (process.pid % 90))

/** States that come from this device and its browser rather than from the mesh, each brought about for real. */
describe('a device', () => {
  let scene: Scene
  afterEach(() => scene.close())

  const args = ['--name', 'node-a', '--memory', '--stun-port', '0', '--host', '127.0.0.1']
  const banner = ({ page }: Person, words: string | RegExp) =>
    page.getByRole('status', { name: 'Notice' }).getByText(words)

  it('runs out of space: says so, keeps the text that does not fit, and says what the browser may delete', async () => {
    scene = new Scene()
    const { url } = await scene.helper({ args: [...args, '--port', '0'] })
    const { origin } = new URL(url)
    /** Chromium remembers for minutes how much room there was: it learns its limit before anything else. */
    const open = async (quotaSize?: number) => {
      const { context } = await scene.browser({ profile: 'Ana' })
      const page = context.pages()[0] ?? (await context.newPage())
      const client = await context.newCDPSession(page)
      if (quotaSize !== undefined) await client.send('Storage.overrideQuotaForOrigin', { origin, quotaSize })
      return { context, page }
    }
    const first = await open()
    const before = await Person.arrive({ ...first, folder: '' }, url, 'Ana')
    await before.say('Before')
    await first.context.close()

    const full = await open(1_000)
    const late = new Person(full.page, 'Ana')
    await full.page.goto(url)
    await late.sees('Before')
    await late.composer('general').fill('Does not fit')
    await full.page.getByRole('button', { name: /^Send/ }).click()
    await full.page
      .getByRole('alert')
      .getByText('Not sent: storage is full. Your text is still here.')
      .waitFor()
    await banner(late, 'Storage full.').waitFor()
    await bothSizes(late, 'storage-full')
    expect(await late.composer('general').inputValue()).toBe('Does not fit')
    await full.context.close()

    const roomy = await open()
    const again = new Person(roomy.page, 'Ana')
    await roomy.page.goto(url)
    await again.sees('Before')
    await roomy.page.keyboard.press('Control+k')
    await roomy.page.getByRole('combobox').fill('Storage')
    await roomy.page.keyboard.press('Enter')
    const sheet = roomy.page.getByRole('dialog', { name: 'Storage' })
    await sheet.getByText(/used by meshchat/).waitFor()
    await bothSizes(again, 'storage')
    await roomy.page.keyboard.press('Escape')
    await again.say('Fits again')
    await again.sees('Fits again')

    // Somebody who has written a few messages is told. Headless Chromium promises nobody to keep anything.
    for (let i = 1; i <= 4; i++) await again.say(`Message ${i}`)
    const bill = await Person.arrive(await scene.browser(), url, 'Bill')
    await bill.reaches(1)
    const card = roomy.page.getByRole('note', { name: 'This browser may delete your messages' })
    await card.waitFor()
    await bothSizes(again, 'storage-refused')
    await card.getByRole('button', { name: 'Not now' }).click()
    await card.waitFor({ state: 'detached' })
  })

  it('shows that it is starting, and when a node is tried again', async () => {
    scene = new Scene()
    const node = await scene.helper({ args: [...args, '--port', '0'] })
    const browser = await scene.browser()
    await browser.context.route('**/*.js', async (route) => {
      await held
      await route.continue()
    })
    let goOn: () => void = () => undefined
    const held = new Promise<void>((resolve) => (goOn = resolve))
    const page = browser.context.pages()[0] ?? (await browser.context.newPage())
    await page.goto(node.url, { waitUntil: 'commit' })
    await page.getByText('Opening your messages…').waitFor()
    await bothSizes({ page }, 'starting')
    goOn()
    await browser.context.unrouteAll({ behavior: 'wait' })
    const ana = await Person.arrive(browser, node.url, 'Ana')
    await banner(ana, 'You’re the first one here.').waitFor()
    await node.kill('SIGKILL')
    await ana.page
      .getByRole('status', { name: 'Notice' })
      .getByText(/^Trying again in [1-9]\d? s\.$/)
      .waitFor()
    await bothSizes(ana, 'trying-again')
  })

  it('has a newer app ready, and restarts into it when told to, with the draft kept', async () => {
    scene = new Scene()
    const app = join(scene.folder, 'app')
    cpSync(join(root, 'build'), app, { recursive: true })
    const start = () => scene.helper({ args: [...args, '--port', port], env: { MESHCHAT_APP: app } })
    const node = await start()
    const ana = await Person.arrive(await scene.browser(), `http://localhost:${port}/`, 'Ana')
    await ana.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
    await node.kill()
    // Another build of the app: its worker has other bytes.
    const worker = join(app, 'service-worker.js')
    writeFileSync(worker, `${readFileSync(worker, 'utf8')}\n// The next one.\n`)
    for (const packed of ['.gz', '.br']) rmSync(`${worker}${packed}`)
    await start()
    await ana.page.reload()
    await ana.composer('general').pressSequentially('half a thou')
    await ana.page.getByText('Update ready.').waitFor()
    await bothSizes(ana, 'update-ready')
    await Promise.all([
      ana.page.waitForEvent('load'),
      ana.page.getByRole('button', { name: 'Restart' }).click(),
    ])
    await expect.poll(() => ana.composer('general').inputValue()).toBe('half a thou')
    const isNew = () =>
      ana.page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.waiting === null)
    await expect.poll(isNew).toBe(true)
  })

  it('says that its node runs another release', async () => {
    scene = new Scene()
    const other = (version: string) => {
      const file = join(scene.folder, `signal-${version}.mjs`)
      const text = readFileSync(join(root, 'signal/dist/signal.mjs'), 'utf8')
      writeFileSync(file, text.replaceAll('0.1.0', version))
      return file
    }
    const old = await scene.helper({ args: [...args, '--port', port], program: other('0.0.9') })
    const { context } = await scene.browser()
    const ana = await Person.arrive({ context, folder: '' }, old.url, 'Ana')
    await banner(ana, 'Node node-a runs an older meshchat (0.0.9).').waitFor()
    await bothSizes(ana, 'version-older')
    await old.kill()
    await scene.helper({ args: [...args, '--port', port], program: other('0.2.0') })
    await ana.page.reload()
    await banner(ana, 'Node node-a runs a newer meshchat (0.2.0).').waitFor()
    await bothSizes(ana, 'version-newer')
  })

  it('goes back to the app that it had when an update does not start', async () => {
    scene = new Scene()
    const app = join(scene.folder, 'app')
    cpSync(join(root, 'build'), app, { recursive: true })
    const start = () => scene.helper({ args: [...args, '--port', port], env: { MESHCHAT_APP: app } })
    const node = await start()
    const ana = await Person.arrive(await scene.browser(), `http://localhost:${port}/`, 'Ana')
    await ana.say('Before the update')
    await ana.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
    await node.kill()
    // A newer build whose first module breaks; what it replaces is on no node any more.
    const page = readFileSync(join(app, 'index.html'), 'utf8')
    const entry = /_app\/immutable\/entry\/(start\.[\w-]+\.js)/.exec(page)?.[1] ?? ''
    const folder = join(app, '_app/immutable/entry')
    writeFileSync(join(folder, 'start.broken.js'), 'throw new Error("does not start")')
    const changed = (name: string, change: (text: string) => string) => {
      const file = join(app, name)
      writeFileSync(file, change(readFileSync(file, 'utf8')))
      for (const packed of ['.gz', '.br']) rmSync(`${file}${packed}`, { force: true })
    }
    changed('index.html', (text) => text.replaceAll(entry, 'start.broken.js'))
    changed('service-worker.js', (text) =>
      text.replaceAll(entry, 'start.broken.js').replaceAll('0.1.0', '0.1.1'),
    )
    for (const packed of ['', '.gz', '.br']) rmSync(join(folder, `${entry}${packed}`))
    await start()
    await ana.page.reload()
    await ana.page.getByRole('button', { name: 'Restart' }).click()
    await ana.page.waitForFunction(() => document.querySelector('.app') === null)
    await ana.page.getByText('The update didn’t start, so the version before it is running.').waitFor({
      timeout: 60_000,
    })
    await ana.sees('Before the update')
    await bothSizes(ana, 'update-taken-back')
    await ana.page.reload()
    await ana.sees('Before the update')
  })
})
