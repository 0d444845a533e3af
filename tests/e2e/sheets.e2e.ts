import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ar } from '../../src/lib/i18n/ar.ts'
import { en, type Messages } from '../../src/lib/i18n/en.ts'
import { overflows, violations } from './axe.ts'
import { Person, Scene } from './harness.ts'

const shots = process.env['SCREENSHOTS']
const sizes = [
  ['phone', { width: 390, height: 844 }],
  ['laptop', { width: 1280, height: 800 }],
] as const

/** Every sheet that opens from the screen itself, in each theme and direction. */
describe('sheets', () => {
  let scene: Scene
  let ana: Person
  let channel = ''

  beforeAll(async () => {
    scene = new Scene()
    const args = ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--name', 'node-a']
    const { url } = await scene.helper({ args })
    ana = await Person.arrive(await scene.browser(), url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), url, 'Bill')
    await ana.reaches(1)
    await ana.page.getByRole('button', { name: 'New channel' }).click()
    const dialog = ana.page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: 'Channel name' }).fill('shelter')
    await dialog.getByRole('radio', { name: /^Moderated/ }).click()
    await dialog.getByRole('textbox', { name: 'What it is for' }).fill('Beds and blankets')
    await dialog.getByRole('button', { name: 'Create' }).click()
    await ana.composer('shelter').waitFor()
    channel = new URL(ana.page.url()).hash
    await bill.page.getByRole('button', { name: 'New channel' }).click()
    await bill.page.getByRole('dialog').getByRole('textbox', { name: 'Channel name' }).fill('logistics')
    await bill.page.getByRole('dialog').getByRole('button', { name: 'Create' }).click()
  })
  afterAll(() => scene.close())

  function opened({ page }: Person, words: Messages): readonly (readonly [string, string, Locator])[] {
    const button = (name: string) => page.getByRole('button', { name }).filter({ visible: true }).first()
    return [
      ['new-channel', '#/chats', button(words.channels.create)],
      ['find-channels', '#/chats', button(words.channels.find)],
      ['channel', channel, button(words.channels.about('#shelter'))],
      ['person', '#/people', button(words.people.about('Bill'))],
      ['reach', '#/chats', page.locator('.chip button').filter({ visible: true }).first()],
      ['search', '#/chats', button(words.app.search)],
      ['settings', '#/chats', button(words.app.settings)],
      ['nodes', '#/chats', button(words.notice.switchNode)],
    ]
  }

  async function look(page: Page, choices: object, direction: string): Promise<void> {
    await page.evaluate((wanted) => localStorage.setItem('meshchat-look', JSON.stringify(wanted)), choices)
    await page.reload()
    await page.waitForFunction((wanted) => document.documentElement.dir === wanted, direction)
    await ana.page.getByRole('button', { name: 'Bill' }).first().waitFor({ state: 'attached' })
  }

  it.each([
    ['en', 'light', en, 'ltr'],
    ['en', 'dark', en, 'ltr'],
    ['en', 'contrast', en, 'ltr'],
    ['ar', 'light', ar, 'rtl'],
    ['ar', 'dark', ar, 'rtl'],
    ['ar', 'contrast', ar, 'rtl'],
  ] as const)(
    '%s, %s: nothing for axe to say, on a phone and a laptop',
    async (language, theme, words, dir) => {
      const { page } = ana
      await look(page, { language, theme }, dir)
      for (const [sizeName, size] of sizes) {
        await page.setViewportSize(size)
        for (const [name, hash, button] of opened(ana, words)) {
          await page.evaluate((wanted) => (location.hash = wanted), hash)
          await button.click()
          await page.getByRole('dialog').waitFor()
          if (shots !== undefined && theme === 'light') {
            mkdirSync(shots, { recursive: true })
            await page.screenshot({ path: join(shots, `sheet-${name}-${language}-${sizeName}.png`) })
          }
          expect([name, sizeName, await violations(page)]).toEqual([name, sizeName, []])
          expect([name, sizeName, await overflows(page)]).toEqual([name, sizeName, false])
          await page.keyboard.press('Escape')
          await page.getByRole('dialog').waitFor({ state: 'detached' })
        }
      }
    },
  )
})
