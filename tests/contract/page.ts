/** The contracts inside a real page: bundled, served from localhost, called by tests/e2e/contract.e2e.ts. */
import SimplePeer from 'simple-peer'
import { openWebSocket } from '../../src/adapters/browser/ws-socket.ts'
import { IndexedDbDirectStore } from '../../src/adapters/browser/direct/indexeddb-direct-store.ts'
import { IndexedDbStore } from '../../src/adapters/browser/indexeddb-store.ts'
import { openKeys, type StoredKey } from '../../src/adapters/browser/keys.ts'
import { RtcLinks } from '../../src/adapters/browser/rtc-links.ts'
import { WsLinks } from '../../src/adapters/ws-links.ts'
import { createMemoryStore } from '../../src/adapters/memory/memory-store.ts'
import { createTimers } from '../../src/adapters/timers.ts'
import { encodeFrame } from '../../src/mesh/frame.ts'
import { bytesToHex, parsePeerId, peerIdFromBytes, type EventId, type PeerId } from '../../src/mesh/ids.ts'
import { startRuntime } from '../../src/runtime/runtime.ts'
import type { DirectStore, LinkEvents, Links, Store } from '../../src/runtime/ports.ts'
import { general, keyOf, runOf } from '../mesh/make.ts'
import { hostileFrames } from './hostile-frames.ts'
import { testKeys } from './test-keys.ts'
import { directStoreContract, self as directSelf } from './direct-store-contract.ts'
import { Fact, equal, type ContractCase } from './check.ts'
import { linksContract, type LinkPair } from './links-contract.ts'
import { storeContract, writeRun } from './store-contract.ts'

function rtcPair(): LinkPair {
  const [keysA, keysB] = [testKeys(1), testKeys(2)]
  const load = () => Promise.resolve(SimplePeer)
  const a = new RtcLinks(keysA, load)
  const b = new RtcLinks(keysB, load)
  const signal: LinkPair['signal'] = (to, from, payload) =>
    setTimeout(() => (to === 'a' ? a : b).signal(from, payload), 0)
  return { a, b, peerA: keysA.self, peerB: keysB.self, signal, close: () => Promise.resolve() }
}

let names = 0
const quiet = { outdated: () => undefined, blocked: () => undefined }

function freshStore(): IndexedDbStore {
  return new IndexedDbStore(`contract-${Date.now()}-${++names}`, quiet)
}

/** What only IndexedDB can do to a store (`reliability.md` §0). */
const indexedDbCases: readonly ContractCase<string>[] = [
  {
    name: 'a second opener takes the lead, and the first one is fenced',
    run: async (name) => {
      const first = new IndexedDbStore(name, quiet)
      const second = new IndexedDbStore(name, quiet)
      await first.open()
      await first.write(writeRun(runOf({ count: 1 })))
      await second.open()
      equal(await first.write(writeRun(runOf({ first: 1, count: 1 }))), 'fenced', 'the first')
      equal(typeof (await second.write(writeRun(runOf({ first: 1, count: 1 })))), 'object', 'the second')
    },
  },
  {
    name: 'a wiped database starts a new incarnation',
    run: async (name) => {
      const first = new IndexedDbStore(name, quiet)
      const before = await first.open()
      await first.write(writeRun(runOf({ count: 1 }), true))
      first.close()
      await new Promise((resolve) => (indexedDB.deleteDatabase(name).onsuccess = resolve))
      const after = await new IndexedDbStore(name, quiet).open()
      equal(bytesToHex(before.incarnation) === bytesToHex(after.incarnation), false, 'same incarnation')
    },
  },
  {
    name: 'a database that is older than its witness starts a new incarnation',
    run: async (name) => {
      const first = new IndexedDbStore(name, quiet)
      const before = await first.open()
      await first.write(writeRun(runOf({ count: 1 }), true))
      first.close()
      localStorage.setItem(`${name}:witness`, `${bytesToHex(before.incarnation)} 9`)
      const after = await new IndexedDbStore(name, quiet).open()
      equal(bytesToHex(before.incarnation) === bytesToHex(after.incarnation), false, 'same incarnation')
      equal(
        (await new IndexedDbStore(name, quiet).open()).incarnation,
        after.incarnation,
        'kept from then on',
      )
    },
  },
  {
    name: 'after an unclean end the store repairs itself and keeps what it had',
    run: async (name) => {
      const first = new IndexedDbStore(name, quiet)
      await first.open()
      await first.write(writeRun(runOf({ count: 3 })))
      equal(localStorage.getItem(`${name}:ended`), null, 'no end noted while open')
      const second = new IndexedDbStore(name, quiet)
      const { stored } = await second.open()
      equal(stored.feeds.length, 1, 'feeds after the repair')
      second.close()
      equal(localStorage.getItem(`${name}:ended`) === null, false, 'a clean end is noted')
    },
  },
  {
    name: 'a database of version 1 opens with all that it had',
    run: async (name) => {
      await makeVersion1(name)
      const store = new IndexedDbStore(name, quiet)
      const { stored } = await store.open()
      equal(stored.name, 'Ana', 'the name')
      await store.write(writeRun(runOf({ count: 1 })))
      const [message] = await store.history({ room: general, limit: 10 })
      equal(message === undefined, false, 'history')
      equal(await store.about([message?.id ?? ('' as EventId)]), [], 'about it')
    },
  },
  {
    name: 'a newer version elsewhere makes this one let go, and says so',
    run: async (name) => {
      const told: string[] = []
      const store = new IndexedDbStore(name, {
        outdated: () => told.push('outdated'),
        blocked: () => told.push('blocked'),
      })
      await store.open()
      const request = indexedDB.open(name, 99)
      await new Promise((resolve) => (request.onsuccess = resolve))
      equal(told, ['outdated'], 'what the store said')
      request.result.close()
      equal(await store.write(writeRun(runOf({ count: 1 }))), 'closed', 'a write under the old version')
    },
  },
]

