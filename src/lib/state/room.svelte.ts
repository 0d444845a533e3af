/** One room on the screen: the part of its history that is loaded, what was said about it, unread count, own states. */
import { messageState, type Holder, type MessageState } from '#mesh/delivery.ts'
import type { Gap, MeshEvent } from '#mesh/effects.ts'
import { messageText, standsByItself } from '#mesh/timeline/body.ts'
import type { Folded } from '#mesh/timeline/fold.ts'
import type { RoomRules } from '#mesh/timeline/rules.ts'
import { feedAuthor, type EventId, type PeerId } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import { stampFromMs, type PlacedEvent } from '#mesh/clock.ts'
import type { Position } from '#runtime/ports.ts'
import type { ShownLetter } from '#mesh/direct/shown.ts'
import type { ShownRoom } from '../place.ts'
import type { Mesh } from '../start.ts'
import { Abouts, replyTargetOf } from './abouts.svelte.ts'
import { Composing } from './composing.svelte.ts'
import { LateRulings } from './late-rulings.svelte.ts'
import { compare, HistoryWindow, pageSize, type Change } from './history-window.svelte.ts'
import { removals } from './removals.svelte.ts'
import { settings } from './settings.svelte.ts'

/** `ux.md` §4.8: with more unread than this one begins at the end. */
const shownUnreadMax = 200
const unreadMax = 1_000
/** `ux.md` §4.17: more than these are history. */
const pinsMax = 3

/** guess: while much comes, what is missing changes with each batch. */
const gapPauseMs = 1_000

type Reader = Extract<MeshEvent, { type: 'readers' }>['readers'][number]

export class RoomState {
  record: ShownRoom = $state.raw() as ShownRoom
  /** Another one in the list has the same name. */
  isNameShared = $state(false)
  readonly rulings: LateRulings
  readonly composing: Composing
  #mesh: Mesh
  #self: () => PeerId | undefined
  #holders = $state.raw<readonly Holder[]>([])
  #readers = $state.raw<readonly Reader[]>([])
  #abouts: Abouts
  #gapTimer: ReturnType<typeof setTimeout> | undefined
  #readMark: Position | undefined
  #isWanted = false
  #begun: Promise<void>
  #tellOpened: () => void = () => undefined
  #whenOpened = new Promise<void>((resolve) => (this.#tellOpened = resolve))
  unread = $state(0)
  isOpened = $state(false)
  reachable = $state(false)
  /** Messages of others, and own ones, that have come while this page is open. */
  news = $state(0)
  sent = $state(0)
  /** The message above which the “new” divider stands while the room is open. */
  firstUnread = $state<string | undefined>()
  /** More was unread than is loaded at once: how much, and from where on. */
  backlog = $state.raw<{ readonly count: number; readonly from: Position } | undefined>()
  /** Where somebody read when their own message took them to the end. */
  cameFrom = $state.raw<EventId | undefined>()
  /** Known to be missing. */
  gaps = $state.raw<readonly Gap[]>([])
  /** Who says to be writing here, and until when that counts, ms. */
  typing = $state.raw<ReadonlyMap<PeerId, number>>(new Map())
  /** Messages that somebody has picked; undefined while nobody picks any. */
  picked = $state.raw<ReadonlySet<EventId> | undefined>()
  /** How often somebody wished to see the end. */
  ends = $state(0)
  readonly list: HistoryWindow

  constructor(mesh: Mesh, record: ShownRoom, self: () => PeerId | undefined) {
    this.#mesh = mesh
    this.record = record
    this.#self = self
    this.rulings = new LateRulings(mesh.history, record)
    this.#abouts = new Abouts(mesh.history)
    this.composing = new Composing(mesh, record.room)
    this.list = new HistoryWindow(mesh.history, record.room, {
      prepare: (events) => this.#abouts.load(events),
      changed: () => this.#abouts.keepOnly([...this.events, ...this.rulings.pins]),
      show: (change) => this.#show(change),
    })
    this.#begun = this.#begin()
  }

