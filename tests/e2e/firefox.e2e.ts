import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { FirefoxPerson, firefoxMissing } from './firefox.ts'
import { attach, get, isWhole, makeFile, savedHash } from './sharing.ts'
import { Person, Scene, type HelperProcess } from './harness.ts'
import { Lans, namespacesMissing } from './lans.ts'

const shots = process.env['SCREENSHOTS']
const missing = firefoxMissing ?? namespacesMissing()

describe.skipIf(missing !== undefined)('Firefox and Chromium', () => {
  let scene: Scene
  let lans: Lans
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  const url = (side: string) => `http://${lans.address(side)}:8080/`

  /** One node on each LAN, told of each other. @param more beside what both need */
  async function twoNodes(...more: string[]): Promise<HelperProcess[]> {
    const start = (side: string, other: string) => {
      const args = ['--name', `node-${side}`, '--memory', '--neighbor', url(other), ...more]
      return scene.helper({ args, namespace: lans.node(side) })
    }
    return [await start('a', 'b'), await start('b', 'a')]
  }

  it('talk directly between two routed LANs, also when both helpers are dead, and keep what was said', async () => {
    scene = new Scene()
    lans = new Lans()
    const helpers = await twoNodes('--no-resident')
    const ana = await Person.arrive(await scene.browser({ namespace: lans.host('a') }), url('a'), 'Ana')
    const bill = await FirefoxPerson.arrive(scene, url('b'), 'Bill', { namespace: lans.host('b') })
    await ana.reaches(1)
    for (let i = 1; i <= 5; i++) {
      await ana.say(`Ana ${i}`)
      await bill.say(`Bill ${i}`)
    }
    for (let i = 1; i <= 5; i++) {
      await ana.sees(`Bill ${i}`)
      await bill.sees(`Ana ${i}`)
    }
    await ana.seesState('Ana 5', 'delivered 1 of 1')
    await bill.seesState('Bill 5', 'delivered 1 of 1')
    for (const helper of helpers) await helper.kill('SIGKILL')
    await ana.say('no helper any more')
    await bill.sees('no helper any more')
    await bill.say('indeed')
    await ana.sees('indeed')
    await bill.seesState('indeed', 'delivered 1 of 1')
  })

  it('exchange everything through residents where WebRTC is blocked', async () => {
    scene = new Scene()
    lans = new Lans()
    await twoNodes()
    const [left, right] = [lans.host('a'), lans.host('b')]
    for (const namespace of [left, right]) lans.blockUdp(namespace)
    const ana = await Person.arrive(await scene.browser({ namespace: left }), url('a'), 'Ana')
    const bill = await FirefoxPerson.arrive(scene, url('b'), 'Bill', { namespace: right })
    await ana.say('from Chromium')
    await bill.say('from Firefox')
    await ana.sees('from Firefox')
    await bill.sees('from Chromium')
    await ana.seesState('from Chromium', 'delivered 1 of 1')
    await bill.seesState('from Firefox', 'delivered 1 of 1')
    await bill.reload()
    await bill.sees('from Chromium')
    await bill.sees('from Firefox')
  })

  it('bring others together: two Chromiums find each other through a Firefox alone, with every helper dead', async () => {
    scene = new Scene()
    lans = new Lans()
    const helpers = await twoNodes()
    const ana = await FirefoxPerson.arrive(scene, url('a'), 'Ana', { namespace: lans.host('a') })
    const bill = await Person.arrive(await scene.browser({ namespace: lans.host('b') }), url('b'), 'Bill')
    await bill.reaches(1)
    // Cara is on Ana's LAN; for now nothing passes between her and Bill.
    lans.block(lans.hostAddress('a', 2), lans.hostAddress('b', 1))
    const cara = await Person.arrive(await scene.browser({ namespace: lans.host('a') }), url('a'), 'Cara')
    await cara.reaches(2)
    const connections = async () => (await cara.connections()).length
    await expect.poll(connections, { timeout: 30_000 }).toBe(1)
    for (const helper of helpers) await helper.kill('SIGKILL')
    await ana.say('Still here?')
    await bill.sees('Still here?')
    await cara.sees('Still here?')
    await bill.say('Still here.')
    await ana.sees('Still here.')
    await cara.sees('Still here.')

    lans.unblock()
    const people = cara.page.getByRole('complementary', { name: 'People' })
    await people
      .getByRole('listitem', { name: 'Bill, here' })
      .filter({ hasText: 'direct' })
      .waitFor({ timeout: 90_000 })
    await cara.say('Direct now')
    await bill.sees('Direct now')
    await ana.sees('Direct now')
    await cara.seesState('Direct now', 'delivered 2 of 2')
    await ana.seesState('Still here?', 'delivered 2 of 2')
  })

  it('are one again on three sites in a row when the middle one, with a Firefox, comes back', async () => {
    scene = new Scene()
    const sides = ['a', 'm', 'b'] as const
    lans = new Lans(sides)
    const start = (side: string) => {
      const neighbors = lans.neighbors(side).flatMap((other) => ['--neighbor', url(other)])
      const args = ['--name', `node-${side}`, '--memory', '--no-resident', ...neighbors]
      return scene.helper({ args, namespace: lans.node(side) })
    }
    await start('a')
    const middle = await start('m')
    await start('b')
    const ana = await Person.arrive(await scene.browser({ namespace: lans.host('a') }), url('a'), 'Ana')
    const mia = await FirefoxPerson.arrive(scene, url('m'), 'Mia', { namespace: lans.host('m') })
    const bill = await FirefoxPerson.arrive(scene, url('b'), 'Bill', { namespace: lans.host('b') })
    await ana.reaches(2)
    await ana.say('everybody?')
    await ana.seesState('everybody?', 'delivered 2 of 2')

    lans.setRouting('m', false)
    await middle.kill('SIGKILL')
    await ana.say('from a alone')
    await bill.say('from b alone')
    await mia.say('from m alone')
    expect(await ana.texts()).not.toContain('from b alone')

    lans.setRouting('m', true)
    await start('m')
    for (const side of sides) {
      await ana.article(`from ${side} alone`).first().waitFor({ timeout: 120_000 })
      for (const person of [mia, bill]) await person.sees(`from ${side} alone`)
    }
    await ana.reaches(2)
    await bill.say('together')
    await bill.seesState('together', 'delivered 2 of 2')
  })
})

