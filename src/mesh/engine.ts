/**
 * One peer: takes inputs, decides effects. Routes each input to the part that knows about it; afterwards
 * `evaluate` alone decides what is due. The only file, with exchange.ts, that knows all parts.
 *
 * Pure and synchronous: time and chance come in as arguments, everything else goes out as effects.
 */
import { evaluate, showPeople } from './agenda.ts'
import { keepReceipt, shelve, spread } from './broadcast.ts'
import { noteJump, type PlacedEvent } from './clock.ts'
import { holdersOf, noteDurable } from './delivery.ts'
import {
  assert,
  unreachable,
  type Command,
  type Effect,
  type Input,
  type LinkId,
  type MeshEvent,
  type StoreFailure,
} from './effects.ts'
import { compareAll, openLink, receive, takeLoaded, tellRooms } from './exchange.ts'
import { itemOf } from './gossip/item.ts'
import { cleanName, feedAuthor, type PeerId } from './ids.ts'
import { settleFailed, settleStored } from './journal.ts'
import { limits } from './limits.ts'
import { acceptRun } from './log.ts'
import { enqueue, failBatch, finishBatch, ownsBatch, returnBatch, sealBatch } from './outbox.ts'
import {
  create,
  enter,
  join,
  joinDirect,
  mayPost,
  obeyOwners,
  roomsChanged,
  setMaxAge,
  setTellsRead,
  withSeen,
  shownRooms,
} from './rooms.ts'
import { routeSignals } from './overlay/helpers.ts'
import { askRoom } from './overlay/room-cards.ts'
import { noteDialFailed } from './overlay/links.ts'
import { loseLink } from './overlay/liveness.ts'
import { sayTyping } from './overlay/typing.ts'
import { forgetPassive } from './overlay/membership.ts'
import { acceptWord } from './overlay/sites.ts'
import { cleanProfile } from './record.ts'
import { gapsOf, sizesOf } from './sync/held.ts'
import { setRetention } from './sync/retention.ts'
import { acceptTally, noteSaid } from './sync/tally.ts'
import { acceptMark, noteRead, readersOf } from './timeline/read-marks.ts'
import type { Engine } from './state.ts'
import { beginIncarnation } from './sync/forks.ts'
import { revisitLoose } from './sync/loose.ts'

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
      return signed(engine, input, nowMs)
    case 'stored':
      return stored(engine, input, nowMs, out)
    case 'store-failed':
      return storeFailed(engine, input, nowMs, out)
    case 'loaded':
      return takeLoaded(engine, input.token, input.events, nowMs, out)
    case 'link-up':
      return openLink(engine, input, nowMs, out)
    case 'link-down':
      return loseLink(engine, input.link, nowMs)
    case 'received':
      return receive(engine, input.link, input.frame, nowMs, out)
    case 'heard': {
      const link = engine.overlay.links.get(input.link)
      if (link !== undefined) link.lastHeardMs = nowMs
      return
    }
    case 'congested':
    case 'drained':
      return setCongested(engine, input.link, input.type === 'congested')
    case 'dial-failed':
      return dialFailed(engine, input.peer, nowMs)
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
      return
    default:
      return routeSignals(engine, input, nowMs, out)
  }
}

