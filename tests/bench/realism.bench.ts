/**
 * Whether the simulator may be believed: the same scene with real Chromium pages on two routed LANs and in the
 * simulator, counted on the same lanes, and on the cable between the routers.
 */
import { afterEach, describe, it } from 'vitest'
import { Lans, namespacesMissing } from '../e2e/lans.ts'
import { Person, Scene } from '../e2e/harness.ts'
import { general } from '../sim/checks.ts'
import { rtcIdleBytesPerSecond, type Counters } from '../sim/counters.ts'
import { World } from '../sim/world.ts'
import { typeAndEnter } from './pages.ts'
import { printTable, type Row } from './table.ts'

const missing = namespacesMissing()
const perSite = 3
const count = 60
const everyMs = 1_000
const settleMs = 40_000
/** Until the last message is confirmed. */
const afterMs = 5_000
const text = (i: number) => `message ${i} `.padEnd(60, '.')

interface Sent {
  readonly frames: number
  readonly bytes: number
}

/** By the id of the data channel, which is that of the lane. */
type Lanes = Record<'control' | 'chat' | 'bulk', Sent>
const laneIds = { control: 1, chat: 2, bulk: 3 } as const

interface Measured {
  readonly lanes: Lanes
  /** IP packets, both ways over the cable between the sites. */
  readonly cableBytes: number
}

/** Counts what a page gives to its data channels. */
function watchSends(): void {
  const sent: Record<number, { frames: number; bytes: number }> = {}
  Object.assign(globalThis, { sent })
  const original: unknown = Reflect.get(RTCDataChannel.prototype, 'send')
  if (typeof original !== 'function') return
  RTCDataChannel.prototype.send = function (
    this: RTCDataChannel,
    data: string | Blob | ArrayBuffer | ArrayBufferView,
  ) {
    const lane = (sent[this.id ?? -1] ??= { frames: 0, bytes: 0 })
    lane.frames += 1
    if (typeof data !== 'string' && !(data instanceof Blob)) lane.bytes += data.byteLength
    Reflect.apply(original, this, [data])
  }
}

async function sentBy(people: readonly Person[]): Promise<Lanes> {
  const all = await Promise.all(
    people.map((person) =>
      person.page.evaluate(() => (globalThis as unknown as { sent: Record<number, Sent> }).sent),
    ),
  )
  const sum = (id: number): Sent => ({
    frames: all.reduce((total, sent) => total + (sent[id]?.frames ?? 0), 0),
    bytes: all.reduce((total, sent) => total + (sent[id]?.bytes ?? 0), 0),
  })
  return { control: sum(laneIds.control), chat: sum(laneIds.chat), bulk: sum(laneIds.bulk) }
}

function minus(after: Sent, before: Sent): Sent {
  return { frames: after.frames - before.frames, bytes: after.bytes - before.bytes }
}

function lanesBetween(before: Lanes, after: Lanes): Lanes {
  return {
    control: minus(after.control, before.control),
    chat: minus(after.chat, before.chat),
    bulk: minus(after.bulk, before.bulk),
  }
}

interface Scenes {
  readonly links: number
  readonly idle: Measured
  readonly talk: Measured
}

