/** One room on the screen: the part of its history that is loaded, what was said about it, unread count, own states. */
import { messageState, type Holder, type MessageState } from '#mesh/delivery.ts'
import type { MeshEvent, RoomRecord } from '#mesh/effects.ts'
import { messageText, standsByItself } from '#mesh/timeline/body.ts'
import type { Folded } from '#mesh/timeline/fold.ts'
import type { RoomRules } from '#mesh/timeline/rules.ts'
import { feedAuthor, type EventId, type PeerId } from '#mesh/ids.ts'
import type { PlacedEvent } from '#mesh/clock.ts'
import type { Position } from '#runtime/ports.ts'
import type { Mesh } from '../start.ts'
import { Abouts, replyTargetOf } from './abouts.svelte.ts'
import { Composing } from './composing.svelte.ts'
import { LateRulings } from './late-rulings.svelte.ts'
import { settings } from './settings.svelte.ts'

const pageSize = 50
/** More than this in the list and the far end is let go; scrolling brings it back. */
const windowMax = 200
/** `ux.md` §4.8: with more unread than this one begins at the end. */
const shownUnreadMax = 200
const unreadMax = 1_000
/** `ux.md` §4.17: more than these are history. */
const pinsMax = 3

type Reader = Extract<MeshEvent, { type: 'readers' }>['readers'][number]
type MessagesEvent = Extract<MeshEvent, { type: 'messages' }>

export class RoomState {
  record: RoomRecord = $state.raw() as RoomRecord
  /** Another one in the list has the same name. */
  isNameShared = $state(false)
  readonly rulings: LateRulings
  readonly composing: Composing
  #mesh: Mesh
  #self: () => PeerId | undefined
  #events = $state.raw<readonly PlacedEvent[]>([])
  #holders = $state.raw<readonly Holder[]>([])
  #readers = $state.raw<readonly Reader[]>([])
  #abouts: Abouts
  #readMark: Position | undefined
  #isLoading = false
  #loading: Promise<unknown> = Promise.resolve()
  /** What has come while the store was asked. */
  #arrived: MessagesEvent[] = []
  #isWanted = false
  #tellOpened: () => void = () => undefined
  #whenOpened = new Promise<void>((resolve) => (this.#tellOpened = resolve))
  unread = $state(0)
  hasOlder = $state(false)
  hasNewer = $state(false)
  isOpened = $state(false)
  reachable = $state(false)
  /** Messages of others, and own ones, that have come while this page is open. */
  news = $state(0)
  sent = $state(0)
  /** Somebody reads further up: the list grows at its end only. */
  isReading = $state(false)
  /** The message above which the “new” divider stands while the room is open. */
  firstUnread = $state<string | undefined>()

  constructor(mesh: Mesh, record: RoomRecord, self: () => PeerId | undefined) {
    this.#mesh = mesh
    this.record = record
    this.#self = self
    this.rulings = new LateRulings(mesh.history, record)
    this.#abouts = new Abouts(mesh.history)
    this.composing = new Composing(mesh, record.room)
    void this.#begin()
  }

  get events(): readonly PlacedEvent[] {
    return this.#events
  }

  get title(): string {
    const { name, owner, room } = this.record
    const tag = this.isNameShared && owner !== undefined ? ` ·${room.slice(0, 4)}` : ''
    return `#${this.rules?.name ?? name}${tag}`
  }

  get rules(): RoomRules | undefined {
    return this.rulings.rules
  }

  /** What it is for. */
  get purpose(): string {
    return this.rules?.purpose ?? this.record.purpose ?? ''
  }

  get mayModerate(): boolean {
    return this.rulings.mayModerate(this.#self())
  }

  get pins(): readonly PlacedEvent[] {
    const isWanted = (event: PlacedEvent) =>
      this.fold(event).text !== undefined &&
      this.isShown(event) &&
      settings.quietOf(feedAuthor(event.feed)) !== 'hidden'
    return this.rulings.pins.filter(isWanted).slice(0, pinsMax)
  }

  async #begin(): Promise<void> {
    void this.#heed([])
    await this.composing.begin()
    this.#readMark = await this.#mesh.history.readMark(this.record.room)
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

  /** Loads the part that somebody wants to see first, once. @returns when it is there and its divider stands */
  async open(): Promise<void> {
    // Whose messages are one's own has to be known first: what is unread follows from it.
    this.#isWanted = this.#self() === undefined
    if (!this.#isWanted && !this.isOpened) await this.#load(() => this.#openNow())
    await this.#whenOpened
    this.#markFirstUnread()
  }

  async #openNow(): Promise<void> {
    if (this.isOpened) return
    // What moderators took away is not shown for a moment first; nor does anybody wait for a node that is gone.
    await Promise.race([this.#heed([]), this.rulings.patience()])
    const mark = this.#readMark
    const isFarBack = mark !== undefined && this.unread > pageSize && this.unread <= shownUnreadMax
    if (isFarBack) {
      const before = await this.#page({ before: { effective: mark.effective, id: `${mark.id}0` } })
      const after = await this.#page({ after: mark })
      this.#events = [...before, ...after]
      this.hasOlder = before.length === pageSize
      this.hasNewer = after.length === pageSize
    } else {
      const events = await this.#page({})
      this.#events = this.#merge(events)
      this.hasOlder = events.length === pageSize
    }
    this.isOpened = true
    this.#tellOpened()
  }

  #markFirstUnread(): void {
    this.firstUnread = undefined
    const mark = this.#readMark
    const oldest = this.#events[0]
    // Where more is unread than is loaded, no place in it is the first.
    const isBeyond =
      this.hasOlder && oldest !== undefined && (mark === undefined || compare(oldest, mark) > 0)
    if (this.unread === 0 || isBeyond) return
    const first = this.#events.find(
      (event) => (mark === undefined || compare(event, mark) > 0) && feedAuthor(event.feed) !== this.#self(),
    )
    this.firstUnread = first?.id
  }

  async loadOlder(): Promise<void> {
    const before = this.#events[0]
    if (!this.hasOlder || before === undefined || this.#isLoading) return
    await this.#load(async () => {
      const older = await this.#page({ before })
      this.hasOlder = older.length === pageSize
      const all = this.#merge(older)
      this.hasNewer ||= all.length > windowMax
      this.#events = all.slice(0, windowMax)
    })
  }

