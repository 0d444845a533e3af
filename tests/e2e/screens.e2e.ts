import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { Person, Scene, root } from './harness.ts'
import { attach, card, isWhole } from './sharing.ts'

/**
 * Every screen at phone and laptop size, light and dark: axe finds nothing, and a picture is kept to be looked at
 * (in tests/.cache, or where SCREENSHOTS points: `npm run screenshots` renews those of the README).
 */
const folder = resolve(root, process.env['SCREENSHOTS'] ?? 'tests/.cache/screens')
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const sizes = { phone: { width: 390, height: 844 }, laptop: { width: 1280, height: 800 } } as const

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly nodes: readonly { readonly html: string }[]
  }[]
}

async function check(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(folder, `${name}.png`) })
  // Playwright's own evaluation is not subject to the page's content policy.
  await page.evaluate(axeSource)
  const { violations } = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(options: unknown): Promise<AxeResults> } }
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    return axe.run({ runOnly: { type: 'tag', values: tags } })
  })
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)
  expect(found, name).toEqual([])
}

describe('screens', () => {
  let afterThis: Scene
  beforeAll(() => mkdirSync(folder, { recursive: true }))
  afterEach(() => afterThis.close())

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`have no axe violations: ${colorScheme}`, async () => {
      const scene = new Scene()
      afterThis = scene
      const args = ['--port', '0', '--stun-port', '0', '--memory', '--name', 'K7FPV-east']
      const helper = await scene.helper({ args })
      const others = ['Bill N7IE', 'Cara']
      const persons: Person[] = []
      for (const name of others) persons.push(await Person.arrive(await scene.browser(), helper.url, name))
      const laptop = await scene.browser({ colorScheme, viewport: sizes.laptop })
      const page = laptop.context.pages()[0] ?? (await laptop.context.newPage())
      for (const [size, viewport] of Object.entries(sizes)) {
        await page.setViewportSize(viewport)
        await page.goto(helper.url)
        await page.getByRole('button', { name: 'Start chatting' }).waitFor()
        await page.getByText('node K7FPV-east').waitFor()
        await check(page, `first-run-${size}-${colorScheme}`)
      }
      await page.setViewportSize(sizes.laptop)
      const ana = await Person.arrive(laptop, helper.url, 'Ana K7FPV')
      await ana.reaches(2)
      await talk(ana, persons)
      for (const [size, viewport] of Object.entries(sizes)) {
        await page.setViewportSize(viewport)
        await page.goto(`${helper.url}#/c/general`)
        await ana.sees('Rerouting via Main.')
        await check(page, `chat-${size}-${colorScheme}`)
        await page.goto(`${helper.url}#/people`)
        await page
          .getByRole('listitem', { name: /Bill N7IE.*, here/ })
          .first()
          .waitFor()
        await check(page, `people-${size}-${colorScheme}`)
        await page.goto(`${helper.url}#/chats`)
        await check(page, `chats-${size}-${colorScheme}`)
      }
      await page.goto(`${helper.url}#/c/general`)
      for (const [size, viewport] of Object.entries(sizes)) {
        await page.setViewportSize(viewport)
        if (size === 'phone' && persons[0] !== undefined) {
          await attach(
            persons[0],
            [join(root, 'static/icon-512.png'), join(root, 'package.json')],
            'Look at this',
          )
          await isWhole(ana, { name: 'icon-512.png' })
          await card(ana, { name: 'package.json' }).waitFor()
        }
        await check(page, `files-${size}-${colorScheme}`)
      }
      await page.setViewportSize(sizes.laptop)
      await page.goto(`${helper.url}#/chats`)
      await page.getByRole('button', { name: 'New channel' }).click()
      await check(page, `new-channel-laptop-${colorScheme}`)
    })
  }
})

async function talk(ana: Person, [bill, cara]: readonly Person[]): Promise<void> {
  if (bill === undefined || cara === undefined) throw new Error('two others are needed')
  await ana.say('Generator fuel at the shelter: 40 L left')
  await bill.sees('Generator fuel at the shelter: 40 L left')
  await bill.say('Copy. Truck leaves the EOC at 14:30.')
  await bill.say('Two pallets of water with it.')
  await cara.sees('Two pallets of water with it.')
  await cara.say(
    'Bridge on 5th is closed, water over the road. Police are turning everybody back at the roundabout.',
  )
  await ana.sees('Two pallets of water with it.')
  await ana.say('Rerouting via Main.')
  await ana.seesState('Rerouting via Main.', 'delivered 2 of 2')
}
