import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'
import { bothSizes } from './picture.ts'

/** One tab runs the engine, the others work through it; also where Web Locks do not exist. */
describe('several tabs of one browser', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it.each([
    ['localhost', 'localhost'],
    ['plain http', 'node1.local.mesh'],
  ])('%s: write in either, close the first, nothing is lost or doubled', async (_tier, host) => {
    scene = new Scene()
    const helper = await scene.helper({
      args: ['--port', '0', '--stun-port', '0', '--memory'],
    })
    const url = helper.url.replace('localhost', host)
    const mesh = { args: ['--host-resolver-rules=MAP *.local.mesh 127.0.0.1'] }
    const bill = await Person.arrive(await scene.browser(mesh), url, 'Bill')
    const browser = await scene.browser(mesh)
    const first = await Person.arrive(browser, url, 'Ana')
    await first.reaches(1)
    const second = new Person(await browser.context.newPage(), 'Ana')
    await second.page.goto(`${url}#/c/general`)
    await second.composer('general').waitFor()
    await second.reaches(1)
    const notice = second.page.getByRole('status', { name: 'Notice' })
    await notice.getByText('meshchat is also open in another tab.').waitFor()
    await bothSizes(second, 'other-tab')

    await second.say('from the second tab')
    await bill.sees('from the second tab')
    await second.seesState('from the second tab', 'delivered 1 of 1')
    await first.sees('from the second tab')
    await first.say('from the first tab')
    await second.sees('from the first tab')
    await bill.say('I hear both')
    await second.sees('I hear both')
    await first.sees('I hear both')

    await first.page.close()
    await second.say('the first is closed')
    await bill.sees('the first is closed')
    await second.seesState('the first is closed', 'delivered 1 of 1')
    expect(await bill.texts()).toEqual([
      'from the second tab',
      'from the first tab',
      'I hear both',
      'the first is closed',
    ])
    expect(await second.texts()).toEqual(await bill.texts())
    const people = bill.page.getByRole('complementary', { name: 'People' }).getByRole('listitem')
    // While one tab takes over from the other Ana may have left for a moment.
    await expect.poll(() => people.count()).toBe(1)
  })
})
