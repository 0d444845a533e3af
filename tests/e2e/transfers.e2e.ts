import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene, killBrowser, type Browser, type HelperProcess } from './harness.ts'
import { Lans, namespacesMissing } from './lans.ts'
import { bothSizes } from './picture.ts'
import {
  attach,
  card,
  get,
  isLinkedTo,
  isWhole,
  makeFile,
  reachesShare,
  savedHash,
  shareOf,
} from './sharing.ts'

/** Files across the standard scene: two nodes on LANs of their own with a routed link between them. */
describe.skipIf(namespacesMissing() !== undefined)('files between two LANs', () => {
  let scene: Scene
  let lans: Lans
  let nodes: Record<string, HelperProcess>
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  const address = (side: string) => `http://${lans.address(side)}:8080/`

  async function begin(): Promise<void> {
    scene = new Scene()
    lans = new Lans(['a', 'b'])
    nodes = {}
    for (const [side, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const args = ['--name', `node-${side}`, '--memory', '--neighbor', address(other)]
      nodes[side] = await scene.helper({ args, namespace: lans.node(side) })
    }
  }

  async function arrive(side: string, name: string): Promise<Person> {
    return Person.arrive(await scene.browser({ namespace: lans.host(side) }), address(side), name)
  }

  const crossed = () => lans.sentBytes('a', 'right')

  it('crosses the link once, for three who want it', async () => {
    await begin()
    const ana = await arrive('a', 'Ana')
    const others = [await arrive('b', 'Bill'), await arrive('b', 'Carl'), await arrive('b', 'Dora')]
    for (const one of [ana, ...others]) await isLinkedTo(one, 3)
    const map = makeFile(scene, 'map.mbtiles', 20_000_000)
    await attach(ana, [map.path])
    for (const one of others) await card(one, map).getByText('20 MB · from Ana').waitFor()
    const before = crossed()
    for (const one of others) await get(one, map)
    for (const one of others) await isWhole(one, map)
    const ratio = (crossed() - before) / map.bytes
    console.log(`20 MB to three on the other LAN: ${ratio.toFixed(3)} of its size crossed the link`)
    for (const one of others) expect(await savedHash(one, map)).toBe(map.hash)
    // The goal is 1.1, and what it was is printed (RESULTS.md): 1.085 to 1.116, more on slow machines. A second copy of a tenth of it would show.
    expect(ratio).toBeLessThan(1.15)
  })

  it('goes on from another holder when who shared it closes at 40 %', async () => {
    await begin()
    const ana = await arrive('a', 'Ana')
    const [edda, bill] = [await arrive('a', 'Edda'), await arrive('b', 'Bill')]
    for (const one of [ana, edda, bill]) await isLinkedTo(one, 2)
    lans.setRate(4_000)
    const map = makeFile(scene, 'map.mbtiles', 8_000_000)
    await attach(ana, [map.path])
    await card(bill, map).waitFor()
    // Both fetch at once: Edda has parts of it when Ana goes, Bill others.
    await get(bill, map)
    await get(edda, map)
    await reachesShare(bill, map, 0.4)
    await bothSizes(bill, 'file-getting')
    // However fast this machine is: all of it is with one of the two, and Bill has not all.
    const chunks = Math.ceil(map.bytes / 16_384)
    const together = async () => {
      const maps = await Promise.all([edda, bill].map(({ page }) => page.evaluate(heldMap)))
      let count = 0
      for (let i = 0; i < chunks; i++)
        if (maps.some((bytes) => ((bytes[i >> 3] ?? 0) & (1 << (i & 7))) !== 0)) count += 1
      return count
    }
    await expect.poll(together, { timeout: 60_000, interval: 50 }).toBe(chunks)
    await ana.page.context().close()
    await isWhole(edda, map)
    await isWhole(bill, map)
    expect(await savedHash(bill, map)).toBe(map.hash)
  })

  it('resumes after a kill at 60 %, and nothing that was checked comes again', async () => {
    await begin()
    const ana = await arrive('a', 'Ana')
    const where = { namespace: lans.host('b'), profile: 'Bill' }
    let browser: Browser = await scene.browser(where)
    const bill = await Person.arrive(browser, address('b'), 'Bill')
    for (const one of [ana, bill]) await isLinkedTo(one, 1)
    lans.setRate(8_000)
    const map = makeFile(scene, 'map.mbtiles', 10_000_000)
    await attach(ana, [map.path])
    await card(bill, map).waitFor()
    const before = crossed()
    await get(bill, map)
    await reachesShare(bill, map, 0.6)
    await killBrowser(browser)
    browser = await scene.browser(where)
    const again = new Person(browser.context.pages()[0] ?? (await browser.context.newPage()), 'Bill')
    await again.page.goto(address('b'))
    await card(again, map).waitFor()
    await isWhole(again, map)
    expect(await savedHash(again, map)).toBe(map.hash)
    const ratio = (crossed() - before) / map.bytes
    console.log(`10 MB with a kill at 60 %: ${ratio.toFixed(3)} of its size crossed the link`)
    expect(ratio).toBeLessThan(1.15)
  })

  it('stays paused over a reload, goes on when asked, and is called off', async () => {
    await begin()
    const ana = await arrive('a', 'Ana')
    const bill = await arrive('b', 'Bill')
    for (const one of [ana, bill]) await isLinkedTo(one, 1)
    lans.setRate(8_000)
    const map = makeFile(scene, 'map.mbtiles', 8_000_000)
    await attach(ana, [map.path])
    await card(bill, map).waitFor()
    await get(bill, map)
    await reachesShare(bill, map, 0.3)
    await card(bill, map).getByRole('button', { name: 'Pause' }).click()
    const paused = card(bill, map).getByText(/^Paused at .* of 8 MB/)
    await paused.waitFor()
    await bothSizes(bill, 'file-paused')
    await bill.page.reload()
    await paused.waitFor({ timeout: 30_000 })
    await isLinkedTo(bill, 1)
    const before = crossed()
    expect(await shareOf(bill, map)).toBeGreaterThan(0.25)
    // Meanwhile nothing of it comes: a message crosses, and no file beside it.
    await ana.say('Still there?')
    await bill.sees('Still there?')
    expect(crossed() - before).toBeLessThan(100_000)
    await card(bill, map).getByRole('button', { name: 'Resume' }).click()
    await isWhole(bill, map)
    expect(await savedHash(bill, map)).toBe(map.hash)

    const other = makeFile(scene, 'other.bin', 8_000_000)
    await attach(ana, [other.path])
    await card(bill, other).waitFor()
    await get(bill, other)
    await reachesShare(bill, other, 0.1)
    await card(bill, other).getByRole('button', { name: 'Cancel other.bin' }).click()
    await card(bill, other).getByRole('button', { name: 'Get' }).waitFor()
    await card(bill, other).getByText('8 MB · from Ana').waitFor()
  })

  it('completes with both helpers dead, over a link that was cut for 30 s, and for who moves to another node', async () => {
    await begin()
    const ana = await arrive('a', 'Ana')
    const bill = await arrive('b', 'Bill')
    for (const one of [ana, bill]) await isLinkedTo(one, 1)
    lans.setRate(8_000)
    const [first, second] = [
      makeFile(scene, 'first.bin', 6_000_000),
      makeFile(scene, 'second.bin', 6_000_000),
    ]
    await attach(ana, [first.path])
    await card(bill, first).waitFor()
    await get(bill, first)
    await reachesShare(bill, first, 0.2)
    // The link is cut: nothing comes, and it goes on where it was.
    lans.setLink('a', false)
    const cutAtMs = Date.now()
    await card(bill, first)
      .getByText(/^Waiting at /)
      .waitFor({ timeout: 60_000 })
    await bothSizes(bill, 'file-waiting')
    await expect.poll(() => Date.now() - cutAtMs > 30_000, { timeout: 60_000, interval: 500 }).toBe(true)
    lans.setLink('a', true)
    await reachesShare(bill, first, 0.6)
    // He moves to the other node, in the midst of it.
    await bill.page.getByRole('button', { name: 'Switch node' }).first().click()
    const sheet = bill.page.getByRole('dialog', { name: 'Nodes' })
    await sheet.getByRole('button', { name: /node-a/ }).click()
    await bill.page.keyboard.press('Escape')
    await isWhole(bill, first)
    expect(await savedHash(bill, first)).toBe(first.hash)

    await isLinkedTo(bill, 1)
    await attach(ana, [second.path])
    await card(bill, second).waitFor()
    await get(bill, second)
    await reachesShare(bill, second, 0.2)
    for (const node of Object.values(nodes)) await node.kill('SIGKILL')
    await isWhole(bill, second)
    expect(await savedHash(bill, second)).toBe(second.hash)
  })
})

/** In the page, on plain http: which chunks its only file has, a bit each, as it is stored. */
async function heldMap(): Promise<number[]> {
  const opened = await new Promise<IDBDatabase>((resolve, reject) => {
    const asked = indexedDB.open('meshchat-files')
    asked.onsuccess = () => resolve(asked.result)
    asked.onerror = () => reject(new Error('the files do not open'))
  })
  const all = await new Promise<unknown[]>((resolve, reject) => {
    const asked = opened.transaction('small').objectStore('small').getAll()
    asked.onsuccess = () => resolve(asked.result)
    asked.onerror = () => reject(new Error('the files cannot be read'))
  })
  opened.close()
  // Beside the map there is only what the file is, in figures.
  const maps = all.filter((one): one is Uint8Array => one instanceof Uint8Array)
  const isText = (bytes: Uint8Array) => bytes.length <= 120 && bytes.every((byte) => byte >= 32 && byte < 127)
  return [...(maps.find((bytes) => !isText(bytes)) ?? [])]
}
