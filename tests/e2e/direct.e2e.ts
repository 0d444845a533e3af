import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene, type Browser } from './harness.ts'
import { bothSizes } from './picture.ts'

/** Nobody says it but Ana, to Bill. */
const canary = 'canary 7f3a Insulin for house 9'

/** From somebody's name in the list of people to a composer that says whom it is for. */
async function openConversation(who: Person, partner: string): Promise<void> {
  await who.page.getByRole('button', { name: `About ${partner}` }).click()
  await who.page.getByRole('dialog').getByRole('button', { name: 'Message', exact: true }).click()
  await box(who, partner).waitFor()
}

function box({ page }: Person, partner: string) {
  return page.getByRole('textbox', { name: `Message ${partner}`, exact: true })
}

async function writeTo(who: Person, partner: string, text: string): Promise<void> {
  await box(who, partner).fill(text)
  await who.page.getByRole('button', { name: /^Send/ }).click()
  await expect.poll(() => box(who, partner).inputValue()).toBe('')
}

/** Every value in every table of every database of the page, as text. */
async function everythingKept({ page }: Person): Promise<string> {
  return page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(new Error(String(request.error)))
      })
    const texts: string[] = [JSON.stringify(Object.entries(localStorage))]
    const decoder = new TextDecoder('latin1')
    const plain = (_: string, value: unknown) =>
      value instanceof Uint8Array ? decoder.decode(value) : typeof value === 'bigint' ? String(value) : value
    for (const { name = '' } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name))
      for (const table of database.objectStoreNames)
        texts.push(JSON.stringify(await done(database.transaction(table).objectStore(table).getAll()), plain))
      database.close()
    }
    return texts.join('\n')
  })
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? filesBelow(path) : [path]
  })
}

describe('direct messages', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it('go sealed from one person to another, wait for who is away, and nobody else holds a word of them', async () => {
    scene = new Scene()
    const data = join(scene.folder, 'data')
    const args = [
      '--name',
      'node-a',
      '--port',
      '0',
      '--stun-port',
      '0',
      '--host',
      '127.0.0.1',
      '--data',
      data,
    ]
    const node = await scene.helper({ args })
    const ana = await Person.arrive(await scene.browser(), node.url, 'Ana')
    let bills: Browser = await scene.browser({ profile: 'Bill' })
    let bill = await Person.arrive(bills, node.url, 'Bill')
    const carl = await Person.arrive(await scene.browser(), node.url, 'Carl')
    for (const one of [ana, bill, carl]) await one.reaches(2)

    // What Bill opens letters with goes around when his page has come to rest.
    await openConversation(ana, 'Bill')
    await bothSizes(ana, 'direct-empty')
    await writeTo(ana, 'Bill', canary)
    await ana.sees(canary)
    await bill.page.getByRole('link', { name: 'Ana, 1 unread' }).click({ timeout: 60_000 })
    await bill.sees(canary)
    await ana.seesState(canary, 'delivered 1 of 1')
    await writeTo(bill, 'Ana', 'Thank you. At 18:00?')
    await ana.sees('Thank you. At 18:00?')
    await bothSizes(ana, 'direct-delivered')

    // He is away: a node carries it to him.
    await bills.context.close()
    await writeTo(ana, 'Bill', 'At the back door')
    await ana.seesState('At the back door', 'carried by 1')
    bills = await scene.browser({ profile: 'Bill' })
    bill = new Person(bills.context.pages()[0] ?? (await bills.context.newPage()), 'Bill')
    await bill.page.goto(node.url)
    await bill.page.getByRole('link', { name: 'Ana, 1 unread' }).click({ timeout: 60_000 })
    await bill.sees('At the back door')
    expect(await bill.texts()).toEqual([canary, 'Thank you. At 18:00?', 'At the back door'])
    await ana.seesState('At the back door', 'delivered 1 of 1')

    // Carl carries what is sealed, and so does the node; neither has a word of it.
    expect(await everythingKept(ana)).toContain(canary)
    expect(await everythingKept(bill)).toContain(canary)
    expect(await everythingKept(carl)).not.toContain('canary 7f3a')
    const kept = filesBelow(data)
    expect(kept.length).toBeGreaterThan(0)
    for (const path of kept) expect(readFileSync(path).includes('canary 7f3a')).toBe(false)
    expect(await carl.page.getByRole('link', { name: /^(Ana|Bill)/ }).count()).toBe(0)

    // Answers, changes and what is taken back stay between them, and all of it over a reload.
    await ana.page.reload()
    await ana.page.getByRole('link', { name: 'Bill' }).click({ timeout: 60_000 })
    await ana.sees('At the back door')
    await box(ana, 'Bill').press('ArrowUp')
    await box(ana, 'Bill').fill('At the front door')
    await ana.page.getByRole('button', { name: 'Save' }).click()
    await bill.sees('At the front door')
  })

  it('on plain http, in several tabs: whichever leads receives them, and all show them', async () => {
    scene = new Scene()
    const node = await scene.helper({
      args: ['--name', 'node-a', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--memory'],
    })
    const url = node.url.replace(/localhost|127\.0\.0\.1/, 'node1.local.mesh')
    const mesh = { args: ['--host-resolver-rules=MAP *.local.mesh 127.0.0.1'] }
    const ana = await Person.arrive(await scene.browser(mesh), url, 'Ana')
    const bills = await scene.browser(mesh)
    const bill = await Person.arrive(bills, url, 'Bill')
    await ana.reaches(1)
    const second = new Person(await bills.context.newPage(), 'Bill')
    await second.page.goto(url)
    await second.page.getByText('also open in another tab').first().waitFor()
    await openConversation(ana, 'Bill')
    await writeTo(ana, 'Bill', 'One')
    for (const tab of [bill, second]) {
      await tab.page.getByRole('link', { name: 'Ana, 1 unread' }).click({ timeout: 60_000 })
      await tab.sees('One')
    }
    await writeTo(second, 'Ana', 'Two, from the tab that follows')
    for (const one of [ana, bill]) await one.sees('Two, from the tab that follows')
    await second.seesState('Two, from the tab that follows', 'delivered 1 of 1')
    await bill.page.close()
    await writeTo(ana, 'Bill', 'Three')
    await second.sees('Three')
    await ana.seesState('Three', 'delivered 1 of 1')
    await second.page.reload()
    await second.sees('Three')
    expect(await second.texts()).toEqual(['One', 'Two, from the tab that follows', 'Three'])
  })
})
