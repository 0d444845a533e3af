/**
 * What happens on links: greeting a new one, taking each kind of frame, and sending what is due. Puts overlay,
 * broadcast, reconciliation and presence together per frame; decides nothing that one of them decides.
 */
import { mayCarry, receiveItem, receiveNote, takeRun } from './broadcast.ts'
import { witnessPeerClock } from './clock.ts'
import { unreachable, type Effect, type LinkId } from './effects.ts'
import type { Engine } from './state.ts'
import { cutRuns, type Event } from './event.ts'
import type { Digests, Frame } from './frame.ts'
import { receivePacket } from './gossip/lane.ts'
import { addBranch, announceTo } from './gossip/tree.ts'
import { feedAuthor, type PeerId } from './ids.ts'
import { hasSpace } from './journal.ts'
import { limits } from './limits.ts'
import { crowdedOut, isRadio, radioLinks } from './overlay/gateways.ts'
import { addLink, noteRefused, type Link } from './overlay/links.ts'
import {
  addPassive,
  admitView,
  forwardJoin,
  forwardJoinTargets,
  passShuffle,
  shuffleSample,
  viewTarget,
} from './overlay/membership.ts'
import type { OverlayFrame } from './overlay/overlay-frame.ts'
import { costTo, peopleCount } from './overlay/sites.ts'
import { hear, isAlive } from './presence.ts'
import { notePath, passSignal } from './overlay/signalling.ts'
import {
  commonRooms,
  dueHaves,
  dueWants,
  enqueueServing,
  nextServing,
  noteAnswer,
  noteDigest,
  noteGiven,
  noteHave,
  noteLacking,
  noteRefusal,
  openSession,
  type Session,
} from './sync/reconcile.ts'
import { deliverSignal, digestsFor, loseLink, raise, sendHeartbeat } from './overlay/liveness.ts'
import { endLink, isSpareLink, othersCount } from './overlay/upkeep.ts'

export function openLink(engine: Engine, id: LinkId, peer: PeerId, nowMs: number, out: Effect[]): void {
  const isUrgent = engine.overlay.dials.get(peer)?.isUrgent ?? false
  const { link, older } = addLink(engine.overlay, id, peer, nowMs)
  if (older !== undefined) {
    out.push({ type: 'hang-up', link: older.id, reason: 'superseded' })
    loseLink(engine, older.id, nowMs)
  }
  openSession(engine.reconcile, id)
  sayHello(engine, link, isUrgent, out)
  send(out, id, { type: 'rooms', rooms: [...engine.rooms.keys()] })
}

export function sayHello(engine: Engine, link: Link, isUrgent: boolean, out: Effect[]): void {
  const { own } = engine.presence
  const purpose = link.isOwn ? link.purpose : undefined
  send(out, link.id, { type: 'hello', purpose, isUrgent, site: own.site, box: own.box })
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
      session.told.clear()
      return tell(engine, link, session, out)
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
    default:
      return receiveOverlay(engine, link, frame, nowMs, out)
  }
}

function receiveOverlay(engine: Engine, link: Link, frame: OverlayFrame, nowMs: number, out: Effect[]): void {
  const { membership, overlay } = engine
  switch (frame.type) {
    case 'hello':
      return receiveHello(engine, link, frame, nowMs, out)
    case 'linked':
      link.linkedSites = frame.sites
      engine.isUpkeepDue = true
      return
    case 'roster':
      return receiveRoster(engine, frame.hints, nowMs)
    case 'forward-join':
      return receiveForwardJoin(engine, link, frame.peer, frame.ttl, nowMs, out)
    case 'disconnect':
      // Not to be suspected: it has chosen other links.
      link.closingSinceMs = nowMs
      addPassive(membership, overlay, link.peer)
      // O4: it had no place; not asked again at once.
      if (link.isOwn && nowMs - link.sinceMs < limits.linkIdleMs) noteRefused(overlay, link, nowMs)
      send(out, link.id, { type: 'disconnect' })
      out.push({ type: 'hang-up', link: link.id, reason: 'leaving' })
      return loseLink(engine, link.id, nowMs)
    case 'shuffle':
      return receiveShuffle(engine, link, frame, out)
    case 'shuffle-reply':
      return receiveShuffleReply(engine, link, frame, out)
    case 'signal': {
      const effect = passSignal(engine.signalling, engine, link, frame, nowMs)
      if (effect?.type === 'signal-deliver') deliverSignal(engine, effect.from, effect.payload, nowMs, out)
      else if (effect !== undefined) out.push(effect)
      return
    }
    default:
      unreachable(frame)
  }
}

type Hello = Extract<Frame, { type: 'hello' }>

