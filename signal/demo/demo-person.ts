/** Somebody of the demo: the shipped engine with links to residents, who says what the script tells. */
import { randomBytes } from 'node:crypto'
import { WebSocket } from 'ws'
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
import { startRuntime, type Runtime } from '#runtime/runtime.ts'
import { SocketHelpers } from './socket-helpers.ts'

const general = openRoomId('general')
/** guess: what somebody of the demo remembers, to answer it. */
const rememberedMax = 200

/** An engine with a key and a store of its own, and the way to nodes: a person without a browser. */
export async function startPerson(
  urls: readonly string[],
  hear: (event: MeshEvent) => void,
): Promise<{ readonly runtime: Runtime; readonly helpers: SocketHelpers }> {
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
  runtime.command({ type: 'set-visible', visible: true })
  return { runtime, helpers }
}

export class DemoPerson {
  private readonly runtime: Runtime
  private readonly helpers: SocketHelpers
  /** Texts that have come, by what they begin with. */
  private readonly heard = new Map<string, EventId>()
  private said = 0

  private constructor(runtime: Runtime, helpers: SocketHelpers) {
    this.runtime = runtime
    this.helpers = helpers
  }

  /** @param urls the own node's first, then those to go to when it is silent */
  static async arrive(name: string, urls: readonly string[]): Promise<DemoPerson> {
    const told: { person?: DemoPerson } = {}
    const { runtime, helpers } = await startPerson(urls, (event) => told.person?.hear(event))
    told.person = new DemoPerson(runtime, helpers)
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
    this.runtime.command({ type: 'depart' })
    this.runtime.close()
  }
}
