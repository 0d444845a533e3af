import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openHelperKey } from '../../signal/helper-key.ts'
import { createLog } from '../../signal/log.ts'
import { parseOptions } from '../../signal/options.ts'
import { DataInUse, lockData } from '../../signal/resident/data-lock.ts'
import { serve, type Helper } from '../../signal/server.ts'
import { root } from '../root.ts'
import { Person } from './person.ts'

const folder = mkdtempSync(join(tmpdir(), 'meshchat-resident-'))
const helpers: Helper[] = []
const people: Person[] = []

beforeAll(() => writeFileSync(join(folder, 'index.html'), '<p>the app</p>'))
afterEach(async () => {
  for (const person of people.splice(0)) person.leave()
  for (const helper of helpers.splice(0)) await helper.close()
})
afterAll(() => rmSync(folder, { recursive: true }))

async function open(name: string, ...args: string[]): Promise<Helper> {
  const base = ['--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--no-discovery', '--name', name]
  const data = args.includes('--memory') ? [] : ['--data', join(folder, name)]
  const options = parseOptions([...base, ...data, ...args], {})
  if (options === undefined) throw new Error('no options')
  const write = (line: string) => {
    throw new Error(line)
  }
  const log = createLog({ level: 'warn', write, wallMs: () => Date.now() })
  const helper = await serve(options, openHelperKey(options.dataDir, log), folder, log)
  helpers.push(helper)
  return helper
}

async function end(helper: Helper): Promise<void> {
  helpers.splice(helpers.indexOf(helper), 1)
  await helper.close()
}

function url(helper: Helper): string {
  return helper.urls[0] ?? ''
}

async function come(helper: Helper, seed: number, ...others: Helper[]): Promise<Person> {
  const person = await Person.come([helper, ...others].map(url), seed)
  people.push(person)
  return person
}

function leave(person: Person): void {
  people.splice(people.indexOf(person), 1)
  person.leave()
}

const has = (text: string) => (person: Person) => person.texts.includes(text)

describe('a data folder', () => {
  it('has one node at a time, whoever comes when and by whatever name of it', async () => {
    const base = mkdtempSync(join(tmpdir(), 'meshchat-lock-'))
    const dir = join(base, 'data'.repeat(40))
    const tries = await Promise.allSettled([lockData(dir), lockData(dir), lockData(dir)])
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    symlinkSync(dir, join(base, 'other'))
    await expect(lockData(join(base, 'other'))).rejects.toThrow(DataInUse)
    for (const one of tries) if (one.status === 'fulfilled') one.value()
    const again = await lockData(dir)
    again()
    rmSync(base, { recursive: true })
  })

  it('is free again when its node was killed', async () => {
    const base = mkdtempSync(join(tmpdir(), 'meshchat-lock-'))
    writeFileSync(join(base, 'index.html'), '<p>the app</p>')
    const node = () => {
      const where = ['--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--no-discovery']
      return spawn(process.execPath, [join(root, 'signal/dist/signal.mjs'), ...where, '--data', base], {
        env: { ...process.env, MESHCHAT_APP: base, MESHCHAT_LOG: 'error' },
      })
    }
    const first = node()
    await once(first.stdout, 'data')
    const second = node()
    const [said] = (await once(second.stderr, 'data')) as [Buffer]
    expect(said.toString()).toContain('Another node is running on')
    expect(second.exitCode ?? ((await once(second, 'exit')) as [number])[0]).toBe(1)
    first.kill('SIGKILL')
    await once(first, 'exit')
    const third = node()
    await once(third.stdout, 'data')
    third.kill('SIGKILL')
    await once(third, 'exit')
    rmSync(base, { recursive: true })
  })
})

describe('the resident', () => {
  it('[B2] carries what people say to others who have no other way, and confirms that it has it', async () => {
    const helper = await open('one')
    const [ann, ben] = [await come(helper, 1), await come(helper, 2)]
    ann.say('hello')
    await ben.until('hello', () => has('hello')(ben))
    await ann.until('both confirm', () => ann.carriersOf('hello') === 2)
    expect(ann.stateOf('hello')).toEqual({ type: 'delivered', to: 1, of: 1 })
    await ann.until('people', () => ann.people.some(({ box }) => box) && ann.people.some(({ box }) => !box))
    expect(ann.people.filter(({ box, inReach }) => box && inReach)).toEqual([])
  })

  it('[B2] carries between nodes, and keeps for who comes later, on another node', async () => {
    const one = await open('north')
    const two = await open('south', '--neighbor', url(one))
    const ann = await come(one, 3)
    ann.say('first')
    // Both residents have it.
    await ann.until('two boxes', () => ann.carriersOf('first') === 2)
    expect(ann.stateOf('first')).toEqual({ type: 'carried', by: 2 })
    leave(ann)
    const ben = await come(two, 4)
    await ben.until('first', () => has('first')(ben))
  })

  it('[B3] serves who came from a node that died', async () => {
    const one = await open('stays')
    const two = await open('dies', '--neighbor', url(one))
    const [ann, mia] = [await come(one, 10), await come(two, 11, one)]
    ann.say('are you there')
    // Only one of the two may dial on one machine's own address, and it waits its turn.
    await mia.until('the question', () => has('are you there')(mia), 45_000)
    await end(two)
    mia.say('my node is dead')
    await ann.until('the answer', () => has('my node is dead')(ann))
    await mia.until('it is confirmed', () => mia.carriersOf('my node is dead') === 2)
  }, 90_000)

  it('[B4] says nothing of what it has in memory only', async () => {
    const helper = await open('memory', '--memory')
    const [ann, ben] = [await come(helper, 5), await come(helper, 6)]
    ann.say('hello')
    await ann.until('one confirms', () => ann.carriersOf('hello') === 1)
    expect(ann.stateOf('hello')).toEqual({ type: 'delivered', to: 1, of: 1 })
    leave(ben)
    leave(ann)
    const carl = await come(helper, 7)
    await carl.until('hello', () => has('hello')(carl))
  })

  it('has what it kept after it was ended and begun again', async () => {
    const helper = await open('again')
    const ann = await come(helper, 8)
    for (let i = 0; i < 20; i++) ann.say(`word ${i}`)
    await ann.until('it is kept', () => ann.carriersOf('word 19') === 1)
    leave(ann)
    await end(helper)
    const again = await open('again')
    const ben = await come(again, 9)
    await ben.until('all', () => ben.texts.length === 20)
    const { rooms } = (await (await fetch(`${url(again)}api/node`)).json()) as { rooms: number }
    expect(rooms).toBe(1)
    const metrics = await (await fetch(`${url(again)}metrics`)).text()
    expect(metrics).toContain('meshchat_events 20')
    expect(metrics).toMatch(/meshchat_frames_total\{lane="bulk",direction="out"\} [1-9]/)
  })
})
