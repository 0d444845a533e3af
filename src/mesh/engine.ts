/**
 * One peer: takes inputs, decides effects. Routes each input to the part that knows about it; afterwards
 * `evaluate` alone decides what is due. The only file, with exchange.ts, that knows all parts.
 *
 * Pure and synchronous: time and chance come in as arguments, everything else goes out as effects.
 */
import { assert, unreachable } from './effects.ts'
import { createClock, noteJump, witnessStamp, type Clock, type PlacedEvent } from './clock.ts'
import { keepReceipt, shelve, spread } from './broadcast.ts'
import { createDelivery, holdersOf, isConfirmed, noteDurable, type Delivery } from './delivery.ts'
import type { Command, Effect, Input, LinkId, MeshEvent, RoomRecord, StoreFailure } from './effects.ts'
import { openLink, receive, serveLoaded, tellRooms } from './exchange.ts'
import { itemOf } from './gossip/item.ts'
import { createShelf, type Shelf } from './gossip/shelf.ts'
import { createTree, type Tree } from './gossip/tree.ts'
import {
  canonicalRoomName,
  cleanName,
  feedAuthor,
  feedIdFrom,
  openRoomId,
  type FeedId,
  type PeerId,
  type RoomId,
} from './ids.ts'
import { createJournal, settleFailed, settleStored, type Journal } from './journal.ts'
import { limits } from './limits.ts'
import { evaluate, showPeople } from './agenda.ts'
import { acceptRun, createLog, type Log } from './log.ts'
import { createOutbox, enqueue, failBatch, finishBatch, ownsBatch, sealBatch } from './outbox.ts'
import type { Outbox } from './outbox.ts'
import { createGateways, type Gateways } from './overlay/gateways.ts'
import { createOverlay, noteDialFailed, type Overlay } from './overlay/links.ts'
import { createMembership, forgetPassive, type Membership } from './overlay/membership.ts'
import { acceptWord, createSites, type Sites } from './overlay/sites.ts'
import { createPresence, type PresenceState } from './presence.ts'
import { createReconcile, expireWants, type Reconcile, type Want } from './sync/reconcile.ts'
import { createSignalling, type Signalling } from './overlay/signalling.ts'
import type { Signing } from './signing.ts'
import { routeSignals } from './overlay/helpers.ts'
import { loseLink } from './overlay/liveness.ts'

export interface Engine {
  readonly self: PeerId
  readonly feed: FeedId
  readonly rooms: Map<RoomId, RoomRecord>
  readonly clock: Clock
  readonly log: Log
  readonly journal: Journal
  readonly outbox: Outbox
  readonly delivery: Delivery
  readonly presence: PresenceState
  readonly overlay: Overlay
  readonly membership: Membership
  readonly sites: Sites
  readonly gateways: Gateways
  readonly tree: Tree
  readonly shelf: Shelf
  readonly reconcile: Reconcile
  readonly signalling: Signalling
  readonly signing: Map<number, Signing>
  readonly loads: Map<number, { readonly link: LinkId; readonly want: Want }>
  /** Names of the helpers that answer now, by address. */
  readonly nodes: Map<string, string>
  lastToken: number
  /** The largest counter of an own record that anybody has, also of a life that this device forgot. */
  recordCounter: number
  tickAtMs: number
  upkeepAtMs: number
  isUpkeepDue: boolean
  lastUpkeepMs: number
  /** When a lane has something to repeat, ms. */
  laneAtMs: number
  /** Something that the list of people shows may have changed. */
  isPeopleStale: boolean
  /** 1, or more when this device's own timers run late: then others are given more time. */
  patience: number
  /** Who of the own site can be dialled now, and who may be dialled elsewhere; made anew when stale. */
  readonly near: Set<PeerId>
  readonly listed: Map<PeerId, PeerId[]>
  isNearStale: boolean
  /** The site's word says less than is true; it is being signed; another one speaks for the site too. */
  isWordStale: boolean
  isWordPending: boolean
  isRivalled: boolean
  lastWordKey: string
  standby: PeerId | undefined
  /** Asked whether it still lives, and not answered yet. */
  probed: PeerId | undefined
  nextProbeMs: number
  nextTrimMs: number
  /** Links with something on their lane. */
  readonly busyLanes: Set<LinkId>
  /** Whether anybody looks at the list of people. */
  readonly isWatched: boolean
  /** When collected changes are announced and confirmed, ms; undefined while there are none. */
  tellAtMs: number | undefined
  /** Something may be missing that a linked peer has. */
  mayAsk: boolean
  readonly changedHolders: Set<RoomId>
  lastPeople: string
  lastMissing: number
}

