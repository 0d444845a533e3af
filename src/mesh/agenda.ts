/**
 * What is due: after every input this file alone looks at the state and decides what to sign, store, tell, ask,
 * serve, repeat and show. Inputs only change state; nothing else starts work.
 */
import { spreadDue } from './broadcast.ts'
import { clockAheadMs, wallMs } from './clock.ts'
import { dueReceipts, holdersOf } from './delivery.ts'
import type { Effect, MeshEvent } from './effects.ts'
import type { Engine } from './state.ts'
import { eventSigningBytes } from './event.ts'
import { askAll, comparePromoted, tellFetched, tellRooms } from './exchange.ts'
import { duePackets, nextLaneMs } from './gossip/lane.ts'
import { nextTreeMs } from './gossip/tree.ts'
import type { RoomId } from './ids.ts'
import { nextWrite } from './journal.ts'
import { directRoom } from './direct/sealed-body.ts'
import { limits } from './limits.ts'
import { openBatch } from './outbox.ts'
import { isReachable, nextDialMs } from './overlay/links.ts'
import { audienceOf, listPeople, ownFields } from './presence.ts'
import { presenceSigningBytes, receiptSigningBytes } from './record.ts'
import { isKept, roleIn } from './sync/carry.ts'
import { nextCounter, sign } from './signing.ts'
import { socketedPeers } from './overlay/signalling.ts'
import { settleForks } from './sync/forks.ts'
import { expireWants, missingCount } from './sync/reconcile.ts'
import { serveAll } from './sync/serve.ts'
import { isLargeRoom, tellTallies } from './sync/tally.ts'
import { reachabilityOf } from './overlay/liveness.ts'
import { isRadio } from './overlay/gateways.ts'
import { upkeep } from './overlay/upkeep.ts'
import { readersOf, sayRead } from './timeline/read-marks.ts'

/** Everything that follows from the state, whatever the input was. */
export function evaluate(engine: Engine, nowMs: number, out: Effect[]): void {
  settleForks(engine, nowMs, out)
  postNext(engine, nowMs, out)
  writeNext(engine, nowMs, out)
  sayOwn(engine, nowMs, out)
  confirmAndTell(engine, nowMs, out)
  tellTallies(engine, nowMs, out)
  sayRead(engine, nowMs, out)
  if (nowMs >= engine.reviewAtMs) review(engine, nowMs, out)
  if (engine.mayAsk) {
    engine.mayAsk = false
    askAll(engine, nowMs, out)
    showMissing(engine, out)
  }
  tellFetched(engine, out)
  serveAll(engine, out)
  const isUpkeepDue = engine.isUpkeepDue && nowMs >= engine.lastUpkeepMs + limits.upkeepPauseMs
  if (isUpkeepDue || nowMs >= engine.upkeepAtMs) {
    upkeep(engine, nowMs, out)
    tellLinks(engine, out)
  }
  if (engine.promoted.size > 0) comparePromoted(engine, out)
  if (engine.areRoomsStale) tellRooms(engine, out)
  const treeMs = nextTreeMs(engine.tree)
  if (treeMs !== undefined && treeMs <= nowMs) spreadDue(engine, nowMs)
  flushLanes(engine, nowMs, out)
  for (const room of engine.changedHolders) {
    emit(out, { type: 'holders', room, holders: holdersOf(engine.delivery, engine.log, room, engine.feed) })
  }
  engine.changedHolders.clear()
  for (const room of engine.readMarks.changed) {
    emit(out, { type: 'readers', room, readers: readersOf(engine.readMarks, room) })
  }
  engine.readMarks.changed.clear()
  schedule(engine, nowMs, out)
}

/** P12: by the clock and not by an input of its own, so that no traffic, however dense, holds it up. */
function review(engine: Engine, nowMs: number, out: Effect[]): void {
  engine.reviewAtMs = nowMs + limits.upkeepIntervalMs
  expireWants(engine.reconcile, nowMs)
  engine.mayAsk = true
  showPeople(engine, nowMs, out)
}

/** A2: everything that this turn put on a link's lane goes out together, with what is to be repeated. */
function flushLanes(engine: Engine, nowMs: number, out: Effect[]): void {
  if (engine.busyLanes.size === 0 && nowMs < engine.laneAtMs) return
  const isTime = nowMs >= engine.laneAtMs
  engine.laneAtMs = Number.POSITIVE_INFINITY
  for (const link of engine.overlay.links.values()) {
    if (!isTime && !engine.busyLanes.has(link.id)) {
      engine.laneAtMs = Math.min(engine.laneAtMs, nextLaneMs(link.lane) ?? engine.laneAtMs)
      continue
    }
    for (const packet of duePackets(link.lane, nowMs)) {
      out.push({ type: 'send', link: link.id, frame: { type: 'packet', ...packet } })
    }
    engine.laneAtMs = Math.min(engine.laneAtMs, nextLaneMs(link.lane) ?? engine.laneAtMs)
  }
  engine.busyLanes.clear()
}

function postNext(engine: Engine, nowMs: number, out: Effect[]): void {
  const token = engine.lastToken + 1
  const author = {
    feed: engine.feed,
    audienceOf: (room: RoomId) => audienceOf(engine.presence, room, nowMs),
  }
  const last = openBatch(engine.outbox, { log: engine.log, clock: engine.clock, author }, token, nowMs)
  if (last === undefined) return
  sign(engine, { type: 'batch' }, eventSigningBytes(last), out)
}