  get events(): readonly PlacedEvent[] {
    return this.list.events
  }

  get title(): string {
    const { name, owner, room, partner } = this.record
    if (partner !== undefined) return name
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
    await this.recount()
  }

  async recount(): Promise<void> {
    const self = this.#self()
    const mark = this.#readMark
    if (self === undefined) return
    const unread = await this.#mesh.history.countAfter(this.record.room, mark, self, unreadMax)
    // Somebody may have read on meanwhile.
    if (mark === this.#readMark) this.unread = unread
  }

  /** Called when the device's own id is known: own messages are never unread. */
  selfKnown(): void {
    void this.recount().then(() => (this.#isWanted ? this.open() : undefined))
  }

  /** Loads the part that somebody wants to see first, once. @returns when it is there and its divider stands */
  async open(): Promise<void> {
    // Whose messages are one's own has to be known first: what is unread follows from it.
    this.#isWanted = this.#self() === undefined
    if (!this.#isWanted && !this.isOpened) await this.list.load(() => this.#openNow())
    await this.#whenOpened
    this.#markFirstUnread()
  }

  async #openNow(): Promise<void> {
    if (this.isOpened) return
    // A channel has begun long before its device is known; a conversation begins with it.
    if (this.record.partner !== undefined) await this.#begun
    // What moderators took away is not shown for a moment first; nor does anybody wait for a node that is gone.
    await Promise.race([this.#heed([]), this.rulings.patience()])
    const mark = this.#readMark
    const isFarBack = mark !== undefined && this.unread > pageSize && this.unread <= shownUnreadMax
    if (isFarBack) await this.list.showAround({ effective: mark.effective, id: `${mark.id}0` })
    else await this.list.showEnd()
    if (mark !== undefined && this.unread > shownUnreadMax) this.backlog = { count: this.unread, from: mark }
    this.isOpened = true
    this.#tellOpened()
    this.askGaps()
  }

  /** Asked again when something comes: what is missing changes with it. */
  askGaps(): void {
    this.#gapTimer ??= setTimeout(() => {
      this.#gapTimer = undefined
      this.#mesh.command({ type: 'tell-gaps', room: this.record.room })
    }, gapPauseMs)
  }

  #markFirstUnread(): void {
    this.firstUnread = undefined
    const mark = this.#readMark
    const oldest = this.events[0]
    // Where more is unread than is loaded, no place in it is the first.
    const isBeyond =
      this.list.hasOlder && oldest !== undefined && (mark === undefined || compare(oldest, mark) > 0)
    if (this.unread === 0 || isBeyond) return
    const first = this.events.find(
      (event) => (mark === undefined || compare(event, mark) > 0) && feedAuthor(event.feed) !== this.#self(),
    )
    this.firstUnread = first?.id
  }

  toEnd(): void {
    this.ends += 1
  }

  async jumpToEnd(): Promise<void> {
    if (this.list.hasNewer) await this.list.load(() => this.list.showEnd())
  }

  /** New and moved messages: what falls into the loaded part is shown, what lies behind it is counted. */
  take(event: Change): void {
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
    this.#quieten(event.added)
    if (this.isOpened && this.gaps.length > 0) this.askGaps()
    this.list.take(event)
  }

  async #heed(events: readonly PlacedEvent[]): Promise<void> {
    await this.rulings.take(events)
    await this.#abouts.load(this.rulings.pins)
  }

  /** Who has sent something does not write it any more. */
  #quieten(events: readonly PlacedEvent[]): void {
    const authors = new Set(events.map(({ feed }) => feedAuthor(feed)))
    if ([...this.typing.keys()].some((peer) => authors.has(peer)))
      this.typing = new Map([...this.typing].filter(([peer]) => !authors.has(peer)))
  }

