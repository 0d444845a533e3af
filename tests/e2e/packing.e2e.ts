import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'
import { bothSizes } from './picture.ts'
import { card, get, isWhole, makeFile, savedBytes } from './sharing.ts'

/** What does not go as it is: folders, many files at once, texts that are too long for a message. */
describe('what is packed', () => {
  let scene: Scene
  afterEach(() => scene.close())

  const args = ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1']

  async function two() {
    scene = new Scene()
    const { url } = await scene.helper({ args })
    const ana = await Person.arrive(await scene.browser(), url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), url, 'Bill')
    await ana.reaches(1)
    return { ana, bill, sheet: ana.page.getByRole('dialog') }
  }

  /** @returns what stands in a zip that has arrived, each as text */
  async function unpacked(person: Person, name: string): Promise<Record<string, string>> {
    const files = unzipSync(await savedBytes(person, { name }))
    return Object.fromEntries(
      Object.entries(files).map(([path, bytes]) => [path, new TextDecoder().decode(bytes)]),
    )
  }

  function makeFolder(): { readonly path: string; readonly content: Readonly<Record<string, string>> } {
    const path = join(scene.folder, 'shelter plans')
    mkdirSync(join(path, 'upstairs'), { recursive: true })
    const content = {
      'shelter plans/hall.txt': '40 beds\n'.repeat(20_000),
      'shelter plans/upstairs/Raum für Kinder.txt': '12 Betten',
    }
    for (const [name, text] of Object.entries(content)) writeFileSync(join(scene.folder, name), text)
    return { path, content }
  }

  it('a folder that is chosen goes as one zip, with what is in it said', async () => {
    const { ana, bill, sheet } = await two()
    const { path, content } = makeFolder()
    const map = makeFile(scene, 'map.bin', 50_000)
    await ana.page.getByLabel('File', { exact: true }).setInputFiles([map.path])
    await sheet.getByRole('textbox', { name: 'Add a message' }).waitFor()
    await sheet.getByLabel('Add a folder').and(ana.page.locator('input')).setInputFiles(path)
    await sheet.getByText('2 files').waitFor()
    await bothSizes(ana, 'file-folder')
    expect(await sheet.getByRole('heading').textContent()).toBe('Send 2 files')
    await sheet.getByRole('button', { name: 'Send' }).click()
    await bill.page
      .getByRole('feed')
      .getByText(/hall.txt.*Raum für Kinder.txt|Raum für Kinder.txt.*hall.txt/)
      .waitFor()
    for (const name of [map.name, 'shelter plans.zip']) {
      await card(bill, { name }).waitFor()
      await get(bill, { name })
      await isWhole(bill, { name })
    }
    expect(await unpacked(bill, 'shelter plans.zip')).toEqual(content)
  })

  it('a folder that is dropped goes as one zip', async () => {
    const { ana, bill, sheet } = await two()
    const { path, content } = makeFolder()
    const client = await ana.page.context().newCDPSession(ana.page)
    const data = { items: [], files: [path], dragOperationsMask: 1 }
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
      await client.send('Input.dispatchDragEvent', { type, x: 640, y: 400, data })
    await sheet.getByText('2 files').waitFor()
    await sheet.getByRole('button', { name: 'Send' }).click()
    await card(bill, { name: 'shelter plans.zip' }).waitFor()
    await get(bill, { name: 'shelter plans.zip' })
    await isWhole(bill, { name: 'shelter plans.zip' })
    expect(await unpacked(bill, 'shelter plans.zip')).toEqual(content)
  })

  it('more files than go at once go as one', async () => {
    const { ana, bill, sheet } = await two()
    const all = Array.from({ length: 12 }, (_, i) => {
      const path = join(scene.folder, `list-${i}.csv`)
      writeFileSync(path, `shelter ${i}`)
      return path
    })
    await ana.page.getByLabel('File', { exact: true }).setInputFiles(all)
    await sheet.getByText('At most 10 files at once; the rest was left out.').waitFor()
    await sheet.getByRole('button', { name: 'Send all 12 as one zip file' }).click()
    await sheet.getByText('12 files').waitFor()
    await sheet.getByRole('button', { name: 'Send', exact: true }).click()
    await card(bill, { name: 'files.zip' }).waitFor()
    await get(bill, { name: 'files.zip' })
    await isWhole(bill, { name: 'files.zip' })
    expect(Object.keys(await unpacked(bill, 'files.zip'))).toHaveLength(12)
  })

  it('a text that is too long for a message goes as a file, and leaves the composer when it is kept', async () => {
    const { ana, bill, sheet } = await two()
    const text = 'All that we know. '.repeat(400)
    const composer = ana.composer('general')
    await composer.fill(text)
    await composer.press('Enter')
    await sheet.getByText('Too long for a message: it goes as a file.').waitFor()
    await bothSizes(ana, 'file-long-text')
    await sheet.getByRole('button', { name: 'Close' }).click()
    expect(await composer.inputValue()).toBe(text)
    await composer.press('Enter')
    await sheet.getByRole('button', { name: 'Send' }).click()
    await expect.poll(() => composer.inputValue()).toBe('')
    await card(bill, { name: 'message.txt' }).waitFor()
    await get(bill, { name: 'message.txt' })
    await isWhole(bill, { name: 'message.txt' })
    expect(new TextDecoder().decode(await savedBytes(bill, { name: 'message.txt' }))).toBe(text)
  })
})
