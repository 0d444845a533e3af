import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'
import { bothSizes } from './picture.ts'
import { attach, card, get, isWhole, makeFile, savedHash } from './sharing.ts'

/** Files between browsers at one node, through their screens. */
describe('files', () => {
  let scene: Scene
  afterEach(() => scene.close())

  const args = ['--name', 'node-a', '--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1']

  it.each([
    ['localhost', 'localhost'],
    ['plain http', 'node1.local.mesh'],
  ])('%s: is offered, fetched, saved, and kept over a reload', async (_tier, host) => {
    scene = new Scene()
    const helper = await scene.helper({ args })
    const url = helper.url.replace(/localhost|127\.0\.0\.1/, host)
    const mesh = { args: ['--host-resolver-rules=MAP *.local.mesh 127.0.0.1'] }
    const ana = await Person.arrive(await scene.browser(mesh), url, 'Ana')
    const bill = await Person.arrive(await scene.browser(mesh), url, 'Bill')
    await ana.reaches(1)
    const list = makeFile(scene, 'shelter-list.xlsx', 3_000_000)
    await attach(ana, [list.path], 'Who sleeps where')
    await card(ana, list).getByText('3 MB · only you have it').waitFor()
    await card(bill, list).getByText('3 MB · from Ana').waitFor()
    await bothSizes(bill, 'file-offered')
    await get(bill, list)
    await isWhole(bill, list)
    expect(await savedHash(bill, list)).toBe(list.hash)
    await card(ana, list)
      .getByText(/other device/)
      .waitFor()
    await bill.page.reload()
    await isWhole(bill, list)
    expect(await savedHash(bill, list)).toBe(list.hash)
    await bothSizes(bill, 'file-complete')
  })
})
