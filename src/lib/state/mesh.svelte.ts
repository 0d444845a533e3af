/** The mesh on the screen: rooms, people, reach. Hands each event to the one that it concerns. */
import { getContext, setContext } from 'svelte'
import type { PlacedEvent } from '#mesh/clock.ts'
import type { Command, MeshEvent, Person, Reach, RoomRecord, RoomSize, StoreFailure } from '#mesh/effects.ts'
import { bytesToHex, openRoomId, ownedRoomId, type PeerId, type RoomId } from '#mesh/ids.ts'
import type { Mesh, NodesEvent, TabEvent } from '../start.ts'
import { foldText } from '#runtime/fold-text.ts'
import { language } from '../i18n/language.svelte.ts'
import { postFailureWords } from '../words.ts'
import type { Profile } from '#mesh/record.ts'
import type { Invitation, Place } from '../place.ts'
import type { Announcer } from './announcer.svelte.ts'
import type { Conditions } from './conditions.svelte.ts'
import type { Direct } from '../direct/direct.svelte.ts'
import { Names, type Face } from './names.svelte.ts'
import { Over } from './over.svelte.ts'
import { RoomState } from './room.svelte.ts'
import { settings } from './settings.svelte.ts'

type KnownEvent = Extract<NodesEvent, { type: 'nodes' }>
type DoorEvent = Extract<NodesEvent, { type: 'door' }>

/** guess: long enough to be read by somebody who looked elsewhere. */
const toastMs = 8_000

const createToken = 'create-'

export class MeshState {
  #mesh: Mesh
  readonly names = new Names(this)
  /** Joined on the screen, while the engine that will say so is still loading. */
  #joining: RoomRecord | undefined
  #toastTimer: ReturnType<typeof setTimeout> | undefined
  self = $state.raw<PeerId | undefined>()
  name = $state('')
  /** Nobody has given this device a name yet. */
  isFresh = $state(false)
  isStarted = $state(false)
  rooms = $state.raw<readonly RoomState[]>([])
  people = $state.raw<readonly Person[]>([])
  reach = $state.raw<Reach>({ people: 0, links: 0, nodes: [], rooms: [], clockAheadMs: 0 })
  missing = $state(0)
  storage = $state<StoreFailure | undefined>()
  unreadable = $state<Extract<TabEvent, { type: 'unreadable' }>['cause'] | undefined>()
  isFollowing = $state(false)
  nowMs = $state(Date.now())
  isVisible = $state(document.visibilityState === 'visible')
  /** Since when nobody was in reach; undefined while somebody is. */
  aloneSinceMs = $state<number | undefined>(Date.now())
  nodeLostSinceMs = $state<number | undefined>()
  lastNode = $state('')
  nodes = $state.raw<Omit<KnownEvent, 'type'>>({
    known: [],
    current: undefined,
    chosen: undefined,
    retryAtMs: undefined,
  })
  door = $state.raw<Pick<DoorEvent, 'isOpen' | 'name' | 'guests'>>({
    isOpen: false,
    name: undefined,
    guests: 0,
  })
  /** What is said of the mesh beyond who is in reach; fetched when the app has come to rest. */
  conditions = $state.raw<Conditions | undefined>()
  /** Fetched when the app has come to rest, or when somebody wants to write to somebody. */
  direct = $state.raw<Direct | undefined>()
  /** The first load is over. */
  isRested = $state(false)
  /** How much this device holds, by room, when that was asked for. */
  sizes = $state.raw<readonly RoomSize[]>([])
  /** Something that was shared here would be gone for the others with this page; who shows files says so. */
  isOnlyHolder: () => boolean = () => false
  readonly over = new Over()
  /** Said for a moment. */
  toast = $state.raw<{ readonly text: string; readonly undo?: () => void } | undefined>()
  /** Fetched with the first news: nobody needs it in order to type. */
  announcer = $state.raw<Announcer | undefined>()
  #announcing: Promise<Announcer> | undefined
  /** The one that it spoke through before. */
  #through: string | undefined

  constructor(mesh: Mesh) {
    this.#mesh = mesh
    mesh.subscribe((event) => this.#take(event))
    setInterval(() => (this.nowMs = Date.now()), 1_000)
    document.addEventListener('visibilitychange', () => {
      this.isVisible = document.visibilityState === 'visible'
    })
  }

  #take(event: MeshEvent | TabEvent): void {
    switch (event.type) {
      case 'opened':
        this.unreadable = undefined
        this.#named(event.name)
        this.isStarted = true
        return this.#takeRooms(event.rooms)
      case 'started':
        return this.#started(event)
      case 'rooms':
        return this.#takeRooms(event.rooms)
      case 'people':
        return this.#takePeople(event.people, event.reach)
      case 'messages':
        return this.#takeMessages(event)
      case 'holders':
        this.direct?.takeHolders(event)
        return this.room(event.room)?.takeHolders(event.holders)
      case 'settled':
      case 'posted':
        return void this.room(event.room)?.composing.posted(event.token)
      case 'post-failed':
        for (const room of this.rooms) room.composing.failed(event.token, event.cause)
        return this.#notCreated(event)
      case 'catching-up':
        this.missing = event.missing
        for (const room of this.rooms) if (room.isOpened) room.askGaps()
        return
      case 'storage':
        this.storage = event.failure
        return
      case 'readers':
        return this.room(event.room)?.takeReaders(event.readers)
      case 'gaps':
        return this.room(event.room)?.takeGaps(event.gaps)
      case 'typing':
        return this.room(event.room)?.takeTyping(event.peer)
      case 'sizes':
        this.sizes = event.rooms
        return
      case 'room-card':
        // For the sheet that asks.
        return
      case 'fork':
        // Both versions are kept and shown; whose device it was is for the profile sheet (a later step).
        return
      default:
        return this.#takeTab(event)
    }
  }

