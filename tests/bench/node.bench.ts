/**
 * What a node costs: idle clients and signals beside the stock PeerServer (`peer` 1.0.2), a resident with 100,000 events
 * and 200 clients, bytes on the disk. `CLIENTS`, `EVENTS`.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { WebSocket } from 'ws'
import { DiskVolume } from '../../src/adapters/node/disk-volume.ts'
import { JournalStore } from '../../src/adapters/node/journal-store.ts'
import { eventWireBytes } from '../../src/mesh/event.ts'
import { openRoomId } from '../../src/mesh/ids.ts'
import { acceptRun, commit, createLog, recordWith } from '../../src/mesh/log.ts'
import { writeOf } from '../contract/store-contract.ts'
import { root } from '../root.ts'
import { Prng } from '../sim/prng.ts'
import { TestPeer } from '../signal/client.ts'
import { general, Person } from '../signal/person.ts'
import { conversation } from './corpus.ts'
import { NodeProcess, pause, Workplace } from './node-process.ts'
import { percentile, printTable, type Row } from './table.ts'

const clients = Number(process.env['CLIENTS'] ?? 5_000)
const stored = Number(process.env['EVENTS'] ?? 100_000)
/** As each one's own client does: PeerJS 1.5.5 every 5 s, our page when nothing came for 7.5 s. */
const peerJsBeatMs = 5_000
const ownBeatMs = 7_500
const idleMs = 30_000
const place = new Workplace()
const started: NodeProcess[] = []
afterAll(async () => {
  for (const one of started) await one.end('SIGKILL')
  place.remove()
})

async function helper(...args: string[]): Promise<NodeProcess> {
  const made = await NodeProcess.helper(args, place.folder)
  started.push(made)
  return made
}

/** The stock server, as its own command runs it. */
async function peerServer(): Promise<NodeProcess> {
  const script = join(place.folder, 'peer-server.mjs')
  const module = join(root, 'node_modules/peer/dist/module.mjs')
  writeFileSync(
    script,
    `import { PeerServer } from '${module}'\nPeerServer({ port: Number(process.argv[2]), host: '127.0.0.1', path: '/', concurrent_limit: 10_000, proxied: false }, () => console.log('ready'))\n`,
  )
  const made = await NodeProcess.start(script, ['PORT'])
  started.push(made)
  return made
}

/** All of loopback is this machine: as if a hundred came from each address. */
function addressOf(index: number, perAddress = 100): string {
  return `127.0.${1 + Math.floor(index / perAddress / 200)}.${1 + (Math.floor(index / perAddress) % 200)}`
}

interface Client {
  readonly socket: WebSocket
  readonly beat: () => void
}

async function ours(
  node: NodeProcess,
  index: number,
  perAddress = 100,
): Promise<Client & { readonly peer: TestPeer }> {
  const peer = new TestPeer(node.url, 1_000 + index, { localAddress: addressOf(index, perAddress) })
  await peer.enter()
  return { socket: peer.socket, beat: () => peer.send({ type: 'ping' }), peer }
}

async function theirs(node: NodeProcess, index: number): Promise<Client> {
  const query = `key=peerjs&id=client-${index}&token=t${index}&version=1.5.5`
  const socket = new WebSocket(`ws://127.0.0.1:${node.port}/peerjs?${query}`, {
    localAddress: addressOf(index),
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('message', () => resolve())
    socket.once('error', reject)
  })
  return { socket, beat: () => socket.send('{"type":"HEARTBEAT"}') }
}

/** So many at once, so that neither side waits for the other. */
async function gather<T>(count: number, come: (index: number) => Promise<T>): Promise<T[]> {
  const all: T[] = []
  for (let from = 0; from < count; from += 50) {
    const size = Math.min(50, count - from)
    all.push(...(await Promise.all(Array.from({ length: size }, (_, i) => come(from + i)))))
  }
  return all
}

interface Idle {
  readonly perClientKb: number
  readonly cpuMs: number
}

