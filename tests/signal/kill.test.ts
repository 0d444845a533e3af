/** A resident is killed while people write: nothing that it had confirmed is gone. `KILLS=50` for the long run. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { DiskVolume } from '../../src/adapters/node/disk-volume.ts'
import { JournalStore } from '../../src/adapters/node/journal-store.ts'
import { stampToMs } from '../../src/mesh/clock.ts'
import { root } from '../root.ts'
import { Person, general } from './person.ts'

const kills = Number(process.env['KILLS'] ?? 4)
const people = 3
const wordEveryMs = 20
const folder = mkdtempSync(join(tmpdir(), 'meshchat-kill-'))
let child: ChildProcess | undefined

afterEach(() => {
  child?.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

/** @returns how long it took until it was ready, ms */
async function start(port: number): Promise<number> {
  const startMs = performance.now()
  const args = [
    '--port',
    String(port),
    '--stun-port',
    '0',
    '--host',
    '127.0.0.1',
    '--no-discovery',
    '--name',
    'k',
    '--data',
    folder,
  ]
  const started = spawn(process.execPath, [join(root, 'signal/dist/signal.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, MESHCHAT_APP: folder },
  })
  child = started
  await new Promise<void>((resolve, reject) => {
    started.stdout.once('data', () => resolve())
    started.once('exit', (code) => reject(new Error(`ended with ${code}`)))
  })
  return performance.now() - startMs
}

async function kill(): Promise<void> {
  const dying = child
  await new Promise<void>((resolve) => {
    dying?.once('exit', () => resolve())
    dying?.kill('SIGKILL')
  })
}

it(
  `loses nothing that it confirmed, killed ${kills} times while people write`,
  async () => {
    writeFileSync(join(folder, 'index.html'), '<p>the app</p>')
    const port = await freePort()
    await start(port)
    const url = `http://127.0.0.1:${port}/`
    const writers = await Promise.all(Array.from({ length: people }, (_, i) => Person.come([url], 40 + i)))
    let words = 0
    let confirmed = 0
    const timer = setInterval(() => writers[words % people]?.say(`word ${words++}`), wordEveryMs)
    try {
      for (let i = 0; i < kills; i++) {
        const before = writers.map((writer) => writer.carriedByBoxes().length)
        await Promise.all(
          writers.map((writer, j) =>
            writer.until('something new is kept', () => writer.carriedByBoxes().length > (before[j] ?? 0)),
          ),
        )
        // Not always at the same distance from a flush.
        await new Promise((resolve) => setTimeout(resolve, (i * 137) % 500))
        const promised = writers.flatMap((writer) => writer.carriedByBoxes())
        await kill()
        const damaged: string[] = []
        const volume = new DiskVolume(join(folder, 'store'))
        const store = new JournalStore(volume, { nowMs: () => 0, onDamaged: (aside) => damaged.push(aside) })
        await store.open()
        expect(damaged).toEqual([])
        const events = await store.history({ room: general, limit: 1_000_000 })
        const kept = new Set(events.map(({ feed, seq }) => `${feed}/${seq}`))
        expect(promised.filter((one) => !kept.has(one))).toEqual([])
        expect(events.every(({ effective }) => stampToMs(effective) > 0)).toBe(true)
        confirmed = promised.length
        await store.finish()
        await start(port)
      }
    } finally {
      clearInterval(timer)
      for (const writer of writers) writer.leave()
    }
    console.log(`${kills} kills, ${words} words, ${confirmed} confirmed before the last one, 0 of them lost`)
    expect(confirmed).toBeGreaterThan(people * kills)
  },
  60_000 + kills * 20_000,
)