  async loadNewer(): Promise<void> {
    const after = this.#events.at(-1)
    if (!this.hasNewer || after === undefined || this.#isLoading) return
    await this.#load(async () => {
      const newer = await this.#page({ after })
      this.hasNewer = newer.length === pageSize
      const all = this.#merge(newer)
      this.hasOlder ||= all.length > windowMax
      this.#events = all.slice(-windowMax)
    })
  }

  async jumpToEnd(): Promise<void> {
    if (!this.hasNewer) return
    await this.#load(async () => {
      const events = await this.#page({})
      this.#events = events
      this.hasNewer = false
      this.hasOlder = events.length === pageSize
    })
  }

  /** Up to `pageSize` messages, and what was said about them. */
  async #page(where: {
    readonly before?: Position
    readonly after?: Position
  }): Promise<readonly PlacedEvent[]> {
    const events = await this.#mesh.history.history({ room: this.record.room, limit: pageSize, ...where })
    await this.#abouts.load(events)
    return events
  }

  /** One after the other: what comes while the store is asked is shown when it has answered. */
  async #load(work: () => Promise<void>): Promise<void> {
    const before = this.#loading
    this.#isLoading = true
    const done = (async () => {
      await before
      await work()
      this.#abouts.keepOnly([...this.#events, ...this.rulings.pins])
    })()
    // Whoever asked is told; the next one begins all the same.
    this.#loading = done.catch(() => undefined)
    const own = this.#loading
    try {
      await done
    } finally {
      if (own === this.#loading) {
        this.#isLoading = false
        for (const event of this.#arrived.splice(0)) this.#show(event)
      }
    }
  }

  #merge(more: readonly PlacedEvent[]): PlacedEvent[] {
    const byId = new Map([...this.#events, ...more].map((event) => [event.id, event]))
    return [...byId.values()].sort(compare)
  }

  /** New and moved messages: what falls into the loaded part is shown, what lies behind it is counted. */
  take(event: MessagesEvent): void {
    const unread = event.added.filter(
      (one) =>
        this.isShown(one) &&
        feedAuthor(one.feed) !== this.#self() &&
        settings.quietOf(feedAuthor(one.feed)) !== 'hidden' &&
        (this.#readMark === undefined || compare(one, this.#readMark) > 0),
    )
    this.unread = Math.min(unreadMax, this.unread + unread.length)
    this.news += unread.length
    this.sent += event.added.filter((one) => standsByItself(one) && this.isOwn(one)).length
    if (this.record.owner !== undefined) void this.#heed([...event.added, ...event.moved])
    if (this.#isLoading) this.#arrived.push(event)
    else this.#show(event)
  }

  async #heed(events: readonly PlacedEvent[]): Promise<void> {
    await this.rulings.take(events)
    await this.#abouts.load(this.rulings.pins)
  }

  #show(event: MessagesEvent): void {
    if (!this.isOpened) return
    // What is said about a message stands at that message.
    const added = event.added.filter((one) => standsByItself(one))
    const moved = event.moved.filter((one) => standsByItself(one))
    const first = this.#events[0]
    const last = this.#events.at(-1)
    const fits = (one: PlacedEvent) =>
      (!this.hasOlder || first === undefined || compare(one, first) >= 0) &&
      (!this.hasNewer || last === undefined || compare(one, last) <= 0)
    const movedIds = new Set(moved.map((one) => one.id))
    this.#events = this.#events.filter((one) => !movedIds.has(one.id))
    const all = this.#merge([...added, ...moved].filter(fits))
    const isTooLong = all.length > windowMax
    if (this.isReading) this.hasNewer ||= isTooLong
    else this.hasOlder ||= isTooLong
    this.#events = this.isReading ? all.slice(0, windowMax) : all.slice(-windowMax)
    if (isTooLong) this.#abouts.keepOnly([...this.#events, ...this.rulings.pins])
    const shown = new Set([...this.#events, ...this.rulings.pins].map(({ id }) => id))
    this.#abouts.take([...event.added, ...event.moved], (id) => shown.has(id))
    const answers = added.filter((one) => shown.has(one.id) && replyTargetOf(one) !== undefined)
    if (answers.length > 0) void this.#abouts.load(answers)
    this.composing.settle((message) => this.fold(message).isDeleted)
  }

  takeReaders(readers: readonly Reader[]): void {
    this.#readers = readers
  }

  /** @returns who says to have read an own message */
  readersOf(event: PlacedEvent): PeerId[] {
    return this.#readers
      .filter((reader) => reader.peer !== this.#self() && compare(reader, event) >= 0)
      .map(({ peer }) => peer)
  }

  takeHolders(holders: readonly Holder[]): void {
    this.#holders = holders
  }

  /** Everything shown has been seen. */
  markRead(): void {
    const last = this.#events.at(-1)
    if (last === undefined || this.hasNewer) return
    this.#saveRead(last)
  }

  #saveRead({ effective, id }: PlacedEvent): void {
    this.unread = 0
    const position = { effective, id }
    if (this.#readMark !== undefined && compare(position, this.#readMark) <= 0) return
    this.#readMark = position
    void this.#mesh.history.saveReadMark(this.record.room, position)
    // Said on only where its person has switched that on.
    this.#mesh.command({ type: 'read', room: this.record.room, position })
  }

  /** Everything has been seen, whatever part of it is loaded. */
  async readAll(): Promise<void> {
    const [last] = await this.#mesh.history.history({ room: this.record.room, limit: 1 })
    if (last !== undefined) this.#saveRead(last)
  }

  /** @returns the state of an own message, undefined for somebody else's. */
  stateOf(event: PlacedEvent): MessageState | undefined {
    if (feedAuthor(event.feed) !== this.#self()) return undefined
    return messageState(event, this.#holders, this.reachable)
  }

  get waitingCount(): number {
    // Somebody's word to have read it may come before the one to hold it.
    const isWaiting = (event: PlacedEvent) =>
      this.stateOf(event)?.type === 'waiting' && this.readersOf(event).length === 0
    return this.#events.filter(isWaiting).length
  }

  /** @returns whether this version shows the event in the room, deleted or not */
  isShown(event: PlacedEvent): boolean {
    return messageText(event) !== undefined && this.rules?.isHeard(event) !== false
  }

  /** A message after all that was said about it. */
  fold(event: PlacedEvent): Folded {
    return this.#abouts.fold(event, this.rules)
  }

  /** @returns the message that this one answers, where this device holds it */
  answeredBy(
    event: PlacedEvent,
  ): { readonly id: EventId; readonly event: PlacedEvent | undefined } | undefined {
    const id = replyTargetOf(event)
    if (id === undefined) return undefined
    return { id, event: this.#events.find((one) => one.id === id) ?? this.#abouts.answered(id) }
  }

  /** Who holds an own message, as they say. */
  holdersOf(event: PlacedEvent): readonly Holder[] {
    return this.#holders.filter(
      ({ feed, ranges, counted }) =>
        feed === event.feed &&
        (counted?.ranges ?? ranges).some(({ first, last }) => first <= event.seq && event.seq <= last),
    )
  }

  /** Shows the part of the history around a message. @returns whether this device holds it */
  async goTo(id: EventId): Promise<boolean> {
    if (this.#events.some((event) => event.id === id)) return true
    const [found] = await this.#mesh.history.find([id])
    if (found === undefined || found.room !== this.record.room || !this.isShown(found)) return false
    await this.#load(async () => {
      const before = await this.#page({ before: found })
      const after = await this.#page({ after: found })
      await this.#abouts.load([found])
      this.hasOlder = before.length === pageSize
      this.hasNewer = after.length === pageSize
      this.#events = [...before, found, ...after]
    })
    return true
  }

  /** On when it is off for this person, else off. */
  react(event: PlacedEvent, emoji: string): void {
    const self = this.#self()
    const isOn = self !== undefined && this.fold(event).reactions.get(emoji)?.includes(self) === true
    this.composing.say({ type: 'reaction', target: event.id, emoji, isOn: !isOn })
  }

  isOwn(event: PlacedEvent): boolean {
    return feedAuthor(event.feed) === this.#self()
  }

  /** The last own message in sight that is still there. */
  get lastOwn(): PlacedEvent | undefined {
    if (this.hasNewer) return undefined
    return this.#events.findLast((event) => this.isOwn(event) && this.fold(event).text !== undefined)
  }
}

function compare(a: Position, b: Position): number {
  return a.effective - b.effective || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