/** @param input the first input of every engine; later ones go to `handle` */
export function createEngine(input: Extract<Input, { type: 'start' }>, nowMs: number): Engine {
  const { self, stored, incarnation } = input
  const engine: Engine = {
    self,
    feed: feedIdFrom(self, incarnation),
    rooms: new Map(stored.rooms.map((record) => [record.room, record])),
    clock: createClock(),
    log: createLog(stored.feeds),
    journal: createJournal(),
    outbox: createOutbox(),
    delivery: createDelivery(stored.receipts),
    presence: createPresence(stored.presences, self, { name: stored.name, box: input.box === true }),
    overlay: createOverlay(self),
    membership: createMembership(input.seed, nowMs),
    sites: createSites(),
    gateways: createGateways(),
    tree: createTree(),
    shelf: createShelf(),
    reconcile: createReconcile(),
    signalling: createSignalling(self),
    signing: new Map(),
    loads: new Map(),
    nodes: new Map(),
    lastToken: 0,
    recordCounter: Math.max(0, ...stored.receipts.map((r) => (r.device === self ? r.counter : 0))),
    tickAtMs: Number.POSITIVE_INFINITY,
    upkeepAtMs: nowMs,
    isUpkeepDue: false,
    lastUpkeepMs: Number.NEGATIVE_INFINITY,
    laneAtMs: Number.POSITIVE_INFINITY,
    isPeopleStale: true,
    patience: 1,
    near: new Set(),
    listed: new Map(),
    isNearStale: false,
    isWordStale: false,
    isWordPending: false,
    isRivalled: false,
    lastWordKey: '',
    standby: undefined,
    probed: undefined,
    nextProbeMs: nowMs + limits.probeIntervalMs,
    nextTrimMs: nowMs + limits.trimIntervalMs,
    busyLanes: new Set(),
    isWatched: input.isWatched ?? input.box !== true,
    tellAtMs: undefined,
    mayAsk: false,
    changedHolders: new Set(),
    lastPeople: '',
    lastMissing: 0,
  }
  for (const { record } of engine.presence.known.values())
    shelve(engine, itemOf({ type: 'presence', record }))
  for (const record of engine.delivery.uses.keys()) shelve(engine, itemOf({ type: 'receipt', record }))
  for (const record of stored.feeds) {
    witnessStamp(engine.clock, record.newest, nowMs)
    if (feedAuthor(record.feed) === self || isConfirmed(engine.delivery, self, record)) continue
    noteDurable(engine.delivery, record.room, record.feed)
  }
  return engine
}

/** @returns what is to be done now, in this order. */
export function handle(engine: Engine, input: Input, nowMs: number): Effect[] {
  const out: Effect[] = []
  route(engine, input, nowMs, out)
  evaluate(engine, nowMs, out)
  return out
}

/** Inputs after which the list of people may show something else; the rest marks it where it happens. */
const changesPeople: ReadonlySet<Input['type']> = new Set<Input['type']>([
  'link-up',
  'link-down',
  'helper-up',
  'helper-down',
  'helper-peers',
  'command',
])

