import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'

const shots = process.env['SCREENSHOTS']

describe('channels', () => {
  let scene: Scene
  afterEach(() => scene.close())

  async function people(...names: readonly string[]): Promise<Person[]> {
    scene = new Scene()
    const helper = await scene.helper({
      args: ['--port', '0', '--stun-port', '0', '--memory', '--host', '127.0.0.1'],
    })
    const all: Person[] = []
    for (const name of names) all.push(await Person.arrive(await scene.browser(), helper.url, name))
    for (const person of all) await person.reaches(names.length - 1)
    return all
  }

  const sheet = (page: Page) => page.getByRole('dialog')

  async function about(person: Person, title: string): Promise<Locator> {
    await person.page.getByRole('button', { name: `About ${title}` }).click()
    return sheet(person.page)
  }

  async function shot(page: Page, name: string): Promise<void> {
    if (shots !== undefined) await page.screenshot({ path: join(shots, `${name}.png`) })
  }

  /** The menu of a message, by its own key. */
  async function act(person: Person, text: string): Promise<Locator> {
    await person.article(text).first().focus()
    await person.page.keyboard.press('Enter')
    return sheet(person.page)
  }

  it('are found by others, owned, moderated, closed and left', { timeout: 180_000 }, async () => {
    const [ana, bill, carl] = await people('Ana', 'Bill', 'Carl')
    if (ana === undefined || bill === undefined || carl === undefined) throw new Error('nobody came')
    await ana.page.getByRole('button', { name: 'New channel' }).click()
    await sheet(ana.page).getByRole('textbox', { name: 'Channel name' }).fill('Shelter')
    await sheet(ana.page)
      .getByRole('radio', { name: /^Moderated/ })
      .click()
    await sheet(ana.page).getByRole('textbox', { name: 'What it is for' }).fill('Beds and blankets')
    await shot(ana.page, 'new-channel')
    await sheet(ana.page).getByRole('button', { name: 'Create' }).click()
    await ana.say('Welcome to the shelter', 'shelter')

    // Bill finds it among what people in reach are in.
    await bill.page.getByRole('button', { name: 'Find channels' }).click()
    await sheet(bill.page).getByText('Beds and blankets').waitFor()
    await shot(bill.page, 'find-channels')
    await sheet(bill.page).getByRole('button', { name: 'Join #shelter' }).click()
    await bill.sees('Welcome to the shelter')
    // Carl comes by the link.
    const owners = await about(ana, '#shelter')
    await owners.getByText('Invite', { exact: true }).click()
    await owners.getByRole('img', { name: /^Code with the link/ }).waitFor()
    const link = await owners.getByText(/#\/i\/shelter\//).innerText()
    await shot(ana.page, 'channel-owner')
    await owners.getByRole('button', { name: 'Close', exact: true }).click()
    await carl.page.goto(link)
    await carl.page.getByRole('button', { name: 'Join #shelter' }).click()
    await carl.sees('Welcome to the shelter')
    await carl.say('Cheap watches!', 'shelter')
    await bill.say('40 blankets left', 'shelter')
    for (const person of [ana, bill]) await person.sees('Cheap watches!')

    // Nobody but a moderator is offered to pin or remove.
    const plain = await act(bill, 'Cheap watches!')
    await plain.getByRole('button', { name: 'Reply' }).waitFor()
    expect(await plain.getByRole('button', { name: /moderator|Pin/ }).count()).toBe(0)
    await bill.page.keyboard.press('Escape')
    const appointing = await about(ana, '#shelter')
    await appointing.getByLabel('Make somebody a moderator').selectOption({ label: 'Bill' })
    await appointing.getByRole('button', { name: 'Make moderator' }).click()
    await appointing.getByText('Moderators (2)').waitFor()
    await appointing.getByRole('button', { name: 'Close', exact: true }).click()
    await bill.article('Cheap watches!').first().focus()
    await expect
      .poll(async () => {
        const menu = await act(bill, 'Cheap watches!')
        const count = await menu.getByRole('button', { name: 'Remove as moderator' }).count()
        if (count === 0) await bill.page.keyboard.press('Escape')
        return count
      })
      .toBe(1)
    await sheet(bill.page).getByRole('button', { name: 'Remove as moderator' }).click()
    await sheet(bill.page).getByRole('button', { name: 'Delete', exact: true }).click()
    for (const person of [ana, bill, carl]) {
      await person.page.locator('article').filter({ hasText: 'Bill removed a message by Carl' }).waitFor()
    }
    const pinning = await act(bill, '40 blankets left')
    await pinning.getByRole('button', { name: 'Pin', exact: true }).click()
    for (const person of [ana, carl]) {
      await person.page.getByRole('list', { name: 'Pinned' }).getByText('40 blankets left').waitFor()
    }
    await shot(carl.page, 'channel-pinned')

    // Closed: only moderators write, and others are told why.
    const closing = await about(ana, '#shelter')
    await closing.getByRole('button', { name: 'Close channel' }).click()
    await closing.getByRole('button', { name: 'Close', exact: true }).click()
    await carl.page.getByText('#shelter is closed. Only its moderators can write here.').waitFor()
    expect(await carl.composer('shelter').count()).toBe(0)
    await shot(carl.page, 'channel-closed')
    await bill.say('Closed for tonight', 'shelter')
    await carl.sees('Closed for tonight')

    // All of it again after a reload, and leaving can be undone.
    await carl.page.reload()
    await carl.page.getByRole('list', { name: 'Pinned' }).getByText('40 blankets left').waitFor()
    await carl.page.getByText('#shelter is closed.').waitFor()
    const leaving = await about(carl, '#shelter')
    await leaving.getByRole('button', { name: 'Leave channel' }).click()
    await carl.page.getByText('You left #shelter.').waitFor()
    expect(await carl.page.getByRole('link', { name: /#shelter/ }).count()).toBe(0)
    await carl.page.getByRole('button', { name: 'Undo' }).click()
    await carl.page.getByRole('link', { name: /#shelter/ }).click()
    await carl.sees('Closed for tonight')
  })

  it('are muted, marked as read, and say how far one has read where one wants that', async () => {
    const [ana, bill] = await people('Ana', 'Bill')
    if (ana === undefined || bill === undefined) throw new Error('nobody came')
    for (const person of [ana, bill]) {
      await person.page.getByRole('button', { name: 'New channel' }).click()
      await sheet(person.page).getByRole('textbox', { name: 'Channel name' }).fill('logistics')
      await sheet(person.page).getByRole('button', { name: 'Create' }).click()
      await person.composer('logistics').waitFor()
    }
    const muting = await about(bill, '#logistics')
    await muting.getByLabel('Alerts for this channel').selectOption('Nothing (muted)')
    await muting.getByLabel('Tell others how far I have read here').check()
    await shot(bill.page, 'channel-open')
    await muting.getByRole('button', { name: 'Close', exact: true }).click()
    await bill.page.getByRole('link', { name: /#general/ }).click()
    await ana.say('Truck is here', 'logistics')
    const entry = bill.page.getByRole('link', { name: '#logistics, 1 unread, muted' })
    await entry.waitFor()
    expect(await bill.page.title()).toBe('meshchat')
    expect(await entry.innerText()).toContain('muted')
    await entry.click()
    await bill.sees('Truck is here')
    await ana.seesState('Truck is here', 'read by 1')
  })

  it('hide what somebody says whom this device does not want to hear, and nobody else', async () => {
    const [ana, bill, carl] = await people('Ana', 'Bill', 'Carl')
    if (ana === undefined || bill === undefined || carl === undefined) throw new Error('nobody came')
    await carl.say('Cheap watches!')
    for (const person of [ana, bill]) await person.sees('Cheap watches!')
    await ana.page.getByRole('button', { name: 'About Carl' }).click()
    await sheet(ana.page).getByLabel('What this person says').selectOption('Hide on this device')
    await shot(ana.page, 'person')
    await sheet(ana.page).getByRole('button', { name: 'Close' }).click()
    const hidden = ana.page.locator('article').filter({ hasText: 'A message by Carl is hidden.' })
    await hidden.waitFor()
    expect(await ana.article('Cheap watches!').count()).toBe(0)
    expect(await bill.article('Cheap watches!').count()).toBe(1)
    await ana.page.reload()
    await hidden.waitFor()
    await hidden.getByRole('button', { name: 'Show' }).click()
    await ana.sees('Cheap watches!')
    // What is hidden is passed on and confirmed all the same.
    await carl.seesState('Cheap watches!', 'delivered 2 of 2')
  })
})
