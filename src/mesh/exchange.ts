/**
 * What happens on links: greeting a new one, taking each kind of frame, and sending what is due. Puts overlay,
 * broadcast, reconciliation and presence together per frame; decides nothing that one of them decides.
 */
import { mayCarry, receiveItem, receiveNote, spreadInside } from './broadcast.ts'
import { clockAheadMs, witnessPeerClock } from './clock.ts'
import type { Effect, Input, LinkId } from './effects.ts'
import type { Event, Run } from './event.ts'
import type { Digests, Frame } from './frame.ts'
import { receivePacket } from './gossip/lane.ts'
import { isOver } from './gossip/quota.ts'
import { announceTo } from './gossip/tree.ts'
import type { RoomId } from './ids.ts'
import { hasSpace } from './journal.ts'
import { limits } from './limits.ts'
import { logDigest } from './sync/held.ts'
import { isRadio } from './overlay/gateways.ts'
import { addLink, type Link } from './overlay/links.ts'
import { digestsFor, loseLink } from './overlay/liveness.ts'
import { receiveOverlay, sayHello } from './overlay/reception.ts'
import { isLargeMesh } from './overlay/sites.ts'
import { isAlive } from './presence.ts'
import { askedRooms, carryMore, isKept, isTaken, keptRooms } from './sync/carry.ts'
import { horizonOf, takeAged } from './sync/retention.ts'
import type { Engine } from './state.ts'
import {
  answerDiffer,
  answerSketch,
  emptyPrint,
  printsOf,
  sketchRoom,
  tellRoom,
  type LinkFloors,
} from './sync/compare.ts'
import {
  branchAfter,
  compareProbed,
  compareRun,
  doubt,
  lookAtEnd,
  takeEnd,
  takeFound,
  takeRun,
} from './sync/forks.ts'
import { revisit } from './sync/loose.ts'
import { enqueueServing, serveLoaded, takeWants } from './sync/serve.ts'
import {
  commonRooms,
  dueWants,
  noteAnswer,
  noteDigest,
  noteHave,
  noteLacking,
  noteProbed,
  noteRefusal,
  openSession,
  wantFrame,
  type Session,
} from './sync/reconcile.ts'

export function openLink(
  engine: Engine,
  { link: id, peer, version }: Extract<Input, { type: 'link-up' }>,
  nowMs: number,
  out: Effect[],
): void {
  const isUrgent = engine.overlay.dials.get(peer)?.isUrgent ?? false
  const { link, older } = addLink(engine.overlay, { id, peer, version }, nowMs)
  if (older !== undefined) {
    out.push({ type: 'hang-up', link: older.id, reason: 'superseded' })
    loseLink(engine, older.id, nowMs)
  }
  openSession(engine.reconcile, id)
  sayHello(engine, link, isUrgent, out)
  send(out, id, { type: 'rooms', rooms: [...keptRooms(engine).keys()] })
}

export function receive(engine: Engine, id: LinkId, frame: Frame, nowMs: number, out: Effect[]): void {
  const link = engine.overlay.links.get(id)
  const session = engine.reconcile.sessions.get(id)
  // A frame of a link that has just been closed: dropped by identity.
  if (link === undefined || session === undefined) return
  link.lastHeardMs = nowMs
  switch (frame.type) {
    case 'rooms':
      link.rooms = new Set(frame.rooms)
      if (carryMore(engine, frame.rooms, link.peer, nowMs)) tellRooms(engine, out)
      else sayPrints(engine, link, out)
      return
    case 'have':
      // A room that is not ours is told again when we enter it.
      if (isKept(engine, frame.room)) noteHave(session, frame.room, frame.entries)
      engine.mayAsk = true
      return
    case 'want':
      return takeWants(engine, id, session, frame, out)
    case 'lacking':
      noteRefusal(session, frame.room, frame.name)
      engine.mayAsk = true
      return
    case 'events':
      return receiveAnswer(engine, link, session, frame, nowMs, out)
    case 'items':
      for (const item of frame.items) receiveItem(engine, link, item, nowMs, out)
      return
    case 'packet':
      if (receivePacket(link.lane, frame, nowMs)) {
        for (const note of frame.notes) receiveNote(engine, link, note, nowMs, out)
      }
      engine.busyLanes.add(id)
      return
    case 'heartbeat':
      return receiveHeartbeat(engine, link, session, frame, nowMs, out)
    case 'prints':
      return receivePrints(engine, link, frame.rooms, out)
    case 'sketch':
      if (!isCommon(engine, link, frame.room)) return
      for (const answer of answerSketch(engine.log, frame, session.floors)) send(out, id, answer)
      return
    case 'differ':
      return receiveDiffer(engine, link, session, frame, nowMs, out)
    default:
      return receiveOverlay(engine, link, frame, nowMs, out)
  }
}