/** V4: the other side says what the link is for; now it carries. */
function receiveHello(engine: Engine, link: Link, frame: Hello, nowMs: number, out: Effect[]): void {
  const { overlay, membership, sites } = engine
  const isFirst = !engine.tree.branches.has(link.id)
  link.site = frame.site
  link.box = frame.box
  link.cost = costTo(sites, frame.site)
  if (link.closingSinceMs !== undefined) return
  link.purpose = link.isOwn
    ? (link.purpose ?? frame.purpose ?? 'view')
    : (frame.purpose ?? link.purpose ?? 'view')
  hear(engine.presence, link.peer)
  if (!isFirst) return
  const isRadioLink = isRadio(link, sites.own)
  link.lane.isThorough = isRadioLink
  addBranch(engine.tree, link.id, {
    cost: link.cost,
    isRadio: isRadioLink,
    isSpare: isSpareLink(engine, link),
    isSecond: engine.self > link.peer,
  })
  engine.isUpkeepDue = true
  engine.isNearStale = true
  if (isRadioLink) engine.isWordStale = true
  sendHeartbeat(engine, link, nowMs, out)
  if (link.isOwn) return
  if (link.purpose !== 'view') {
    const crowded = crowdedOut(sites, radioLinks(overlay, sites.own), link)
    if (crowded !== undefined) endLink(engine, crowded, nowMs, out)
    return
  }
  const others = othersCount(engine)
  const isKept = (one: Link) =>
    isRadio(one, sites.own) || isSpeaker(engine, one.peer) || isSpeaker(engine, engine.self)
  const gone = admitView(membership, overlay, link, { isUrgent: frame.isUrgent, others, isKept })
  if (gone !== undefined) endLink(engine, gone, nowMs, out)
  if (!frame.isUrgent || gone === link || viewTarget(others) >= others) return
  for (const target of forwardJoinTargets(overlay, link.peer)) {
    send(out, target.id, { type: 'forward-join', peer: link.peer, ttl: limits.activeWalk })
  }
}

/** Whether this peer speaks for the own site, as primary or standby. */
function isSpeaker(engine: Engine, peer: PeerId): boolean {
  const word = engine.sites.own === undefined ? undefined : engine.sites.words.get(engine.sites.own)
  return word !== undefined && (word.primary === peer || word.standby === peer)
}

function receiveForwardJoin(
  engine: Engine,
  link: Link,
  newcomer: PeerId,
  ttl: number,
  nowMs: number,
  out: Effect[],
): void {
  const { membership, overlay } = engine
  notePath(engine.signalling, newcomer, { link: link.id }, nowMs)
  const step = forwardJoin(membership, overlay, newcomer, ttl, othersCount(engine), link.id)
  if (step.type === 'take') {
    membership.invited.set(newcomer, nowMs + limits.promiseMs)
    engine.isUpkeepDue = true
  }
  if (step.type === 'pass') {
    send(out, step.link.id, { type: 'forward-join', peer: newcomer, ttl: step.ttl })
  }
}

function receiveShuffle(
  engine: Engine,
  link: Link,
  frame: Extract<Frame, { type: 'shuffle' }>,
  out: Effect[],
): void {
  const { membership, overlay } = engine
  if (membership.walks.has(frame.walk)) return
  const next = passShuffle(membership, overlay, frame.walk, frame.ttl, link.id)
  if (next !== undefined) {
    send(out, next.id, { ...frame, ttl: frame.ttl - 1 })
    return
  }
  send(out, link.id, { type: 'shuffle-reply', walk: frame.walk, peers: shuffleSample(membership, overlay) })
  for (const peer of frame.peers) addPassive(membership, overlay, peer)
}

function receiveShuffleReply(
  engine: Engine,
  link: Link,
  frame: Extract<Frame, { type: 'shuffle-reply' }>,
  out: Effect[],
): void {
  const { membership, overlay } = engine
  if (!membership.walks.has(frame.walk)) return
  const back = membership.walks.get(frame.walk)
  membership.walks.delete(frame.walk)
  if (back !== undefined) {
    if (overlay.links.has(back) && back !== link.id) send(out, back, frame)
    return
  }
  for (const peer of frame.peers) addPassive(membership, overlay, peer)
}

/** P3: whom the other side holds for alive and this one does not is asked aloud. */
function receiveRoster(engine: Engine, hints: readonly string[], nowMs: number): void {
  for (const hint of hints) {
    const peer = engine.presence.peersByHint.get(hint)
    const known = peer === undefined ? undefined : engine.presence.known.get(peer)
    // Gone until it says otherwise itself: an echo between two must not keep it alive.
    if (known?.goneSinceMs !== undefined) raise(engine, known.record.peer, known.record.counter, nowMs)
  }
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
    const isAsked = noteAnswer(session, span, nowMs)
    const isKept = engine.rooms.has(run.room) && hasSpace(engine.journal)
    const brought = takeRun(engine, link, run, nowMs, out)
    // R5: an answer that brought nothing is not asked for again.
    if (isAsked && isKept && !brought) noteLacking(session, span)
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
  const own = digestsFor(engine, link)
  if (noteDigest(session, own.log, frame.digests.log)) tell(engine, link, session, out)
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
    (own.presences !== theirs.presences && (isNear || peopleCount(engine.sites) <= limits.namedPeopleMax))
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
  const rooms = [...engine.rooms.keys()]
  for (const link of engine.overlay.links.values()) {
    send(out, link.id, { type: 'rooms', rooms })
    const session = engine.reconcile.sessions.get(link.id)
    if (session !== undefined) tell(engine, link, session, out)
  }
}

function tell(engine: Engine, link: Link, session: Session, out: Effect[]): void {
  const rooms = commonRooms(engine.rooms.keys(), link.rooms)
  for (const frame of dueHaves(session, engine.log, rooms)) send(out, link.id, frame)
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
  const record = engine.shelf.items.get(`presence ${author}`)
  if (record !== undefined && !session.introduced.has(author)) {
    session.introduced.add(author)
    send(out, link, { type: 'items', items: [record] })
  }
  for (const run of runs) {
    send(out, link, { type: 'events', runs: [run] })
    const first = run.events[0]?.seq ?? 0
    noteGiven(session, { room: run.room, feed: run.feed, first, last: first + run.events.length - 1 })
  }
}

function send(out: Effect[], link: LinkId, frame: Frame): void {
  out.push({ type: 'send', link, frame })
}
