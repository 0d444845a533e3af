import { appendFile, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DiskVolume } from '../../src/adapters/node/disk-volume.ts'
import { JournalStore } from '../../src/adapters/node/journal-store.ts'
import { tableLimits } from '../../src/adapters/node/journal-tables.ts'
import { MemoryVolume } from '../../src/adapters/node/memory-volume.ts'
import { VolumeFault, type Volume } from '../../src/adapters/node/volume.ts'
import { MemoryTables } from '../../src/adapters/memory/memory-store.ts'
import type { StoreWrite } from '../../src/mesh/effects.ts'
import type { Run } from '../../src/mesh/event.ts'
import { branchFeed, peerIdFromBytes, type EventId } from '../../src/mesh/ids.ts'
import { createLog, recordWith } from '../../src/mesh/log.ts'
import type { FeedRecord } from '../../src/mesh/sync/held.ts'
import { writeOf, writeRun } from '../contract/store-contract.ts'
import { feedOf, general, keyOf, presenceOf, runOf } from '../mesh/make.ts'

const small = {
  nowMs: () => 1_000,
  onDamaged: () => undefined,
  flushIntervalMs: 0,
  segmentBytesMax: 4_000,
  slackBytes: 4_000,
}

/** Everything of a store that can be asked for. */
async function contents(store: JournalStore): Promise<unknown> {
  const { stored } = await store.open()
  const history = await store.history({ room: general, limit: 10_000 })
  const loaded = await Promise.all(
    stored.feeds.map(({ room, feed }) => store.load(room, feed, 0, Number.MAX_SAFE_INTEGER - 1)),
  )
  const feeds = [...stored.feeds].sort((a, b) => (a.feed < b.feed ? -1 : 1))
  const presences = [...stored.presences].sort((a, b) => (a.peer < b.peer ? -1 : 1))
  const places = loaded.flat().map(({ feed, seq, id, signature }) => [feed, seq, id, signature !== undefined])
  return {
    feeds,
    presences,
    history: history.map(({ id, effective, feed, seq }) => [id, effective, feed, seq]),
    places: places.map((place) => place.join()).sort(),
  }
}

function contentsOf(tables: MemoryTables): unknown {
  const { feeds, presences } = tables.state()
  const events = [...tables.events.values()]
  return {
    feeds: [...feeds].sort((a, b) => (a.feed < b.feed ? -1 : 1)),
    presences: [...presences].sort((a, b) => (a.peer < b.peer ? -1 : 1)),
    history: tables.inOrder(general).map(({ id, effective, feed, seq }) => [id, effective, feed, seq]),
    places: events
      .map(({ feed, seq, id, signature }) => [feed, seq, id, signature !== undefined].join())
      .sort(),
  }
}

/** A made-up life: runs of several feeds, some of whose ends move to a branch, some of whose beginnings go. */
function writesFor(
  steps: readonly { readonly kind: number; readonly seed: number; readonly count: number }[],
) {
  const runs = new Map<number, { next: number; prev: EventId | undefined; kept: number; split: boolean }>()
  const heads: EventId[] = []
  const records = new Map<string, FeedRecord>()
  const writes: StoreWrite[] = []
  const held = new Map<string, Run['events'][number][]>()
  for (const { kind, seed, count } of steps) {
    const feed = feedOf(seed)
    const state = runs.get(seed) ?? { next: 0, prev: undefined, kept: 0, split: false }
    runs.set(seed, state)
    const events = held.get(feed) ?? []
    held.set(feed, events)
    if (kind <= 5 && !state.split) {
      const deps = heads.slice(-2)
      const startMs = 1_000_000 + writes.length * 500 - (kind === 0 ? 400_000 : 0)
      const first = { first: state.next, ...(state.prev === undefined ? {} : { prev: state.prev }) }
      const run = runOf({
        seed,
        count,
        deps,
        startMs: Math.max(startMs, 1_000_000 + state.next * 600_000),
        ...first,
      })
      const last = run.events.at(-1)
      if (last === undefined) continue
      state.next += count
      state.prev = last.id
      heads.push(last.id)
      events.push(...run.events)
      const record = recordWith(createLog([...records.values()]), run.events, general, feed)
      records.set(feed, record)
      writes.push({ ...writeRun(run), feeds: [record] })
    } else if (kind === 6 && state.next - state.kept > 2 && !state.split) {
      const at = events.find((event) => event.seq === state.next - 1)
      if (at === undefined) continue
      state.split = true
      const to = branchFeed(keyOf(seed).peer, at.id)
      writes.push(
        writeOf({ splits: [{ room: general, from: feed, first: state.next - 1, last: state.next - 1, to }] }),
      )
    } else if (kind === 7 && state.next - state.kept > 1 && !state.split) {
      state.kept += 1
      writes.push(writeOf({ cuts: [{ room: general, feed, below: state.kept }] }))
    } else if (kind === 8)
      writes.push(writeOf({ presences: [{ ...presenceOf(seed), counter: writes.length }] }))
  }
  return writes
}