async function real(scene: Scene, lans: Lans): Promise<Scenes> {
  const people: Person[] = []
  for (const [side, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const neighbor = `http://${lans.address(other)}:8080/`
    const args = ['--name', `node-${side}`, '--memory', '--no-resident', '--neighbor', neighbor]
    await scene.helper({ args, namespace: lans.node(side) })
  }
  for (const side of ['a', 'b']) {
    for (const [i, browser] of (await scene.people(perSite, lans.host(side))).entries()) {
      await browser.context.addInitScript(watchSends)
      people.push(await Person.arrive(browser, `http://${lans.address(side)}:8080/`, `peer ${side}${i}`))
    }
  }
  for (const person of people) await person.reaches(people.length - 1)
  const [author] = people
  if (author === undefined) throw new Error('nobody came')
  await author.say('everybody?')
  await author.seesState('everybody?', `delivered ${people.length - 1} of ${people.length - 1}`)
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  lans.countForwarded()
  const cable = () => lans.forwardedBytes()
  const during = async (run: () => Promise<void>): Promise<Measured> => {
    const startedMs = performance.now()
    const [lanes, bytes] = [await sentBy(people), cable()]
    await run()
    await pause(count * everyMs + afterMs - (performance.now() - startedMs))
    return { lanes: lanesBetween(lanes, await sentBy(people)), cableBytes: cable() - bytes }
  }
  await pause(settleMs)
  const idle = await during(() => Promise.resolve())
  const talk = await during(async () => {
    for (let i = 0; i < count; i++) {
      const dueMs = performance.now() + everyMs
      await author.page.evaluate(typeAndEnter, text(i))
      await pause(dueMs - performance.now())
    }
  })
  const ends = await Promise.all(people.map((person) => person.connections()))
  return { links: ends.flat().length / 2, idle, talk }
}

function simulated(seed: number): Scenes {
  const faults = {
    loss: 0,
    duplication: 0,
    latencyMinMs: 1,
    latencyMaxMs: 2,
    diskMaxMs: 10,
    diskFull: 0,
    clockErrorMaxMs: 0,
  }
  const world = new World(seed, { near: [[1], [0]], people: [perSite, perSite], boxes: false }, faults)
  Object.assign(world, { packs: true, radioMinMs: 1, radioMaxMs: 1 })
  world.peers.forEach((peer, i) => world.schedule.after(1_000 + i * 500, () => world.start(peer)))
  world.schedule.run(15_000, 1e8)
  const [author] = world.peers
  if (author === undefined) throw new Error('nobody came')
  world.post(author, general, 'everybody?')
  world.schedule.run(15_000 + settleMs, 1e8)
  const during = (): Measured => {
    const before = world.counters.copy()
    const ms = count * everyMs + afterMs
    world.schedule.run(world.schedule.nowMs + ms, 1e8)
    const counters = world.counters.since(before)
    const keepAlive = (world.radioHopsOfBrowsers() * rtcIdleBytesPerSecond * ms) / 1_000
    return { lanes: lanesOf(counters), cableBytes: counters.radioBytes + keepAlive }
  }
  const idle = during()
  for (let i = 0; i < count; i++) {
    world.schedule.after(i * everyMs, () => world.post(author, general, text(i)))
  }
  const ends = world.peers.reduce((sum, peer) => sum + peer.conduits.size, 0)
  return { links: ends / 2, idle, talk: during() }
}

function lanesOf(counters: Counters): Lanes {
  return {
    control: { frames: counters.controlFrames, bytes: counters.controlLaneBytes },
    chat: { frames: counters.chatFrames, bytes: counters.chatBytes },
    bulk: { frames: counters.bulkFrames, bytes: counters.bulkBytes },
  }
}

describe.skipIf(missing !== undefined)('the simulator beside real pages', () => {
  let scene: Scene
  let lans: Lans
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  it('counts the same', async () => {
    scene = new Scene()
    lans = new Lans()
    const pages = await real(scene, lans)
    const seeds = [1, 2, 3, 4, 5].map(simulated)
    const rows: Row[] = []
    const add = (what: string, value: (one: Scenes) => number) => {
      const all = seeds.map(value).sort((a, b) => a - b)
      const [least, middle, most] = [all[0] ?? 0, all[2] ?? 0, all[4] ?? 0]
      const ours = value(pages)
      rows.push({
        what,
        value: `pages ${Math.round(ours)}`,
        against: `simulator ${Math.round(middle)} (${Math.round(least)} to ${Math.round(most)})`,
        ratio: middle / ours,
      })
    }
    add('links', (one) => one.links)
    for (const part of ['idle', 'talk'] as const) {
      for (const lane of part === 'idle' ? (['control'] as const) : (['control', 'chat'] as const)) {
        add(`${part}: frames on the ${lane} lane`, (one) => one[part].lanes[lane].frames)
        add(`${part}: bytes on the ${lane} lane`, (one) => one[part].lanes[lane].bytes)
      }
      add(`${part}: bytes on the cable`, (one) => one[part].cableBytes)
    }
    printTable(`${2 * perSite} pages on two LANs, ${count} messages, one a second`, rows)
  })
})
