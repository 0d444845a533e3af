import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'
import { picture } from './picture.ts'

/** Two people at one node, who change and answer what they said. */
describe('messages', () => {
  let scene: Scene
  let ana: Person
  let bill: Person

  beforeAll(async () => {
    scene = new Scene()
    const { url } = await scene.helper({
      args: ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--name', 'node-a'],
    })
    ana = await Person.arrive(await scene.browser(), url, 'Ana')
    bill = await Person.arrive(await scene.browser({ viewport: { width: 390, height: 844 } }), url, 'Bill')
    await bill.page.goto(`${url}#/c/general`)
    await ana.reaches(1)
    await bill.reaches(1)
  })
  afterAll(() => scene.close())

  const menu = async (person: Person, text: string, action: string) => {
    await person.article(text).first().hover()
    await person.article(text).first().getByRole('button', { name: 'More actions' }).click()
    await person.page.getByRole('dialog').getByRole('button', { name: action, exact: true }).click()
  }

  it('are all sent, each once, when they are written faster than they are stored', async () => {
    const texts = Array.from({ length: 5 }, (_, i) => `${i + 1} of five in a hurry`)
    await ana.page.evaluate((written) => {
      const box = document.querySelector<HTMLTextAreaElement>('textarea[aria-label="Message #general"]')
      if (box === null) throw new Error('no composer')
      for (const text of written) {
        box.value = text
        box.dispatchEvent(new InputEvent('input', { bubbles: true }))
        for (let presses = 0; presses < 2; presses++)
          box.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }))
      }
    }, texts)
    for (const text of texts) await bill.sees(text)
    await ana.cleared()
    expect((await bill.texts()).filter((text) => text.endsWith('in a hurry'))).toEqual(texts)
    // Nothing of it comes back as a draft.
    await ana.page.reload()
    await ana.sees(texts[0] ?? '')
    expect(await ana.composer('general').inputValue()).toBe('')
    await ana.reaches(1)
  })

  it('are answered with a quote that leads to what was answered', async () => {
    await ana.say('Generator fuel: 40 L left')
    await bill.sees('Generator fuel: 40 L left')
    await menu(bill, 'Generator fuel: 40 L left', 'Reply')
    await bill.page.getByText('Replying to Ana').waitFor()
    await picture(bill, 'message-replying-phone')
    await bill.say('Truck leaves at 14:30')
    await ana.sees('Truck leaves at 14:30')
    const quote = ana.article('Truck leaves at 14:30').getByRole('button', { name: /Generator fuel/ })
    await quote.click()
    const focused = () => ana.page.evaluate(() => document.activeElement?.querySelector('.text')?.textContent)
    await expect.poll(focused).toBe('Generator fuel: 40 L left')
    expect(await ana.article('Truck leaves at 14:30').getAttribute('aria-label')).toContain('Answer to Ana')
  })

  it('are reacted to, on and off, and everybody sees who', async () => {
    await menu(ana, 'Truck leaves at 14:30', 'React with 👍')
    const chip = bill.page.getByRole('button', { name: '👍, Ana' })
    await chip.waitFor()
    await picture(bill, 'message-reacted-phone')
    await chip.click()
    await ana.page.getByRole('button', { name: '👍, Ana, Bill' }).waitFor()
    await picture(ana, 'message-reacted-laptop')
    await bill.page.getByRole('button', { name: '👍, Ana, Bill' }).click()
    await ana.page.getByRole('button', { name: '👍, Ana', exact: true }).waitFor()
  })

  it('are changed by their author, who finds the draft as it was', async () => {
    await ana.composer('general').fill('half a thou')
    await menu(ana, 'Generator fuel: 40 L left', 'Edit')
    await picture(ana, 'message-editing-laptop')
    await ana.composer('general').fill('Generator fuel: 30 L left')
    await ana.page.getByRole('button', { name: 'Save' }).click()
    await bill.sees('Generator fuel: 30 L left')
    expect(await bill.article('Generator fuel: 30 L left').getAttribute('aria-label')).toContain('edited')
    await expect.poll(() => ana.composer('general').inputValue()).toBe('half a thou')
    await ana.composer('general').fill('')
    // After a reload the edit and the reaction are still there.
    await bill.page.reload()
    await bill.sees('Generator fuel: 30 L left')
    await bill.page.getByRole('button', { name: '👍, Ana', exact: true }).waitFor()
  })

  it('say what they said before', async () => {
    await ana.article('Generator fuel: 30 L left').first().hover()
    await ana.article('Generator fuel: 30 L left').getByRole('button', { name: 'More actions' }).click()
    await ana.page.getByText('Earlier versions').click()
    await ana.page.getByRole('dialog').getByText('Generator fuel: 40 L left').waitFor()
    await ana.page.keyboard.press('Escape')
  })

  it('name people from a list, by keyboard or pointer', async () => {
    const box = ana.composer('general')
    await box.focus()
    await ana.page.keyboard.type('come @bi')
    const list = ana.page.getByRole('listbox', { name: 'People to mention' })
    await list.getByRole('option', { name: '@Bill' }).waitFor()
    await picture(ana, 'mention-laptop')
    await ana.page.keyboard.press('Enter')
    expect(await box.inputValue()).toBe('come @Bill ')
    await ana.page.keyboard.type('and @')
    await ana.page.keyboard.press('Escape')
    await list.waitFor({ state: 'detached' })
    await ana.page.keyboard.type('al')
    await list.getByRole('option', { name: '@all' }).click()
    expect(await box.inputValue()).toBe('come @Bill and @all ')
    await box.fill('')
  })

  it('tell who has them', async () => {
    await ana.seesState('Generator fuel: 30 L left', 'delivered 1 of 1')
    await menu(ana, 'Generator fuel: 30 L left', 'Who has this')
    const sheet = ana.page.getByRole('dialog', { name: 'Who has this message' })
    await sheet.getByText('With these people (1)').waitFor()
    await sheet.getByText('Bill', { exact: true }).waitFor()
    await picture(ana, 'message-who-has-laptop')
    await ana.page.keyboard.press('Escape')
    await sheet.waitFor({ state: 'detached' })
  })

  it('are deleted for everyone, after a question', async () => {
    await ana.say('a mistake')
    await bill.sees('a mistake')
    await menu(ana, 'a mistake', 'Delete for everyone')
    await ana.page.getByText('People out of reach will still see it').waitFor()
    await picture(ana, 'message-delete-laptop')
    await ana.page.getByRole('button', { name: 'Delete', exact: true }).click()
    await bill.page.getByText('Ana deleted a message').waitFor()
    expect(await bill.article('a mistake').count()).toBe(0)
  })

  it('are walked, answered, reacted to, changed and looked up by keyboard alone', async () => {
    const { keyboard } = ana.page
    await ana.composer('general').focus()
    await keyboard.type('by keyboard')
    await keyboard.press('Enter')
    await ana.cleared()
    await keyboard.press('ArrowUp')
    await keyboard.type(' alone')
    await keyboard.press('Enter')
    await bill.sees('by keyboard alone')
    await keyboard.press('Shift+Tab')
    const focused = () => ana.page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')
    expect(await focused()).toContain('by keyboard alone')
    await keyboard.press('r')
    await ana.page.getByText('Replying to Ana').waitFor()
    await keyboard.press('Escape')
    await keyboard.press('Shift+Tab')
    await keyboard.press('Enter')
    await ana.page.getByRole('dialog', { name: 'Message actions' }).waitFor()
    await keyboard.press('Escape')
    expect(await focused()).toContain('by keyboard alone')
    await keyboard.press('w')
    await ana.page.getByRole('dialog', { name: 'Who has this message' }).waitFor()
    await keyboard.press('Escape')
  })

  it('are found on this device as somebody types, by their words, people and rooms', async () => {
    await bill.say('spare batteries are in the blue box')
    await ana.sees('spare batteries are in the blue box')
    const { page } = ana
    await page.keyboard.press('Control+Shift+F')
    const sheet = page.getByRole('dialog', { name: 'Search' })
    const field = sheet.getByRole('searchbox')
    await field.fill('BATT box')
    await sheet.getByRole('button', { name: /spare batteries/ }).waitFor()
    await sheet.getByText(/^Searched \d+ messages on this device/).waitFor()
    await picture(ana, 'search-laptop')
    await field.fill('batteries from:ana')
    await sheet.getByText('Nothing on this device matches').waitFor()
    // What was edited is found by what it says now; what was deleted is not.
    await field.fill('fuel 40')
    await sheet.getByText('Nothing on this device matches').waitFor()
    await field.fill('mistake')
    await sheet.getByText('Nothing on this device matches').waitFor()
    await field.fill('fuel 30 from:ana in:gen')
    await sheet.getByRole('button', { name: /Generator fuel: 30 L left/ }).click()
    const focused = () => page.evaluate(() => document.activeElement?.querySelector('.text')?.textContent)
    await expect.poll(focused).toBe('Generator fuel: 30 L left')
    // Something new does not lead back there.
    await ana.composer('general').focus()
    await bill.say('one more')
    await ana.sees('one more')
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('TEXTAREA')
    // What has just come is found too.
    await page.keyboard.press('Control+Shift+F')
    await field.fill('one more')
    await sheet.getByRole('button', { name: /one more/ }).waitFor()
    // The browser's own: the first one empties the field.
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await sheet.waitFor({ state: 'detached' })
  })

  it('are sent once, however quickly Save is pressed twice, and never the draft instead', async () => {
    await ana.say('edit me')
    await ana.composer('general').fill('half a thought')
    await menu(ana, 'edit me', 'Edit')
    await ana.composer('general').fill('edited me')
    await ana.page.getByRole('button', { name: 'Save' }).dblclick()
    await bill.sees('edited me')
    await expect.poll(() => ana.composer('general').inputValue()).toBe('half a thought')
    expect(await ana.article('half a thought').count()).toBe(0)
    await ana.composer('general').fill('')
  })

  it('are told to a screen reader once, and not what one says oneself', async () => {
    const { page } = ana
    const said = page.getByRole('log', { name: 'New messages' })
    await bill.say('read this aloud')
    await expect.poll(() => said.textContent(), { timeout: 10_000 }).toContain('Bill: read this aloud')
    await ana.say('my own words')
    for (let i = 0; i < 5; i++) await bill.say(`burst ${i}`)
    await expect
      .poll(() => said.textContent(), { timeout: 10_000 })
      .toMatch(/new messages in #general from 1 person|burst/)
    expect(await said.textContent()).not.toContain('my own words')
  })

  it('show bold, lists and links as such, and nothing else', async () => {
    await bill.say('*now* <b>not</b> @Ana\n- water\n- bread\nhttp://eoc.local.mesh/a')
    const article = ana.page.locator('article').filter({ hasText: 'not</b>' })
    await article.locator('strong', { hasText: 'now' }).waitFor()
    expect(await article.locator('li').allTextContents()).toEqual(['water', 'bread'])
    expect(await article.locator('b').count()).toBe(0)
    expect(await article.locator('a').getAttribute('rel')).toBe('noopener noreferrer')
    expect(await article.locator('mark.me').textContent()).toBe('@Ana')
    await picture(ana, 'message-markdown-laptop')
    await picture(bill, 'message-markdown-phone')
  })
})