async function idle(
  node: NodeProcess,
  heartbeatMs: number,
  come: (index: number) => Promise<Client>,
): Promise<Idle> {
  await pause(2_000)
  const emptyMb = node.rssMb
  const all = await gather(clients, come)
  for (const { socket } of all) socket.removeAllListeners('message')
  const beat = setInterval(() => {
    for (let i = 0; i < all.length; i += 20) all[(i + turn) % all.length]?.beat()
    turn += 1
  }, heartbeatMs / 20)
  let turn = 0
  await pause(15_000)
  const before = node.cpuMs
  await pause(idleMs)
  const cpuMs = node.cpuMs - before
  const perClientKb = ((node.rssMb - emptyMb) * 1_000) / clients
  clearInterval(beat)
  for (const { socket } of all) socket.terminate()
  await pause(1_000)
  return { perClientKb, cpuMs }
}

/** Each of so many pairs sends so many, all at once. @returns signals a second */
async function rate(
  count: number,
  each: number,
  send: (i: number, n: number) => void,
  heard: () => number,
): Promise<number> {
  const startMs = performance.now()
  for (let n = 0; n < each; n++) {
    for (let i = 0; i < count; i++) send(i, n)
    if (n % 10 === 9) await pause(0)
  }
  while (heard() < count * each && performance.now() - startMs < 120_000) await pause(5)
  return heard() / ((performance.now() - startMs) / 1_000)
}

const payload = JSON.stringify({ sdp: 'x'.repeat(1_000) })

interface Relayed {
  readonly perSecond: number
  /** Of the server. */
  readonly cpuMs: number
}

async function ourRate(pairs: number, each: number): Promise<Relayed> {
  const node = await helper('--memory', '--no-resident', '--max-peers', '10000')
  const all = await gather(pairs * 2, (index) => ours(node, index, 1))
  await pause(2_000)
  let heard = 0
  for (const { socket } of all.slice(pairs)) {
    socket.removeAllListeners('message')
    socket.on('message', (data: Buffer) => {
      if (data.includes('"signal"')) heard += 1
    })
  }
  const send = (i: number) => {
    const to = all[pairs + i]?.peer.key.peer
    if (to !== undefined) all[i]?.peer.send({ type: 'signal', peer: to, payload })
  }
  const before = node.cpuMs
  const perSecond = await rate(pairs, each, send, () => heard)
  const cpuMs = node.cpuMs - before
  await node.end()
  return { perSecond, cpuMs }
}

async function theirRate(pairs: number, each: number): Promise<Relayed> {
  const node = await peerServer()
  const all = await gather(pairs * 2, (index) => theirs(node, index))
  let heard = 0
  for (const { socket } of all.slice(pairs)) socket.on('message', () => (heard += 1))
  const send = (i: number) => {
    all[i]?.socket.send(
      JSON.stringify({ type: 'OFFER', dst: `client-${pairs + i}`, payload: { sdp: 'x'.repeat(1_000) } }),
    )
  }
  const before = node.cpuMs
  const perSecond = await rate(pairs, each, send, () => heard)
  const cpuMs = node.cpuMs - before
  await node.end()
  return { perSecond, cpuMs }
}

/** A room that the two who talk are not in. */
const archive = openRoomId('archive')

/** A journal as a resident leaves it: events and how far each feed is held. */
async function fill(folder: string, count: number, authors: number): Promise<void> {
  const volume = new DiskVolume(join(folder, 'store'))
  const store = new JournalStore(volume, { nowMs: () => Date.now(), onDamaged: () => undefined })
  await store.open()
  const log = createLog([])
  for (const [feed, events] of conversation(new Prng(3), authors, count)) {
    for (let from = 0; from < events.length; from += 500) {
      const part = events.slice(from, from + 500).map((event) => ({ ...event, room: archive }))
      acceptRun(log, { room: archive, feed, events: part })
      const record = recordWith(log, part, archive, feed)
      commit(log, record)
      await store.write(writeOf({ events: part, feeds: [record] }))
    }
  }
  await store.finish()
}

const missed = 10_000