/** R8, R14: after both have named their rooms. */
function sayPrints(engine: Engine, link: Link, out: Effect[]): void {
  if (!isSpare(engine, link)) tellPrints(engine, link, out)
}

/** A way between sites beside the spanning tree's. */
function isSpare(engine: Engine, link: Link): boolean {
  return engine.tree.branches.get(link.id)?.isSpare === true
}

function tellPrints(engine: Engine, link: Link, out: Effect[]): void {
  const rooms = commonRooms(keptRooms(engine).keys(), link.rooms)
  if (rooms.length > 0) send(out, link.id, printsOf(engine.log, rooms, floorsOf(engine, link)))
}

/** R14: a way that has become more than a spare one. */
export function comparePromoted(engine: Engine, out: Effect[]): void {
  for (const id of engine.promoted) {
    const link = engine.overlay.links.get(id)
    if (link === undefined || isSpare(engine, link)) continue
    begin(engine, link, commonRooms(keptRooms(engine).keys(), link.rooms), out)
  }
  engine.promoted.clear()
}

/** N2 */
function floorsOf(engine: Engine, link: Link): LinkFloors | undefined {
  return engine.reconcile.sessions.get(link.id)?.floors
}

function isCommon(engine: Engine, link: Link, room: RoomId): boolean {
  return isKept(engine, room) && link.rooms.has(room)
}

/** R9, R10: who has nothing is told everything; else the side with the smaller id begins. */
function receivePrints(
  engine: Engine,
  link: Link,
  rooms: readonly { readonly room: RoomId; readonly print: string }[],
  out: Effect[],
): void {
  const floors = floorsOf(engine, link)
  for (const { room, print } of rooms) {
    const own = logDigest(engine.log, [room], floors)
    if (own === print || !isCommon(engine, link, room)) continue
    if (own === emptyPrint) {
      // The other side began, and does not know that here is nothing.
      if (engine.self < link.peer) send(out, link.id, printsOf(engine.log, [room], floors))
    } else if (print === emptyPrint) for (const frame of tellRoom(engine.log, room)) send(out, link.id, frame)
    else if (engine.self < link.peer) {
      send(out, link.id, sketchRoom(engine.log, room, limits.sketchFirst, floors))
    }
  }
}

/** R12 */
function receiveDiffer(
  engine: Engine,
  link: Link,
  session: Session,
  frame: Extract<Frame, { type: 'differ' }>,
  nowMs: number,
  out: Effect[],
): void {
  if (!isCommon(engine, link, frame.room)) return
  const { frames, push, doubts, ends } = answerDiffer(session, engine.log, frame)
  for (const end of ends) lookAtEnd(engine, link.id, end, out)
  doubt(engine, link.id, session, doubts, nowMs, out)
  for (const answer of frames) send(out, link.id, answer)
  for (const want of push) enqueueServing(session, want)
  engine.mayAsk = true
}

