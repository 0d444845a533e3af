import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'

/** E2E 1: two browsers, one helper on localhost. */
describe('one node on this machine', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it('first run, a message each way, states up to delivered, unread counts, history after a reload', async () => {
    scene = new Scene()
    const helper = await scene.helper({
      args: ['--port', '0', '--stun-port', '0', '--memory'],
    })
    const ana = await Person.arrive(await scene.browser(), helper.url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), helper.url, 'Bill')
    await ana.reaches(1)
    await bill.reaches(1)

    await ana.say('Generator fuel: 40 L left')
    await bill.sees('Generator fuel: 40 L left')
    await ana.seesState('Generator fuel: 40 L left', 'delivered 1 of 1')
    await bill.say('Copy. Truck leaves 14:30')
    await ana.sees('Copy. Truck leaves 14:30')
    await bill.seesState('Copy. Truck leaves 14:30', 'delivered 1 of 1')
    expect(await ana.article('Copy. Truck leaves 14:30').getAttribute('aria-label')).toMatch(
      /^Bill, Copy\. Truck leaves 14:30, /,
    )

    for (const person of [ana, bill]) {
      await person.page.getByRole('button', { name: 'New channel' }).click()
      await person.page.getByRole('textbox', { name: 'Channel name' }).fill('Logistics')
      await person.page.getByRole('button', { name: 'Create' }).click()
      await person.composer('logistics').waitFor()
    }
    await ana.say('Trucks are here', 'logistics')
    await bill.sees('Trucks are here')
    await ana.say('Two of them', 'logistics')
    await bill.page.getByRole('link', { name: /^#general/ }).click()
    await bill.composer('general').waitFor()
    await ana.say('And a third', 'logistics')
    await bill.page.getByRole('link', { name: '#logistics, 1 unread' }).waitFor()

    await bill.page.reload()
    await bill.sees('Generator fuel: 40 L left')
    await bill.reaches(1)
    await ana.page.getByRole('link', { name: '#general' }).click()
    await ana.say('Welcome back')
    await bill.sees('Welcome back')
    expect(await bill.texts()).toEqual([
      'Generator fuel: 40 L left',
      'Copy. Truck leaves 14:30',
      'Welcome back',
    ])
  })
})
