/**
 * Composition root of the page: picks the browser's adapters, lets one tab run the engine and the others work
 * through it. The only file of the screen that imports adapters.
 */
import { databaseVersion } from '#adapters/browser/indexeddb-schema.ts'
import { LateDoor } from '#adapters/browser/door/late-door.ts'
import { IndexedDbStore } from '#adapters/browser/indexeddb-store.ts'
import type { LettersHistory } from '#adapters/browser/direct/letters-history.ts'
import type { DirectCommand, DirectEvent, PageDirect } from '#adapters/browser/direct/page-direct.ts'
import type { FilesCommand, FilesEvent, PageFiles } from '#adapters/browser/files/page-files.ts'
import { LateLinks } from '#adapters/browser/late-links.ts'
import { LatePart } from '#adapters/browser/late-part.ts'
import type { Nodes, SignalClient } from '#adapters/browser/signal-client.ts'
import { TabLock, type NodesCommand, type NodesEvent } from '#adapters/browser/tab-lock.ts'
import { createTimers } from '#adapters/timers.ts'
import type { Command, MeshEvent, RoomRecord } from '#mesh/effects.ts'
import type { PeerId, RoomId } from '#mesh/ids.ts'
import type { Store } from '#runtime/ports.ts'
import type { SearchClient } from '#adapters/browser/search/search-client.ts'
import type { Coverage } from '#adapters/browser/search/search-words.ts'
import type SimplePeer from 'simple-peer'
import type { Runtime, Traffic } from '#runtime/runtime.ts'

export type { DirectEvent, NodesEvent }
export type Letters = LettersHistory
/** Searching the history of this device; whoever opened it closes it. */
export type Search = SearchClient
export type { SearchQuery } from '#adapters/browser/search/search-index.ts'

export type History = Pick<
  Store,
  | 'history'
  | 'find'
  | 'about'
  | 'rulings'
  | 'countAfter'
  | 'draft'
  | 'saveDraft'
  | 'readMark'
  | 'saveReadMark'
>

/** What stands between the screen and the mesh. */
export interface Mesh {
  readonly history: History
  readonly traffic: Readonly<Traffic>
  command(command: Command | NodesCommand): void
  /** @returns what ends the subscription */
  subscribe(listener: (event: MeshEvent | TabEvent) => void): () => void
  /** @param onCoverage is told how much has been read; undefined: the history cannot be read */
  openSearch(onCoverage: (coverage: Coverage | undefined) => void): Promise<Search>
  /** Direct messages of this device, which is `self`. */
  openLetters(self: PeerId): Promise<Letters>
  /** What opens files that are held whole, and makes one zip of several. */
  readonly fileTools: () => Promise<typeof import('#adapters/browser/files/file-tools.ts')>
  /** Try to reach a node now. */
  retry(): void
}

/** What the screen is told about its tab rather than about the mesh. */
export type TabEvent =
  | NodesEvent
  /** What the history says; the engine is still on its way. */
  | { readonly type: 'opened'; readonly name: string; readonly rooms: readonly RoomRecord[] }
  | { readonly type: 'tab'; readonly role: 'leading' | 'following' }
  /** The tab that was to store this is gone, and had stored it. */
  | { readonly type: 'settled'; readonly token: string; readonly room: RoomId }
  | { readonly type: 'unreadable'; readonly cause: 'outdated' | 'blocked' | 'failed' }

type PostCommand = Extract<Command, { type: 'post' }>
type LetterCommand = Extract<DirectCommand, { type: 'write-letter' }>

const databaseName = 'meshchat'
/** What settles something that was handed to another tab. */
const answers: ReadonlySet<string> = new Set(['posted', 'post-failed', 'letter-kept', 'letter-failed'])
/** guess: on a slow link what is needed to type comes before what is needed to connect. */
const screenFirstMs = 250
/** guess: from a newcomer's name to the composer, also on a slow device. */
const composerFirstMs = 500
/** guess: somebody who thinks about a name for longer has the engine by then. */
const thinkingMs = 3_000
/** guess: a node that was not there is back. */
const directRetryMs = 15_000
/** guess: wishes that wait while the history opens. */
const waitingMax = 256