function receiveAnswer(
  engine: Engine,
  link: Link,
  session: Session,
  frame: Extract<Frame, { type: 'events' }>,
  nowMs: number,
  out: Effect[],
): void {
  for (const run of frame.runs) {
    const first = run.events[0]?.seq ?? 0
    const span = { room: run.room, feed: run.feed, first, last: first + run.events.length - 1 }
    const probed = noteProbed(session, span)
    if (probed !== undefined) {
      compareProbed(engine, link.id, probed, run, out)
      continue
    }
    const asked = noteAnswer(session, span, nowMs)
    const isAsked = isTaken(engine, run.room) && hasSpace(engine.journal)
    const brought = takeRun(engine, run, { link: link.id, hint: asked }, nowMs, out)
    if (brought) noteFetched(engine, run)
    if (brought && isRadio(link, engine.sites.own)) spreadInside(engine, link, run, nowMs)
    // R5: an answer that brought nothing is not asked for again.
    if (asked !== undefined && isAsked && !brought) noteLacking(session, { ...span, feed: asked })
  }
}

function receiveHeartbeat(
  engine: Engine,
  link: Link,
  session: Session,
  frame: Extract<Frame, { type: 'heartbeat' }>,
  nowMs: number,
  out: Effect[],
): void {
  const aheadMs = clockAheadMs(engine.clock)
  witnessPeerClock(engine.clock, link.peer, frame.nowMs, nowMs)
  engine.isPeopleStale ||= aheadMs !== clockAheadMs(engine.clock)
  const own = digestsFor(engine, link)
  // R14: what others bring over their link is waited for.
  const patience = isSpare(engine, link) ? limits.spareMismatches : 2
  const isDue = noteDigest(session, { own: own.log, theirs: frame.digests.log, patience })
  // R9: one side is enough, and the other one begins.
  if (isDue && engine.self > link.peer) tellPrints(engine, link, out)
  compareRecords(engine, link, own, frame.digests, nowMs, out)
}

/** G10: records that differ twice in a row, or on a new link, are announced; less and less often if that changes nothing. */
function compareRecords(
  engine: Engine,
  link: Link,
  own: Digests,
  theirs: Digests,
  nowMs: number,
  out: Effect[],
): void {
  const isNear = !isRadio(link, engine.sites.own)
  if (isNear) compareAlive(engine, link, own.alive === theirs.alive, out)
  const differs =
    own.sites !== theirs.sites ||
    own.receipts !== theirs.receipts ||
    (own.presences !== theirs.presences && (isNear || !isLargeMesh(engine.sites)))
  if (!differs) {
    link.differing = 0
    link.patience = 2
    return
  }
  link.differing += 1
  if (link.differing < link.patience) return
  link.differing = 0
  link.patience = Math.min(limits.patienceMax, link.patience * 2)
  const ids = [...engine.shelf.items.values()]
    .filter((item) => mayCarry(engine, link, item))
    .map(({ id }) => id)
  announceTo(engine.tree, link.id, ids.slice(-limits.recordsAnnouncedMax), nowMs)
}

/** P3: who is alive is compared by name when it differs twice in a row. */
function compareAlive(engine: Engine, link: Link, isEqual: boolean, out: Effect[]): void {
  link.differingAlive = isEqual ? 0 : link.differingAlive + 1
  if (link.differingAlive < 2) return
  link.differingAlive = 0
  const hints = [...engine.presence.known.values()].filter((known) => isAlive(engine.presence, known))
  send(out, link.id, { type: 'roster', hints: hints.slice(0, limits.rosterMax).map(({ hint }) => hint) })
}

export function tellRooms(engine: Engine, out: Effect[]): void {
  engine.areRoomsStale = false
  const rooms = [...keptRooms(engine).keys()]
  for (const link of engine.overlay.links.values()) {
    send(out, link.id, { type: 'rooms', rooms })
    sayPrints(engine, link, out)
  }
}