async function linkBytes(node: NodeProcess): Promise<number> {
  const text = await (await fetch(`${node.url}metrics`)).text()
  const counts = [...text.matchAll(/^meshchat_frame_bytes_total\{[^}]*\} (\d+)/gm)]
  return counts.reduce((sum, [, value]) => sum + Number(value), 0)
}

/** What the newest events of a store weigh on the wire, each with a signature of its own. */
async function storedBytes(folder: string, without: number): Promise<number> {
  const store = new JournalStore(new DiskVolume(join(folder, 'store')), {
    nowMs: () => Date.now(),
    onDamaged: () => undefined,
  })
  await store.open()
  const events = await store.history({ room: general, limit: 1_000_000 })
  await store.finish()
  return events.slice(without).reduce((sum, event) => sum + eventWireBytes(event) + 64, 0)
}

async function eventsAt(node: NodeProcess): Promise<number> {
  const text = await (await fetch(`${node.url}metrics`)).text()
  return Number(/^meshchat_events (\d+)/m.exec(text)?.[1])
}

describe('a node', () => {
  it('with idle clients, beside PeerServer', async () => {
    const node = await helper('--memory', '--no-resident', '--max-peers', '10000')
    const own = await idle(node, ownBeatMs, (index) => ours(node, index))
    await node.end()
    const stock = await peerServer()
    const other = await idle(stock, peerJsBeatMs, (index) => theirs(stock, index))
    await stock.end()
    const rows: Row[] = [
      {
        what: `memory per client, ${clients}`,
        value: `${own.perClientKb.toFixed(1)} kB`,
        against: `${other.perClientKb.toFixed(1)} kB`,
        ratio: own.perClientKb / other.perClientKb,
      },
      {
        what: `CPU of ${idleMs / 1_000} s, heartbeats as their clients send them`,
        value: `${own.cpuMs.toFixed(0)} ms`,
        against: `${other.cpuMs.toFixed(0)} ms`,
        ratio: own.cpuMs / other.cpuMs,
      },
    ]
    printTable('idle clients (goals: 0.5, 0.5)', rows)
  })

  it('relays signals, beside PeerServer', async () => {
    const own = await ourRate(100, 500)
    const other = await theirRate(100, 500)
    const words = ({ perSecond }: Relayed) => `${perSecond.toFixed(0)} a second`
    const perCpu = ({ cpuMs }: Relayed) => 50_000 / (cpuMs / 1_000)
    const cpuWords = (one: Relayed) => `${perCpu(one).toFixed(0)} a second`
    printTable('50,000 signals of 1 kB between 100 pairs (goal: 2)', [
      { what: 'relayed', value: words(own), against: words(other), ratio: own.perSecond / other.perSecond },
      {
        what: 'per second of its CPU',
        value: cpuWords(own),
        against: cpuWords(other),
        ratio: perCpu(own) / perCpu(other),
      },
    ])
  })

  it('is level again with a neighbour after a day', async () => {
    const [dataA, dataB] = [join(place.folder, 'level-a'), join(place.folder, 'level-b')]
    const node = await helper('--data', dataA, '--keep-mb', '1000')
    const other = () => helper('--data', dataB, '--keep-mb', '1000', '--neighbor', node.url)
    const people = await gather(10, (index) => Person.come([node.url], 80_000 + index))
    const say = async (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        people[i % people.length]?.say(`message ${i} of a day on which the way was cut `.padEnd(60, '.'))
        if (i % 5 === 4) await pause(20)
      }
      while ((await eventsAt(node)) < to) await pause(200)
    }
    await say(0, 500)
    const before = await other()
    while ((await eventsAt(before)) < 500) await pause(200)
    await pause(5_000)
    await before.end()
    await say(500, 500 + missed)
    for (const person of people) person.leave()
    await pause(2_000)
    const after = await other()
    const startMs = performance.now()
    while ((await eventsAt(after)) < 500 + missed && performance.now() - startMs < 120_000) await pause(50)
    const levelMs = performance.now() - startMs
    await pause(2_000)
    const bytes = await linkBytes(after)
    const held = await eventsAt(after)
    await after.end()
    await node.end()
    const payload = await storedBytes(dataB, 500)
    printTable(`a node that missed ${missed} events`, [
      { what: 'events held in the end', value: `${held}`, against: `${500 + missed}` },
      {
        what: 'bytes on the link, both ways, until level',
        value: `${bytes}`,
        against: `${payload} of the events, each with a signature`,
        ratio: bytes / payload,
      },
      { what: 'time until level', value: `${levelMs.toFixed(0)} ms`, against: '' },
    ])
  })

  it('with a full journal and 200 clients', async () => {
    const data = join(place.folder, 'full')
    await fill(data, stored, 50)
    const node = await helper('--data', data, '--keep-mb', '1000')
    const startedInMs = node.startedInMs
    const held = await eventsAt(node)
    const rssEmptyMb = node.rssMb
    const crowd = await gather(190, (index) => ours(node, 20_000 + index))
    const beat = setInterval(() => crowd.forEach((one) => one.beat()), ownBeatMs)
    await pause(20_000)
    const cpuBefore = node.cpuMs
    await pause(idleMs)
    const cpuShare = (node.cpuMs - cpuBefore) / idleMs
    const rssMb = node.rssMb
    const people = await Promise.all([1, 2].map((i) => Person.come([node.url], 70_000 + i)))
    const [ann, bob] = people
    if (ann === undefined || bob === undefined) return
    await ann.until('links', () => ann.people.length > 0, 60_000)
    await bob.until('links', () => bob.people.length > 0, 60_000)
    await pause(30_000)
    const forwardMs: number[] = []
    const receiptMs: number[] = []
    const before = node.written
    for (let i = 0; i < 60; i++) {
      const text = `figure ${i} `.padEnd(60, '.')
      const saidMs = performance.now()
      ann.say(text)
      await bob.until(text, () => bob.texts.includes(text), 30_000)
      forwardMs.push(performance.now() - saidMs)
      const boxes = ann.carriedByBoxes().length
      await ann.until(
        'kept by the box',
        () => ann.carriedByBoxes().length > boxes || ann.carriedByBoxes().length > i,
        30_000,
      )
      receiptMs.push(performance.now() - saidMs)
      await pause(300)
    }
    await pause(12_000)
    const after = node.written
    const many = 300
    for (let i = 0; i < many; i++) {
      ann.say(`many ${i} `.padEnd(60, '.'))
      await pause(100)
    }
    await bob.until('the last', () => bob.texts.some((text) => text.startsWith(`many ${many - 1} `)), 30_000)
    await pause(12_000)
    const afterMany = node.written
    clearInterval(beat)
    printTable(`a resident that holds ${held} events`, [
      { what: 'start-up', value: `${startedInMs.toFixed(0)} ms`, against: 'goal 3,000' },
      { what: 'memory after start', value: `${rssEmptyMb.toFixed(1)} MB`, against: '' },
      { what: 'memory with 190 clients', value: `${rssMb.toFixed(1)} MB`, against: 'goal 80' },
      { what: 'CPU while idle', value: `${(cpuShare * 100).toFixed(2)} % of a core`, against: 'goal 1' },
      {
        what: 'a message from one to the other, p95',
        value: `${percentile(forwardMs, 0.95).toFixed(1)} ms`,
        against: 'goal 10',
      },
      { what: 'its median', value: `${percentile(forwardMs, 0.5).toFixed(1)} ms`, against: '' },
      {
        what: 'its receipt by the resident, p95',
        value: `${percentile(receiptMs, 0.95).toFixed(0)} ms`,
        against: 'goal 1,100',
      },
      {
        what: 'to the disk per message of 60 characters, one at a time',
        value: `${((after.disk - before.disk) / 60).toFixed(0)} B`,
        against: 'goal 400',
      },
      {
        what: 'the same, ten a second',
        value: `${((afterMany.disk - after.disk) / many).toFixed(0)} B`,
        against: 'goal 400',
      },
    ])
    for (const person of people) person.leave()
    for (const { socket } of crowd) socket.terminate()
    await node.end()
  })
})