  #show(event: Change): void {
    if (!this.isOpened) return
    // What is said about a message stands at that message.
    const added = event.added.filter((one) => standsByItself(one))
    const moved = event.moved.filter((one) => standsByItself(one))
    const isTooLong = this.list.put(added, moved)
    if (isTooLong) this.#abouts.keepOnly([...this.events, ...this.rulings.pins])
    const shown = new Set([...this.events, ...this.rulings.pins].map(({ id }) => id))
    this.#abouts.take([...event.added, ...event.moved], (id) => shown.has(id))
    const answers = added.filter((one) => shown.has(one.id) && replyTargetOf(one) !== undefined)
    if (answers.length > 0) void this.#abouts.load(answers)
    this.composing.settle((message) => this.fold(message).isDeleted)
  }

  takeGaps(gaps: readonly Gap[]): void {
    // The same list as long as it says the same: rows are laid out anew for another one.
    if (JSON.stringify(gaps) !== JSON.stringify(this.gaps)) this.gaps = gaps
  }

  takeTyping(peer: PeerId): void {
    this.typing = new Map([...this.typing, [peer, Date.now() + 2 * limits.typingIntervalMs]])
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
    const last = this.events.at(-1)
    if (last === undefined || this.list.hasNewer) return
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
    return letterState(event) ?? messageState(event, this.#holders, this.reachable)
  }

  get waitingCount(): number {
    // Somebody's word to have read it may come before the one to hold it.
    const isWaiting = (event: PlacedEvent) =>
      this.stateOf(event)?.type === 'waiting' && this.readersOf(event).length === 0
    return this.events.filter(isWaiting).length
  }

  /** @returns whether this version shows the event in the room, deleted or not */
  isShown(event: PlacedEvent): boolean {
    return messageText(event) !== undefined && this.rules?.isHeard(event) !== false && !removals.has(event.id)
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
    return { id, event: this.events.find((one) => one.id === id) ?? this.#abouts.answered(id) }
  }

  /** Who holds an own message, as they say. */
  holdersOf(event: PlacedEvent): readonly Holder[] {
    const { partner } = this.record
    if (partner !== undefined && letterState(event)?.type === 'delivered')
      return [{ device: partner, role: 'reader', feed: event.feed, ranges: [] }]
    return this.#holders.filter(
      ({ feed, ranges, counted }) =>
        feed === event.feed &&
        (counted?.ranges ?? ranges).some(({ first, last }) => first <= event.seq && event.seq <= last),
    )
  }

  /** Shows the part of the history around a message. @returns whether this device holds it */
  async goTo(id: EventId): Promise<boolean> {
    if (this.events.some((event) => event.id === id)) return true
    const [found] = await this.#mesh.history.find([id])
    if (found === undefined || found.room !== this.record.room || !this.isShown(found)) return false
    await this.list.load(() => this.list.showAround(found, [found]))
    return true
  }

  /** @returns the first message of that time or after it, shown with what stands around it */
  async goToTime(ms: number): Promise<EventId | undefined> {
    return this.goToPlace({ effective: stampFromMs(ms), id: '' })
  }

  async goToPlace(place: Position): Promise<EventId | undefined> {
    await this.list.load(() => this.list.showAround(place))
    const isAfter = (event: PlacedEvent) => compare(event, place) > 0 && this.isShown(event)
    return (this.events.find(isAfter) ?? this.events.findLast((event) => this.isShown(event)))?.id
  }

  /** Picks a message, or lets go of it. */
  pick(id: EventId): void {
    const picked = new Set(this.picked)
    if (!picked.delete(id)) picked.add(id)
    this.picked = picked
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
    if (this.list.hasNewer) return undefined
    return this.events.findLast((event) => this.isOwn(event) && this.fold(event).text !== undefined)
  }
}

/** What an own direct message is known by itself to be; one that is under way is where its carrier is. */
function letterState(event: PlacedEvent & Partial<ShownLetter>): MessageState | undefined {
  switch (event.letter) {
    case 'written':
      return { type: 'waiting' }
    case 'delivered':
    case 'read':
      return { type: 'delivered', to: 1, of: 1 }
    default:
      return undefined
  }
}