/** On this machine alone: everything here is a secure page. */
describe.skipIf(firefoxMissing !== undefined)('Firefox', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it('goes on through another node when its own is gone, and starts without any', async () => {
    scene = new Scene()
    const [a, b] = await scene.twoNodes()
    const ana = await FirefoxPerson.arrive(scene, a.url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), b.url, 'Bill')
    await bill.reaches(1)
    await ana.say('Hello')
    await bill.sees('Hello')
    await ana.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
    await a.kill('SIGKILL')
    await ana.isTold('Now through node-b.')
    await bill.say('Still there?')
    await ana.sees('Still there?')
    await ana.seesState('Hello', 'delivered 1 of 1')
    await b.kill('SIGKILL')
    await ana.reload()
    await ana.sees('Still there?')
    await ana.say('Written without a node')
  })

  it.each([
    ['localhost', 'localhost'],
    ['plain http', 'node1.local.mesh'],
  ])('%s: share files with each other', async (_tier, host) => {
    scene = new Scene()
    const args = ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--name', 'node-a']
    const { url: at } = await scene.helper({ args })
    const url = at.replace(/localhost|127\.0\.0\.1/, host)
    const mesh = { args: ['--host-resolver-rules=MAP *.local.mesh 127.0.0.1'] }
    const bill = await Person.arrive(await scene.browser(mesh), url, 'Bill')
    const preferences = ['user_pref("network.dns.localDomains", "node1.local.mesh");']
    const ana = await FirefoxPerson.arrive(scene, url, 'Ana', { preferences })
    await bill.reaches(1)
    const [hers, his] = [makeFile(scene, 'hers.bin', 3_000_000), makeFile(scene, 'his.bin', 3_000_000)]
    await ana.attach(hers.path)
    await get(bill, hers)
    await isWhole(bill, hers)
    expect(await savedHash(bill, hers)).toBe(hers.hash)
    await attach(bill, [his.path])
    await ana.getsFile(his.name)
  })

  it('says that there is little room left, where the browser says the truth', async () => {
    scene = new Scene()
    const args = ['--name', 'node-a', '--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1']
    const { url } = await scene.helper({ args })
    // In kB, for all pages together; a page may have a fifth of it, and at least 10 MB.
    const preferences = ['user_pref("dom.quotaManager.temporaryStorage.fixedLimit", 40000);']
    const ana = await FirefoxPerson.arrive(scene, url, 'Ana', { preferences })
    const bill = await Person.arrive(await scene.browser(), url, 'Bill')
    await bill.reaches(1)
    await ana.isTold('Almost full: ')
    if (shots !== undefined) await picture(ana.page, 'storage-low', shots)
  })
})

async function picture(page: FirefoxPerson['page'], name: string, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}-laptop.png`) })
  await page.setViewport({ width: 390, height: 844 })
  await page.screenshot({ path: join(folder, `${name}-phone.png`) })
}
