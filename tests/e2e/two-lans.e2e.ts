import { execFileSync } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene, type HelperProcess } from './harness.ts'
import { Lans, namespacesMissing } from './lans.ts'

const missing = namespacesMissing()

/** E2E 2 and 3: two helpers on two routed LANs, plain http, no multicast between them. */
describe.skipIf(missing !== undefined)('two nodes on two routed LANs', () => {
  let scene: Scene
  let lans: Lans
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  function open(): void {
    scene = new Scene()
    lans = new Lans()
    scene.onClose(() => undefined)
  }

  /** @param more beside what each needs */
  function helper(side: string, ...more: string[]): Promise<HelperProcess> {
    const other = lans.address(side === 'a' ? 'b' : 'a')
    const args = ['--name', `node-${side}`, '--memory', '--neighbor', `http://${other}:8080/`, ...more]
    return scene.helper({ args, namespace: lans.node(side) })
  }

  function metrics(side: string): string {
    const url = `http://${lans.address(side)}:8080/metrics`
    return execFileSync('ip', [
      'netns',
      'exec',
      lans.node(side),
      process.execPath,
      '-e',
      fetchScript(url),
    ]).toString()
  }

  async function arrive(side: string, name: string): Promise<Person> {
    const browser = await scene.browser({ namespace: lans.host(side) })
    return Person.arrive(browser, `http://${lans.address(side)}:8080/`, name)
  }

  it('connects directly, and ten messages each way arrive in one order', async () => {
    open()
    await helper('a', '--no-resident')
    await helper('b', '--no-resident')
    const ana = await arrive('a', 'Ana')
    const bill = await arrive('b', 'Bill')
    expect(await ana.page.evaluate(() => isSecureContext)).toBe(false)
    await ana.reaches(1)
    await bill.reaches(1)
    const people = ana.page.getByRole('complementary', { name: 'People' })
    await people.getByRole('listitem', { name: 'Bill, here' }).waitFor()
    expect(await people.getByRole('listitem', { name: 'Bill, here' }).textContent()).toContain('node-b')

    for (let i = 1; i <= 10; i++) {
      await ana.say(`Ana ${i}`)
      await bill.say(`Bill ${i}`)
    }
    for (let i = 1; i <= 10; i++) {
      await ana.sees(`Bill ${i}`)
      await bill.sees(`Ana ${i}`)
    }
    await ana.seesState('Ana 10', 'delivered 1 of 1')
    await bill.seesState('Bill 10', 'delivered 1 of 1')
    const onAna = await ana.texts()
    expect(onAna).toHaveLength(20)
    expect(await bill.texts()).toEqual(onAna)

    const [connection, ...more] = await ana.connections()
    expect(more).toEqual([])
    expect(['host', 'srflx', 'prflx']).toContain(connection?.local)
    expect(['host', 'srflx', 'prflx']).toContain(connection?.remote)
    for (const side of ['a', 'b'] as const) {
      const text = metrics(side)
      const frames = text.split('\n').filter((line) => line.startsWith('meshchat_frames_total'))
      expect(frames.length).toBeGreaterThan(0)
      expect(frames.every((line) => line.endsWith(' 0'))).toBe(true)
      expect(text).toMatch(/meshchat_neighbors 1/)
    }
  })

  it('goes on and grows with both helpers killed, and nothing is doubled when they are back', async () => {
    open()
    let helpers = [await helper('a'), await helper('b')]
    const ana = await arrive('a', 'Ana')
    const bill = await arrive('b', 'Bill')
    await ana.reaches(1)
    await bill.reaches(1)
    // Cara is on Ana's LAN; for now nothing passes between her and Bill.
    lans.block(lans.hostAddress('a', 2), lans.hostAddress('b', 1))
    const cara = await arrive('a', 'Cara')
    await cara.reaches(2)
    expect(await cara.connections()).toHaveLength(1)

    for (const one of helpers) await one.kill('SIGKILL')
    await ana.page
      .getByRole('status', { name: 'Connection' })
      .first()
      .filter({ hasText: 'node lost' })
      .waitFor()
    await ana.say('Still here?')
    await bill.sees('Still here?')
    await bill.say('Still here.')
    await ana.sees('Still here.')
    await cara.sees('Still here.')

    lans.unblock()
    const people = cara.page.getByRole('complementary', { name: 'People' })
    await people
      .getByRole('listitem', { name: 'Bill, here' })
      .filter({ hasText: 'direct' })
      .waitFor({ timeout: 90_000 })
    expect(await cara.connections()).toHaveLength(2)
    await cara.say('Direct now')
    await bill.sees('Direct now')
    await cara.seesState('Direct now', 'delivered 2 of 2')

    helpers = [await helper('a'), await helper('b')]
    for (const person of [ana, bill, cara]) {
      await person.reaches(2)
      await person.page
        .getByRole('status', { name: 'Connection' })
        .first()
        .filter({ hasText: /^\W*2 in reach\s*$/ })
        .waitFor({ timeout: 60_000 })
      const listed = person.page.getByRole('complementary', { name: 'People' }).getByRole('listitem')
      expect(await listed.count()).toBe(2)
      expect(await person.texts()).toEqual(['Still here?', 'Still here.', 'Direct now'])
    }
  })
})

function fetchScript(url: string): string {
  return `fetch(${JSON.stringify(url)}).then(r=>r.text()).then(t=>process.stdout.write(t))`
}