function writeNext(engine: Engine, nowMs: number, out: Effect[]): void {
  const write = nextWrite(engine.journal, engine.log, engine.lastToken + 1, nowMs)
  if (write === undefined) return
  engine.lastToken += 1
  out.push({ type: 'store', token: engine.lastToken, write })
  engine.tellAtMs ??= nowMs + limits.batchDelayMs
}

/** P8: a device without a name says nothing of itself. */
function sayOwn(engine: Engine, nowMs: number, out: Effect[]): void {
  const { own } = engine.presence
  if (!own.stale || own.name === '') return
  own.stale = false
  const rooms = [...engine.rooms.keys()]
  const fields = ownFields(own, engine.self, rooms, nextCounter(engine, nowMs))
  sign(engine, { type: 'presence', fields }, presenceSigningBytes(fields), out)
  const farewell = { ...fields, status: 'left' as const, counter: nextCounter(engine, nowMs) }
  sign(engine, { type: 'farewell', fields: farewell }, presenceSigningBytes(farewell), out)
}

function confirmAndTell(engine: Engine, nowMs: number, out: Effect[]): void {
  // B4: what may be gone at the next start is nobody's.
  if (engine.isForgetful) engine.delivery.unconfirmed.clear()
  if (engine.delivery.unconfirmed.size > 0) engine.tellAtMs ??= nowMs + limits.batchDelayMs
  if (engine.tellAtMs === undefined || nowMs < engine.tellAtMs) return
  engine.tellAtMs = undefined
  const counter = () => nextCounter(engine, nowMs)
  const roleOf = (room: RoomId) => roleIn(engine, room)
  const isSaid = new Map<RoomId, boolean>()
  for (const fields of dueReceipts(engine.delivery, engine.log, engine.self, { counter, roleOf })) {
    const { room } = fields
    if (!isSaid.has(room)) isSaid.set(room, isToBeSaid(engine, room, nowMs))
    if (isKept(engine, room) && isSaid.get(room) === true) {
      sign(engine, { type: 'receipt', fields }, receiptSigningBytes(fields), out)
    }
  }
}

/** D3, Q1: of letters boxes say that they carry them, and nobody else: their addressee confirms them by a letter (Q7). */
function isToBeSaid(engine: Engine, room: RoomId, nowMs: number): boolean {
  return room === directRoom ? engine.presence.own.box : !isLargeRoom(engine, room, nowMs)
}

export function showPeople(engine: Engine, nowMs: number, out: Effect[]): void {
  if (!engine.isWatched || !engine.isPeopleStale) return
  engine.isPeopleStale = false
  const reachability = reachabilityOf(engine)
  const people = listPeople(engine.presence, reachability, socketedPeers(engine.signalling), nowMs).map(
    (person) => ({
      ...person,
      sinceMs: wallMs(engine.clock, person.sinceMs),
    }),
  )
  const reach = {
    people: people.filter((person) => person.inReach).length,
    links: engine.overlay.links.size,
    nodes: [...engine.nodes.values()],
    clockAheadMs: clockAheadMs(engine.clock),
    rooms: [...engine.rooms.keys()].filter((room) => isReachable(engine.overlay, room)),
  }
  const key = JSON.stringify([people, reach])
  if (key === engine.lastPeople) return
  engine.lastPeople = key
  emit(out, { type: 'people', people, reach })
}

/** C6: a link counts once the other side has said where it is. */
function tellLinks(engine: Engine, out: Effect[]): void {
  const links = [...engine.overlay.links.values()].flatMap((one) =>
    one.site === undefined || one.closingSinceMs !== undefined
      ? []
      : [{ link: one.id, peer: one.peer, isNear: !isRadio(one, engine.sites.own) }],
  )
  const key = JSON.stringify(links)
  if (key === engine.lastLinks) return
  engine.lastLinks = key
  out.push({ type: 'links', links })
}

function showMissing(engine: Engine, out: Effect[]): void {
  const missing = missingCount(engine.reconcile, engine.log, new Set(engine.rooms.keys()))
  if (missing === engine.lastMissing) return
  engine.lastMissing = missing
  emit(out, { type: 'catching-up', missing })
}

/** One timer: the engine says when it wants to be woken; it is woken at least once a second. */
function schedule(engine: Engine, nowMs: number, out: Effect[]): void {
  let dueMs = Math.min(nowMs + limits.upkeepIntervalMs, engine.upkeepAtMs)
  const consider = (ms: number | undefined) => {
    if (ms !== undefined && ms < dueMs) dueMs = ms
  }
  consider(engine.reviewAtMs)
  consider(engine.tellAtMs)
  consider(nextDialMs(engine.overlay, nowMs))
  consider(nextTreeMs(engine.tree))
  consider(engine.laneAtMs)
  if (engine.isUpkeepDue) consider(engine.lastUpkeepMs + limits.upkeepPauseMs)
  const atMs = Math.max(nowMs + 1, dueMs)
  if (atMs >= engine.tickAtMs) return
  engine.tickAtMs = atMs
  out.push({ type: 'schedule', delayMs: atMs - nowMs })
}

function emit(out: Effect[], event: MeshEvent): void {
  out.push({ type: 'emit', event })
}
