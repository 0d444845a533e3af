/** Somebody of the demo: the shipped engine with links to residents, who says what the script tells. */
import { randomBytes } from 'node:crypto'
import { WebSocket } from 'ws'
import { MemoryFileStore } from '#adapters/files/memory-file-store.ts'
import { JournalStore } from '#adapters/node/journal-store.ts'
import { createNodeKeys } from '#adapters/node/keys.ts'
import { MemoryVolume } from '#adapters/node/memory-volume.ts'
import { wrapWebSocket } from '#adapters/node/ws-socket.ts'
import { PackedLinks } from '#adapters/packed-links.ts'
import { plainKey } from '../../src/adapters/signature.ts'
import { createTimers } from '#adapters/timers.ts'
import { WsLinks } from '#adapters/ws-links.ts'
import type { MeshEvent } from '#mesh/effects.ts'
import { openRoomId, type EventId } from '#mesh/ids.ts'
import { messageText } from '#mesh/timeline/body.ts'
import { startFiles, type FilesRuntime } from '#runtime/files-runtime.ts'
import { startRuntime, type Runtime } from '#runtime/runtime.ts'
import { sketchPng, sketchPreview, sketchSize } from './sketch.ts'
import { SocketHelpers } from './socket-helpers.ts'

const general = openRoomId('general')
/** guess: what somebody of the demo remembers, to answer it. */
const rememberedMax = 200
/** guess: more than the demo ever shares. */
const filesBytesMax = 4_000_000

interface Started {
  readonly runtime: Runtime
  readonly helpers: SocketHelpers
  readonly files: FilesRuntime
  readonly fileStore: MemoryFileStore
}

/** An engine with a key and a store of its own, and the way to nodes: a person without a browser. */
export async function startPerson(
  urls: readonly string[],
  hear: (event: MeshEvent) => void,
): Promise<Started> {
  const key = plainKey(randomBytes(32))
  const timers = createTimers()
  const store = new JournalStore(new MemoryVolume(), {
    nowMs: () => timers.wallMs(),
    onDamaged: () => undefined,
  })
  const opened = await store.open()
  const keys = createNodeKeys(key)
  const helpers = new SocketHelpers(urls, key)
  const wsLinks = new WsLinks(keys, (peer) => {
    const url = helpers.urls.get(peer)
    return url === undefined ? undefined : wrapWebSocket(new WebSocket(`${url.replace(/^http/, 'ws')}link`))
  })
  const seed = randomBytes(4).readUInt32BE()
  const platform = { keys, store, links: new PackedLinks(wsLinks), helpers, timers, seed }
  const traffic = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0, refused: new Map() }
  const runtime = startRuntime(platform, opened, hear, traffic)
  const fileStore = new MemoryFileStore(filesBytesMax)
  const filesPlatform = { self: key.peer, store: fileStore, timers: createTimers(), links: platform.links }
  const files = startFiles(filesPlatform, [], () => undefined)
  runtime.attach(files)
  runtime.command({ type: 'set-visible', visible: true })
  return { runtime, helpers, files, fileStore }
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

export class DemoPerson {
  private readonly runtime: Runtime
  private readonly helpers: SocketHelpers
  private readonly files: FilesRuntime
  private readonly fileStore: MemoryFileStore
  /** Texts that have come, by what they begin with. */
  private readonly heard = new Map<string, EventId>()
  private said = 0

  private constructor({ runtime, helpers, files, fileStore }: Started) {
    this.runtime = runtime
    this.helpers = helpers
    this.files = files
    this.fileStore = fileStore
  }

  /** @param urls the own node's first, then those to go to when it is silent */
  static async arrive(name: string, urls: readonly string[]): Promise<DemoPerson> {
    const told: { person?: DemoPerson } = {}
    const started = await startPerson(urls, (event) => told.person?.hear(event))
    const { runtime } = started
    told.person = new DemoPerson(started)
    runtime.command({ type: 'rename', name })
    runtime.command({ type: 'join', name: 'general' })
    return told.person
  }

  private hear(event: MeshEvent): void {
    if (event.type !== 'messages' || event.room !== general) return
    for (const message of event.added) {
      const text = messageText(message)
      if (text === undefined) continue
      this.heard.set(text, message.id)
      const [oldest] = this.heard.keys()
      if (this.heard.size > rememberedMax && oldest !== undefined) this.heard.delete(oldest)
    }
  }

  private find(beginning: string): EventId | undefined {
    return [...this.heard].findLast(([text]) => text.startsWith(beginning))?.[1]
  }

  /** @param answering how the message begins that is answered; said by itself when that has not come */
  say(text: string, answering?: string): void {
    const replyTo = answering === undefined ? undefined : this.find(answering)
    const body = { type: 'message', text, ...(replyTo === undefined ? {} : { replyTo }) } as const
    this.runtime.command({ type: 'post', token: `${++this.said}`, room: general, body })
  }

  /** The same each time: it is kept once, whoever has it already. */
  async shareSketch(text: string): Promise<void> {
    const png = sketchPng()
    const content = await this.fileStore.add(png.length, whole(png))
    if (typeof content === 'string') return
    this.files.command({ type: 'hold', content })
    const about = {
      name: 'roads.png',
      mime: 'image/png',
      content,
      size: sketchSize,
      preview: sketchPreview(),
    }
    const body = { type: 'file', file: about, text } as const
    this.runtime.command({ type: 'post', token: `${++this.said}`, room: general, body })
  }

  react(beginning: string, emoji: string): void {
    const target = this.find(beginning)
    if (target === undefined) return
    const body = { type: 'reaction', target, emoji, isOn: true } as const
    this.runtime.command({ type: 'post', token: `${++this.said}`, room: general, body })
  }

  goHome(): void {
    this.helpers.goHome()
  }

  leave(): void {
    this.files.close()
    this.runtime.command({ type: 'depart' })
    this.runtime.close()
  }
}
