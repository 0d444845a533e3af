/**
 * What is due: after every input this file alone looks at the state and decides what to sign, store, tell, ask,
 * serve, dial and show. Inputs only change state; nothing else starts work.
 */
import { nextStamp, wallMs } from './clock.ts'
import { dueReceipts, holdersOf } from './delivery.ts'
import type { Effect, MeshEvent } from './effects.ts'
import type { Engine, Signing } from './engine.ts'
import { eventSigningBytes } from './event.ts'
import { askAll, serveAll, tellAll } from './exchange.ts'
import { isReachable } from './gossip.ts'
import type { PeerId, RoomId } from './ids.ts'
import { nextWrite } from './journal.ts'
import { limits } from './limits.ts'
import { openBatch } from './outbox.ts'
import { dueDials, nextDialMs } from './overlay.ts'
import { audienceOf, listPeople, ownFields } from './presence.ts'
import { missingCount } from './reconcile.ts'
import { presenceSigningBytes, receiptSigningBytes } from './record.ts'
import { linkTowards, socketedPeers } from './signalling.ts'

/** Everything that follows from the state, whatever the input was. */
export function evaluate(engine: Engine, nowMs: number, out: Effect[]): void {
  postNext(engine, nowMs, out)
  writeNext(engine, nowMs, out)
  sayOwn(engine, nowMs, out)
  confirmAndTell(engine, nowMs, out)
  if (engine.mayAsk) {
    engine.mayAsk = false
    askAll(engine, nowMs, out)
    showMissing(engine, out)
  }
  serveAll(engine, out)
  for (const peer of dueDials(engine.overlay, dialCandidates(engine, nowMs), nowMs)) {
    out.push({ type: 'dial', peer })
  }
  for (const room of engine.changedHolders) {
    emit(out, { type: 'holders', room, holders: holdersOf(engine.delivery, room, engine.self) })
  }
  engine.changedHolders.clear()
  schedule(engine, nowMs, out)
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

function sign(engine: Engine, purpose: Signing, message: Uint8Array, out: Effect[]): void {
  engine.lastToken += 1
  engine.signing.set(engine.lastToken, purpose)
  out.push({ type: 'sign', token: engine.lastToken, message })
}

function writeNext(engine: Engine, nowMs: number, out: Effect[]): void {
  const write = nextWrite(engine.journal, engine.log, engine.lastToken + 1, nowMs)
  if (write === undefined) return
  engine.lastToken += 1
  out.push({ type: 'store', token: engine.lastToken, write })
  engine.tellAtMs ??= nowMs + limits.batchDelayMs
}

/** P1, D2: later than every record of this device that is known anywhere, whatever its clock says now. */
function nextCounter(engine: Engine, nowMs: number): number {
  engine.recordCounter = Math.max(nextStamp(engine.clock, nowMs), engine.recordCounter + 1)
  return engine.recordCounter
}

/** P7: a device without a name says nothing of itself. */
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
  if (engine.delivery.unconfirmed.size > 0) engine.tellAtMs ??= nowMs + limits.batchDelayMs
  if (engine.tellAtMs === undefined || nowMs < engine.tellAtMs) return
  engine.tellAtMs = undefined
  const counter = () => nextCounter(engine, nowMs)
  for (const fields of dueReceipts(engine.delivery, engine.log, engine.self, counter)) {
    if (engine.rooms.has(fields.room)) {
      sign(engine, { type: 'receipt', fields }, receiptSigningBytes(fields), out)
    }
  }
  tellAll(engine, out)
}

function* dialCandidates(engine: Engine, nowMs: number): Generator<PeerId> {
  // A device without a name looks, but does not take part.
  if (engine.presence.own.name === '') return
  for (const { peers } of engine.signalling.helpers.values()) yield* peers
  for (const [peer, known] of engine.presence.known) {
    const alive = known.record.status !== 'left' && nowMs - known.heardMs <= limits.silentMs
    if (alive && linkTowards(engine.overlay, peer) !== undefined) yield peer
  }
}

export function showPeople(engine: Engine, nowMs: number, out: Effect[]): void {
  const linked = new Set(engine.overlay.linksByPeer.keys())
  const people = listPeople(engine.presence, linked, socketedPeers(engine.signalling), nowMs).map(
    (person) => ({
      ...person,
      sinceMs: wallMs(engine.clock, person.sinceMs),
    }),
  )
  const reach = {
    people: people.filter((person) => person.inReach).length,
    links: engine.overlay.links.size,
    nodes: [...engine.nodes.values()],
    rooms: [...engine.rooms.keys()].filter((room) => isReachable(engine.overlay, room)),
  }
  const key = JSON.stringify([people, reach])
  if (key === engine.lastPeople) return
  engine.lastPeople = key
  emit(out, { type: 'people', people, reach })
}

function showMissing(engine: Engine, out: Effect[]): void {
  const missing = missingCount(engine.reconcile, engine.log, new Set(engine.rooms.keys()))
  if (missing === engine.lastMissing) return
  engine.lastMissing = missing
  emit(out, { type: 'catching-up', missing })
}

/** One timer: the engine says when it wants to be woken; it is woken at least once a second. */
function schedule(engine: Engine, nowMs: number, out: Effect[]): void {
  const due = [nowMs + 1_000, engine.tellAtMs, nextDialMs(engine.overlay, nowMs)]
  const atMs = Math.max(nowMs + 1, Math.min(...due.filter((ms) => ms !== undefined)))
  if (atMs >= engine.tickAtMs) return
  engine.tickAtMs = atMs
  out.push({ type: 'schedule', delayMs: atMs - nowMs })
}

function emit(out: Effect[], event: MeshEvent): void {
  out.push({ type: 'emit', event })
}
