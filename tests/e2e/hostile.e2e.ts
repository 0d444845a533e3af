import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterEach, describe, expect, it } from 'vitest'
import { openRoomId, ownedRoomId, parsePeerId } from '../../src/mesh/ids.ts'
import type { Body } from '../../src/mesh/timeline/body.ts'
import { Person, Scene } from './harness.ts'
import { hostileNames, hostileTexts } from './hostile-texts.ts'
import { Stranger } from './stranger.ts'

const shots = process.env['SCREENSHOTS']
const general = openRoomId('general')
/** All that a text may become (`markdown.ts`). */
const allowed = 'p br strong em s code pre blockquote ol ul li a mark bdi span'

describe('somebody whose app has been changed', () => {
  let scene: Scene
  const strangers: Stranger[] = []
  afterEach(async () => {
    for (const stranger of strangers.splice(0)) stranger.leave()
    await scene.close()
  })

  async function node(): Promise<string> {
    scene = new Scene()
    const args = ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--name', 'node-a']
    return (await scene.helper({ args })).url
  }

  async function stranger(name: string, url: string): Promise<Stranger> {
    const one = await Stranger.arrive(name, url)
    strangers.push(one)
    return one
  }

  /** Everything odd that a page does. */
  function watch(page: Page, url: string): string[] {
    const odd: string[] = []
    page.on('dialog', (dialog) => odd.push(`dialog ${dialog.message()}`))
    page.on('request', (request) => {
      if (!request.url().startsWith(url)) odd.push(`asked ${request.url()}`)
    })
    page.on('pageerror', (error) => odd.push(`error ${error.message}`))
    page.on('popup', () => odd.push('a window'))
    return odd
  }

  /** What of the history in sight is more than text, or wider than its place. */
  function look(page: Page): Promise<string[]> {
    return page.evaluate((names) => {
      const tags = new Set(names.split(' '))
      const odd: string[] = []
      for (const text of document.querySelectorAll('article .text')) {
        for (const one of text.querySelectorAll('*')) {
          if (!tags.has(one.localName)) odd.push(`<${one.localName}> of ${text.textContent.slice(0, 40)}`)
          for (const { name } of one.attributes) if (name.startsWith('on')) odd.push(`${name}=`)
          if (one instanceof HTMLAnchorElement && !/^https?:$/.test(one.protocol)) odd.push(one.href)
        }
      }
      const page = document.documentElement
      if (page.scrollWidth > page.clientWidth) odd.push(`wider than the screen: ${page.scrollWidth}`)
      const feed = document.querySelector('[role=feed]')?.getBoundingClientRect()
      for (const article of document.querySelectorAll('article')) {
        const { left, right } = article.getBoundingClientRect()
        if (feed !== undefined && (left < feed.left - 1 || right > feed.right + 1))
          odd.push(`a message wider than its place: ${article.textContent.slice(0, 40)}`)
      }
      return odd
    }, allowed)
  }

  it(`sends ${hostileTexts.length} texts and ${hostileNames.length} names: all are text, on a phone and a laptop`, async () => {
    const url = await node()
    const ana = await Person.arrive(await scene.browser(), url, 'Ana')
    const bill = await Person.arrive(
      await scene.browser({ viewport: { width: 390, height: 844 } }),
      url,
      'Bill',
    )
    await bill.page.goto(`${url}#/c/general`)
    const odd = [ana, bill].map(({ page }) => watch(page, url))
    expect(hostileTexts.length).toBeGreaterThanOrEqual(200)
    const authors = await Promise.all(hostileNames.map((name) => stranger(name, url)))
    await ana.reaches(1 + authors.length)
    const size = 40
    for (let from = 0; from < hostileTexts.length; from += size) {
      const texts = hostileTexts.slice(from, from + size)
      const told = texts.map(async (text, i) =>
        authors[i % authors.length]?.say(general, { type: 'message', text }),
      )
      expect(await Promise.all(told)).toEqual(texts.map(() => 'posted'))
      for (const { page } of [ana, bill]) {
        await page.waitForFunction(
          ([first, count]) => {
            const texts = [...document.querySelectorAll('article .text')].map((one) =>
              one.textContent.trimStart(),
            )
            return Array.from({ length: count }, (_, i) => `${first + i} `).every((number) =>
              texts.some((text) => text.startsWith(number)),
            )
          },
          [from, texts.length] as const,
        )
        expect(await look(page)).toEqual([])
      }
    }
    // It stays alive: a word goes out and comes in.
    await ana.say('still here?')
    await bill.sees('still here?')
    if (shots !== undefined) {
      await ana.page.screenshot({ path: join(shots, 'hostile-laptop.png') })
      await bill.page.screenshot({ path: join(shots, 'hostile-phone.png') })
    }
    expect(odd).toEqual([[], []])
  })

  it('cannot moderate: pins, removals, closings, settings and appointments of its own count for nothing', async () => {
    const url = await node()
    const ana = await Person.arrive(await scene.browser(), url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), url, 'Bill')
    await ana.reaches(1)
    await ana.page.getByRole('button', { name: 'New channel' }).click()
    const dialog = ana.page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: 'Channel name' }).fill('shelter')
    await dialog.getByRole('radio', { name: /^Moderated/ }).click()
    await dialog.getByRole('button', { name: 'Create' }).click()
    await ana.say('Beds: 12', 'shelter')
    await ana.page.getByRole('button', { name: 'About #shelter' }).click()
    await dialog.getByText('Invite', { exact: true }).click()
    const link = await dialog.getByText(/#\/i\/shelter\//).innerText()
    await dialog.getByRole('button', { name: 'Close', exact: true }).click()
    await bill.page.goto(link)
    await bill.page.getByRole('button', { name: 'Join #shelter' }).click()
    await bill.sees('Beds: 12')

    const [key = '', nonce = ''] = link.split('/').slice(-2)
    const owner = parsePeerId(key)
    if (owner === undefined) throw new Error(`no owner in ${link}`)
    const room = ownedRoomId(owner, nonce)
    const mallory = await stranger('Mallory', url)
    mallory.enter(room, 'shelter', owner, nonce)
    await expect.poll(() => mallory.idOf('Beds: 12'), { timeout: 30_000 }).toBeDefined()
    const target = mallory.idOf('Beds: 12')
    const { creation, self } = mallory
    if (target === undefined || creation === undefined || self === undefined) throw new Error('nothing came')
    const tries: Body[] = [
      { type: 'appoint', target: creation, peer: self, isOn: true, seen: [] },
      { type: 'pin', target, isOn: true },
      { type: 'remove', target },
      { type: 'delete', target },
      { type: 'edit', target, text: 'Beds: none' },
      { type: 'close', target: creation, isOn: true },
      { type: 'settings', target: creation, name: 'mallory', purpose: 'Mine now', maxAgeMs: 1_000 },
      { type: 'create', nonce: 'ab'.repeat(16), name: 'mallory', purpose: '' },
    ]
    for (const body of tries) await mallory.say(room, body)
    expect(await mallory.say(room, { type: 'message', text: 'that was all' })).toBe('posted')
    for (const person of [ana, bill]) {
      await person.sees('that was all')
      await person.sees('Beds: 12')
      expect(await person.page.getByRole('list', { name: 'Pinned' }).count()).toBe(0)
      await person.composer('shelter').waitFor()
      expect(await person.page.getByRole('heading', { level: 1 }).innerText()).toBe('#shelter')
    }
    // The owner still can.
    await ana.article('that was all').first().focus()
    await ana.page.keyboard.press('Enter')
    await dialog.getByRole('button', { name: 'Remove as moderator' }).click()
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
    await bill.page.locator('article').filter({ hasText: 'Ana removed a message by Mallory' }).waitFor()
  })
})