function route(engine: Engine, input: Input, nowMs: number, out: Effect[]): void {
  engine.isPeopleStale ||= changesPeople.has(input.type)
  switch (input.type) {
    case 'start':
      return announce(engine, nowMs, out)
    case 'command':
      return command(engine, input.command, nowMs, out)
    case 'signed':
      return signed(engine, input, nowMs, out)
    case 'stored':
      return stored(engine, input, nowMs, out)
    case 'store-failed':
      return storeFailed(engine, input, nowMs, out)
    case 'loaded':
      return serveLoaded(engine, input.token, input.events, out)
    case 'link-up':
      return openLink(engine, input.link, input.peer, nowMs, out)
    case 'link-down':
      return loseLink(engine, input.link, nowMs)
    case 'received':
      return receive(engine, input.link, input.frame, nowMs, out)
    case 'congested':
    case 'drained':
      return setCongested(engine, input.link, input.type === 'congested')
    case 'dial-failed':
      noteDialFailed(engine.overlay, input.peer, nowMs)
      forgetPassive(engine.membership, input.peer)
      engine.isUpkeepDue = true
      return
    case 'clock-jumped':
      noteJump(engine.clock, input.byMs)
      return
    case 'sign-failed':
      if (engine.signing.get(input.token)?.type === 'batch') {
        for (const event of failBatch(engine.outbox, 'closed')) emit(out, event)
      }
      engine.signing.delete(input.token)
      return
    case 'tick':
      noteLateness(engine, nowMs)
      engine.tickAtMs = Number.POSITIVE_INFINITY
      return tick(engine, nowMs, out)
    default:
      return routeSignals(engine, input, nowMs, out)
  }
}

function command(engine: Engine, wish: Command, nowMs: number, out: Effect[]): void {
  const { own } = engine.presence
  switch (wish.type) {
    case 'post': {
      const fault = engine.rooms.has(wish.room) ? enqueue(engine.outbox, wish) : 'no-room'
      if (fault !== undefined) emit(out, { type: 'post-failed', token: wish.token, cause: fault })
      return
    }
    case 'join':
      return join(engine, wish.name, nowMs, out)
    case 'leave':
      if (!engine.rooms.delete(wish.room)) return
      return roomsChanged(engine, out)
    case 'rename': {
      const name = cleanName(wish.name, limits.nameCharactersMax)
      if (name === '' || name === own.name) return
      own.name = name
      own.stale = true
      engine.journal.name = name
      return
    }
    case 'set-visible':
      own.stale ||= own.visible !== wish.visible
      own.visible = wish.visible
      return
    case 'announce':
      return announce(engine, nowMs, out)
    case 'depart':
      if (own.farewell !== undefined)
        spread(engine, itemOf({ type: 'presence', record: own.farewell }), nowMs)
      own.stale = true
      return
    default:
      unreachable(wish)
  }
}

function join(engine: Engine, name: string, nowMs: number, out: Effect[]): void {
  const shown = canonicalRoomName(name)
  const room = openRoomId(name)
  if (shown === '' || engine.rooms.has(room) || engine.rooms.size >= limits.roomsMax) return
  engine.rooms.set(room, { room, name: shown, joinedAtMs: nowMs })
  roomsChanged(engine, out)
}

function roomsChanged(engine: Engine, out: Effect[]): void {
  engine.journal.rooms = [...engine.rooms.values()]
  engine.presence.own.stale = true
  engine.mayAsk = true
  emit(out, { type: 'rooms', rooms: engine.journal.rooms })
  tellRooms(engine, out)
}

function announce(engine: Engine, nowMs: number, out: Effect[]): void {
  const { name } = engine.presence.own
  emit(out, { type: 'started', self: engine.self, name, fresh: name === '' })
  emit(out, { type: 'rooms', rooms: [...engine.rooms.values()] })
  emit(out, { type: 'storage', failure: engine.journal.failure })
  for (const room of engine.rooms.keys()) {
    emit(out, { type: 'holders', room, holders: holdersOf(engine.delivery, room, engine.self) })
  }
  engine.lastPeople = ''
  engine.isPeopleStale = true
  showPeople(engine, nowMs, out)
  emit(out, { type: 'catching-up', missing: engine.lastMissing })
}

