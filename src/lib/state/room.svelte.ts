/** One room on the screen: the part of its history that is loaded, unread count, draft, own messages' states. */
import { messageState, type Holder, type MessageState } from '#mesh/delivery.ts'
import type { MeshEvent, RoomRecord } from '#mesh/effects.ts'
import { messageText, targetOf } from '#mesh/timeline/body.ts'
import { feedAuthor, type PeerId } from '#mesh/ids.ts'
import type { PlacedEvent } from '#mesh/clock.ts'
import type { Position } from '#runtime/ports.ts'
import type { Mesh } from '../start.ts'

const pageSize = 50
/** More than this in the list and the far end is let go; scrolling brings it back. */
const windowMax = 200
const unreadMax = 1_000
/** guess: an answer that takes longer means that something is wrong. */
const patienceMs = 15_000

type MessagesEvent = Extract<MeshEvent, { type: 'messages' }>

export class RoomState {
  readonly record: RoomRecord
  #mesh: Mesh
  #self: () => PeerId | undefined
  #events = $state.raw<readonly PlacedEvent[]>([])
  #holders = $state.raw<readonly Holder[]>([])
  #draftTimer: ReturnType<typeof setTimeout> | undefined
  #readMark: Position | undefined
  #isLoading = false
  /** Clearing and typing race with the store; the newest wish counts. */
  #pending = new Map<string, string>()
  #stalled = new Set<string>()
  #wantsMore = false
  #isWanted = false
  unread = $state(0)
  draft = $state('')
  hasOlder = $state(false)
  hasNewer = $state(false)
  isOpened = $state(false)
  reachable = $state(false)
  /** The message above which the “new” divider stands while the room is open. */
  firstUnread = $state<string | undefined>()
  postFault = $state<Extract<MeshEvent, { type: 'post-failed' }>['cause'] | undefined>()

  constructor(mesh: Mesh, record: RoomRecord, self: () => PeerId | undefined) {
    this.#mesh = mesh
    this.record = record
    this.#self = self
    void this.#begin()
  }

  get events(): readonly PlacedEvent[] {
    return this.#events
  }

  get title(): string {
    return `#${this.record.name}`
  }

