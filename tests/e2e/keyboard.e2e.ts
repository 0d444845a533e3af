import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'

/** Nothing here is clicked, filled or focused by the test: keys only, as a person without a mouse has them. */
describe('by keyboard alone', () => {
  let scene: Scene
  let url: string
  let bill: Person

  beforeAll(async () => {
    scene = new Scene()
    const args = ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--name', 'node-a']
    ;({ url } = await scene.helper({ args }))
    bill = await Person.arrive(await scene.browser(), url, 'Bill')
  })
  afterAll(() => scene.close())

  it('one arrives, writes, answers, reacts, searches and changes settings', async () => {
    const { context } = await scene.browser()
    const page = context.pages()[0] ?? (await context.newPage())
    const ana = new Person(page, 'Ana')
    const { keyboard } = page
    const isFocused = (name: string) =>
      expect
        .poll(() =>
          page.evaluate(
            () =>
              document.activeElement?.getAttribute('aria-label') ??
              document.activeElement?.textContent.trim(),
          ),
        )
        .toContain(name)
    await page.goto(url)
    await page.getByRole('button', { name: 'Start chatting' }).waitFor()
    // The name that is suggested is selected: what is typed takes its place.
    await keyboard.type('Ana')
    await keyboard.press('Enter')
    await ana.composer('general').waitFor()
    await ana.reaches(1)
    await bill.say('Anyone at the shelter?')
    await ana.sees('Anyone at the shelter?')

    const until = async (name: string, key = 'Tab') => {
      for (let i = 0; i < 40; i++) {
        const label = await page.evaluate(
          () =>
            document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
        )
        if (label.includes(name)) return
        await keyboard.press(key)
      }
      throw new Error(`${name} was not reached by ${key}`)
    }
    await until('Message #general')
    await keyboard.type('I am')
    await keyboard.press('Enter')
    await bill.sees('I am')

    await keyboard.press('Shift+Tab')
    await isFocused('I am')
    await keyboard.press('ArrowUp')
    await isFocused('Anyone at the shelter?')
    await keyboard.press('r')
    await keyboard.type('With six others')
    await keyboard.press('Enter')
    await bill.sees('With six others')
    await bill.page.getByRole('button', { name: /Anyone at the shelter/ }).waitFor()

    // The quote in it takes the focus on the way.
    await until('Answer to Bill', 'Shift+Tab')
    await keyboard.press('ArrowUp')
    await keyboard.press('ArrowUp')
    await keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Message actions' }).waitFor()
    await until('React with ✅')
    await keyboard.press('Enter')
    await bill.page.getByRole('button', { name: '✅, Ana' }).waitFor()

    await keyboard.press('Control+Shift+f')
    await page.getByRole('dialog', { name: 'Search' }).waitFor()
    await keyboard.type('six')
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /With six others/ })
      .waitFor()
    await until('With six others')
    await keyboard.press('Enter')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await isFocused('With six others')

    await keyboard.press('Control+k')
    await page.getByRole('dialog', { name: 'Go to…' }).waitFor()
    await keyboard.type('settings')
    await keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Settings' }).waitFor()
    await keyboard.press('Tab')
    await keyboard.type('Dark')
    await page.waitForFunction(() => document.documentElement.dataset['theme'] === 'dark')
    await keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })
})