function signed(
  engine: Engine,
  input: Extract<Input, { type: 'signed' }>,
  nowMs: number,
  out: Effect[],
): void {
  const purpose = engine.signing.get(input.token)
  engine.signing.delete(input.token)
  if (purpose === undefined) return
  const { signature } = input
  const { own } = engine.presence
  switch (purpose.type) {
    case 'batch': {
      const events = sealBatch(engine.outbox, input.token, signature)
      const first = events?.[0]
      assert(events !== undefined && first !== undefined, 'a batch without events was signed')
      const accepted = acceptRun(engine.log, { room: first.room, feed: first.feed, events }, true)
      if (accepted.type !== 'new') {
        // Own history came back from others while this was signed: the numbers are taken.
        for (const event of failBatch(engine.outbox, 'conflict')) emit(out, event)
        return
      }
      engine.journal.events.push(...events)
      return
    }
    case 'presence':
      own.current = { ...purpose.fields, signature }
      return spread(engine, shelve(engine, itemOf({ type: 'presence', record: own.current })), nowMs)
    case 'farewell':
      own.farewell = { ...purpose.fields, signature }
      return
    case 'receipt': {
      const receipt = { ...purpose.fields, signature }
      const item = itemOf({ type: 'receipt', record: receipt })
      keepReceipt(engine, item, receipt)
      engine.journal.receipts.push(receipt)
      return spread(engine, item, nowMs)
    }
    case 'site': {
      const word = { ...purpose.fields, signature }
      engine.isWordPending = false
      if (acceptWord(engine.sites, word))
        spread(engine, shelve(engine, itemOf({ type: 'site', record: word })), nowMs)
      return
    }
    default:
      unreachable(purpose)
  }
}

function stored(
  engine: Engine,
  input: Extract<Input, { type: 'stored' }>,
  nowMs: number,
  out: Effect[],
): void {
  const hadFailed = engine.journal.failure !== undefined
  const write = settleStored(engine.journal, engine.log, input.token)
  if (write === undefined) return
  if (hadFailed) emit(out, { type: 'storage', failure: undefined })
  for (const { room, feed } of write.feeds) {
    if (feedAuthor(feed) !== engine.self) noteDurable(engine.delivery, room, feed)
  }
  engine.mayAsk = true
  showMessages(input.added, input.moved, out)
  if (!ownsBatch(engine.outbox, write.events)) return
  const finished = finishBatch(engine.outbox)
  if (finished === undefined) return
  for (const event of finished.told) emit(out, event)
  spread(engine, itemOf({ type: 'run', run: finished.run }), nowMs)
}

function showMessages(added: readonly PlacedEvent[], moved: readonly PlacedEvent[], out: Effect[]): void {
  for (const room of new Set([...added, ...moved].map((event) => event.room))) {
    const here = (event: PlacedEvent) => event.room === room
    emit(out, { type: 'messages', room, added: added.filter(here), moved: moved.filter(here) })
  }
}

function storeFailed(
  engine: Engine,
  input: { readonly token: number; readonly cause: StoreFailure },
  nowMs: number,
  out: Effect[],
): void {
  const write = settleFailed(engine.journal, engine.log, input, nowMs)
  if (write === undefined) return
  emit(out, { type: 'storage', failure: input.cause })
  if (!ownsBatch(engine.outbox, write.events)) return
  for (const event of failBatch(engine.outbox, input.cause)) emit(out, event)
}

function setCongested(engine: Engine, link: LinkId, congested: boolean): void {
  const session = engine.reconcile.sessions.get(link)
  if (session !== undefined) session.congested = congested
}

function tick(engine: Engine, nowMs: number, out: Effect[]): void {
  if (nowMs < engine.upkeepAtMs) return
  expireWants(engine.reconcile, nowMs)
  engine.mayAsk = true
  showPeople(engine, nowMs, out)
}

/** O5: who wakes late cannot tell others' silence from its own (Lifeguard, arXiv 1707.00788, §IV-A). */
function noteLateness(engine: Engine, nowMs: number): void {
  const lateMs = nowMs - engine.tickAtMs
  const step = lateMs > limits.lateMs ? 1 : -limits.patienceStep
  engine.patience = Math.min(limits.lateFactorMax, Math.max(1, engine.patience + step))
}

function emit(out: Effect[], event: MeshEvent): void {
  out.push({ type: 'emit', event })
}
