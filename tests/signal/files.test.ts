import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { bytesEqual } from '../../src/mesh/bytes.ts'
import { fileOf, type Made } from '../mesh/files/make-file.ts'
import { NodeRig, url } from './node-rig.ts'
import { Person } from './person.ts'

/** Files where browsers have no way to each other: real sockets, the shipped engines. */
describe('files through nodes', () => {
  let rig: NodeRig
  const people: Person[] = []
  afterEach(async () => {
    for (const person of people.splice(0)) person.leave()
    await rig.close()
  })

  /** @param seed other ones than those of the nodes */
  async function come(urls: readonly string[], seed: number): Promise<Person> {
    const person = await Person.come(urls, seed)
    people.push(person)
    return person
  }

  async function fetched(person: Person, made: Made): Promise<void> {
    person.files.command({ type: 'get', content: made.content })
    await person.until('the file', () => person.progress.get(made.id)?.progress === 'complete')
    for (let chunk = 0; chunk * 16_384 < made.bytes.length; chunk++) {
      const bytes = await person.fileStore.read(made.id, chunk)
      const right = made.bytes.subarray(chunk * 16_384, (chunk + 1) * 16_384)
      expect(bytes !== undefined && bytesEqual(bytes, right)).toBe(true)
    }
  }

  it('[C7] goes from one node to another, and stays there for who comes later', async () => {
    rig = new NodeRig()
    const a = await rig.open('--data', join(rig.folder, 'a'))
    const b = await rig.open('--data', join(rig.folder, 'b'), '--neighbor', url(a))
    const made = fileOf(1, 3_000_000)
    const ana = await come([url(a)], 21)
    await ana.share(made.bytes)
    const bill = await come([url(b)], 22)
    ana.say('Here it is')
    await bill.until('Ana', () => bill.texts.includes('Here it is'))
    await fetched(bill, made)
    // Nobody who shared it or fetched it is there any more.
    for (const person of people.splice(0)) person.leave()
    const cara = await come([url(b)], 23)
    await fetched(cara, made)
    // Nor the nodes as they were.
    for (const person of people.splice(0)) person.leave()
    await rig.closeHelpers()
    expect(existsSync(join(rig.folder, 'b', 'files', made.id, 'content'))).toBe(true)
    const again = await rig.open('--data', join(rig.folder, 'b'))
    const dora = await come([url(again)], 24)
    await fetched(dora, made)
  })

  it('[C14] keeps what moved last within --keep-files-mb', async () => {
    rig = new NodeRig()
    const node = await rig.open('--data', join(rig.folder, 'a'), '--keep-files-mb', '2')
    const ana = await come([url(node)], 21)
    const bill = await come([url(node)], 22)
    // Two at one node have a way to each other, or none: then nothing passes the node. A third one is elsewhere.
    const far = await rig.open('--memory', '--neighbor', url(node))
    const cara = await come([url(far)], 23)
    ana.say('Here it is')
    await cara.until('Ana', () => cara.texts.includes('Here it is'))
    const files = [1, 2, 3, 4].map((seed) => fileOf(seed, 900_000))
    for (const made of files) {
      await ana.share(made.bytes)
      await fetched(cara, made)
    }
    const newest = files.slice(2).map(({ id }) => id)
    // A folder is gone from the disk some time after its room has been given to others.
    await expect
      .poll(() => readdirSync(join(rig.folder, 'a', 'files')).sort(), { timeout: 5_000 })
      .toEqual(newest.sort())
    expect(bill.progress.size).toBe(0)
  })
})
