import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { FirefoxPerson, firefoxMissing } from './firefox.ts'
import { Person, Scene } from './harness.ts'

const shots = process.env['SCREENSHOTS']
const port = '18' + String(800 + (process.pid % 90))
const url = `http://localhost:${port}/`
const args = ['--name', 'node-a', '--port', port, '--stun-port', '0', '--host', '127.0.0.1', '--memory']

/** The app as a file (`ux.md` §4.20): for computers whose browser cannot install it. */
describe('a saved copy', () => {
  let scene: Scene
  afterEach(() => scene.close())

  /** @returns the saved file's path */
  async function save(person: Person): Promise<string> {
    await person.page.getByRole('button', { name: 'Settings' }).click()
    const [download] = await Promise.all([
      person.page.waitForEvent('download'),
      person.page.getByRole('button', { name: 'Save a copy for this computer' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('meshchat.html')
    const file = join(scene.folder, 'meshchat.html')
    await download.saveAs(file)
    await person.page.getByText('Saved as meshchat.html.').waitFor()
    return file
  }

  it('finds the node, exchanges messages, searches, and opens with what it has when no node is left', async () => {
    scene = new Scene()
    const node = await scene.helper({ args })
    const ana = await Person.arrive(await scene.browser(), url, 'Ana')
    await ana.say('Before the copy')
    const file = await save(ana)
    expect(readFileSync(file, 'utf8')).toContain(`["${url}"`)

    const browser = await scene.browser({ profile: 'Copy' })
    const bill = await Person.arrive(browser, `file://${file}`, 'Bill')
    await bill.sees('Before the copy')
    await bill.say('From a file')
    await ana.sees('From a file')
    await bill.seesState('From a file', 'delivered 1 of 1')
    await bill.page.keyboard.press('Control+Shift+F')
    await bill.page.getByRole('searchbox').fill('before')
    await bill.page.getByRole('dialog').getByText('Before the copy').waitFor()
    await bill.page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    // What is given to others leads to a node, not to a file of Bill's.
    await bill.page.getByRole('button', { name: 'About #general' }).click()
    await bill.page.getByText('Invite', { exact: true }).click()
    await bill.page.getByText(`${url}#/c/general`).waitFor()
    await bill.page.keyboard.press('Escape')
    await bill.reaches(1)
    if (shots !== undefined) await bill.page.screenshot({ path: join(shots, 'copy-laptop.png') })

    // Through the node they were in reach before they were linked.
    const people = bill.page.getByRole('complementary', { name: 'People' })
    await people.getByRole('listitem', { name: 'Ana, here' }).filter({ hasText: 'direct' }).waitFor()
    await node.kill('SIGKILL')
    await bill.say('The node is gone')
    await ana.sees('The node is gone')
    await bill.page.reload()
    await bill.sees('From a file')
    await bill.say('Kept in the file’s storage')
    await bill.page.reload()
    await bill.sees('Kept in the file’s storage')
  })

  it.skipIf(firefoxMissing !== undefined)('opens in Firefox too', async () => {
    scene = new Scene()
    await scene.helper({ args })
    const ana = await Person.arrive(await scene.browser(), url, 'Ana')
    const file = await save(ana)
    const bill = await FirefoxPerson.arrive(scene, `file://${file}`, 'Bill')
    await bill.say('From a file in Firefox')
    await ana.sees('From a file in Firefox')
    await bill.seesState('From a file in Firefox', 'delivered 1 of 1')
    await bill.reload()
    await bill.sees('From a file in Firefox')
  })
})
