/**
 * What happens on links: greeting a new one, taking each kind of frame, and sending what is due. Puts overlay,
 * gossip, reconciliation, presence and delivery together per frame; decides nothing that one of them decides.
 */
import { bytesEqual } from './bytes.ts'
import { unreachable } from './effects.ts'
import { forgetPeerClock, wallMs, witnessPeerClock, witnessStamp } from './clock.ts'
import { acceptReceipt, newerReceipts, noteDurable, receiptsFor } from './delivery.ts'
import type { Effect, LinkId } from './effects.ts'
import type { Engine } from './engine.ts'
import { cutRuns, type Event, type Run } from './event.ts'
import type { Frame } from './frame.ts'
import { pushTargets, recordTargets } from './gossip.ts'
import { feedAuthor, type PeerId, type RoomId } from './ids.ts'
import { hasSpace } from './journal.ts'
import { limits } from './limits.ts'
import { acceptRun } from './log.ts'
import { addLink, removeLink, type Link } from './overlay.ts'
import { acceptPresence, hear, hearThrough, hearings, statusOf } from './presence.ts'
import {
  noteAnswer,
  noteRefusal,
  digestOf,
  dueHaves,
  dueWants,
  enqueueServing,
  nextServing,
  noteDigest,
  noteGiven,
  noteHave,
  noteLacking,
  openSession,
  type Session,
} from './reconcile.ts'
import type { Presence, Receipt } from './record.ts'
import { passSignal } from './signalling.ts'

export function openLink(engine: Engine, id: LinkId, peer: PeerId, nowMs: number, out: Effect[]): void {
  const older = addLink(engine.overlay, id, peer, nowMs)
  if (older !== undefined) {
    out.push({ type: 'hang-up', link: older.id, reason: 'superseded' })
    closeLink(engine, older.id)
  }
  openSession(engine.reconcile, id)
  send(out, id, { type: 'rooms', rooms: [...engine.rooms.keys()] })
  const alive = [...engine.presence.known.values()].filter(
    (known) => statusOf(known, nowMs).status !== 'left',
  )
  const records = alive.map((known) => known.record).filter((record) => record.peer !== peer)
  const { current } = engine.presence.own
  if (current !== undefined) records.unshift(current)
  for (const chunk of chunks(records)) send(out, id, { type: 'presence', records: chunk })
}

export function closeLink(engine: Engine, id: LinkId): void {
  const link = removeLink(engine.overlay, id)
  engine.reconcile.sessions.delete(id)
  engine.signalling.passedOn.delete(id)
  if (link !== undefined && !engine.overlay.linksByPeer.has(link.peer))
    forgetPeerClock(engine.clock, link.peer)
  engine.mayAsk = true
}

export function receive(engine: Engine, id: LinkId, frame: Frame, nowMs: number, out: Effect[]): void {
  const link = engine.overlay.links.get(id)
  const session = engine.reconcile.sessions.get(id)
  // A frame of a link that has just been closed: dropped by identity.
  if (link === undefined || session === undefined) return
  link.lastHeardMs = nowMs
  hear(engine.presence, link.peer, nowMs)
  switch (frame.type) {
    case 'rooms':
      return receiveRooms(engine, link, session, frame.rooms, out)
    case 'have':
      // A room that is not ours is told again when we enter it.
      if (engine.rooms.has(frame.room)) noteHave(session, frame.room, frame.entries)
      engine.mayAsk = true
      return
    case 'want':
      return enqueueServing(session, frame)
    case 'lacking':
      noteRefusal(session, frame)
      engine.mayAsk = true
      return
    case 'events':
      for (const run of frame.runs)
        receiveRun(engine, { link, session, answer: frame.answer }, run, nowMs, out)
      return
    case 'presence':
      for (const record of frame.records) receivePresence(engine, link, record, nowMs, out)
      return
    case 'receipts':
      for (const receipt of frame.receipts) receiveReceipt(engine, link, receipt, out)
      return
    case 'heartbeat':
      return receiveHeartbeat(engine, link, session, frame, nowMs, out)
    case 'signal': {
      const effect = passSignal(engine.signalling, engine.overlay, link, frame, nowMs)
      if (effect !== undefined) out.push(effect)
      return
    }
    default:
      unreachable(frame)
  }
}

/** D3: receipts go out once the other side has said that it has the room. */
function receiveRooms(
  engine: Engine,
  link: Link,
  session: Session,
  rooms: readonly RoomId[],
  out: Effect[],
): void {
  const entered = rooms.filter((room) => !link.rooms.has(room))
  link.rooms = new Set(rooms)
  session.told.clear()
  for (const chunk of chunks(receiptsFor(engine.delivery, link.peer, entered))) {
    send(out, link.id, { type: 'receipts', receipts: chunk })
  }
  tell(engine, link, session, out)
}