  async #begin(): Promise<void> {
    const { history } = this.#mesh
    const { room } = this.record
    const draft = await history.draft(room)
    if (this.draft === '') this.draft = draft
    this.#readMark = await history.readMark(room)
    await this.#recount()
  }

  async #recount(): Promise<void> {
    const self = this.#self()
    if (self === undefined) return
    this.unread = await this.#mesh.history.countAfter(this.record.room, this.#readMark, self, unreadMax)
  }

  /** Called when the device's own id is known: own messages are never unread. */
  selfKnown(): void {
    void this.#recount().then(() => (this.#isWanted ? this.open() : undefined))
  }

  /** Loads the newest part, once. */
  async open(): Promise<void> {
    if (this.isOpened || this.#isLoading) return
    // Whose messages are one's own has to be known first: what is unread follows from it.
    this.#isWanted = this.#self() === undefined
    if (this.#isWanted) return
    await this.#load(async () => {
      const events = await this.#mesh.history.history({ room: this.record.room, limit: pageSize })
      this.#events = this.#merge(events)
      this.hasOlder = events.length === pageSize
      this.isOpened = true
      this.#markFirstUnread()
    })
  }

  #markFirstUnread(): void {
    if (this.unread === 0) return
    const mark = this.#readMark
    const first = this.#events.find(
      (event) => (mark === undefined || compare(event, mark) > 0) && feedAuthor(event.feed) !== this.#self(),
    )
    this.firstUnread = first?.id
  }

  async loadOlder(): Promise<void> {
    const before = this.#events[0]
    if (!this.hasOlder || before === undefined) return
    await this.#load(async () => {
      const { room } = this.record
      const older = await this.#mesh.history.history({ room, before, limit: pageSize })
      this.hasOlder = older.length === pageSize
      const all = this.#merge(older)
      this.hasNewer ||= all.length > windowMax
      this.#events = all.slice(0, windowMax)
    })
  }

  async loadNewer(): Promise<void> {
    const after = this.#events.at(-1)
    if (!this.hasNewer || after === undefined) return
    await this.#load(async () => {
      const { room } = this.record
      const newer = await this.#mesh.history.history({ room, after, limit: pageSize })
      this.hasNewer = newer.length === pageSize
      const all = this.#merge(newer)
      this.hasOlder ||= all.length > windowMax
      this.#events = all.slice(-windowMax)
    })
  }

  async jumpToEnd(): Promise<void> {
    if (!this.hasNewer) return
    await this.#load(async () => {
      const events = await this.#mesh.history.history({ room: this.record.room, limit: pageSize })
      this.#events = events
      this.hasNewer = false
      this.hasOlder = events.length === pageSize
    })
  }

  async #load(work: () => Promise<void>): Promise<void> {
    if (this.#isLoading) return
    this.#isLoading = true
    try {
      await work()
    } finally {
      this.#isLoading = false
    }
  }

  #merge(more: readonly PlacedEvent[]): PlacedEvent[] {
    const byId = new Map([...this.#events, ...more].map((event) => [event.id, event]))
    return [...byId.values()].sort(compare)
  }

  /** New and moved messages: what falls into the loaded part is shown, what lies behind it is counted. */
  take(event: MessagesEvent): void {
    // What is said about a message stands at that message.
    const added = event.added.filter((one) => targetOf(one) === undefined)
    const moved = event.moved.filter((one) => targetOf(one) === undefined)
    const others = added.filter((one) => feedAuthor(one.feed) !== this.#self())
    const unread = others.filter((one) => this.#readMark === undefined || compare(one, this.#readMark) > 0)
    this.unread = Math.min(unreadMax, this.unread + unread.length)
    if (!this.isOpened) return
    const first = this.#events[0]
    const last = this.#events.at(-1)
    const fits = (one: PlacedEvent) =>
      (!this.hasOlder || first === undefined || compare(one, first) >= 0) &&
      (!this.hasNewer || last === undefined || compare(one, last) <= 0)
    const movedIds = new Set(moved.map((one) => one.id))
    this.#events = this.#events.filter((one) => !movedIds.has(one.id))
    const all = this.#merge([...added, ...moved].filter(fits))
    this.hasOlder ||= all.length > windowMax
    this.#events = all.slice(-windowMax)
  }

  takeHolders(holders: readonly Holder[]): void {
    this.#holders = holders
  }

  /** Everything shown has been seen. */
  markRead(): void {
    const last = this.#events.at(-1)
    if (last === undefined || this.hasNewer) return
    this.unread = 0
    if (this.#readMark !== undefined && compare(last, this.#readMark) <= 0) return
    this.#readMark = { effective: last.effective, id: last.id }
    void this.#mesh.history.saveReadMark(this.record.room, this.#readMark)
  }

  /** @returns the state of an own message, undefined for somebody else's. */
  stateOf(event: PlacedEvent): MessageState | undefined {
    if (feedAuthor(event.feed) !== this.#self()) return undefined
    return messageState(event, this.#holders, this.reachable)
  }

  get waitingCount(): number {
    return this.#events.filter((event) => this.stateOf(event)?.type === 'waiting').length
  }

  textOf(event: PlacedEvent): string | undefined {
    return messageText(event)
  }

  /** Keeps what is being typed within 300 ms, so that nothing can take it. */
  type(text: string): void {
    this.draft = text
    this.postFault = undefined
    clearTimeout(this.#draftTimer)
    this.#draftTimer = setTimeout(() => void this.#mesh.history.saveDraft(this.record.room, text), 200)
  }

  /** The composer is cleared when the message is durable, not before. */
  post(): void {
    // While one is being saved, a second Enter means what was typed behind it.
    if (this.#pending.size > this.#stalled.size) {
      this.#wantsMore = true
      return
    }
    const text = this.draft
    const token = `${this.record.room}-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`
    clearTimeout(this.#draftTimer)
    void this.#mesh.history.saveDraft(this.record.room, text)
    this.#pending.set(token, text)
    setTimeout(() => this.#stall(token), patienceMs)
    this.#mesh.command({ type: 'post', token, room: this.record.room, body: { type: 'message', text } })
  }

  posted(token: string): void {
    const text = this.#pending.get(token)
    if (text === undefined) return
    this.#pending.delete(token)
    this.#stalled.delete(token)
    // What was typed on meanwhile stays.
    if (this.draft === text) this.draft = ''
    else if (this.draft.startsWith(text)) this.type(this.draft.slice(text.length).trimStart())
    if (this.draft !== '') this.type(this.draft)
    if (this.#wantsMore && this.draft.trim() !== '') this.post()
    this.#wantsMore = false
  }

  /** Nobody has answered: the tab that stores may be gone. The text stays; a late answer still clears it. */
  #stall(token: string): void {
    if (!this.#pending.has(token)) return
    this.#stalled.add(token)
    this.postFault = 'closed'
  }

  postFailed(token: string, cause: Extract<MeshEvent, { type: 'post-failed' }>['cause']): void {
    this.#wantsMore = false
    this.#stalled.delete(token)
    if (this.#pending.delete(token)) this.postFault = cause
  }
}

function compare(a: Position, b: Position): number {
  return a.effective - b.effective || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
