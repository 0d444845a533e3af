/** A person without a browser: the shipped engine, with links to residents only, as where WebRTC is blocked. */
import { WebSocket } from 'ws'
import { SocketHelpers } from '../../signal/demo/socket-helpers.ts'
import { MemoryFileStore } from '../../src/adapters/files/memory-file-store.ts'
import { createMemoryStore } from '../../src/adapters/memory/memory-store.ts'
import { createNodeKeys } from '../../src/adapters/node/keys.ts'
import { wrapWebSocket } from '../../src/adapters/node/ws-socket.ts'
import { PackedLinks } from '../../src/adapters/packed-links.ts'
import type { PlainKey } from '../../src/adapters/signature.ts'
import { createTimers } from '../../src/adapters/timers.ts'
import { WsLinks } from '../../src/adapters/ws-links.ts'
import type { Command, MeshEvent } from '../../src/mesh/effects.ts'
import { feedAuthor, openRoomId } from '../../src/mesh/ids.ts'
import { messageState, type MessageState } from '../../src/mesh/delivery.ts'
import type { Store } from '../../src/runtime/ports.ts'
import type { Content } from '../../src/mesh/files/content.ts'
import type { FileId } from '../../src/mesh/files/hash-tree.ts'
import type { FileEvent } from '../../src/mesh/files/file-state.ts'
import { startFiles, type FilesRuntime } from '../../src/runtime/files-runtime.ts'
import { startRuntime, type Runtime, type Traffic } from '../../src/runtime/runtime.ts'
import { keyOf } from '../mesh/make.ts'

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

export const general = openRoomId('general')
const utf8 = new TextDecoder()

export class Person {
  readonly key: PlainKey
  readonly store: Store
  private readonly runtime: Runtime
  readonly files: FilesRuntime
  readonly fileStore = new MemoryFileStore()
  readonly progress = new Map<FileId, Extract<FileEvent, { type: 'progress' }>>()
  readonly traffic: Traffic = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0, refused: new Map() }
  private holders: Extract<MeshEvent, { type: 'holders' }>['holders'] = []
  people: Extract<MeshEvent, { type: 'people' }>['people'] = []
  readonly texts: string[] = []
  private readonly own = new Map<string, { readonly feed: string; readonly seq: number }>()
  private readonly waiting = new Set<() => void>()

  private constructor(
    urls: readonly string[],
    key: PlainKey,
    name: string,
    opened: Awaited<ReturnType<Store['open']>>,
    store: Store,
  ) {
    this.key = key
    this.store = store
    const keys = createNodeKeys(key)
    const helpers = new SocketHelpers(urls, key)
    const wsLinks = new WsLinks(keys, (peer) => {
      const at = helpers.urls.get(peer)
      return at === undefined ? undefined : wrapWebSocket(new WebSocket(`${at.replace(/^http/, 'ws')}link`))
    })
    const platform = {
      keys,
      store,
      links: new PackedLinks(wsLinks),
      helpers,
      timers: createTimers(),
      seed: key.secret[0] ?? 1,
    }
    this.runtime = startRuntime(platform, opened, (event) => this.told(event), this.traffic)
    const filesPlatform = {
      self: key.peer,
      store: this.fileStore,
      timers: createTimers(),
      links: platform.links,
    }
    this.files = startFiles(filesPlatform, [], (event) => {
      if (event.type === 'progress') this.progress.set(event.file, event)
      this.look()
    })
    this.runtime.attach(this.files)
    this.command({ type: 'set-visible', visible: true })
    this.command({ type: 'rename', name })
    this.command({ type: 'join', name: 'general' })
  }

  /** @param urls the own node's, and others to go to when it is silent */
  static async come(urls: readonly string[], seed: number, name = `person ${seed}`): Promise<Person> {
    const store = createMemoryStore(new Uint8Array(16).fill(seed & 127), () => Date.now())
    return new Person(urls, keyOf(seed), name, await store.open(), store)
  }

  private told(event: MeshEvent): void {
    if (event.type === 'messages') {
      for (const { body, feed, seq, kind } of event.added) {
        if (kind !== 1) continue
        const text = utf8.decode(body)
        this.texts.push(text)
        if (feedAuthor(feed) === this.key.peer) this.own.set(text, { feed, seq })
      }
    } else if (event.type === 'holders') this.holders = event.holders
    else if (event.type === 'people') this.people = event.people
    this.look()
  }

  private look(): void {
    for (const look of [...this.waiting]) look()
  }

  /** It has these bytes for whoever wants them. */
  async share(bytes: Uint8Array): Promise<Content> {
    const content = await this.fileStore.add(bytes.length, whole(bytes))
    if (typeof content === 'string') throw new Error(content)
    this.files.command({ type: 'hold', content })
    return content
  }

  command(command: Command): void {
    this.runtime.command(command)
  }

  say(text: string): void {
    this.command({ type: 'post', token: text, room: general, body: { type: 'message', text } })
  }

  stateOf(text: string): MessageState | undefined {
    const own = this.own.get(text)
    if (own === undefined) return undefined
    const message = { ...own, audience: [] } as unknown as Parameters<typeof messageState>[0]
    return messageState(message, this.holders, false)
  }

  carriersOf(text: string): number {
    const own = this.own.get(text)
    const covers = ({ feed, ranges }: (typeof this.holders)[number]) =>
      feed === own?.feed && ranges.some(({ first, last }) => first <= own.seq && own.seq <= last)
    return own === undefined ? 0 : this.holders.filter(covers).length
  }

  /** Own events that a box has confirmed, as `feed/seq`. */
  carriedByBoxes(): string[] {
    return this.holders
      .filter(({ role, feed }) => role === 'carrier' && feedAuthor(feed) === this.key.peer)
      .flatMap(({ feed, ranges }) =>
        ranges.flatMap(({ first, last }) =>
          Array.from({ length: last - first + 1 }, (_, i) => `${feed}/${first + i}`),
        ),
      )
  }

  /** Looks again at each thing that is told. */
  async until(what: string, look: () => boolean, withinMs = 20_000): Promise<void> {
    if (look()) return
    await new Promise<void>((resolve, reject) => {
      const done = () => {
        if (!look()) return
        this.waiting.delete(done)
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.waiting.delete(done)
        reject(new Error(`never: ${what}; has ${this.texts.join(', ').slice(0, 200)}`))
      }, withinMs)
      this.waiting.add(done)
    })
  }

  leave(): void {
    this.command({ type: 'depart' })
    this.files.close()
    this.runtime.close()
  }
}