/** The tables as they were before edits, deletions and reactions. */
async function makeVersion1(name: string): Promise<void> {
  const request = indexedDB.open(name, 1)
  request.onupgradeneeded = () => {
    const database = request.result
    const events = database.createObjectStore('events', { keyPath: ['room', 'feed', 'seq'] })
    events.createIndex('id', 'id', { unique: true })
    events.createIndex('position', ['room', 'effective', 'id'])
    events.createIndex('parents', 'parents', { multiEntry: true })
    database.createObjectStore('feeds', { keyPath: ['room', 'feed'] })
    database.createObjectStore('presences', { keyPath: 'peer' })
    for (const store of ['receipts', 'drafts', 'readMarks', 'scratch']) database.createObjectStore(store)
    database.createObjectStore('meta').put('Ana', 'name')
  }
  await new Promise((resolve) => (request.onsuccess = resolve))
  request.result.close()
}

/** Run with a quota that the test has taken away: what was there stays, and nothing half is stored. */
async function writeWithoutSpace(): Promise<string> {
  const store = new IndexedDbStore('quota', quiet)
  await store.open()
  const result = await store.write(writeRun(runOf({ count: 64, text: 'x'.repeat(2_000) })))
  return typeof result === 'string' ? result : 'stored'
}

async function countQuota(): Promise<number> {
  const store = new IndexedDbStore('quota', quiet)
  const { stored } = await store.open()
  return stored.feeds.reduce((sum, feed) => sum + (feed.ranges[0]?.last ?? -1) + 1, 0)
}

/** One verdict on every page: WebCrypto and noble over mutated signatures and strange keys. */
async function verdicts(
  cases: readonly { signer: string; message: string; signature: string }[],
): Promise<boolean[]> {
  let kept: StoredKey | undefined
  const keys = await openKeys({
    read: () => Promise.resolve(kept),
    write: (value) => {
      kept = value
      return Promise.resolve()
    },
  })
  const hex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
  const own = await keys.sign(hex('00'))
  equal(await keys.verify({ signer: keys.self, message: hex('00'), signature: own }), true, 'own signature')
  return Promise.all(
    cases.map(({ signer, message, signature }) =>
      keys.verify({ signer: peerIdFromBytes(hex(signer)), message: hex(message), signature: hex(signature) }),
    ),
  )
}

