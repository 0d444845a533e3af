import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Person, Scene, type HelperProcess } from './harness.ts'

const base = ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1']

describe('one person, any node', () => {
  let scene: Scene
  beforeEach(() => {
    scene = new Scene()
  })
  afterEach(() => scene.close())

  async function peersAt(helper: HelperProcess): Promise<number> {
    return ((await (await fetch(`${helper.url}api/node`)).json()) as { peers: number }).peers
  }

  async function openSheet(person: Person) {
    await person.page.getByRole('button', { name: 'Switch node' }).first().click()
    const sheet = person.page.getByRole('dialog', { name: 'Nodes' })
    await sheet.waitFor()
    return sheet
  }

  it('chooses a node, goes back to its own, and is told where it is', async () => {
    const [a, b] = await scene.twoNodes()
    const ana = await Person.arrive(await scene.browser(), a.url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), b.url, 'Bill')
    await ana.reaches(1)
    const sheet = await openSheet(ana)
    await sheet
      .getByText(/answers in \d+ ms, 1 person there/)
      .first()
      .waitFor()
    await sheet.getByRole('button', { name: 'Use node-b' }).click()
    await ana.page.getByText('Now through node-b.').waitFor()
    await expect.poll(() => peersAt(b), { timeout: 10_000 }).toBe(2)
    expect(await peersAt(a)).toBe(0)
    await ana.say('from the other node')
    await bill.sees('from the other node')
    const again = await openSheet(ana)
    await again.getByRole('checkbox', { name: /Come back to this page/ }).check()
    await ana.page.getByText('Now through node-a.').waitFor()
    await expect.poll(() => peersAt(a), { timeout: 10_000 }).toBe(1)
  })

  it('moves by itself when its node is gone, without a reload', async () => {
    const [a, b] = await scene.twoNodes()
    const ana = await Person.arrive(await scene.browser(), a.url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), b.url, 'Bill')
    await ana.reaches(1)
    await ana.page.evaluate(() => Object.assign(globalThis, { isSamePage: true }))
    await a.kill('SIGKILL')
    await ana.page.getByText('Now through node-b.').waitFor()
    expect(await peersAt(b)).toBe(2)
    await ana.say('my node is gone')
    await bill.sees('my node is gone')
    expect(await ana.page.evaluate(() => 'isSamePage' in globalThis)).toBe(true)
  })

  it('takes an address that somebody typed, and says in words what is wrong with another', async () => {
    const a = await scene.helper({ args: [...base, '--name', 'node-a'] })
    const lone = await scene.helper({ args: [...base, '--name', 'lone'] })
    const ana = await Person.arrive(await scene.browser(), a.url, 'Ana')
    const sheet = await openSheet(ana)
    const field = sheet.getByRole('textbox', { name: 'Add by name or address' })
    for (const [text, words] of [
      ['two words', 'That is no name or address'],
      ['http://127.0.0.1:1/', 'Nothing answers there'],
      // A page of that node: its own path is asked for.
      [`${lone.url}metrics`, ''],
    ] as const) {
      await field.fill(text)
      await sheet.getByRole('button', { name: 'Add' }).click()
      if (words !== '') await sheet.getByRole('alert').filter({ hasText: words }).waitFor()
    }
    await sheet.getByRole('button', { name: 'Use lone' }).click()
    await ana.page.getByText('Now through lone.').waitFor()
    await ana.page.reload()
    await ana.composer('general').waitFor()
    await expect.poll(() => peersAt(lone), { timeout: 20_000 }).toBe(1)
  })

  it.skipIf(process.env['SCREENSHOTS'] === undefined)('is looked at', async () => {
    const [a, b] = await scene.twoNodes()
    await Person.arrive(await scene.browser(), b.url, 'Bill')
    for (const viewport of [
      { width: 390, height: 844 },
      { width: 1280, height: 800 },
    ]) {
      const ana = await Person.arrive(await scene.browser({ viewport }), a.url, 'Ana')
      await ana.reaches(viewport.width === 390 ? 1 : 2)
      const picture = (name: string) =>
        ana.page.screenshot({ path: join(process.env['SCREENSHOTS'] ?? '', `${name}-${viewport.width}.png`) })
      if (viewport.width === 390) await ana.page.getByRole('link', { name: 'Back to chats' }).click()
      await picture('chats')
      const sheet = await openSheet(ana)
      await sheet
        .getByText(/answers in/)
        .first()
        .waitFor()
      await picture('nodes')
      await sheet.getByText('Guest door for programs').click()
      await sheet.getByRole('checkbox', { name: /programs on this mesh/ }).check()
      await sheet.getByText(/^meshchat-/).waitFor()
      await picture('door')
      await sheet.getByRole('checkbox', { name: /programs on this mesh/ }).uncheck()
      await sheet.getByRole('button', { name: 'Use node-b' }).click()
      await ana.page.getByText('Now through node-b.').waitFor()
      await picture('moved')
    }
  })
})
