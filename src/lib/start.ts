/**
 * Composition root of the page: picks the browser's adapters, lets one tab run the engine and the others work
 * through it. The only file of the screen that imports adapters.
 */
import { IndexedDbStore } from '#adapters/browser/indexeddb-store.ts'
import { openKeys } from '#adapters/browser/keys.ts'
import { RtcLinks } from '#adapters/browser/rtc-links.ts'
import { SignalClient } from '#adapters/browser/signal-client.ts'
import { TabLock } from '#adapters/browser/tab-lock.ts'
import { createTimers } from '#adapters/browser/timers.ts'
import type { Command, MeshEvent } from '#mesh/effects.ts'
import type { Store } from '#runtime/ports.ts'
import { startRuntime, type Runtime, type Traffic } from '#runtime/runtime.ts'

export type History = Pick<
  Store,
  'history' | 'countAfter' | 'draft' | 'saveDraft' | 'readMark' | 'saveReadMark'
>

/** What stands between the screen and the mesh. */
export interface Mesh {
  readonly history: History
  readonly traffic: Readonly<Traffic>
  command(command: Command): void
  /** @returns what ends the subscription */
  subscribe(listener: (event: MeshEvent | TabEvent) => void): () => void
  /** Try to reach a node now. */
  retry(): void
}

/** What the screen is told about its tab rather than about the mesh. */
export type TabEvent =
  | { readonly type: 'tab'; readonly role: 'leading' | 'following' }
  | { readonly type: 'unreadable'; readonly cause: 'outdated' | 'blocked' | 'failed' }

const databaseName = 'meshchat'
/** guess: wishes that wait while the history opens. */
const waitingMax = 256

/** @param home the folder that this page was opened from, with a slash at the end */
export function startMesh(home: string): Mesh {
  const listeners = new Set<(event: MeshEvent | TabEvent) => void>()
  const tell = (event: MeshEvent | TabEvent) => {
    for (const listener of listeners) listener(event)
  }
  const traffic: Traffic = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0, refused: new Map() }
  const store = new IndexedDbStore(databaseName, {
    outdated: () => tell({ type: 'unreadable', cause: 'outdated' }),
    blocked: () => tell({ type: 'unreadable', cause: 'blocked' }),
  })
  let runtime: Runtime | undefined
  let helpers: SignalClient | undefined
  let waiting: Command[] = []
  let starts = 0

  const emit = (event: MeshEvent) => {
    tell(event)
    tabs.sendEvent(event)
    const isFenced = event.type === 'storage' && (event.failure === 'fenced' || event.failure === 'conflict')
    if (isFenced) tabs.stepDown()
  }

  const lead = async () => {
    const start = ++starts
    const opened = await store.open()
    const keys = await openKeys(store.keyPlace())
    if (start !== starts) return
    const links = new RtcLinks(keys, async () => (await import('simple-peer')).default)
    helpers = new SignalClient({ keys, home, onVantage: (vantage) => links.setVantage(vantage) })
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
    const platform = { keys, store, links, helpers, timers: createTimers(), seed }
    runtime = startRuntime(platform, opened, emit, traffic)
    tell({ type: 'tab', role: 'leading' })
    const commands = waiting
    waiting = []
    runtime.command({ type: 'set-visible', visible: document.visibilityState === 'visible' })
    for (const command of commands) runtime.command(command)
  }

  const stop = () => {
    starts += 1
    runtime?.close()
    runtime = undefined
  }

  const runHere = (wish: Command) => {
    if (runtime !== undefined) runtime.command(wish)
    else if (waiting.length < waitingMax) waiting.push(wish)
  }

  const command = (wish: Command) => {
    if (runtime === undefined && tabs.isFollowing()) tabs.sendCommand(wish)
    else runHere(wish)
  }

  const tabs = new TabLock({
    name: databaseName,
    lead: () => {
      lead().catch((error: unknown) => {
        failed(error, tell)
        tabs.giveUp()
      })
    },
    follow: () => {
      stop()
      store.follow()
      tell({ type: 'tab', role: 'following' })
      for (const wish of waiting.splice(0)) tabs.sendCommand(wish)
    },
    command: (wish) => {
      // A tab in the background may say that it is hidden while this one is looked at.
      const isHidden = wish.type === 'set-visible' && !wish.visible
      if (!isHidden || document.visibilityState === 'hidden') runHere(wish)
    },
    event: tell,
  })

  document.addEventListener('visibilitychange', () => {
    command({ type: 'set-visible', visible: document.visibilityState === 'visible' })
  })
  addEventListener('pagehide', () => {
    runtime?.command({ type: 'depart' })
    stop()
    tabs.leave()
    store.close()
  })
  addEventListener('pageshow', (event) => {
    if (event.persisted) tabs.resume()
  })
  addEventListener('online', () => helpers?.retry())

  return {
    history: store,
    traffic,
    command,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    retry: () => helpers?.retry(),
  }
}

/** The composition root is the outer edge: what nobody else could answer becomes a sentence on the screen. */
function failed(error: unknown, tell: (event: TabEvent) => void): void {
  console.error(error)
  tell({ type: 'unreadable', cause: 'failed' })
}
