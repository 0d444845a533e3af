import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene, standStill } from './harness.ts'
import { bothSizes } from './picture.ts'
import { Lans, namespacesMissing } from './lans.ts'

const missing = namespacesMissing()

/** The states of messages (design page) and of the connection (`ux.md` §4.12), each brought about for real. */
describe('states', () => {
  let scene: Scene
  let lans: Lans | undefined
  afterEach(async () => {
    await scene.close()
    lans?.remove()
    lans = undefined
  })

  const chip = ({ page }: Person, words: string | RegExp) =>
    page
      .getByRole('status', { name: 'Connection' })
      .filter({ hasText: words, visible: true })
      .first()
      .waitFor()
  const banner = ({ page }: Person, words: string | RegExp) =>
    page.getByRole('status', { name: 'Notice' }).getByText(words).waitFor({ timeout: 60_000 })
  const row = ({ page }: Person, name: string, status: string) =>
    page.getByRole('listitem', { name: new RegExp(`^${name}, ${status}`) }).waitFor({ timeout: 60_000 })

  it('of messages: waiting, sending, carried, delivered, read; and of who is there', async () => {
    scene = new Scene()
    const port = '18' + String(100 + (process.pid % 800))
    const args = ['--name', 'node-a', '--port', port, '--stun-port', '0', '--host', '127.0.0.1']
    const node = await scene.helper({ args: [...args, '--data', join(scene.folder, 'data')] })
    const ana = await Person.arrive(await scene.browser({ profile: 'Ana' }), node.url, 'Ana')
    await banner(ana, 'You’re the first one here.')
    await chip(ana, 'node only')
    await ana.say('Shelter is open')
    await ana.seesState('Shelter is open', 'carried by 1')
    await bothSizes(ana, 'carried')
    const bill = await Person.arrive(await scene.browser(), node.url, 'Bill')
    await ana.seesState('Shelter is open', 'delivered 1 of 1')
    await chip(ana, '1 in reach')
    await bothSizes(ana, 'delivered')
    await bill.page.getByRole('button', { name: 'About #general' }).click()
    await bill.page.getByLabel('Tell others how far I have read here').check()
    await bill.page.getByRole('button', { name: 'Close', exact: true }).click()
    await ana.say('Beds: 12')
    await ana.seesState('Beds: 12', 'read by 1')
    await bothSizes(ana, 'read')

    // The node dies; Bill is linked directly.
    await node.kill('SIGKILL')
    await banner(ana, /^Node node-a stopped answering at /)
    await chip(ana, '1 in reach, node lost')
    await bothSizes(ana, 'node-lost')
    await bill.page.context().close()
    await row(ana, 'Bill', 'left')
    await banner(ana, /^No one in reach since /)
    await chip(ana, 'no one in reach')
    await ana.say('I stay here')
    await ana.seesState('I stay here', 'waiting')
    await banner(ana, /1 message is waiting here/)
    await bothSizes(ana, 'waiting')
    await ana.page.context().setOffline(true)
    await chip(ana, 'no network')
    await bothSizes(ana, 'no-network')
    await ana.page.context().setOffline(false)

    await ana.composer('general').fill('x'.repeat(4_001))
    await ana.page.getByText('Too long: a message has at most 4 000 characters.').waitFor()
    await bothSizes(ana, 'too-long')
    await ana.composer('general').fill('')
    // Everything goes out by itself when the node is back.
    await scene.helper({ args: [...args, '--data', join(scene.folder, 'data')] })
    await ana.page.getByRole('button', { name: 'Try now' }).click()
    await ana.seesState('I stay here', 'carried by 1')
  })

  it('of a device: its clock is wrong, it was asleep, it has no WebRTC', async () => {
    scene = new Scene()
    const args = ['--name', 'node-a', '--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1']
    const { url } = await scene.helper({ args })
    const bill = await Person.arrive(await scene.browser(), url, 'Bill')
    const wrong = await scene.browser()
    await wrong.context.addInitScript(() => {
      const aheadMs = 72 * 60_000
      const now = Date.now.bind(Date)
      Date.now = () => now() + aheadMs
    })
    const ana = await Person.arrive(wrong, url, 'Ana')
    await bill.reaches(1)
    // Ana's page stands still: what is handed to it is not confirmed.
    const goOn = standStill(wrong)
    await bill.say('Anyone?')
    await bill.seesState('Anyone?', 'sending')
    await bill.article('Anyone?').getByRole('button', { name: 'sending' }).waitFor()
    await bothSizes(bill, 'sending')
    goOn()
    await bill.seesState('Anyone?', 'delivered 1 of 1')
    const carlsBrowser = await scene.browser()
    const carl = await Person.arrive(carlsBrowser, url, 'Carl')
    await ana.reaches(2)
    await banner(ana, 'This device’s clock is 1 h 12 min ahead of the others.')
    await bothSizes(ana, 'clock-wrong')
    expect(await carl.page.getByText('This device’s clock').count()).toBe(0)

    const without = await scene.browser()
    await without.context.addInitScript(() => Reflect.deleteProperty(globalThis, 'RTCPeerConnection'))
    const dora = await Person.arrive(without, url, 'Dora')
    await dora.reaches(3)
    await banner(dora, 'This browser blocks direct links (WebRTC is off).')
    await bothSizes(dora, 'no-webrtc')

    const fromMs = Date.now()
    const wake = standStill(carlsBrowser)
    await bill.say('The truck has left')
    await row(bill, 'Carl', 'left')
    // The page knows by itself how long it slept: at least half a minute counts.
    await expect.poll(() => Date.now() - fromMs > 33_000, { timeout: 60_000, interval: 1_000 }).toBe(true)
    wake()
    await banner(carl, /^meshchat was asleep from /)
    await carl.sees('The truck has left')
    await bothSizes(carl, 'was-asleep')
  })

  it.skipIf(missing !== undefined)('of a plain page: through the node only, catching up', async () => {
    scene = new Scene()
    lans = new Lans(['a'])
    const [first, second] = [lans.host('a'), lans.host('a')]
    await scene.helper({ args: ['--name', 'node-a', '--memory'], namespace: lans.node('a') })
    const url = `http://${lans.address('a')}:8080/`
    const ana = await Person.arrive(await scene.browser({ namespace: first }), url, 'Ana')
    const browser = await scene.browser({ namespace: second })
    const page = browser.context.pages()[0] ?? (await browser.context.newPage())
    await page.goto(url)
    await page.getByText('Plain page: chat works.').click()
    await page.getByText('This page came by plain http.').waitFor()
    await bothSizes(new Person(page, 'Bill'), 'plain-page')
    // Nothing but the node answers Bill.
    lans.blockUdp(second)
    const bill = await Person.arrive(browser, url, 'Bill')
    await ana.say('Is the road open?')
    await bill.sees('Is the road open?')
    await ana.seesState('Is the road open?', 'delivered 1 of 1')
    await chip(bill, '1 in reach (through node)')
    await bothSizes(bill, 'through-node')

    lans.setHostLink('a', 2, false)
    await row(ana, 'Bill', 'left')
    const missed = 120
    for (let i = 1; i <= missed; i++)
      await ana.say(`Report ${i} of the day: the water stands at the second step`)
    lans.setHostRate('a', 2, 24)
    lans.setHostLink('a', 2, true)
    await chip(bill, /↓ \d+ to get/)
    await bothSizes(bill, 'catching-up')
    await bill.sees(`Report ${missed} of the day: the water stands at the second step`)
    // One can write meanwhile.
    await bill.say('Reading')
    await ana.sees('Reading')
    await expect.poll(() => bill.page.getByText(/↓ \d+ to get/).count(), { timeout: 90_000 }).toBe(0)
    await ana.seesState('Report 1 of the day: the water stands at the second step', 'delivered 1 of 1')
    // Somebody who stays is offered the copy that opens without a node.
    const card = ana.page.getByRole('note', { name: /copy/ })
    await card.waitFor()
    await bothSizes(ana, 'copy-offered')
  })

  it.skipIf(missing !== undefined)('of the mesh: it is split, and comes together', async () => {
    scene = new Scene()
    lans = new Lans(['a', 'b'])
    const { host, node, address } = {
      host: (side: string) => lans?.host(side) ?? '',
      node: (side: string) => lans?.node(side) ?? '',
      address: (side: string) => `http://${lans?.address(side)}:8080/`,
    }
    for (const [side, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const args = ['--name', `node-${side}`, '--memory', '--neighbor', address(other)]
      await scene.helper({ args, namespace: node(side) })
    }
    const arrive = async (side: string, name: string) =>
      Person.arrive(await scene.browser({ namespace: host(side) }), address(side), name)
    const [ana, carl, bill] = [await arrive('a', 'Ana'), await arrive('a', 'Carl'), await arrive('b', 'Bill')]
    for (const person of [ana, carl, bill]) await person.reaches(2)
    await ana.say('Everybody here?')
    await ana.seesState('Everybody here?', 'delivered 2 of 2')

    lans.setLink('a', false)
    await banner(ana, 'The mesh is split.')
    await banner(ana, /^1 person \(last on node-b\) can’t be reached since /)
    await chip(ana, 'split: 1 of 2')
    await row(ana, 'Bill', 'out of reach')
    await bothSizes(ana, 'split')
    await banner(bill, 'The mesh is split.')
    await banner(bill, /^2 people \(last on node-a\)/)
    await ana.say('North side is fine')
    await bill.say('South side is fine')
    await carl.sees('North side is fine')
    await ana.seesState('North side is fine', 'delivered 1 of 2')

    lans.setLink('a', true)
    await banner(ana, 'Back together.')
    await ana.sees('South side is fine')
    await bill.sees('North side is fine')
    await ana.seesState('North side is fine', 'delivered 2 of 2')
    await banner(ana, '1 message arrived from the other side.')
    await bothSizes(ana, 'merged')
    await ana.reaches(2)
  })
})