  #takeTab(event: Exclude<TabEvent, { type: 'opened' | 'settled' }>): void {
    switch (event.type) {
      case 'nodes':
        return this.#takeNodes(event)
      case 'door':
        this.door = event
        return
      case 'tab':
        this.isFollowing = event.role === 'following'
        return
      case 'unreadable':
        this.unreadable = event.cause
        return
      case 'file':
      case 'file-removed':
      case 'taking-in':
      case 'taken-in':
        // For who shows files: lib/files.
        return
      case 'letters':
      case 'letter-kept':
      case 'letter-failed':
        return this.direct?.take(event)
    }
  }

  /** A channel that never began is left: nobody could write in it. */
  #notCreated({ token, cause }: Extract<MeshEvent, { type: 'post-failed' }>): void {
    const { self } = this
    if (!token.startsWith(createToken) || self === undefined) return
    this.#mesh.command({ type: 'leave', room: ownedRoomId(self, token.slice(createToken.length)) })
    this.tell(cause === 'no-room' ? language.words.channels.notCreated : postFailureWords(cause))
  }

  #takeMessages(event: Extract<MeshEvent, { type: 'messages' }>): void {
    const room = this.room(event.room)
    if (room === undefined) return
    room.take(event)
    void this.announce(room, event.added)
  }

  async announce(room: RoomState, events: readonly PlacedEvent[]): Promise<void> {
    this.#announcing ??= import('./announcer.svelte.ts').then(
      ({ Announcer }) => (this.announcer = new Announcer(this)),
    )
    try {
      const announcer = await this.#announcing
      announcer.hear(room, events)
    } catch (error) {
      // No way to the node: the next news try again.
      if (!(error instanceof TypeError)) throw error
      this.#announcing = undefined
    }
  }

  #started(event: Extract<MeshEvent, { type: 'started' }>): void {
    this.self = event.self
    this.unreadable = undefined
    this.#named(event.name)
    this.isStarted = true
    // Given to a tab that is gone: said again; said twice it says the same.
    if (event.name === '' && this.name !== '') this.#mesh.command({ type: 'rename', name: this.name })
    if (this.#joining !== undefined) this.#mesh.command({ type: 'join', name: this.#joining.name })
    this.#mesh.command({ type: 'set-profile', ...settings.choices.profile })
    for (const room of this.rooms) room.selfKnown()
  }

  /** A name that was given before the engine stood is on its way to it. */
  #named(name: string): void {
    if (name !== '') this.name = name
    this.isFresh = this.name === ''
  }

  #takeRooms(records: readonly RoomRecord[]): void {
    const known = new Map(this.rooms.map((room) => [room.record.room, room]))
    const joining = this.#joining
    const isJoined = joining !== undefined && records.some(({ room }) => room === joining.room)
    if (isJoined) this.#joining = undefined
    const all = joining === undefined || isJoined ? records : [...records, joining]
    const names = all.map(({ name }) => name)
    this.rooms = all.map((record) => {
      const room = known.get(record.room) ?? new RoomState(this.#mesh, record, () => this.self)
      room.record = record
      room.isNameShared = names.filter((name) => name === record.name).length > 1
      return room
    })
    this.#spreadReach()
  }

  #takePeople(people: readonly Person[], reach: Reach): void {
    this.names.learn(people)
    this.people = people
    this.reach = reach
    const node = reach.nodes[0]
    if (node !== undefined) this.lastNode = node
    this.aloneSinceMs = reach.people > 0 ? undefined : (this.aloneSinceMs ?? Date.now())
    this.nodeLostSinceMs = node === undefined ? (this.nodeLostSinceMs ?? Date.now()) : undefined
    this.#spreadReach()
  }

  #takeNodes({ known, current, chosen, retryAtMs }: KnownEvent): void {
    this.nodes = { known, current, chosen, retryAtMs }
    const name = known.find(({ url }) => url === current)?.name
    if (name === undefined || name === '') return
    if (this.#through !== undefined && this.#through !== name)
      this.tell(language.words.notice.nowThrough(name))
    this.#through = name
  }

  /** Says something for a moment. */
  tell(text: string, undo?: () => void): void {
    // What can be undone is not taken from under somebody's finger.
    if (this.toast?.undo !== undefined && undo === undefined) return
    this.toast = undo === undefined ? { text } : { text, undo }
    clearTimeout(this.#toastTimer)
    this.#toastTimer = setTimeout(() => (this.toast = undefined), toastMs)
  }

  #spreadReach(): void {
    for (const room of this.rooms) room.reachable = this.reach.rooms.includes(room.record.room)
    this.direct?.spreadReach()
  }

  /** As they are listed: what is unread first. */
  get roomsInOrder(): readonly RoomState[] {
    return [...this.rooms].sort(
      (a, b) => Number(b.unread > 0) - Number(a.unread > 0) || a.title.localeCompare(b.title),
    )
  }

  room(id: RoomId): RoomState | undefined {
    return this.rooms.find((room) => room.record.room === id)
  }

  /** @returns the room that the address points at, where this device is in it */
  roomAt(place: Place): RoomState | undefined {
    if (place.type === 'owned') return this.room(place.room)
    if (place.type === 'direct') return this.direct?.with(place.peer)
    return place.type === 'room' ? this.room(openRoomId(place.name)) : undefined
  }

  nameOf(peer: PeerId): string {
    return this.names.nameOf(peer)
  }

  faceOf(peer: PeerId): Face {
    return this.names.faceOf(peer)
  }

  setProfile(profile: Profile): void {
    settings.set({ profile })
    this.#mesh.command({ type: 'set-profile', ...profile })
  }

  get waitingCount(): number {
    const all = [...this.rooms, ...(this.direct?.conversations ?? [])]
    return all.reduce((sum, room) => sum + room.waitingCount, 0)
  }

  /** First run: a name, and the channel that everybody is in. */
  begin(name: string): void {
    this.#mesh.command({ type: 'rename', name })
    this.#mesh.command({ type: 'join', name: 'general' })
    this.#named(name)
    this.#joining = { room: openRoomId('general'), name: 'general', joinedAtMs: Date.now() }
    this.#takeRooms(this.rooms.map((room) => room.record))
  }

  rename(name: string): void {
    this.#mesh.command({ type: 'rename', name })
    this.name = name
  }

  join(name: string): void {
    this.#mesh.command({ type: 'join', name })
  }

  /** An owned room that somebody has invited to, or that was found. */
  enter({ room, name, owner, nonce }: Invitation): void {
    this.#mesh.command({ type: 'enter', room, name, owner, nonce })
  }

  /** @returns the room that this device owns from now on */
  create(name: string, purpose: string): RoomId | undefined {
    const { self } = this
    if (self === undefined) return undefined
    const nonce = bytesToHex(crypto.getRandomValues(new Uint8Array(16)))
    this.#mesh.command({ type: 'create', token: `${createToken}${nonce}`, nonce, name, purpose })
    return ownedRoomId(self, nonce)
  }

  command(command: Command): void {
    this.#mesh.command(command)
  }

  /** Everything in all channels has been seen. */
  async readAll(): Promise<void> {
    await Promise.all([...this.rooms, ...(this.direct?.conversations ?? [])].map((room) => room.readAll()))
    this.tell(language.words.channels.allRead)
  }

  /** It can be undone for a moment. */
  leave(room: RoomState): void {
    const { record, title } = room
    this.#mesh.command({ type: 'leave', room: record.room })
    const { owner, nonce, name, maxAgeMs, tellsRead } = record
    const back = () => {
      if (owner === undefined) this.join(name)
      else if (nonce !== undefined) this.enter({ room: record.room, name, owner, nonce })
      this.#mesh.command({ type: 'set-max-age', room: record.room, maxAgeMs })
      if (tellsRead) this.#mesh.command({ type: 'tell-read', room: record.room, isOn: true })
    }
    this.tell(language.words.channels.left(title), back)
  }

  retry(): void {
    this.#mesh.retry()
  }

  /** @param url undefined: whichever answers, this page's own first */
  chooseNode(url: string | undefined): void {
    this.#mesh.command({ type: 'choose-node', url })
  }

  addNode(url: string, name: string): void {
    this.#mesh.command({ type: 'add-node', url, name })
  }

  setDoor(isOpen: boolean): void {
    this.#mesh.command({ type: 'set-door', isOpen })
  }

  /** @returns rooms whose names hold this, folded */
  roomsNamed(part: string): RoomId[] {
    return this.rooms
      .filter(({ record }) => foldText(record.name).includes(part))
      .map(({ record }) => record.room)
  }

  /** What stands behind this; for what is fetched when it is wanted. */
  get source(): Mesh {
    return this.#mesh
  }

  askForNodes(): void {
    this.#mesh.command({ type: 'tell-nodes' })
  }
}

const key = Symbol('mesh')

export function setMesh(mesh: MeshState): MeshState {
  return setContext(key, mesh)
}

export function getMesh(): MeshState {
  return getContext<MeshState>(key)
}
