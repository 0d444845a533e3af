/** What the overlay's own frames do: greetings, joins, walks, rosters, and signals that pass through. Rules V, O7, P3. */
import { unreachable, type Effect, type LinkId } from '../effects.ts'
import type { Frame } from '../frame.ts'
import { addBranch } from '../gossip/tree.ts'
import type { PeerId } from '../ids.ts'
import { limits } from '../limits.ts'
import { hear } from '../presence.ts'
import type { Engine } from '../state.ts'
import { crowdedOut, isRadio, radioLinks } from './gateways.ts'
import { noteRefused, type Link } from './links.ts'
import { deliverSignal, loseLink, raise, sendHeartbeat } from './liveness.ts'
import {
  addPassive,
  admitView,
  forwardJoin,
  forwardJoinTargets,
  isRingNeighbor,
  passShuffle,
  shuffleSample,
  viewTarget,
} from './membership.ts'
import type { OverlayFrame } from './overlay-frame.ts'
import { notePath, passSignal } from './signalling.ts'
import { costTo } from './sites.ts'
import { isGuestLink } from './residents.ts'
import { endLink, isSpareLink, othersCount } from './upkeep.ts'

export function sayHello(engine: Engine, link: Link, isUrgent: boolean, out: Effect[]): void {
  const { own } = engine.presence
  const purpose = link.isOwn ? link.purpose : undefined
  send(out, link.id, { type: 'hello', purpose, isUrgent, site: own.site })
}

export function receiveOverlay(
  engine: Engine,
  link: Link,
  frame: OverlayFrame,
  nowMs: number,
  out: Effect[],
): void {
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
      if (link.isOwn && nowMs - link.sinceMs < limits.linkYoungMs) noteRefused(overlay, link, nowMs)
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
  link.cost = costTo(sites, frame.site)
  if (link.closingSinceMs !== undefined) return
  link.purpose = link.isOwn
    ? (link.purpose ?? frame.purpose ?? 'view')
    : (saidPurpose(engine, frame) ?? link.purpose ?? 'view')
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
  if (link.purpose === 'resident') return
  if (link.purpose !== 'view') {
    const radio = radioLinks(overlay, sites.own).filter((one) => !isGuestLink(one))
    const crowded = crowdedOut(engine.gateways.role, sites, radio, link)
    if (crowded !== undefined) endLink(engine, crowded, nowMs, out)
    return
  }
  const others = othersCount(engine)
  const isKept = (one: Link) =>
    isRadio(one, sites.own) ||
    isRingNeighbor(membership, one.peer) ||
    isSpeaker(engine, one.peer) ||
    isSpeaker(engine, engine.self)
  const gone = admitView(membership, overlay, link, { isUrgent: frame.isUrgent, others, isKept })
  if (gone !== undefined) endLink(engine, gone, nowMs, out)
  if (!frame.isUrgent || gone === link || viewTarget(others) >= others) return
  for (const target of forwardJoinTargets(overlay, link.peer)) {
    send(out, target.id, { type: 'forward-join', peer: link.peer, ttl: limits.activeWalk })
  }
}

/** B2: only a resident has links to a resident; to anybody else it is a link of the view, and needs a place there. */
function saidPurpose(engine: Engine, { purpose }: Hello): Hello['purpose'] {
  return purpose === 'resident' && !engine.presence.own.box ? 'view' : purpose
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

function send(out: Effect[], link: LinkId, frame: Frame): void {
  out.push({ type: 'send', link, frame })
}
