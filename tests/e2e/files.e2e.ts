import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'
import { bothSizes } from './picture.ts'

/** Files between browsers, through their screens. */
describe('files', () => {
  let scene: Scene
  afterEach(() => scene.close())

  const args = ['--name', 'node-a', '--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1']
  const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

  /** @returns its path and hash */
  function make(name: string, bytes: number): { path: string; hash: string } {
    const content = randomBytes(bytes)
    const path = join(scene.folder, name)
    writeFileSync(path, content)
    return { path, hash: hashOf(content) }
  }

  async function attach({ page }: Person, paths: readonly string[], text = ''): Promise<void> {
    await page.getByLabel('File', { exact: true }).setInputFiles([...paths])
    const sheet = page.getByRole('dialog')
    if (text !== '') await sheet.getByRole('textbox', { name: 'Add a message' }).fill(text)
    await sheet.getByRole('button', { name: 'Send' }).click()
    await sheet.waitFor({ state: 'detached' })
  }

  const card = ({ page }: Person, name: string) => page.getByRole('group', { name, exact: true })

  async function saved(person: Person, name: string): Promise<string> {
    const download = person.page.waitForEvent('download')
    await card(person, name).getByRole('button', { name: 'Save' }).click()
    return hashOf(readFileSync(await (await download).path()))
  }

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
    const list = make('shelter-list.xlsx', 3_000_000)
    await attach(ana, [list.path], 'Who sleeps where')
    await card(ana, 'shelter-list.xlsx').getByText('3 MB · only you have it').waitFor()
    await card(bill, 'shelter-list.xlsx').getByText('3 MB · from Ana').waitFor()
    await bothSizes(bill, 'file-offered')
    await card(bill, 'shelter-list.xlsx').getByRole('button', { name: 'Get' }).click()
    await card(bill, 'shelter-list.xlsx').getByText('3 MB · complete and checked').waitFor()
    expect(await saved(bill, 'shelter-list.xlsx')).toBe(list.hash)
    await card(ana, 'shelter-list.xlsx')
      .getByText(/other device/)
      .waitFor()
    await bill.page.reload()
    await card(bill, 'shelter-list.xlsx').getByText('3 MB · complete and checked').waitFor()
    expect(await saved(bill, 'shelter-list.xlsx')).toBe(list.hash)
    await bothSizes(bill, 'file-complete')
  })
})