const stepsArbitrary = fc.array(
  fc.record({
    kind: fc.integer({ min: 0, max: 8 }),
    seed: fc.integer({ min: 1, max: 4 }),
    count: fc.integer({ min: 1, max: 4 }),
  }),
  { minLength: 1, maxLength: 60 },
)

async function tidied(store: JournalStore): Promise<void> {
  // Writing again takes turns with writes: an empty one after each of its steps.
  for (let i = 0; i < 50; i++) await store.write(writeOf())
}

describe('journal', () => {
  it('holds what a store in memory holds, and the same when it is read back', async () => {
    await fc.assert(
      fc.asyncProperty(stepsArbitrary, async (steps) => {
        const volume = new MemoryVolume()
        const store = new JournalStore(volume, small)
        await store.open()
        const model = new MemoryTables()
        for (const write of writesFor(steps)) {
          const result = await store.write(write)
          const expected = model.apply(write, 1_000)
          const plain = (one: typeof expected) =>
            typeof one === 'string'
              ? one
              : [one.added, one.moved].map((list) =>
                  list.map(({ id, effective, feed }) => [id, effective, feed]).sort(),
                )
          expect(plain(result)).toEqual(plain(expected))
        }
        // Without records of the feeds, a model of the events is what can be compared.
        const wanted = { ...(contentsOf(model) as object), feeds: undefined, places: undefined }
        const before = (await contents(store)) as object
        expect({ ...before, feeds: undefined, places: undefined }).toEqual(wanted)
        await store.finish()
        const again = (await contents(new JournalStore(volume, small))) as object
        expect({ ...again, feeds: undefined, places: undefined }).toEqual(wanted)
      }),
      { numRuns: 60 },
    )
  })

  it('keeps whatever was confirmed, wherever the power is cut, and nothing half', async () => {
    await fc.assert(
      fc.asyncProperty(stepsArbitrary, fc.nat(400), async (steps, tail) => {
        const volume = new MemoryVolume()
        const store = new JournalStore(volume, small)
        await store.open()
        const writes = writesFor(steps)
        const confirmed = writes.slice(0, -1)
        for (const write of confirmed) await store.write(write)
        const before = (await contents(store)) as { history: unknown[] }
        const last = writes.at(-1)
        // Under way when the power goes: all of it is there, or nothing.
        const pending = last === undefined ? undefined : store.write(last)
        await Promise.resolve()
        const after = new JournalStore(volume.crashed(tail), small)
        const found = (await contents(after)) as { history: unknown[] }
        await pending
        const whole = (await contents(store)) as { history: unknown[] }
        expect([before.history, whole.history]).toContainEqual(found.history)
      }),
      { numRuns: 60 },
    )
  })

  it('gives back the room of what was let go of, and keeps the rest', async () => {
    const volume = new MemoryVolume()
    const store = new JournalStore(volume, small)
    await store.open()
    const kept = runOf({ seed: 2, count: 3, text: 'stays' })
    await store.write(writeRun(kept))
    const long = runOf({ seed: 1, count: 400 })
    for (let at = 0; at < 400; at += 20) {
      const events = long.events.slice(at, at + 20)
      await store.write(writeRun({ ...long, events: events.map((event) => ({ ...event })) }))
      const [record] = writeRun({ ...long, events: long.events.slice(at + 15, at + 20) }).feeds
      if (record === undefined) throw new Error('no record')
      await store.write(
        writeOf({
          feeds: [{ ...record, floor: at + 15 }],
          cuts: [{ room: general, feed: long.feed, below: at + 15 }],
        }),
      )
    }
    await tidied(store)
    const segments = await volume.segments()
    const sizes = await Promise.all(segments.map(async (segment) => await volume.lengthOf(segment)))
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(20_000)
    expect(segments[0]).toBeGreaterThan(1)
    const before = await contents(store)
    await store.finish()
    const again = new JournalStore(volume, small)
    expect(await contents(again)).toEqual(before)
    expect((await again.load(general, kept.feed, 0, 2)).length).toBe(3)
    expect((await again.load(general, long.feed, 0, 399)).map(({ seq }) => seq)).toEqual([
      395, 396, 397, 398, 399,
    ])
  })

  it('keeps what was said of so many people and no more, the last ones', async () => {
    const volume = new MemoryVolume()
    const store = new JournalStore(volume, small)
    await store.open()
    const count = tableLimits.presencesMax + 50
    const personOf = (index: number) => peerIdFromBytes(sha256(new TextEncoder().encode(`${index}`)))
    for (let from = 0; from < count; from += 64) {
      const presences = Array.from({ length: Math.min(64, count - from) }, (_, i) => ({
        ...presenceOf(1),
        peer: personOf(from + i),
      }))
      await store.write({ ...writeOf({}), presences })
    }
    await store.finish()
    const { stored } = await new JournalStore(volume, small).open()
    expect(stored.presences).toHaveLength(tableLimits.presencesMax)
    expect(stored.presences.some(({ peer }) => peer === personOf(count - 1))).toBe(true)
    expect(stored.presences.some(({ peer }) => peer === personOf(0))).toBe(false)
  })

  it('says that the volume is full, keeps what it has, and goes on when there is room', async () => {
    const volume = new MemoryVolume(4_000)
    const store = new JournalStore(volume, { ...small, segmentBytesMax: 100_000 })
    await store.open()
    await store.write(writeRun(runOf({ count: 5 })))
    const large = runOf({ seed: 2, count: 40 })
    expect(await store.write(writeRun(large))).toBe('full')
    expect((await store.load(general, feedOf(1), 0, 9)).length).toBe(5)
    expect((await store.load(general, large.feed, 0, 9)).length).toBe(0)
    const little = await store.write(writeRun(runOf({ seed: 3, count: 1 })))
    expect(typeof little).toBe('object')
  })

  it('claims nothing after a flush that failed', async () => {
    const volume: Volume = new MemoryVolume()
    const store = new JournalStore(volume, small)
    await store.open()
    volume.sync = () => Promise.reject(new VolumeFault('closed'))
    expect(await store.write(writeRun(runOf({ count: 1 })))).toBe('closed')
    expect(await store.write(writeRun(runOf({ seed: 2, count: 1 })))).toBe('closed')
  })

  it('shares a flush among the writes that wait for it, and writes what peers say of themselves with none', async () => {
    const store = new JournalStore(new MemoryVolume(), { ...small, flushIntervalMs: 20 })
    await store.open()
    await store.write(writeRun(runOf({ count: 1 })))
    const before = store.written.flushes
    await Promise.all([2, 3, 4, 5].map((seed) => store.write(writeRun(runOf({ seed, count: 1 })))))
    expect(store.written.flushes - before).toBe(1)
    await store.write(writeOf({ presences: [presenceOf(1)] }))
    expect(store.written.flushes - before).toBe(1)
    await store.finish()
  })

  it('cuts off what has no end, and moves damage aside, to start anew', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshchat-journal-'))
    const place = join(folder, 'store')
    const damaged: string[] = []
    const open = async () => {
      const store = new JournalStore(new DiskVolume(place), {
        ...small,
        onDamaged: (aside) => damaged.push(aside),
      })
      await store.open()
      return store
    }
    try {
      const store = await open()
      for (const seed of [1, 2, 3]) await store.write(writeRun(runOf({ seed, count: 2 })))
      await store.finish()
      const [name = ''] = await readdir(place)
      await appendFile(join(place, name), new Uint8Array([0, 0, 1, 0, 9, 9, 9]))
      const torn = await open()
      expect((await torn.history({ room: general, limit: 9 })).length).toBe(6)
      await torn.finish()
      const bytes = await readFile(join(place, name))
      bytes[300] = (bytes[300] ?? 0) ^ 0xff
      await writeFile(join(place, name), bytes)
      const anew = await open()
      expect(damaged.length).toBe(1)
      expect((await anew.history({ room: general, limit: 9 })).length).toBe(0)
      expect((await readdir(damaged[0] ?? '')).length).toBe(1)
      await anew.write(writeRun(runOf({ seed: 1, count: 2 })))
      await anew.finish()
      expect((await (await open()).history({ room: general, limit: 9 })).length).toBe(2)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