interface Source {
  readonly link: Link
  readonly session: Session
  readonly answer: boolean
}

function receiveRun(engine: Engine, source: Source, run: Run, nowMs: number, out: Effect[]): void {
  const { link, session } = source
  const first = run.events[0]?.seq ?? 0
  const span = { room: run.room, feed: run.feed, first, last: first + run.events.length - 1 }
  const isAsked = source.answer && noteAnswer(session, span, nowMs)
  engine.mayAsk = true
  if (!engine.rooms.has(run.room) || !hasSpace(engine.journal)) return
  const accepted = acceptRun(engine.log, run)
  noteGiven(session, span)
  if (accepted.type === 'new') {
    engine.journal.events.push(...accepted.events.map((event) => ({ ...event, audience: undefined })))
    for (const event of accepted.events) witnessStamp(engine.clock, event.hlc, nowMs)
    if (!source.answer) push(engine, run, link, out)
    return
  }
  if (accepted.type === 'fork') {
    out.push({ type: 'emit', event: { type: 'fork', room: run.room, feed: run.feed } })
    noteLacking(session, span)
  }
  // R5: an answer that brought nothing is not asked for again.
  if (isAsked) noteLacking(session, span)
}

/** Sends a run to everybody who may lack it; what was given need not be told. */
export function push(engine: Engine, run: Run, source: Link | undefined, out: Effect[]): void {
  const first = run.events[0]?.seq ?? 0
  const span = { room: run.room, feed: run.feed, first, last: first + run.events.length - 1 }
  for (const link of pushTargets(engine.overlay, run, source)) {
    send(out, link.id, { type: 'events', answer: false, runs: [run] })
    const session = engine.reconcile.sessions.get(link.id)
    if (session !== undefined) noteGiven(session, span)
  }
}

function receivePresence(engine: Engine, link: Link, record: Presence, nowMs: number, out: Effect[]): void {
  if (record.peer === engine.self) {
    // P1: an earlier life of this device is still being told; say the present again, later than that.
    const { current, farewell } = engine.presence.own
    const isOurs = [current, farewell].some((own) => own && bytesEqual(own.signature, record.signature))
    if (isOurs || record.counter < (current?.counter ?? 0)) return
    engine.recordCounter = Math.max(engine.recordCounter, record.counter)
    engine.presence.own.stale = true
    return
  }
  if (!acceptPresence(engine.presence, record, nowMs)) {
    const known = engine.presence.known.get(record.peer)?.record
    const isOutdone = known !== undefined && !bytesEqual(known.signature, record.signature)
    if (isOutdone && record.peer === link.peer) send(out, link.id, { type: 'presence', records: [known] })
    return
  }
  if (record.peer === link.peer) hear(engine.presence, record.peer, nowMs)
  engine.journal.presences.push(record)
  shareRecord(engine, record, link, out)
}

export function shareRecord(engine: Engine, record: Presence, source: Link | undefined, out: Effect[]): void {
  for (const link of recordTargets(engine.overlay, record.peer, source)) {
    send(out, link.id, { type: 'presence', records: [record] })
  }
}

function receiveReceipt(engine: Engine, link: Link, receipt: Receipt, out: Effect[]): void {
  if (!engine.rooms.has(receipt.room)) return
  if (receipt.device === engine.self) return learnOwnReceipt(engine, receipt)
  const newer = receipt.device === link.peer ? newerReceipts(engine.delivery, receipt) : []
  if (newer.length > 0) send(out, link.id, { type: 'receipts', receipts: newer })
  if (!acceptReceipt(engine.delivery, receipt)) return
  if (receipt.entries.some((entry) => feedAuthor(entry.feed) === engine.self)) {
    engine.changedHolders.add(receipt.room)
  }
  engine.journal.receipts.push(receipt)
  sendReceipt(engine, receipt, link, out)
}

/** D2: an earlier life of this device confirmed what this one may not hold; confirm anew, later than that. */
function learnOwnReceipt(engine: Engine, receipt: Receipt): void {
  const own = engine.delivery.receipts.get(receipt.room)
  engine.recordCounter = Math.max(engine.recordCounter, receipt.counter)
  for (const { feed } of receipt.entries) {
    const known = own?.get(`${engine.self} ${feed}`)
    if (known !== undefined && known.counter > receipt.counter) continue
    if (known !== undefined && bytesEqual(known.signature, receipt.signature)) continue
    noteDurable(engine.delivery, receipt.room, feed)
  }
}

