import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ar } from '../../src/lib/i18n/ar.ts'
import { en, type Messages } from '../../src/lib/i18n/en.ts'
import { longer } from '../../src/lib/i18n/pseudo.ts'
import { ar as arSheets } from '../../src/lib/i18n/sheets/ar.ts'
import { en as enSheets, type SheetMessages } from '../../src/lib/i18n/sheets/en.ts'
import { cutOff, overflows, untranslated, violations } from './axe.ts'
import { Person, Scene, root } from './harness.ts'

const shots = process.env['SCREENSHOTS']
const sizes = [
  ['phone', { width: 390, height: 844 }],
  ['laptop', { width: 1280, height: 800 }],
] as const
const narrowest = ['narrowest', { width: 320, height: 568 }] as const

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
    await ana.say('Beds: 12', 'shelter')
  })
  afterAll(() => scene.close())

  type Way = readonly [name: string, hash: string, open: () => Promise<void>]

  /** How each is opened: from what is on the screen, or by keyboard. */
  function opened({ page }: Person, words: Messages, sheets: SheetMessages): readonly Way[] {
    const press = (name: string) => () =>
      page.getByRole('button', { name }).filter({ visible: true }).first().click()
    const go = (name: string) => async () => {
      await page.keyboard.press('Control+k')
      await page.getByRole('combobox', { name: sheets.palette.field }).fill(name)
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: sheets.palette.title }).waitFor({ state: 'detached' })
    }
    const act = (action?: string) => async () => {
      await page.locator('article').first().focus()
      await page.keyboard.press('Enter')
      if (action !== undefined) {
        const menu = page.getByRole('dialog', { name: sheets.menu.actions })
        await menu.getByRole('button', { name: action, exact: true }).click()
        await menu.waitFor({ state: 'detached' })
      }
    }
    // On a phone the keyboard on the screen has them.
    const emoji = async () => {
      await page.locator('textarea').filter({ visible: true }).focus()
      await page.keyboard.press('Control+Shift+E')
    }
    const attachTwo = async () => {
      const list = { name: 'beds.csv', mimeType: 'text/csv', buffer: Buffer.from('shelter,beds') }
      const icon = readFileSync(join(root, 'static/icon-512.png'))
      const picture = { name: 'north road.png', mimeType: 'image/png', buffer: icon }
      await page.getByLabel(words.composer.file, { exact: true }).setInputFiles([list, picture])
    }
    return [
      ['new-channel', '#/chats', press(words.channels.create)],
      ['find-channels', '#/chats', press(words.channels.find)],
      ['channel', channel, press(words.channels.about('#shelter'))],
      ['person', '#/people', press(words.people.about('Bill'))],
      ['reach', '#/chats', () => page.locator('.chip button').filter({ visible: true }).first().click()],
      ['search', '#/chats', press(words.app.search)],
      ['settings', '#/chats', press(words.app.settings)],
      ['nodes', '#/chats', press(words.notice.switchNode)],
      ['palette', channel, () => page.keyboard.press('Control+k')],
      ['profile', channel, go(sheets.palette.commands.profile)],
      ['storage', channel, go(sheets.palette.commands.storage)],
      ['keys', channel, go(sheets.palette.commands.keys)],
      ['jump', channel, go(sheets.palette.commands.jump)],
      ['emoji', channel, emoji],
      ['attach', channel, attachTwo],
      ['message-menu', channel, act()],
      ['who-has', channel, act(sheets.menu.whoHas)],
      ['forward', channel, act(sheets.picked.forward)],
    ]
  }

  async function look(page: Page, choices: object, direction: string, words: Messages): Promise<void> {
    await page.evaluate((wanted) => localStorage.setItem('meshchat-look', JSON.stringify(wanted)), choices)
    await page.reload()
    await page.waitForFunction((wanted) => document.documentElement.dir === wanted, direction)
    const bill = page.getByRole('button', { name: words.people.about('Bill'), includeHidden: true })
    await bill.first().waitFor({ state: 'attached' })
  }

  it.each([
    ['en', 'light', en, enSheets, 'ltr'],
    ['en', 'dark', en, enSheets, 'ltr'],
    ['en', 'contrast', en, enSheets, 'ltr'],
    ['ar', 'light', ar, arSheets, 'rtl'],
    ['ar', 'dark', ar, arSheets, 'rtl'],
    ['ar', 'contrast', ar, arSheets, 'rtl'],
    ['en-XA', 'light', longer(en), longer(enSheets), 'ltr'],
  ] as const)(
    '%s, %s: nothing for axe to say, on a phone and a laptop',
    async (language, theme, words, sheets, dir) => {
      const { page } = ana
      await look(page, { language, theme }, dir, words)
      for (const [sizeName, size] of language === 'en-XA' ? [...sizes, narrowest] : sizes) {
        await page.setViewportSize(size)
        for (const [name, hash, open] of opened(ana, words, sheets)) {
          await page.evaluate((wanted) => (location.hash = wanted), hash)
          if (hash === channel) await page.locator('article').first().waitFor()
          await open()
          await page.getByRole('dialog').waitFor()
          if (shots !== undefined && theme === 'light') {
            mkdirSync(shots, { recursive: true })
            await page.screenshot({ path: join(shots, `sheet-${name}-${language}-${sizeName}.png`) })
          }
          // What lengthens a whole sentence and a part of it lengthens both, each at its end.
          const isMeant = (one: string) =>
            language !== 'en-XA' || !one.startsWith('label-content-name-mismatch')
          const found = (await violations(page)).filter(isMeant)
          expect([name, sizeName, found]).toEqual([name, sizeName, []])
          expect([name, sizeName, await overflows(page)]).toEqual([name, sizeName, false])
          expect([name, sizeName, await cutOff(page)]).toEqual([name, sizeName, []])
          if (language === 'en-XA') expect([name, await untranslated(page)]).toEqual([name, []])
          await page.keyboard.press('Escape')
          await page.getByRole('dialog').waitFor({ state: 'detached' })
        }
      }
    },
  )
})
