import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene, root } from './harness.ts'
import { bothSizes } from './picture.ts'
import { attach, card, get, isLinkedTo, isWhole, makeFile, savedHash, shareOf } from './sharing.ts'

/** Files between browsers at one node, through their screens. */
describe('files', () => {
  let scene: Scene
  afterEach(() => scene.close())

  const args = ['--name', 'node-a', '--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1']

  it.each([
    ['localhost', 'localhost'],
    ['plain http', 'node1.local.mesh'],
  ])('%s: is offered, fetched, saved, and kept over a reload', async (_tier, host) => {
    scene = new Scene()
    const helper = await scene.helper({ args })
    const url = helper.url.replace(/localhost|127\.0\.0\.1/, host)
    const mesh = { args: ['--host-resolver-rules=MAP *.local.mesh 127.0.0.1'] }
    const ana = await Person.arrive(await scene.browser(mesh), url, 'Ana')
    const bill = await Person.arrive(await scene.browser(mesh), url, 'Bill')
    await ana.reaches(1)
    const list = makeFile(scene, 'shelter-list.xlsx', 3_000_000)
    await attach(ana, [list.path], 'Who sleeps where')
    await card(ana, list).getByText('3 MB · only you have it').waitFor()
    await card(bill, list).getByText('3 MB · from Ana').waitFor()
    await bothSizes(bill, 'file-offered')
    await get(bill, list)
    await isWhole(bill, list)
    expect(await savedHash(bill, list)).toBe(list.hash)
    await card(ana, list)
      .getByText(/other device/)
      .waitFor()
    await bill.page.reload()
    await isWhole(bill, list)
    expect(await savedHash(bill, list)).toBe(list.hash)
    await bothSizes(bill, 'file-complete')
  })

  it('are shared by dropping and by pasting', async () => {
    scene = new Scene()
    const helper = await scene.helper({ args })
    const ana = await Person.arrive(await scene.browser(), helper.url, 'Ana')
    const sheet = ana.page.getByRole('dialog')
    for (const [kind, name] of [
      ['drop', 'plan.txt'],
      ['paste', 'list.csv'],
    ] as const) {
      await ana.composer('general').focus()
      await ana.page.evaluate(give, { kind, name })
      await sheet.getByText(name).first().waitFor()
      await sheet.getByRole('button', { name: 'Send' }).click()
      await card(ana, { name })
        .getByText(/only you have it/)
        .waitFor()
      await sheet.waitFor({ state: 'detached' })
    }
  })

  it('cost a source that spoils them its own link, and nobody else anything', async () => {
    scene = new Scene()
    const { url } = await scene.helper({ args })
    const ana = await Person.arrive(await scene.browser(), url, 'Ana')
    const patched = await scene.browser()
    await patched.context.addInitScript(spoilParts)
    const mallory = await Person.arrive(patched, url, 'Mallory')
    await isLinkedTo(ana, 1)
    const map = makeFile(scene, 'map.mbtiles', 8_000_000)
    await attach(ana, [map.path])
    await card(mallory, map).waitFor()
    await get(mallory, map)
    await isWhole(mallory, map)
    const bill = await Person.arrive(await scene.browser(), url, 'Bill')
    await isLinkedTo(bill, 2)
    await card(bill, map).waitFor()
    await get(bill, map)
    await card(bill, map)
      .getByText(/^The copy from Mallory was damaged; that part (comes|came) from somebody else\.$/)
      .waitFor()
    await isWhole(bill, map)
    await bothSizes(bill, 'file-damaged')
    expect(await savedHash(bill, map)).toBe(map.hash)
    expect(await mallory.page.evaluate(() => Reflect.get(globalThis, 'spoiled') as number)).toBeGreaterThan(0)
    await ana.say('Is it readable?')
    await bill.sees('Is it readable?')
  })

  it('are all on one page, where they are found by name, kind and place', async () => {
    scene = new Scene()
    const { url } = await scene.helper({ args })
    const ana = await Person.arrive(await scene.browser(), url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), url, 'Bill')
    await ana.reaches(1)
    await bill.reaches(1)
    const [list, map] = [makeFile(scene, 'list.xlsx', 400_000), makeFile(scene, 'north.png', 400_000)]
    await attach(ana, [list.path], 'Who sleeps where')
    await attach(ana, [map.path])
    await get(bill, list)
    await isWhole(bill, list)
    await card(bill, map).waitFor()
    await bill.page.keyboard.press('Control+k')
    await bill.page.getByRole('combobox').fill('files')
    await bill.page.keyboard.press('Enter')
    const page = bill.page.getByRole('dialog', { name: 'Files' })
    const found = page.getByRole('group')
    await expect.poll(() => found.count()).toBe(2)
    await bothSizes(bill, 'files-page')
    const kind = page.getByRole('combobox', { name: 'What kind of files' })
    await kind.selectOption('Pictures')
    await expect.poll(() => found.allInnerTexts().then(String)).toContain('north.png')
    expect(await found.count()).toBe(1)
    await kind.selectOption('All kinds')
    const place = page.getByRole('combobox', { name: 'Where the files are' })
    await place.selectOption('On this device')
    await expect.poll(() => found.allInnerTexts().then(String)).toContain('list.xlsx')
    expect(await found.count()).toBe(1)
    await place.selectOption('Elsewhere')
    await page.getByRole('group', { name: 'north.png' }).getByRole('button', { name: 'Get' }).click()
    await page.getByText('No file like that.').waitFor()
    await place.selectOption('Everywhere')
    await page.getByRole('searchbox').fill('SLEEPS from:ana')
    await expect.poll(() => found.count()).toBe(1)
    await page.getByRole('button', { name: 'Show in the chat' }).click()
    await page.waitFor({ state: 'detached' })
    await card(bill, list).waitFor()
    // A search for messages finds it by its name, too.
    await bill.page.keyboard.press('Control+Shift+f')
    await bill.page.getByRole('searchbox').fill('list.xlsx')
    await bill.page.getByRole('dialog').getByText('Who sleeps where').waitFor()
  })

  it('shows pictures that come by themselves, and nothing that could harm', async () => {
    scene = new Scene()
    const { url } = await scene.helper({ args })
    const ana = await Person.arrive(await scene.browser(), url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), url, 'Bill')
    await ana.reaches(1)
    const icon = readFileSync(join(root, 'static/icon-512.png'))
    const give = async (name: string, mimeType: string, buffer: Buffer) => {
      await ana.page.getByLabel('File', { exact: true }).setInputFiles([{ name, mimeType, buffer }])
      await ana.page.getByRole('dialog').getByRole('button', { name: 'Send' }).click()
      await card(ana, { name: name.replace(/[\\/]/g, ' ').trim() }).waitFor()
    }
    await give('north road.png', 'image/png', icon)
    const shown = card(bill, { name: 'north road.png' })
    await isWhole(bill, { name: 'north road.png' })
    await expect
      .poll(() => shown.locator('img').evaluate((img: HTMLImageElement) => img.naturalWidth))
      .toBe(512)
    await bothSizes(bill, 'file-picture')
    await shown.getByRole('button', { name: 'Open' }).click()
    const sheet = bill.page.getByRole('dialog', { name: 'north road.png' })
    await sheet.getByRole('img', { name: 'Picture: north road.png' }).waitFor()
    await bill.page.keyboard.press('Escape')
    await sheet.waitFor({ state: 'detached' })

    // A head that says 60,000 × 60,000 pixels: decoded it would fill the memory.
    const bomb = Buffer.from(icon)
    bomb.writeUInt32BE(60_000, 16)
    bomb.writeUInt32BE(60_000, 20)
    await give('bomb.png', 'image/png', bomb)
    await card(bill, { name: 'bomb.png' }).getByText('Too large to be shown here').waitFor()
    expect(await card(bill, { name: 'bomb.png' }).locator('img').count()).toBe(0)

    // Text that would run as a page of the node is handed out as bytes.
    await give('page.html', 'text/html', Buffer.from('<script>alert(1)</script>'))
    await get(bill, { name: 'page.html' })
    await isWhole(bill, { name: 'page.html' })
    expect(await card(bill, { name: 'page.html' }).getByRole('button', { name: 'Open' }).count()).toBe(0)
    await savedHash(bill, { name: 'page.html' })

    // What this device holds can be removed, and fetched again.
    await bill.page.keyboard.press('Control+k')
    await bill.page.getByRole('combobox').fill('Storage')
    await bill.page.keyboard.press('Enter')
    const storage = bill.page.getByRole('dialog', { name: 'Storage' })
    await storage.getByText('Files on this device: 3, ').waitFor()
    await bothSizes(bill, 'file-storage')
    for (const [name, left] of [
      ['page.html', 2],
      ['north road.png', 1],
    ] as const) {
      const remove = storage.getByRole('button', { name: `Remove ${name}` })
      await remove.click()
      const anyway = remove.getByText('Remove anyway')
      if ((await anyway.count()) > 0) await anyway.click()
      await storage.getByText(`Files on this device: ${left}, `).waitFor()
    }
    await bill.page.keyboard.press('Escape')
    await get(bill, { name: 'page.html' })
    await isWhole(bill, { name: 'page.html' })
    // What came by itself and was removed does not come by itself again.
    await bill.page.reload()
    await isWhole(bill, { name: 'page.html' })
    await shown.getByRole('button', { name: 'Get' }).waitFor()
  })

  it.each([
    ['localhost', 'localhost'],
    ['plain http', 'node1.local.mesh'],
  ])(
    '%s: wait when the disk is full, in plain words, lose nothing else, and go on when there is room',
    async (tier, host) => {
      scene = new Scene()
      const helper = await scene.helper({ args })
      const url = helper.url.replace(/localhost|127\.0\.0\.1/, host)
      const mesh = { args: ['--host-resolver-rules=MAP *.local.mesh 127.0.0.1'] }
      const { origin } = new URL(url)
      const ana = await Person.arrive(await scene.browser(mesh), url, 'Ana')
      /** Chromium remembers for minutes how much room there was: each state of the disk gets a browser of its own. */
      const open = async (quotaSize?: number) => {
        const browser = await scene.browser({ ...mesh, profile: 'Bill' })
        const page = browser.context.pages()[0] ?? (await browser.context.newPage())
        const client = await browser.context.newCDPSession(page)
        if (quotaSize !== undefined)
          await client.send('Storage.overrideQuotaForOrigin', { origin, quotaSize })
        return browser
      }
      const small = await open(10_000_000)
      const bill = await Person.arrive(small, url, 'Bill')
      await ana.reaches(1)
      const map = makeFile(scene, 'map.mbtiles', 16_000_000)
      await attach(ana, [map.path])
      await get(bill, map)
      await card(bill, map)
        .getByText(/^No room on this device: /)
        .waitFor({ timeout: 60_000 })
      // A file system wants room for all of a file before its end is written, wherever one begins.
      if (tier === 'plain http') expect(await shareOf(bill, map)).toBeGreaterThan(0.1)
      await bothSizes(bill, 'file-full')
      await card(bill, map).getByRole('button', { name: 'Make room' }).click()
      await bill.page.getByRole('dialog', { name: 'Storage' }).waitFor()
      await bill.page.keyboard.press('Escape')
      await ana.say('Still here?')
      // On plain http files and messages share what room there is; what did not fit comes when there is some.
      if (tier === 'localhost') await bill.sees('Still here?')
      await small.context.close()

      const roomy = await open()
      const again = new Person(roomy.context.pages()[0] ?? (await roomy.context.newPage()), 'Bill')
      await again.page.goto(url)
      await again.sees('Still here?')
      await isWhole(again, map)
      expect(await savedHash(again, map)).toBe(map.hash)
    },
  )
})

/** In the page: as a file manager does it. */
function give({ kind, name }: { kind: 'drop' | 'paste'; name: string }): void {
  const data = new DataTransfer()
  data.items.add(new File(['shelter 1: 40 people'], name, { type: 'text/plain' }))
  const event =
    kind === 'drop'
      ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
      : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
  document.activeElement?.dispatchEvent(event)
}

/** In the page: the last byte of each part of a file that leaves is another one. */
function spoilParts(): void {
  const partCode = 39
  const original = Reflect.get(RTCDataChannel.prototype, 'send') as (data: Uint8Array) => void
  const counted = { spoiled: 0 }
  Object.defineProperty(globalThis, 'spoiled', { get: () => counted.spoiled })
  RTCDataChannel.prototype.send = function (data: unknown) {
    const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : (data as Uint8Array)
    if (bytes[0] === partCode) {
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
      counted.spoiled += 1
    }
    original.call(this, bytes)
  }
}
