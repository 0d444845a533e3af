/**
 * A node for half an hour under what a mesh does to it: people who come and go, floods, garbage. Memory must not climb,
 * nothing may crash, and two people who stay must get everything. `SOAK_MINUTES`, `SOAK_PEERS`.
 */
import { createSocket } from 'node:dgram'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Prng } from '../sim/prng.ts'
import { TestPeer } from '../signal/client.ts'
import { hostilities } from '../signal/hostile.ts'
import { Person } from '../signal/person.ts'
import { NodeProcess, pause, Workplace } from './node-process.ts'

const minutes = Number(process.env['SOAK_MINUTES'] ?? 30)
const peers = Number(process.env['SOAK_PEERS'] ?? 200)
const engines = 20
const sampleMs = 30_000
const place = new Workplace()
let node: NodeProcess | undefined
afterAll(async () => {
  await node?.end('SIGKILL')
  place.remove()
})

interface Sample {
  readonly atMs: number
  readonly rssMb: number
}

/** Least squares, MB an hour. */
function slopeOf(samples: readonly Sample[]): number {
  const n = samples.length
  const x = samples.map(({ atMs }) => atMs / 3_600_000)
  const y = samples.map(({ rssMb }) => rssMb)
  const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / n
  const [mx, my] = [mean(x), mean(y)]
  const top = x.reduce((sum, one, i) => sum + (one - mx) * ((y[i] ?? 0) - my), 0)
  return top / x.reduce((sum, one) => sum + (one - mx) ** 2, 0)
}

/** All of loopback is this machine: as if people came from many. */
function addressOf(seed: number): string {
  return `127.0.${(seed >> 6) & 255}.${1 + (seed & 63)}`
}

/** Says something false in one of the ways there are, and goes. */
async function attack(random: Prng, url: string, seed: number, stunPort: number): Promise<void> {
  const kind = random.between(0, 5)
  if (kind === 0) {
    await Promise.allSettled(Array.from({ length: 50 }, () => fetch(`${url}${random.between(0, 9)}`)))
  } else if (kind === 1) {
    const socket = createSocket('udp4')
    for (let i = 0; i < 50; i++) socket.send(random.bytes(random.between(0, 200)), stunPort, '127.0.0.1')
    await pause(200)
    socket.close()
  } else if (kind === 2 || kind === 3) {
    const path = kind === 2 ? 'link' : `peerjs/peerjs?key=peerjs&id=x${seed}&token=y`
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`)
    socket.on('error', () => socket.terminate())
    socket.on('open', () => {
      for (let i = 0; i < 20; i++) socket.send(random.bytes(random.between(0, 2_000)))
    })
    await pause(1_000)
    socket.terminate()
  } else {
    const one = random.pick(hostilities)
    const client = new TestPeer(url, seed, { localAddress: addressOf(seed) })
    const play = async () => {
      if (one?.isInside === true) await client.enter()
      else await client.frame('challenge')
      await one?.attack(client)
      await client.closed()
    }
    await Promise.race([play(), pause(5_000)])
    client.socket.terminate()
  }
}

it(
  `${minutes} minutes with ${peers} peers, joins, floods and garbage`,
  async () => {
    const random = new Prng(7)
    const args = ['--data', join(place.folder, 'data'), '--keep-mb', '8']
    const started = await NodeProcess.helper(args, place.folder)
    node = started
    const { url } = started
    const answer = (await (await fetch(`${url}api/node`)).json()) as { stunPorts: number[] }
    let seed = 100_000
    const clients: TestPeer[] = []
    const visitors: Person[] = []
    const counts = { joins: 0, attacks: 0, said: 0 }
    const [ann, bob] = await Promise.all([Person.come([url], 90_001), Person.come([url], 90_002)])
    const delays: number[] = []
    const join_ = async () => {
      const client = new TestPeer(url, seed, { localAddress: addressOf(seed++) })
      counts.joins += 1
      clients.push(client)
      await Promise.race([client.enter(), pause(10_000)])
    }
    const startMs = performance.now()
    const samples: Sample[] = []
    let sampledMs = 0
    const running = new Set<Promise<void>>()
    const begin = (task: Promise<void>) => {
      running.add(task)
      void task.finally(() => running.delete(task))
    }
    while (performance.now() - startMs < minutes * 60_000) {
      const atMs = performance.now() - startMs
      if (atMs - sampledMs >= sampleMs) {
        sampledMs = atMs
        samples.push({ atMs, rssMb: started.rssMb })
        expect(started.isAlive).toBe(true)
      }
      for (let i = 0; i < 3; i++) begin(join_())
      while (clients.length > peers)
        clients.splice(random.between(0, clients.length - 1), 1)[0]?.socket.terminate()
      const [from, to] = [random.pick(clients), random.pick(clients)]
      if (from?.socket.readyState === WebSocket.OPEN && to !== undefined) {
        from.send({ type: 'signal', peer: to.key.peer, payload: 'x'.repeat(random.between(1, 4_000)) })
      }
      for (const client of clients) client.frames.length = 0
      if (random.chance(0.1)) visitors.push(await Person.come([url], seed++))
      while (visitors.length > engines) visitors.shift()?.leave()
      random.pick(visitors)?.say(`somebody says ${counts.said}`)
      begin(attack(random, url, seed++, answer.stunPorts[0] ?? 0))
      counts.attacks += 1
      const text = `word ${counts.said++}`
      const saidMs = performance.now()
      ann.say(text)
      await bob.until(text, () => bob.texts.includes(text), 60_000)
      delays.push(performance.now() - saidMs)
      await pause(1_000)
    }
    await Promise.race([Promise.allSettled(running), pause(20_000)])
    const last = ann.texts.length
    await bob.until('everything', () => bob.texts.length >= last, 60_000)
    const later = samples.slice(Math.floor(samples.length / 3))
    const rss = samples.map((one) => one.rssMb)
    delays.sort((a, b) => a - b)
    const metrics = await (await fetch(`${url}metrics`)).text()
    console.log(
      [
        `soak: ${minutes} min, ${counts.joins} joins, ${counts.attacks} attacks, ${counts.said} words of one who stayed`,
        `memory: first ${rss[0]?.toFixed(1)} MB, last ${rss.at(-1)?.toFixed(1)} MB, most ${Math.max(...rss).toFixed(1)} MB`,
        `slope over the last two thirds: ${slopeOf(later).toFixed(1)} MB an hour`,
        `from one to the other: median ${delays[delays.length >> 1]?.toFixed(1)} ms, p95 ${delays[Math.floor(delays.length * 0.95)]?.toFixed(1)} ms, most ${delays.at(-1)?.toFixed(0)} ms`,
        `crashes: ${started.isAlive ? 0 : 1}; CPU ${(started.cpuMs / (minutes * 600)).toFixed(1)} % of a core`,
        metrics
          .split('\n')
          .filter((line) => line.startsWith('meshchat_refused_total'))
          .join('\n'),
      ].join('\n'),
    )
    expect(started.isAlive).toBe(true)
    for (const client of clients) client.socket.terminate()
    for (const person of [...visitors, ann, bob]) person.leave()
  },
  (minutes + 5) * 60_000,
)
