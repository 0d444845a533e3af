import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'
import { Lans, namespacesMissing } from './lans.ts'
import { bothSizes, picture } from './picture.ts'
import { attach, card, get, isLinkedTo, isWhole, makeFile, reachesShare, savedHash } from './sharing.ts'

/** Who keeps a file, and what is done about a device or a link that has little. */
describe('keeping files', () => {
  let scene: Scene
  let lans: Lans | undefined
  afterEach(async () => {
    await scene.close()
    lans?.remove()
    lans = undefined
  })

  const args = ['--name', 'node-a', '--stun-port', '0', '--host', '127.0.0.1']

  it('a node keeps what it is asked to, after who shared it has left, and after it was started again', async () => {
    scene = new Scene()
    const port = '18' + String(200 + (process.pid % 700))
    const kept = [...args, '--port', port, '--data', join(scene.folder, 'data'), '--keep-files-mb', '20']
    const node = await scene.helper({ args: kept })
    const first = await scene.browser()
    const ana = await Person.arrive(first, node.url, 'Ana')
    const [list, film] = [
      makeFile(scene, 'shelter-list.xlsx', 3_000_000),
      makeFile(scene, 'film.bin', 15_000_000),
    ]
    await attach(ana, [list.path])
    await card(ana, list).getByText('only you have it').waitFor()
    await card(ana, list).getByRole('button', { name: 'Keep on node-a, shelter-list.xlsx' }).click()
    await card(ana, list).getByText('Node node-a keeps it, whoever else goes.').waitFor()
    await card(ana, list).getByText('1 other device has it').waitFor()
    await bothSizes(ana, 'file-kept-by-node')
    // More than half of its room it gives to nobody.
    await attach(ana, [film.path])
    await card(ana, film).getByRole('button', { name: 'Keep on node-a, film.bin' }).click()
    await card(ana, film).getByText('Node node-a has no room to keep it.').waitFor()
    await first.context.close()
    await node.kill()
    const again = await scene.helper({ args: kept })
    const bill = await Person.arrive(await scene.browser(), again.url, 'Bill')
    await card(bill, list).waitFor()
    await get(bill, list)
    await isWhole(bill, list)
    expect(await savedHash(bill, list)).toBe(list.hash)
  })

  it('what is shared from one of two tabs stays, and only what that tab called off goes', async () => {
    scene = new Scene()
    const node = await scene.helper({ args: [...args, '--port', '0', '--memory'] })
    const browser = await scene.browser()
    const first = await Person.arrive(browser, node.url, 'Ana')
    const other = new Person(await browser.context.newPage(), 'Ana')
    await other.page.goto(node.url)
    const bill = await Person.arrive(await scene.browser(), node.url, 'Bill')
    await bill.reaches(1)
    await first.reaches(1)
    await other.reaches(1)
    // Both know of files by then.
    for (const { page } of [first, other]) await page.waitForFunction(() => performance.now() > 12_000)
    const photo = makeFile(scene, 'only-copy.jpg', 400_000)
    await attach(first, [photo.path])
    const plan = makeFile(scene, 'plan.bin', 500_000)
    await attach(other, [plan.path])
    for (const one of [photo, plan]) {
      await get(bill, one)
      await isWhole(bill, one)
      for (const tab of [first, other]) {
        await card(tab, one).getByText('1 other device has it').waitFor()
        expect(await savedHash(tab, one)).toBe(one.hash)
      }
    }
    // Shared once more and called off: the copy that was there is not touched.
    const again = makeFile(scene, 'again.bin', 120_000_000)
    await attach(other, [again.path])
    await card(other, again).getByText('only you have it').waitFor({ timeout: 60_000 })
    await attach(other, [again.path])
    await other.page.getByRole('button', { name: 'Cancel again.bin' }).click()
    await other.say('Not twice')
    await bill.sees('Not twice')
    await card(other, again).first().getByText('only you have it').waitFor()
    expect(await savedHash(other, again)).toBe(again.hash)
  })

  it('what at least two others have makes room first, and what only this device has stays', async () => {
    scene = new Scene()
    const node = await scene.helper({ args: [...args, '--port', '0', '--memory'] })
    const ana = await Person.arrive(await scene.browser(), node.url, 'Ana')
    const bill = await Person.arrive(await scene.browser(), node.url, 'Bill')
    await ana.reaches(1)
    const [list, plan] = [makeFile(scene, 'list.xlsx', 2_000_000), makeFile(scene, 'plan.bin', 1_000_000)]
    await attach(ana, [list.path])
    await attach(ana, [plan.path])
    await card(ana, list).getByRole('button', { name: 'Keep on node-a, list.xlsx' }).click()
    await get(bill, list)
    await isWhole(bill, list)
    await card(ana, list).getByText('2 other devices have it').waitFor()
    await ana.page.keyboard.press('Control+k')
    await ana.page.getByRole('combobox').fill('Storage')
    await ana.page.keyboard.press('Enter')
    const sheet = ana.page.getByRole('dialog', { name: 'Storage' })
    const spare = sheet.getByRole('button', { name: 'Remove what at least two others have: 1 file, 2 MB' })
    await spare.waitFor()
    await bothSizes(ana, 'storage-spare-files')
    await spare.click()
    await sheet.getByRole('button', { name: 'Remove anyway' }).click()
    await expect.poll(() => sheet.getByText('list.xlsx').count()).toBe(0)
    await ana.page.keyboard.press('Escape')
    await card(ana, list).getByText('not on this device any more').waitFor()
    await card(ana, plan).getByText('only you have it').waitFor()
  })

  it('on a phone a photo is taken, what goes on is seen, the screen stays on, and other apps get what is here', async () => {
    scene = new Scene()
    const node = await scene.helper({ args: [...args, '--port', '0', '--memory'] })
    const ana = await Person.arrive(await scene.browser(), node.url, 'Ana')
    const phone = await scene.browser({ isTouched: true, viewport: { width: 390, height: 844 } })
    await phone.context.addInitScript(watchPhone)
    const bill = await Person.arrive(phone, node.url, 'Bill')
    await ana.reaches(1)
    await bill.page.getByRole('button', { name: 'Attach' }).tap()
    const sheet = bill.page.getByRole('dialog')
    const camera = sheet.locator('input[capture]')
    expect(await camera.getAttribute('aria-label')).toBe('Take a photo')
    expect(await camera.getAttribute('capture')).toBe('environment')
    expect(await sheet.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true)
    await sheet.getByText('Take a photo').waitFor()
    await picture(bill, 'attach-phone')
    const photo = makeFile(scene, 'IMG 0001.bin', 30_000)
    await camera.setInputFiles([photo.path])
    const plan = makeFile(scene, 'plan.bin', 40_000)
    await sheet.locator('input[aria-label="Choose files"]').setInputFiles([plan.path])
    await sheet.getByText('plan.bin').waitFor()
    await sheet.getByRole('button', { name: 'Send' }).tap()
    for (const one of [photo, plan]) {
      await get(ana, one)
      await isWhole(ana, one)
    }

    const map = makeFile(scene, 'map.bin', 60_000_000)
    await attach(ana, [map.path])
    await get(bill, map)
    await reachesShare(bill, map, 0.01)
    await card(bill, map).getByLabel('Keep the screen on until it is done').check()
    await expect.poll(() => bill.page.evaluate(phoneSaw)).toMatchObject({ isOn: true })
    await card(ana, map).getByText('wanted by Bill').waitFor()
    await isWhole(bill, map)
    await expect.poll(() => bill.page.evaluate(phoneSaw)).toMatchObject({ isOn: false })
    await card(bill, map).getByRole('button', { name: 'Share, map.bin' }).tap()
    await expect.poll(() => bill.page.evaluate(phoneSaw)).toMatchObject({ shared: [['map.bin', map.bytes]] })
  })

  it.skipIf(namespacesMissing() !== undefined)(
    'a slow link is said, with how fast it is, and what can be done',
    async () => {
      scene = new Scene()
      lans = new Lans(['a', 'b'])
      const people: Person[] = []
      for (const [side, other, name] of [
        ['a', 'b', 'Ana'],
        ['b', 'a', 'Bill'],
      ] as const) {
        const address = `http://${lans.address(side)}:8080/`
        const neighbor = `http://${lans.address(other)}:8080/`
        await scene.helper({
          args: ['--name', `node-${side}`, '--memory', '--neighbor', neighbor],
          namespace: lans.node(side),
        })
        people.push(await Person.arrive(await scene.browser({ namespace: lans.host(side) }), address, name))
      }
      const [ana, bill] = people
      if (ana === undefined || bill === undefined) throw new Error('nobody')
      await isLinkedTo(bill, 1)
      lans.setRate(32)
      const map = makeFile(scene, 'map.bin', 400_000)
      await attach(ana, [map.path])
      await card(bill, map).waitFor()
      await get(bill, map)
      const notice = bill.page.getByRole('status', { name: 'Notice' })
      await notice.getByText(/^Link is slow \(about \d+ kbit\/s\)\.$/).waitFor({ timeout: 90_000 })
      const said = /about (\d+) kbit/.exec((await notice.textContent()) ?? '')?.[1]
      expect(Number(said)).toBeGreaterThan(2)
      expect(Number(said)).toBeLessThanOrEqual(32)
      await bill.page.getByRole('status', { name: 'Connection' }).getByText('slow').first().waitFor()
      await bothSizes(bill, 'slow-link')
      await notice.getByRole('button', { name: 'Save bandwidth' }).click()
      await notice.getByText('Nothing else is fetched by itself.').waitFor()
      // It is over when the link is as before.
      lans.setRate(10_000)
      await isWhole(bill, map)
      await notice.getByText(/^Link is slow/).waitFor({ state: 'detached', timeout: 60_000 })
    },
  )
})

interface Seen {
  isOn: boolean
  shared: [name: string, bytes: number][]
}

/** In the page: what it asks of the device. Headless, a browser has no screen and no other apps. */
function watchPhone(): void {
  const seen: Seen = { isOn: false, shared: [] }
  Object.assign(globalThis, { seen })
  const wakeLock = {
    request: () => {
      seen.isOn = true
      return Promise.resolve({ release: () => Promise.resolve(void (seen.isOn = false)) })
    },
  }
  Object.defineProperty(navigator, 'wakeLock', { value: wakeLock })
  const share = ({ files }: { readonly files: readonly File[] }) => {
    for (const { name, size } of files) seen.shared.push([name, size])
    return Promise.resolve()
  }
  Object.defineProperty(navigator, 'canShare', { value: () => true })
  Object.defineProperty(navigator, 'share', { value: share })
}

function phoneSaw(): Seen {
  return (globalThis as unknown as { seen: Seen }).seen
}