/** D3: by name in rooms of at most `receiptPeopleMax` people. */
export function sendReceipt(engine: Engine, receipt: Receipt, source: Link | undefined, out: Effect[]): void {
  for (const link of recordTargets(engine.overlay, receipt.device, source)) {
    if (link.rooms.has(receipt.room)) send(out, link.id, { type: 'receipts', receipts: [receipt] })
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
  witnessPeerClock(engine.clock, link.peer, frame.nowMs, nowMs)
  hearThrough(engine.presence, frame.heard, nowMs)
  link.hears = new Set(frame.heard.map(({ hint }) => hint))
  const own = digestOf(engine.log, commonRooms(engine, link))
  if (noteDigest(session, own, frame.digest)) tell(engine, link, session, out)
}

export function heartbeatAll(engine: Engine, nowMs: number, out: Effect[]): void {
  const heard = hearings(engine.presence, nowMs)
  for (const link of engine.overlay.links.values()) {
    const digest = digestOf(engine.log, commonRooms(engine, link))
    send(out, link.id, { type: 'heartbeat', nowMs: Math.max(0, wallMs(engine.clock, nowMs)), digest, heard })
  }
}

export function tellRooms(engine: Engine, out: Effect[]): void {
  const rooms = [...engine.rooms.keys()]
  for (const link of engine.overlay.links.values()) {
    send(out, link.id, { type: 'rooms', rooms })
    const session = engine.reconcile.sessions.get(link.id)
    if (session !== undefined) tell(engine, link, session, out)
  }
}

export function tellAll(engine: Engine, out: Effect[]): void {
  for (const link of engine.overlay.links.values()) {
    const session = engine.reconcile.sessions.get(link.id)
    if (session !== undefined) tell(engine, link, session, out)
  }
}

function tell(engine: Engine, link: Link, session: Session, out: Effect[]): void {
  for (const frame of dueHaves(session, engine.log, commonRooms(engine, link))) send(out, link.id, frame)
}

export function askAll(engine: Engine, nowMs: number, out: Effect[]): void {
  if (!hasSpace(engine.journal) || nowMs < engine.journal.retryAtMs) return
  for (const [id, session] of engine.reconcile.sessions) {
    for (const want of dueWants(engine.reconcile, session, engine.log, engine.rooms.keys(), nowMs)) {
      send(out, id, { type: 'want', ...want })
    }
  }
}

export function serveAll(engine: Engine, out: Effect[]): void {
  for (const [id, session] of engine.reconcile.sessions) {
    const want = nextServing(session)
    if (want === undefined) continue
    engine.lastToken += 1
    engine.loads.set(engine.lastToken, { link: id, want })
    out.push({ type: 'load', token: engine.lastToken, ...want })
  }
}

/** R7: an answer, with the author's own word on who it is in front of it, once per link. */
export function serveLoaded(engine: Engine, token: number, events: readonly Event[], out: Effect[]): void {
  const load = engine.loads.get(token)
  engine.loads.delete(token)
  if (load === undefined) return
  const { link, want } = load
  const session = engine.reconcile.sessions.get(link)
  if (session === undefined) return
  session.loading = false
  const runs = cutRuns(events)
  if (runs.length === 0 || !engine.rooms.has(want.room)) {
    send(out, link, { type: 'lacking', ...want })
    return
  }
  const author = feedAuthor(want.feed)
  const record = engine.presence.known.get(author)?.record
  if (record !== undefined && !session.introduced.has(author)) {
    session.introduced.add(author)
    send(out, link, { type: 'presence', records: [record] })
  }
  for (const run of runs) {
    send(out, link, { type: 'events', answer: true, runs: [run] })
    const first = run.events[0]?.seq ?? 0
    noteGiven(session, { room: run.room, feed: run.feed, first, last: first + run.events.length - 1 })
  }
}

function commonRooms(engine: Engine, link: Link): RoomId[] {
  return [...engine.rooms.keys()].filter((room) => link.rooms.has(room))
}

function send(out: Effect[], link: LinkId, frame: Frame): void {
  out.push({ type: 'send', link, frame })
}

function chunks<T>(items: readonly T[]): T[][] {
  const list: T[][] = []
  for (let i = 0; i < items.length; i += limits.recordsPerFrameMax) {
    list.push(items.slice(i, i + limits.recordsPerFrameMax))
  }
  return list
}
