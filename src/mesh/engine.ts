/**
 * One peer: takes inputs, decides effects. Routes each input to the part that knows about it; afterwards
 * `evaluate` alone decides what is due. The only file, with exchange.ts, that knows all parts.
 *
 * Pure and synchronous: time and chance come in as arguments, everything else goes out as effects.
 */
import { assert, unreachable } from './effects.ts'
import { createClock, noteJump, witnessStamp, type Clock, type PlacedEvent } from './clock.ts'
import {
  acceptReceipt,
  createDelivery,
  holdersOf,
  isConfirmed,
  noteDurable,
  type Delivery,
} from './delivery.ts'
import type { Command, Effect, Input, LinkId, MeshEvent, RoomRecord, StoreFailure } from './effects.ts'
import {
  closeLink,
  heartbeatAll,
  openLink,
  push,
  receive,
  sendReceipt,
  serveLoaded,
  shareRecord,
  tellRooms,
} from './exchange.ts'
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
import { createOverlay, forgiveDial, noteDialFailed, silentLinks, type Overlay } from './overlay.ts'
import { createPresence, type PresenceState } from './presence.ts'
import { createReconcile, expireWants, type Reconcile, type Want } from './reconcile.ts'
import { type PresenceFields, type ReceiptFields } from './record.ts'
import { createSignalling, noteUnreachable, notePath, routeSignal, type Signalling } from './signalling.ts'

export type Signing =
  | { readonly type: 'batch' }
  | { readonly type: 'presence'; readonly fields: PresenceFields }
  | { readonly type: 'farewell'; readonly fields: PresenceFields }
  | { readonly type: 'receipt'; readonly fields: ReceiptFields }

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
  heartbeatAtMs: number
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
    presence: createPresence(stored.presences, self, stored.name),
    overlay: createOverlay(self),
    reconcile: createReconcile(),
    signalling: createSignalling(self),
    signing: new Map(),
    loads: new Map(),
    nodes: new Map(),
    lastToken: 0,
    recordCounter: Math.max(0, ...stored.receipts.map((r) => (r.device === self ? r.counter : 0))),
    tickAtMs: Number.POSITIVE_INFINITY,
    // Spread over the interval, so that peers that start together do not speak together.
    heartbeatAtMs: nowMs + (input.seed % limits.heartbeatIntervalMs),
    tellAtMs: undefined,
    mayAsk: false,
    changedHolders: new Set(),
    lastPeople: '',
    lastMissing: 0,
  }
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

function route(engine: Engine, input: Input, nowMs: number, out: Effect[]): void {
  switch (input.type) {
    case 'start':
      return announce(engine, nowMs, out)
    case 'command':
      return command(engine, input.command, nowMs, out)
    case 'signed':
      return signed(engine, input, out)
    case 'stored':
      return stored(engine, input, out)
    case 'store-failed':
      return storeFailed(engine, input, nowMs, out)
    case 'loaded':
      return serveLoaded(engine, input.token, input.events, out)
    case 'link-up':
      return openLink(engine, input.link, input.peer, nowMs, out)
    case 'link-down':
      return closeLink(engine, input.link)
    case 'received':
      return receive(engine, input.link, input.frame, nowMs, out)
    case 'congested':
    case 'drained':
      return setCongested(engine, input.link, input.type === 'congested')
    case 'dial-failed':
      return noteDialFailed(engine.overlay, input.peer, nowMs)
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
      engine.tickAtMs = Number.POSITIVE_INFINITY
      return tick(engine, nowMs, out)
    default:
      return routeSignals(engine, input, nowMs, out)
  }
}

type SignalInput = Extract<Input, { type: `helper-${string}` | `signal-${string}` }>

function routeSignals(engine: Engine, input: SignalInput, nowMs: number, out: Effect[]): void {
  const { signalling, presence } = engine
  switch (input.type) {
    case 'helper-up':
      signalling.helpers.set(input.helper, { peers: new Set() })
      engine.nodes.set(input.helper, input.node)
      presence.own.stale ||= presence.own.site !== input.site || presence.own.node !== input.node
      presence.own.site = input.site
      presence.own.node = input.node
      return
    case 'helper-down':
      signalling.helpers.delete(input.helper)
      engine.nodes.delete(input.helper)
      return
    case 'helper-peers': {
      const peers = signalling.helpers.get(input.helper)?.peers
      for (const peer of input.down) peers?.delete(peer)
      for (const peer of input.up) {
        if (peers === undefined || peers.size >= limits.helperPeersMax) break
        peers.add(peer)
        forgiveDial(engine.overlay, peer)
      }
      return
    }
    case 'signal-out':
      out.push(routeSignal(signalling, engine.overlay, input.to, input.payload, nowMs))
      return
    case 'signal-in':
      notePath(signalling, input.from, { helper: input.helper }, nowMs)
      out.push({ type: 'signal-deliver', from: input.from, payload: input.payload })
      return
    case 'signal-unreachable':
      noteUnreachable(signalling, input.helper, input.to)
      out.push({ type: 'signal-lost', to: input.to })
      return
    default:
      unreachable(input)
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
      if (own.farewell !== undefined) shareRecord(engine, own.farewell, undefined, out)
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
  showPeople(engine, nowMs, out)
  emit(out, { type: 'catching-up', missing: engine.lastMissing })
}

function signed(engine: Engine, input: Extract<Input, { type: 'signed' }>, out: Effect[]): void {
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
      return shareRecord(engine, own.current, undefined, out)
    case 'farewell':
      own.farewell = { ...purpose.fields, signature }
      return
    case 'receipt': {
      const receipt = { ...purpose.fields, signature }
      acceptReceipt(engine.delivery, receipt)
      engine.journal.receipts.push(receipt)
      return sendReceipt(engine, receipt, undefined, out)
    }
    default:
      unreachable(purpose)
  }
}

function stored(engine: Engine, input: Extract<Input, { type: 'stored' }>, out: Effect[]): void {
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
  push(engine, finished.run, undefined, out)
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
  for (const link of silentLinks(engine.overlay, nowMs)) {
    out.push({ type: 'hang-up', link: link.id, reason: 'silent' })
    closeLink(engine, link.id)
  }
  expireWants(engine.reconcile, nowMs)
  engine.mayAsk = true
  if (nowMs >= engine.heartbeatAtMs) {
    engine.heartbeatAtMs = nowMs + limits.heartbeatIntervalMs
    heartbeatAll(engine, nowMs, out)
  }
  showPeople(engine, nowMs, out)
}

function emit(out: Effect[], event: MeshEvent): void {
  out.push({ type: 'emit', event })
}
