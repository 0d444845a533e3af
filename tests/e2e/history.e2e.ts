import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRoomId } from '../../src/mesh/ids.ts'
import { Person, Scene } from './harness.ts'
import { picture } from './picture.ts'
import { Stranger } from './stranger.ts'

/** What one does with a history beside reading and writing: going about in it, picking from it, keeping it small. */
describe('a history', () => {
  let scene: Scene
  let url: string
  let ana: Person
  let bill: Person
  const strangers: Stranger[] = []

  beforeAll(async () => {
    scene = new Scene()
    const args = ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--name', 'node-a']
    ;({ url } = await scene.helper({ args }))
    ana = await Person.arrive(await scene.browser(), url, 'Ana')
    bill = await Person.arrive(await scene.browser({ viewport: { width: 390, height: 844 } }), url, 'Bill')
    await bill.page.goto(`${url}#/c/general`)
    await ana.reaches(1)
    await bill.reaches(1)
  })
  afterAll(async () => {
    for (const one of strangers) one.leave()
    await scene.close()
  })

  async function menu(person: Person, text: string, action: string): Promise<void> {
    await person.article(text).first().hover()
    await person.article(text).first().getByRole('button', { name: 'More actions' }).click()
    await person.page.getByRole('dialog').getByRole('button', { name: action, exact: true }).click()
  }

  async function create(person: Person, name: string): Promise<void> {
    const back = person.page.getByRole('link', { name: 'Back to chats' })
    if (await back.isVisible()) await back.click()
    await person.page.getByRole('button', { name: 'New channel' }).click()
    const dialog = person.page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: 'Channel name' }).fill(name)
    await dialog.getByRole('button', { name: 'Create' }).click()
    await person.composer(name).waitFor()
  }

  async function toRoom(person: Person, name: string): Promise<void> {
    const back = person.page.getByRole('link', { name: 'Back to chats' })
    if (await back.isVisible()) await back.click()
    const tab = person.page
      .getByRole('navigation', { name: 'Sections' })
      .getByRole('link', { name: /^Chats/ })
    if (await tab.isVisible()) await tab.click()
    const chats = person.page.getByRole('navigation', { name: 'Chats' })
    await chats.getByRole('link', { name: new RegExp(`^#${name}\\b`) }).click()
    await person.composer(name).waitFor()
  }

  it('tells who is writing, until it is said or given up', async () => {
    // It is told to those only who are linked.
    const people = ana.page.getByRole('complementary', { name: 'People' })
    await people.getByRole('listitem', { name: 'Bill, here' }).filter({ hasText: 'direct' }).waitFor()
    await bill.composer('general').pressSequentially('On my w')
    await ana.page.getByText('Bill is writing…').waitFor()
    await picture(ana, 'typing-laptop')
    await bill.composer('general').pressSequentially('ay')
    await bill.page.getByRole('button', { name: /^Send/ }).click()
    await ana.sees('On my way')
    await ana.page.getByText('Bill is writing…').waitFor({ state: 'detached' })
    // Whoever does not want it told, is not told of.
    await ana.page.getByRole('button', { name: 'Settings' }).click()
    await ana.page.getByRole('checkbox', { name: 'Tell people nearby when I am writing' }).uncheck()
    await ana.page.getByRole('button', { name: 'Close' }).click()
    // What is shown for a moment only is remembered.
    await bill.page.evaluate(() => {
      const seen = { isTyping: false }
      new MutationObserver(() => (seen.isTyping ||= document.body.innerText.includes('is writing…'))).observe(
        document.body,
        { subtree: true, childList: true, characterData: true },
      )
      Object.assign(globalThis, { seen })
    })
    const wasSeen = () =>
      bill.page.evaluate(() => (globalThis as unknown as { seen: { isTyping: boolean } }).seen.isTyping)
    await ana.composer('general').pressSequentially('Quietly')
    await ana.say('Quietly said')
    await bill.sees('Quietly said')
    expect(await wasSeen()).toBe(false)
    // The same look sees it where it is told.
    await ana.page.getByRole('button', { name: 'Settings' }).click()
    await ana.page.getByRole('checkbox', { name: 'Tell people nearby when I am writing' }).check()
    await ana.page.getByRole('button', { name: 'Close' }).click()
    await ana.composer('general').pressSequentially('Aloud')
    await expect.poll(wasSeen).toBe(true)
    await ana.composer('general').fill('')
  })

  it('stays at its end when rows grow before the browser tells of its scrolling', async () => {
    await create(ana, 'long')
    for (let i = 1; i <= 20; i++) await ana.say(`Message ${i}\nof\nfour\nlines`, 'long')
    const scrollBy = (px: number, growPx = 0) =>
      ana.page.evaluate(
        ([by, grow]) => {
          const feed = document.querySelector('.scroll')
          const row = [...document.querySelectorAll('article')].at(-2)
          if (feed === null || row === undefined) throw new Error('no history')
          feed.scrollTop += by
          row.style.paddingBottom = `${grow}px`
          return new Promise<number>((resolve) =>
            requestAnimationFrame(() =>
              requestAnimationFrame(() => resolve(feed.scrollHeight - feed.scrollTop - feed.clientHeight)),
            ),
          )
        },
        [px, growPx] as const,
      )
    await scrollBy(1_000)
    await scrollBy(-40)
    expect(await scrollBy(40, 300)).toBeLessThan(2)
    expect(await ana.page.getByRole('button', { name: 'Newest' }).count()).toBe(0)
    // Who moves up has left.
    await scrollBy(-500, 300)
    await ana.page.getByRole('button', { name: 'Newest' }).waitFor()
    await toRoom(ana, 'general')
  })

  it('takes an emoji by its name into the text, and sends nothing by that', async () => {
    await ana.composer('general').fill('Stay clear of the ')
    await ana.page.getByRole('button', { name: 'Emoji' }).click()
    const sheet = ana.page.getByRole('dialog', { name: 'Emoji' })
    await sheet.getByRole('searchbox').fill('fire eng')
    await sheet.getByRole('searchbox').press('Enter')
    await picture(ana, 'emoji-laptop')
    await sheet.getByRole('button', { name: 'fire engine' }).click()
    await sheet.waitFor({ state: 'detached' })
    expect(await ana.composer('general').inputValue()).toBe('Stay clear of the 🚒')
    expect(await ana.page.locator('article').filter({ hasText: 'Stay clear' }).count()).toBe(0)
    await ana.composer('general').fill('')
  })

  it('shows what people say of themselves, with the picture that they chose', async () => {
    await ana.page.getByRole('button', { name: 'Change your name' }).click()
    const sheet = ana.page.getByRole('dialog', { name: 'Your name and picture' })
    await sheet.getByRole('textbox', { name: 'Status' }).fill('On watch until 18:00')
    await sheet.getByRole('radio', { name: '📻' }).check({ force: true })
    await sheet.getByRole('radio', { name: 'Colour 3' }).check({ force: true })
    await picture(ana, 'profile-laptop')
    await sheet.getByRole('button', { name: 'Save' }).click()
    await bill.page.evaluate(() => (location.hash = '#/people'))
    const people = bill.page.getByRole('complementary', { name: 'People' })
    await people.getByText('On watch until 18:00').waitFor()
    await people.getByRole('button', { name: 'About Ana' }).click()
    await bill.page.getByRole('dialog', { name: 'Ana' }).getByText('📻').waitFor()
    await picture(bill, 'person-phone')
    await bill.page.keyboard.press('Escape')
    await toRoom(bill, 'general')
    // It is said again after a reload.
    await ana.page.reload()
    await ana.composer('general').waitFor()
    await ana.reaches(1)
    const own = ana.page.locator('article .avatar').filter({ hasText: '📻' })
    await ana.say('Here again')
    await bill.sees('Here again')
    await expect.poll(() => own.count()).toBeGreaterThan(0)
    await bill.page.evaluate(() => (location.hash = '#/people'))
    await people.getByText('On watch until 18:00').waitFor()
    await toRoom(bill, 'general')
  })

  it('is picked from: copied, forwarded with its source, and deleted here only', async () => {
    await create(ana, 'logistics')
    await toRoom(ana, 'general')
    await bill.say('Fuel: 40 L')
    await bill.say('Water: 200 L')
    await ana.sees('Water: 200 L')
    await menu(ana, 'Fuel: 40 L', 'Select')
    const bar = ana.page.getByRole('toolbar', { name: 'Chosen messages' })
    await bar.getByText('1 message chosen').waitFor()
    await ana.article('Water: 200 L').getByRole('checkbox').check()
    await bar.getByText('2 messages chosen').waitFor()
    await picture(ana, 'picked-laptop')
    await bar.getByRole('button', { name: 'Forward' }).click()
    const sheet = ana.page.getByRole('dialog', { name: 'Forward 2 messages' })
    await picture(ana, 'forward-laptop')
    await sheet.getByRole('button', { name: '#logistics' }).click()
    await ana.page.getByText('2 messages forwarded to #logistics.').waitFor()
    await bar.waitFor({ state: 'detached' })
    await toRoom(ana, 'logistics')
    const forwarded = ana.page.locator('article').filter({ hasText: 'Water: 200 L' })
    await forwarded.getByText(/^Forwarded from Bill in #general, /).waitFor()
    expect(await forwarded.locator('blockquote').textContent()).toContain('Water: 200 L')

    await toRoom(ana, 'general')
    await menu(ana, 'Fuel: 40 L', 'Delete for me')
    await ana.article('Fuel: 40 L').waitFor({ state: 'detached' })
    await ana.page.getByRole('button', { name: 'Undo' }).click()
    await ana.sees('Fuel: 40 L')
    await menu(ana, 'Fuel: 40 L', 'Delete for me')
    await ana.article('Fuel: 40 L').waitFor({ state: 'detached' })
    await ana.page.reload()
    await ana.sees('Water: 200 L')
    expect(await ana.article('Fuel: 40 L').count()).toBe(0)
    expect(await bill.article('Fuel: 40 L').count()).toBe(1)
  })

  it('is gone about in by keyboard: to a channel, by number of the day, to the next part, and read at once', async () => {
    const { page } = ana
    await page.keyboard.press('Control+k')
    const palette = page.getByRole('dialog', { name: 'Go to…' })
    await palette.getByRole('combobox').pressSequentially('logi')
    await picture(ana, 'palette-laptop')
    await page.keyboard.press('Enter')
    await ana.composer('logistics').waitFor()
    await page.keyboard.press('Control+k')
    await palette.getByRole('combobox').pressSequentially('jump to')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Jump to a date' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.locator('article').last().focus()
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
    await picture(ana, 'keys-laptop')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await ana.composer('logistics').focus()
    await page.keyboard.press('F6')
    await expect.poll(() => page.evaluate(() => document.activeElement?.closest('aside') !== null)).toBe(true)
    await page.keyboard.press('Shift+F6')
    await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('TEXTAREA')
  })

  it('with more unread than is shown begins at the end, and leads to the first of them and to a day', async () => {
    await create(bill, 'shelter')
    const talker = await Stranger.arrive('Talker', url)
    strangers.push(talker)
    const shelter = openRoomId('shelter')
    talker.join('shelter')
    await toRoom(ana, 'general')
    await create(ana, 'shelter')
    await talker.says(shelter, 'line 0')
    await ana.sees('line 0')
    await toRoom(ana, 'general')
    // A new page has not opened the room yet.
    await ana.page.reload()
    await ana.composer('general').waitFor()
    await Promise.all(Array.from({ length: 260 }, (_, i) => talker.says(shelter, `line ${i + 1}`)))
    const chats = ana.page.getByRole('navigation', { name: 'Chats' })
    await chats.getByRole('link', { name: '#shelter, 260 unread' }).waitFor({ timeout: 60_000 })
    await chats.getByRole('link', { name: /#shelter/ }).click()
    await ana.sees('line 260')
    await picture(ana, 'backlog-laptop')
    await ana.page.getByRole('button', { name: /^↑ 260 new since/ }).click()
    await ana.sees('line 1')
    expect(await ana.article('line 260').count()).toBe(0)

    const wheel = () => ana.page.locator('.scroll').evaluate((one) => (one.scrollTop += 10))
    await wheel()
    await ana.page.getByRole('button', { name: /Jump to a date$/ }).click()
    const sheet = ana.page.getByRole('dialog', { name: 'Jump to a date' })
    await sheet.getByRole('button', { name: 'Show' }).click()
    await sheet.waitFor({ state: 'detached' })
    const focused = () => ana.page.evaluate(() => document.activeElement?.querySelector('.text')?.textContent)
    await expect.poll(focused).toBe('line 0')
    // Whoever writes is taken to the end, and back.
    await ana.say('From up there', 'shelter')
    await ana.sees('From up there')
    await ana.page.getByRole('button', { name: '↩ Back to where you were' }).click()
    await expect.poll(focused).toMatch(/^line \d$/)
    await ana.page.locator('article:focus').press('Escape')
    await ana.sees('From up there')
  })

  it('asks before everybody is alerted, where they are many', async () => {
    for (let i = 0; i < 9; i++) {
      const one = await Stranger.arrive(`Extra ${i}`, url)
      strangers.push(one)
    }
    await toRoom(ana, 'general')
    await ana.page.getByText('11 others here').waitFor()
    await ana.composer('general').fill('@all bridge closed')
    await ana.page.getByRole('button', { name: /^Send/ }).click()
    const sheet = ana.page.getByRole('dialog', { name: 'Alert 11 people?' })
    await picture(ana, 'alert-all-laptop')
    await sheet.getByRole('button', { name: 'Cancel' }).click()
    expect(await ana.composer('general').inputValue()).toBe('@all bridge closed')
    await ana.page.getByRole('button', { name: /^Send/ }).click()
    await sheet.getByRole('button', { name: 'Send to 11' }).click()
    await ana.cleared()
    await toRoom(bill, 'general')
    await bill.sees('@all bridge closed')
  })
})