async function runAll<T>(cases: readonly ContractCase<T>[], make: () => T): Promise<string[]> {
  const lines: string[] = []
  for (const one of cases) {
    try {
      await one.run(make())
      lines.push(`ok ${one.name}`)
    } catch (error) {
      lines.push(`FAILED ${one.name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return lines
}

/** The browser side of WebSocket links against a Node side that the test runs. */
async function dialNode(url: string, peer: string): Promise<string> {
  const links = new WsLinks(testKeys(1), () => openWebSocket(url))
  return new Promise((resolve) => {
    const ignore = () => undefined
    links.start({
      up: (link, who) => {
        links.send(link, 'chat', new Uint8Array([1, 2, 3]))
        if (who !== peer) resolve('wrong peer')
      },
      frame: (_link, lane, bytes) => resolve(`${lane} ${[...bytes].join()}`),
      down: ignore,
      drained: ignore,
      dialFailed: () => resolve('failed'),
      signal: ignore,
      refused: (_who, reason) => resolve(reason),
    })
    links.dial(keyOf(2).peer)
  })
}

/**
 * An honest runtime on real links, an honest friend, and one attacker for each hostile frame. @returns what the
 * runtime called each of them, and whether the friend's message came through after every attack.
 */
async function attackRuntime(): Promise<string[]> {
  const links = new Map<string, RtcLinks>()
  const load = () => Promise.resolve(SimplePeer)
  const traffic = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0, refused: new Map<string, number>() }
  const honest = testKeys(90)
  const carry = (from: string, to: string, payload: string) =>
    setTimeout(() => links.get(to)?.signal(parsePeerId(from) ?? honest.self, payload), 0)
  const wire = (self: PeerId): LinkEvents => {
    const ignore = () => undefined
    const signal = (to: string, payload: string) => carry(self, to, payload)
    return {
      up: ignore,
      down: ignore,
      frame: ignore,
      drained: ignore,
      dialFailed: ignore,
      signal,
      refused: ignore,
    }
  }
  const own = new RtcLinks(honest, load)
  links.set(honest.self, own)
  // There is no helper here: what would go to one is carried by hand.
  const honestLinks: Links = {
    start: (events) => own.start({ ...events, signal: (to, payload) => carry(honest.self, to, payload) }),
    dial: (peer) => own.dial(peer),
    signal: (from, payload) => own.signal(from, payload),
    signalLost: (to) => own.signalLost(to),
    send: (link, lane, bytes) => own.send(link, lane, bytes),
    hangUp: (link, reason) => own.hangUp(link, reason),
    close: () => own.close(),
  }
  const store = createMemoryStore(new Uint8Array(16), () => Date.now())
  const shown = new Fact<string>()
  const helpers = {
    start: () => undefined,
    signal: () => undefined,
    retry: () => undefined,
    close: () => undefined,
  }
  const platform = { keys: honest, store, links: honestLinks, helpers, timers: createTimers(), seed: 1 }
  const runtime = startRuntime(
    platform,
    await store.open(),
    (event) => {
      if (event.type !== 'messages') return
      for (const one of event.added) shown.add(new TextDecoder().decode(one.body))
    },
    traffic,
  )
  runtime.command({ type: 'rename', name: 'Honest' })
  runtime.command({ type: 'join', name: 'general' })
  const enter = async (seed: number) => {
    const keys = testKeys(seed)
    const side = new RtcLinks(keys, load)
    links.set(keys.self, side)
    const up = new Fact<number>()
    const down = new Fact<number>()
    side.start({ ...wire(keys.self), up: (link) => up.add(link), down: (link) => down.add(link) })
    side.dial(honest.self)
    const [link = 0] = await up.count(1, `a link of ${seed} to the honest peer`)
    return { side, link, down }
  }
  const friend = await enter(91)
  const lines: string[] = []
  // A page accepts 24 connections a minute; the rest of the kinds is decoded in frame.test.ts.
  const some = [...hostileFrames.slice(0, 11), ...hostileFrames.slice(-11)]
  for (const [i, { name, reason, bytes }] of some.entries()) {
    const before = traffic.refused.get(reason) ?? 0
    const attacker = await enter(100 + i)
    attacker.side.send(attacker.link, 'control', bytes)
    await attacker.down.count(1, `the end of ${name}`)
    const isNamed = (traffic.refused.get(reason) ?? 0) === before + 1
    const run = runOf({ seed: 91, first: i, count: 1 })
    friend.side.send(friend.link, 'bulk', encodeFrame({ type: 'events', runs: [run] }))
    await shown.count(i + 1, 'the message of the friend')
    lines.push(`${isNamed && friend.down.all.length === 0 ? 'ok' : 'FAILED'} ${name}: ${reason}`)
    attacker.side.close()
  }
  runtime.close()
  friend.side.close()
  return lines
}

Object.assign(globalThis, {
  contracts: {
    store: () => runAll<Store>(storeContract, freshStore),
    directStore: () =>
      runAll<DirectStore>(
        directStoreContract,
        () => new IndexedDbDirectStore(directSelf, `direct-${Date.now()}-${++names}`),
      ),
    links: () => runAll(linksContract, rtcPair),
    indexedDb: () => runAll(indexedDbCases, () => `case-${Date.now()}-${++names}`),
    attackRuntime,
    writeWithoutSpace,
    countQuota,
    verdicts,
    dialNode,
  },
})