export function askAll(engine: Engine, nowMs: number, out: Effect[]): void {
  if (!hasSpace(engine.journal) || nowMs < engine.journal.retryAtMs) return
  const rooms = [...askedRooms(engine)]
  const horizons = new Map(rooms.map((room) => [room, horizonOf(engine, room, nowMs)]))
  // N4, N5: what would go again at once is not fetched.
  const isWanted = (room: RoomId, before: number, isOlder: boolean) =>
    !isOlder || (!engine.isFull && before > (horizons.get(room) ?? 0))
  for (const [id, session] of engine.reconcile.sessions) {
    const wants = dueWants(engine.reconcile, session, engine.log, rooms, nowMs, {
      isWanted,
      isOver: (author) => isOver(engine.quota, author, nowMs),
    })
    for (const room of new Set(wants.map((want) => want.room))) {
      const there = wants.filter((want) => want.room === room)
      send(out, id, wantFrame(room, there))
    }
  }
}

function noteFetched(engine: Engine, run: Run): void {
  engine.fetched.set(run.room, (engine.fetched.get(run.room) ?? 0) + run.events.length)
}

/** R15: who has fetched much tells the others at once, when all of it is there. */
export function tellFetched(engine: Engine, out: Effect[]): void {
  if (engine.fetched.size === 0 || isFetching(engine)) return
  const rooms = [...engine.fetched].filter(([, count]) => count > limits.pushEventsMax).map(([room]) => room)
  engine.fetched.clear()
  if (rooms.length === 0) return
  for (const link of engine.overlay.links.values()) {
    const common = commonRooms(rooms, link.rooms)
    if (!isSpare(engine, link)) begin(engine, link, common, out)
  }
}

/** R14, R15: a comparison that only this side knows to be due. */
/** R9: because a person asks. */
export function compareAll(engine: Engine, out: Effect[]): void {
  for (const link of engine.overlay.links.values())
    begin(engine, link, commonRooms(keptRooms(engine).keys(), link.rooms), out)
}

function begin(engine: Engine, link: Link, rooms: readonly RoomId[], out: Effect[]): void {
  if (rooms.length === 0) return
  const floors = floorsOf(engine, link)
  if (engine.self > link.peer) send(out, link.id, printsOf(engine.log, rooms, floors))
  else for (const room of rooms) send(out, link.id, sketchRoom(engine.log, room, limits.sketchFirst, floors))
}

function isFetching(engine: Engine): boolean {
  if (engine.journal.inFlight !== undefined || engine.journal.events.length > 0) return true
  return [...engine.reconcile.sessions.values()].some((session) => session.wants.size > 0)
}

/** What was read is compared, or answers a want. */
export function takeLoaded(
  engine: Engine,
  token: number,
  events: readonly Event[],
  nowMs: number,
  out: Effect[],
): void {
  const load = engine.loads.get(token)
  engine.loads.delete(token)
  if (load === undefined) return
  if (load.type === 'age') return takeAged(engine, load, events)
  if (load.type === 'end') return takeEnd(engine, load, events)
  if (load.type === 'compare') return compareRun(engine, load, events, nowMs, out)
  if (load.type === 'find') return takeFound(engine, load, events, nowMs, out)
  if (load.type === 'revisit') return revisit(engine, load, events, nowMs, out)
  const { link, reading } = load
  const read = [...load.read, ...events]
  const last = events.at(-1)
  const next = last === undefined ? undefined : branchAfter(engine, last)
  if (last === undefined || next === undefined || read.length > limits.runEventsMax) {
    return serveLoaded(engine, link, reading, read, out)
  }
  // L8: the signature over the end of a feed that forked stands in a branch.
  engine.lastToken += 1
  engine.loads.set(engine.lastToken, { ...load, feed: next, read })
  const seq = last.seq + 1
  out.push({ type: 'load', token: engine.lastToken, room: last.room, feed: next, first: seq, last: seq })
}

function send(out: Effect[], link: LinkId, frame: Frame): void {
  out.push({ type: 'send', link, frame })
}
