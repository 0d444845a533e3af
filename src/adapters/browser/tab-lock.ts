/**
 * One tab of an origin runs the engine; the others work through it. Tabs talk over a BroadcastChannel, which
 * works on plain http, where Web Locks do not exist. Two leaders at once can do no harm: the store's term lets
 * only the newest write (see indexeddb-store.ts), and the older one steps down when it is refused.
 */
import type { Command, MeshEvent } from '#mesh/effects.ts'
import type { DoorState } from './door/door-keeper.ts'
import type { DirectCommand, DirectEvent } from './direct/page-direct.ts'
import type { FilesCommand, FilesEvent } from './files/page-files.ts'
import type { Nodes } from './signal-client.ts'

/** What tabs say to each other beside what the mesh says: which nodes are known, and wishes about them. */
export type NodesEvent =
  ({ readonly type: 'nodes' } & Nodes) | ({ readonly type: 'door' } & DoorState) | FilesEvent | DirectEvent
export type NodesCommand =
  | { readonly type: 'choose-node'; readonly url: string | undefined }
  | { readonly type: 'add-node'; readonly url: string; readonly name: string }
  | { readonly type: 'set-door'; readonly isOpen: boolean }
  /** A tab that came later wants to know. */
  | { readonly type: 'tell-nodes' }
  | FilesCommand
  | DirectCommand

type TabMessage =
  /** A tab asks whether somebody leads. */
  | { readonly type: 'who-leads'; readonly tab: string }
  | { readonly type: 'i-lead'; readonly tab: string }
  | { readonly type: 'i-leave'; readonly tab: string }
  | { readonly type: 'command'; readonly tab: string; readonly command: Command | NodesCommand }
  | { readonly type: 'event'; readonly tab: string; readonly event: MeshEvent | NodesEvent }

export interface TabParts {
  readonly name: string
  /** This tab is to run the engine now. */
  readonly lead: () => void
  /** This tab is to stop its engine: another one leads. Said again when yet another one leads. */
  readonly follow: () => void
  readonly command: (command: Command | NodesCommand) => void
  readonly event: (event: MeshEvent | NodesEvent) => void
}

/** guess: a leader answers a message at once, hidden or not; only a frozen one does not. */
const answerMs = 200
const askIntervalMs = 2_000
const missesMax = 2
const retryMs = 5_000

export class TabLock {
  private readonly parts: TabParts
  private readonly channel: BroadcastChannel
  private readonly tab = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16)).join('')
  private role: 'asking' | 'leading' | 'following' = 'asking'
  private timer: ReturnType<typeof setTimeout> | undefined
  private misses = 0
  /** The tab that leads, while this one follows. */
  private leader = ''

  constructor(parts: TabParts) {
    this.parts = parts
    this.channel = new BroadcastChannel(parts.name)
    this.channel.onmessage = (event: MessageEvent<TabMessage>) => this.received(event.data)
    this.ask()
  }

  private post(message: TabMessage): void {
    this.channel.postMessage(message)
  }

  private ask(): void {
    this.post({ type: 'who-leads', tab: this.tab })
    this.timer = setTimeout(() => this.unanswered(), answerMs)
  }

  private unanswered(): void {
    this.misses += 1
    if (this.role === 'following' && this.misses <= missesMax) return this.ask()
    this.take()
  }

  private take(): void {
    this.role = 'leading'
    this.misses = 0
    this.post({ type: 'i-lead', tab: this.tab })
    this.parts.lead()
  }

  private received(message: TabMessage): void {
    switch (message.type) {
      case 'who-leads':
        if (this.role === 'leading') this.post({ type: 'i-lead', tab: this.tab })
        // Two that ask at once: the smaller name goes first.
        else if (this.role === 'asking' && this.tab < message.tab)
          this.post({ type: 'who-leads', tab: this.tab })
        else if (this.role === 'asking') this.wait()
        return
      case 'i-lead':
        return this.seen(message.tab)
      case 'i-leave':
        if (this.role === 'following') this.wait()
        return
      case 'command':
        if (this.role === 'leading') this.parts.command(message.command)
        return
      case 'event':
        if (this.role === 'following') this.parts.event(message.event)
    }
  }

  /** Lets the others go first, by a chance that is settled by who answers. */
  private wait(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.ask(), 50 + Math.random() * answerMs)
  }

  private seen(leader: string): void {
    this.misses = 0
    clearTimeout(this.timer)
    if (this.role === 'leading') {
      // Both believe to lead: the store has fenced one of them; the larger name gives way.
      if (this.tab > leader) this.stepDown()
      else this.post({ type: 'i-lead', tab: this.tab })
      return
    }
    this.timer = setTimeout(() => this.ask(), askIntervalMs)
    if (this.role === 'following' && this.leader === leader) return
    this.role = 'following'
    this.leader = leader
    this.parts.follow()
    this.sendCommand({ type: 'announce' })
  }

  /** This tab could not open the history: let others try, and try again later. */
  giveUp(): void {
    this.leave()
    this.role = 'asking'
    this.timer = setTimeout(() => this.ask(), retryMs)
  }

  /** The store refused this tab's write: another one has taken over. */
  stepDown(): void {
    if (this.role !== 'leading') return
    this.role = 'following'
    this.parts.follow()
    this.ask()
  }

  isFollowing(): boolean {
    return this.role === 'following'
  }

  sendCommand(command: Command | NodesCommand): void {
    this.post({ type: 'command', tab: this.tab, command })
  }

  sendEvent(event: MeshEvent | NodesEvent): void {
    if (this.role === 'leading') this.post({ type: 'event', tab: this.tab, event })
  }

  /** The page goes away: let another tab take over at once. */
  leave(): void {
    if (this.role === 'leading') this.post({ type: 'i-leave', tab: this.tab })
    this.role = 'following'
    clearTimeout(this.timer)
  }

  /** The page is back from the back-forward cache. */
  resume(): void {
    this.role = 'asking'
    this.ask()
  }

  close(): void {
    this.leave()
    this.channel.close()
  }
}