function command(engine: Engine, wish: Command, nowMs: number, out: Effect[]): void {
  const { own } = engine.presence
  switch (wish.type) {
    case 'post': {
      const said = { ...wish, body: withSeen(engine, wish.room, wish.body) }
      const fault = mayPost(engine, wish.room) ? enqueue(engine.outbox, said) : 'no-room'
      if (fault !== undefined) emit(out, { type: 'post-failed', token: wish.token, cause: fault })
      return
    }
    case 'join':
      return join(engine, wish.name, nowMs, out)
    case 'create':
      return create(engine, wish, nowMs, out)
    case 'enter':
      return enter(engine, { purpose: '', ...wish }, nowMs, out)
    case 'ask-room':
      return askRoom(engine, wish.room, nowMs, out)
    case 'leave':
      if (!engine.rooms.delete(wish.room)) return
      return roomsChanged(engine, out)
    case 'rename': {
      const name = cleanName(wish.name, limits.nameCharactersMax)
      if (name === '' || name === own.name) return
      own.name = name
      engine.presence.aliveDigest = undefined
      own.stale = true
      engine.journal.name = name
      return
    }
    case 'set-profile':
    case 'typing':
    case 'compare':
    case 'tell-gaps':
    case 'tell-sizes':
    case 'join-direct':
      return lesserCommand(engine, wish, nowMs, out)
    case 'set-visible':
      own.stale ||= own.visible !== wish.visible
      own.visible = wish.visible
      return
    case 'set-retention':
      setRetention(engine, wish.retention, nowMs)
      return tellRooms(engine, out)
    case 'read':
      return noteRead(engine, wish.room, wish.position)
    case 'tell-read':
      return setTellsRead(engine, wish.room, wish.isOn, out)
    case 'set-max-age':
      return setMaxAge(engine, wish.room, wish.maxAgeMs, out)
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

type LesserCommand = Extract<
  Command,
  { type: 'set-profile' | 'typing' | 'compare' | 'tell-gaps' | 'tell-sizes' | 'join-direct' }
>

/** What a screen wants to know or to have said. */
function lesserCommand(engine: Engine, wish: LesserCommand, nowMs: number, out: Effect[]): void {
  const { own } = engine.presence
  switch (wish.type) {
    case 'set-profile': {
      const profile = cleanProfile(wish)
      own.stale ||= JSON.stringify(profile) !== JSON.stringify(own.profile)
      own.profile = profile
      return
    }
    case 'typing':
      return sayTyping(engine, wish.room, nowMs)
    case 'compare':
      return compareAll(engine, out)
    case 'join-direct':
      return joinDirect(engine, nowMs, out)
    case 'tell-gaps':
      return emit(out, { type: 'gaps', room: wish.room, gaps: gapsOf(engine.log, wish.room) })
    case 'tell-sizes':
      return emit(out, { type: 'sizes', rooms: sizesOf(engine.log) })
    default:
      unreachable(wish)
  }
}

function announce(engine: Engine, nowMs: number, out: Effect[]): void {
  const { name } = engine.presence.own
  emit(out, { type: 'started', self: engine.self, name, fresh: name === '' })
  emit(out, { type: 'rooms', rooms: shownRooms(engine) })
  emit(out, { type: 'storage', failure: engine.journal.failure })
  for (const room of engine.rooms.keys()) {
    emit(out, { type: 'holders', room, holders: holdersOf(engine.delivery, engine.log, room, engine.feed) })
    emit(out, { type: 'readers', room, readers: readersOf(engine.readMarks, room) })
  }
  engine.lastPeople = ''
  engine.isPeopleStale = true
  showPeople(engine, nowMs, out)
  emit(out, { type: 'catching-up', missing: engine.lastMissing })
}

function signed(engine: Engine, input: Extract<Input, { type: 'signed' }>, nowMs: number): void {
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
      const { room, feed } = first
      if (feed !== engine.feed) return returnBatch(engine.outbox)
      if (acceptRun(engine.log, { room, feed, events }, { isOwn: true }).type !== 'new') {
        // Own history came back from others while this was signed: the numbers are taken.
        beginIncarnation(engine, first.id)
        return returnBatch(engine.outbox)
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
    case 'read-mark': {
      const mark = { ...purpose.fields, signature }
      if (!acceptMark(engine.readMarks, mark)) return
      engine.journal.readMarks.push(mark)
      return spread(engine, shelve(engine, itemOf({ type: 'read-mark', record: mark })), nowMs)
    }
    case 'tally': {
      const tally = { ...purpose.fields, signature }
      if (tally.site !== undefined) acceptTally(engine, tally)
      const item = itemOf({ type: 'tally', record: tally })
      return spread(engine, shelve(engine, item), nowMs)
    }
    case 'site': {
      const word = { ...purpose.fields, signature }
      engine.isWordPending = false
      if (!acceptWord(engine.sites, word)) return
      // X4: which sites can be reached also follows from what this one says.
      engine.isPeopleStale = true
      return spread(engine, shelve(engine, itemOf({ type: 'site', record: word })), nowMs)
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
    // D7: what others confirm of it may have been more than was held.
    else engine.changedHolders.add(room)
  }
  revisitLoose(engine, write.feeds, out)
  engine.mayAsk = true
  for (const event of input.added) noteSaid(engine, event, nowMs)
  showMessages(engine, input.added, input.moved, out)
  obeyOwners(engine, [...input.added, ...input.moved], out)
  if (!ownsBatch(engine.outbox, write.events)) return
  const finished = finishBatch(engine.outbox)
  if (finished === undefined) return
  for (const event of finished.told) emit(out, event)
  spread(engine, itemOf({ type: 'run', run: finished.run }), nowMs)
}

function showMessages(
  engine: Engine,
  added: readonly PlacedEvent[],
  moved: readonly PlacedEvent[],
  out: Effect[],
): void {
  for (const room of new Set([...added, ...moved].map((event) => event.room))) {
    // N6: what is carried for others is not shown.
    if (!engine.rooms.has(room)) continue
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
  engine.mayRejoin = true
  emit(out, { type: 'storage', failure: input.cause })
  if (!ownsBatch(engine.outbox, write.events)) return
  for (const event of failBatch(engine.outbox, input.cause)) emit(out, event)
}

function dialFailed(engine: Engine, peer: PeerId, nowMs: number): void {
  noteDialFailed(engine.overlay, peer, nowMs)
  forgetPassive(engine.membership, peer)
  engine.isUpkeepDue = true
}

function setCongested(engine: Engine, link: LinkId, congested: boolean): void {
  const session = engine.reconcile.sessions.get(link)
  if (session !== undefined) session.congested = congested
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