/** @param homes the folder that this page was opened from, with a slash at the end; a saved copy has others instead */
export function startMesh(homes: readonly [string, ...string[]]): Mesh {
  const listeners = new Set<(event: MeshEvent | TabEvent) => void>()
  /** Posts handed to another tab and not answered: that tab may be gone. */
  const outstanding = new Map<string, PostCommand | LetterCommand>()
  const tell = (event: MeshEvent | TabEvent) => {
    if (answers.has(event.type) && 'token' in event) outstanding.delete(event.token)
    for (const listener of listeners) listener(event)
  }
  const traffic: Traffic = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0, refused: new Map() }
  const store = new IndexedDbStore(databaseName, {
    outdated: () => {
      tell({ type: 'unreadable', cause: 'outdated' })
      // Nothing can be stored here any more: the tab that took the database leads.
      stop()
      tabs.leave()
    },
    blocked: () => tell({ type: 'unreadable', cause: 'blocked' }),
  })
  let runtime: Runtime | undefined
  let files: LatePart<FilesCommand, PageFiles> | undefined
  let direct: LatePart<DirectCommand, PageDirect> | undefined
  let helpers: SignalClient | undefined
  /** The screen shows direct messages: whichever tab leads has to receive them. */
  let wantsDirect = false
  let waiting: (Command | NodesCommand)[] = []
  let starts = 0
  let noteNamed: () => void = () => undefined
  const named = new Promise<void>((resolve) => (noteNamed = resolve))

  let nodes: Nodes = { known: [], current: undefined, chosen: undefined, retryAtMs: undefined }
  const tellNodes = () => {
    const event = { type: 'nodes', ...nodes } as const
    tell(event)
    tabs.sendEvent(event)
  }

  const tellTabs = (event: FilesEvent | DirectEvent) => {
    tell(event)
    tabs.sendEvent(event)
  }

  const door = new LateDoor({
    ask: () => helpers?.askDoor(),
    stunUrls: () => helpers?.stunUrls ?? [],
    command: (wish) => command(wish),
    changed: (state) => {
      tell({ type: 'door', ...state })
      tabs.sendEvent({ type: 'door', ...state })
    },
  })

  const doorFailed = (error: unknown) => {
    // No node to fetch it from: it stays shut, and says so.
    if (error instanceof TypeError) door.tell()
    else failed(error, tell)
  }

  const emit = (event: MeshEvent) => {
    tell(event)
    tabs.sendEvent(event)
    door.take(event)
    direct?.part?.hear(event)
    const isFenced = event.type === 'storage' && (event.failure === 'fenced' || event.failure === 'conflict')
    if (isFenced) tabs.stepDown()
  }

  const lead = async () => {
    const start = ++starts
    door.begin().catch(doorFailed)
    const opened = await store.open()
    const { name, rooms } = opened.stored
    // What has no name is no channel (rule Q1).
    tell({ type: 'opened', name, rooms: rooms.filter((room) => room.name !== '') })
    const [{ startRuntime }, { openKeys }, { SignalClient }] = await loadEngine(
      name === '' ? named : undefined,
    )
    if (start !== starts) return
    const keys = await openKeys(store.keyPlace())
    if (start !== starts) return
    const links = new LateLinks(async () => {
      const { BrowserLinks } = await import('#adapters/browser/browser-links.ts')
      return new BrowserLinks(keys, loadSimplePeer, (peer) => helpers?.linkUrl(peer))
    })
    helpers = new SignalClient({
      keys,
      homes,
      onVantage: (vantage) => links.setVantage(vantage),
      wantsDoor: () => door.isOpen,
      onDoor: (pass) => {
        door.pass(pass).catch(doorFailed)
      },
      onNodes: (known) => {
        nodes = known
        tellNodes()
      },
    })
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
    const platform = { keys, store, links, helpers, timers: createTimers(), seed }
    runtime = startRuntime(platform, opened, emit, traffic)
    const filesParts = { self: keys.self, links, runtime, tell: tellTabs }
    files = new LatePart(async () =>
      (await import('#adapters/browser/files/page-files.ts')).PageFiles.open(filesParts),
    )
    const directParts = { self: keys.self, history: store, command: runHere, tell: tellTabs }
    direct = new LatePart(
      async () => (await import('#adapters/browser/direct/page-direct.ts')).PageDirect.open(directParts),
      (wishes) => {
        for (const wish of wishes)
          if (wish.type === 'write-letter')
            tellTabs({ type: 'letter-failed', token: wish.token, cause: 'not-stored' })
        setTimeout(() => direct?.run({ type: 'start-direct' }), directRetryMs)
      },
    )
    if (wantsDirect) direct.run({ type: 'start-direct' })
    tell({ type: 'tab', role: 'leading' })
    const commands = waiting
    waiting = []
    runtime.command({ type: 'set-visible', visible: document.visibilityState === 'visible' })
    for (const wish of commands) runHere(wish)
    await handOn()
  }

  const stop = () => {
    starts += 1
    files?.close()
    files = undefined
    direct?.close()
    direct = undefined
    runtime?.close()
    runtime = undefined
    door.close()
  }

  const runHere = (wish: Command | NodesCommand) => {
    if (wish.type === 'rename') {
      noteNamed()
      door.setPerson(wish.name)
    }
    if (runtime === undefined) {
      if (waiting.length < waitingMax) waiting.push(wish)
      return
    }
    switch (wish.type) {
      case 'choose-node':
        return helpers?.choose(wish.url)
      case 'add-node':
        return helpers?.add(wish.url, wish.name)
      case 'set-door':
        return void door.set(wish.isOpen).catch(doorFailed)
      case 'tell-nodes':
        tellNodes()
        return door.tell()
      case 'file':
      case 'take-in':
      case 'stop-taking-in':
      case 'remove-file':
      case 'tell-files':
        return files?.run(wish)
      case 'start-direct':
      case 'write-letter':
        return direct?.run(wish)
      default:
        return runtime.command(wish)
    }
  }

  const command = (wish: Command | NodesCommand) => {
    if (wish.type === 'start-direct') wantsDirect = true
    if (runtime !== undefined || !tabs.isFollowing()) return runHere(wish)
    if (wish.type === 'post' || wish.type === 'write-letter') outstanding.set(wish.token, wish)
    tabs.sendCommand(wish)
  }

  /** Somebody else leads now. A text whose draft is gone was stored before; the others are handed on again. */
  const handOn = async () => {
    for (const wish of [...outstanding.values()]) {
      // Said twice it counts once.
      if (wish.type === 'write-letter') {
        outstanding.delete(wish.token)
        command(wish)
        continue
      }
      // The rest has no draft; said twice it says the same.
      const { body } = wish
      const isStored = body.type === 'message' && (await store.draft(wish.room)) !== body.text
      outstanding.delete(wish.token)
      if (isStored) tell({ type: 'settled', token: wish.token, room: wish.room })
      else command(wish)
    }
  }

  const tabs = new TabLock({
    // A tab of another version has other tables and commands; nobody follows across.
    name: `${databaseName}:${databaseVersion}`,
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
      for (const wish of waiting.splice(0)) command(wish)
      handOn().catch((error: unknown) => failed(error, tell))
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
    openLetters: async (self) => {
      const { LettersHistory: Letters } = await import('#adapters/browser/direct/letters-history.ts')
      return new Letters(self, store)
    },
    fileTools: () => import('#adapters/browser/files/file-tools.ts'),
    openSearch: async (onCoverage) => {
      const { SearchClient: Client } = await import('#adapters/browser/search/search-client.ts')
      return new Client(databaseName, onCoverage)
    },
    retry: () => helpers?.retry(),
  }
}

/**
 * What a newcomer needs to give a name and to type comes first; whoever was here before has it all on the device.
 * @param named when the newcomer has given a name
 */
async function loadEngine(named: Promise<void> | undefined) {
  if (named !== undefined) await Promise.race([named.then(() => wait(composerFirstMs)), wait(thinkingMs)])
  return Promise.all([
    import('#runtime/runtime.ts'),
    import('#adapters/browser/keys.ts'),
    import('#adapters/browser/signal-client.ts'),
  ])
}

function wait(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}

/** A quarter of the app, and nobody needs it before the screen stands. */
async function loadSimplePeer(): Promise<typeof SimplePeer> {
  await wait(screenFirstMs)
  return (await import('simple-peer')).default
}

/** The composition root is the outer edge: what nobody else could answer becomes a sentence on the screen. */
function failed(error: unknown, tell: (event: TabEvent) => void): void {
  console.error(error)
  tell({ type: 'unreadable', cause: 'failed' })
}
