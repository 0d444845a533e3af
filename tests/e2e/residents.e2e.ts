import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene, type HelperProcess } from './harness.ts'
import { Lans, namespacesMissing } from './lans.ts'

const missing = namespacesMissing()

/** Nodes in a row, each with a resident that keeps what people say. */
describe.skipIf(missing !== undefined)('residents', () => {
  let scene: Scene
  let lans: Lans
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  function dataOf(side: string): string {
    return join(scene.folder, `data-${side}`)
  }

  function helper(side: string): Promise<HelperProcess> {
    const neighbors = lans
      .neighbors(side)
      .flatMap((other) => ['--neighbor', `http://${lans.address(other)}:8080/`])
    const args = ['--name', `node-${side}`, '--data', dataOf(side), ...neighbors]
    return scene.helper({ args, namespace: lans.node(side) })
  }

  function url(side: string): string {
    return `http://${lans.address(side)}:8080/`
  }

  async function arrive(side: string, name: string, isBlocked = false): Promise<Person> {
    const namespace = lans.host(side)
    if (isBlocked) lans.blockUdp(namespace)
    return Person.arrive(await scene.browser({ namespace, profile: name }), url(side), name)
  }

  it('carry everything where WebRTC is blocked, and a node that dies for ever takes nothing with it', async () => {
    scene = new Scene()
    lans = new Lans(['a', 'm', 'b'])
    const helpers = new Map<string, HelperProcess>()
    for (const side of ['a', 'm', 'b']) helpers.set(side, await helper(side))
    const [ana, mia, bill] = [
      await arrive('a', 'Ana', true),
      await arrive('m', 'Mia', true),
      await arrive('b', 'Bill', true),
    ]
    for (const person of [ana, mia, bill]) await person.reaches(2)
    const said: string[] = []
    for (const person of [ana, mia, bill]) {
      await person.say(`I am ${person.name}`)
      said.push(`I am ${person.name}`)
    }
    for (const person of [ana, mia, bill]) {
      for (const text of said) await person.sees(text)
      await person.seesState(`I am ${person.name}`, 'delivered 2 of 2')
      expect(await person.connections()).toEqual([])
    }
    await ana.page.getByRole('status', { name: 'Connection' }).filter({ hasText: 'through node' }).waitFor()
    await ana.page
      .getByRole('complementary', { name: 'People' })
      .getByRole('listitem')
      .filter({ hasText: 'Bill' })
      .filter({ hasText: 'through node-a' })
      .waitFor()

    // Only what everybody's own resident needs is left after a while.
    for (const side of ['a', 'b']) {
      await expect
        .poll(() => lans.fetch(side, `${url(side)}metrics`), { timeout: 60_000 })
        .toMatch(/^meshchat_links 2$/m)
    }
    await helpers.get('m')?.kill('SIGKILL')
    rmSync(dataOf('m'), { recursive: true })
    const killedMs = performance.now()
    await mia.say('my node is dead')
    await ana.sees('my node is dead')
    const movedMs = performance.now() - killedMs
    console.log(`a browser whose node died was heard again after ${(movedMs / 1_000).toFixed(1)} s`)
    expect(movedMs).toBeLessThan(30_000)
    await mia.seesState('my node is dead', 'delivered 2 of 2')
    for (const person of [ana, mia, bill]) {
      for (const text of [...said, 'my node is dead']) await person.sees(text)
    }
  })

  it('are not needed: the chat goes on when both helpers and their residents are killed', async () => {
    scene = new Scene()
    lans = new Lans(['a', 'b'])
    const helpers = [await helper('a'), await helper('b')]
    const people: Person[] = []
    for (const side of ['a', 'b']) {
      const browsers = await scene.people(3, lans.host(side))
      for (const [i, browser] of browsers.entries()) {
        people.push(await Person.arrive(browser, url(side), `${side}${i}`))
      }
    }
    for (const person of people) await person.reaches(5)
    const [ana, , , bill] = people
    if (ana === undefined || bill === undefined) throw new Error('nobody came')
    await ana.say('everybody?')
    await ana.seesState('everybody?', 'delivered 5 of 5')
    // Residents alone carry between the sites; the standby link waits beside them.
    await expect
      .poll(async () => (await Promise.all(people.map((one) => one.connections()))).flat().length / 2, {
        timeout: 60_000,
      })
      .toBe(3 + 3 + 1)

    for (const one of helpers) await one.kill('SIGKILL')
    const killedMs = performance.now()
    await ana.say('still there?')
    for (const person of people) await person.sees('still there?')
    await bill.say('yes')
    await bill.seesState('yes', 'delivered 5 of 5')
    await ana.seesState('still there?', 'delivered 5 of 5')
    const seconds = (performance.now() - killedMs) / 1_000
    console.log(`both helpers dead: said, answered and confirmed by all in ${seconds.toFixed(1)} s`)
    for (const person of people) await person.reaches(5)
  })

  it('keep what somebody said who left, for somebody who comes later, elsewhere, and after everything was restarted', async () => {
    scene = new Scene()
    lans = new Lans(['a', 'b'])
    const helpers = [await helper('a'), await helper('b')]
    const ana = await arrive('a', 'Ana')
    await ana.say('I was here')
    await ana.seesState('I was here', 'carried by 2')
    await ana.page.context().close()

    const bill = await arrive('b', 'Bill')
    await bill.sees('I was here')
    const back = await scene.browser({ namespace: lans.host('a'), profile: 'Ana' })
    const page = back.context.pages()[0] ?? (await back.context.newPage())
    const again = new Person(page, 'Ana')
    await page.goto(url('a'))
    await again.seesState('I was here', 'delivered 1 of 1')

    for (const person of [bill, again]) await person.page.context().close()
    for (const one of helpers) await one.kill('SIGTERM')
    await helper('a')
    await helper('b')
    const carl = await arrive('b', 'Carl')
    await carl.sees('I was here')
  })
})
