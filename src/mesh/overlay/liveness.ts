/**
 * Whether links and peers still live: heartbeats and what they compare, silence, suspicions, probes; and the small
 * questions that travel as signals. Rules O5, P3–P5, R8, V3.
 */
import { spread } from '../broadcast.ts'
import { forgetPeerClock, wallMs } from '../clock.ts'
import type { Effect, LinkId } from '../effects.ts'
import type { Engine } from '../state.ts'
import type { Digests } from '../frame.ts'
import { itemOf } from '../gossip/item.ts'
import { digestOfScope } from '../gossip/shelf.ts'
import { removeBranch } from '../gossip/tree.ts'
import type { PeerId } from '../ids.ts'
import { limits } from '../limits.ts'
import { logDigest } from '../sync/held.ts'
import { aliveDigest, isAlive, suspect, type Reachability } from '../presence.ts'
import type { Presence } from '../record.ts'
import { keptRooms } from '../sync/carry.ts'
import { commonRooms } from '../sync/reconcile.ts'
import { isPairLink, isRadio } from './gateways.ts'
import { admitConnection, admitted, declined, removeLink, type Link } from './links.ts'
import { draw, promise } from './membership.ts'
import { takeRoomSignal } from './room-cards.ts'
import { routeSignal } from './signalling.ts'
import { isLargeMesh, reachableSites } from './sites.ts'

/** Payloads of signals that are for the engine and not for a connection that is being made. */
export const askings = { ask: '?ask', yes: '?yes', no: '?no', ping: '?ping', pong: '?pong' } as const

/** How often a link is heard, and after how long a silence it counts as dead, ms. */
function paceOf(engine: Engine, link: Link): { readonly everyMs: number; readonly silentMs: number } {
  if (isPairLink(engine, link)) {
    return { everyMs: limits.heartbeatPairMs, silentMs: limits.linkSilentPairMs }
  }
  return isRadio(link, engine.sites.own)
    ? { everyMs: limits.heartbeatRadioMs, silentMs: limits.linkSilentRadioMs }
    : { everyMs: limits.heartbeatIntervalMs, silentMs: limits.linkSilentMs }
}

/** O5: a link that is heard more often from now on: so is this side, and its silence until now does not count. */
function keepPace(engine: Engine, link: Link, nowMs: number): ReturnType<typeof paceOf> {
  const pace = paceOf(engine, link)
  if (pace.everyMs === link.everyMs) return pace
  link.nextHeartbeatMs = Math.min(link.nextHeartbeatMs, link.nextHeartbeatMs - link.everyMs + pace.everyMs)
  if (pace.everyMs < link.everyMs) link.pacedSinceMs = nowMs
  link.everyMs = pace.everyMs
  return pace
}

/** O5: between primary and standby sooner, between sites later; later still when this device itself runs late. */
export function endSilent(engine: Engine, nowMs: number, out: Effect[]): void {
  for (const link of [...engine.overlay.links.values()]) {
    const { silentMs } = keepPace(engine, link, nowMs)
    const sinceMs = Math.max(link.lastHeardMs, link.pacedSinceMs)
    const isClosed = link.closingSinceMs !== undefined && nowMs - link.closingSinceMs > limits.closingMs
    if (!isClosed && nowMs - sinceMs <= silentMs * engine.patience) continue
    out.push({ type: 'hang-up', link: link.id, reason: isClosed ? 'leaving' : 'silent' })
    loseLink(engine, link.id, nowMs)
  }
}

/** A link has ended: its peer is suspected, unless it said that the link would end. */
export function loseLink(engine: Engine, id: LinkId, nowMs: number): void {
  const wasCurrent =
    engine.overlay.linksByPeer.get(engine.overlay.links.get(id)?.peer ?? engine.self)?.id === id
  const link = removeLink(engine.overlay, id)
  if (link === undefined) return
  engine.reconcile.sessions.delete(id)
  engine.signalling.passedOn.delete(id)
  engine.busyLanes.delete(id)
  removeBranch(engine.tree, id)
  engine.mayAsk = true
  engine.isUpkeepDue = true
  if (!wasCurrent) return
  forgetPeerClock(engine.clock, link.peer)
  if (isRadio(link, engine.sites.own)) engine.isWordStale = true
  if (link.closingSinceMs !== undefined || isRadio(link, engine.sites.own)) return
  const counter = suspect(engine.presence, link.peer, nowMs)
  if (counter !== undefined) raise(engine, link.peer, counter, nowMs)
}

/** P4: a suspicion, aloud in this site. */
export function raise(engine: Engine, peer: PeerId, counter: number, nowMs: number): void {
  const round = Math.floor(Math.max(0, wallMs(engine.clock, nowMs)) / limits.suspicionRoundMs) >>> 0
  spread(engine, itemOf({ type: 'suspicion', peer, counter, round }), nowMs)
}

/** P4: the site's helper has lost the socket of a peer: unless it is heard of soon, it is gone. */
export function doubt(engine: Engine, peer: PeerId, nowMs: number): void {
  const known = engine.presence.known.get(peer)
  if (known === undefined || !isAlive(engine.presence, known)) return
  engine.doubted.set(peer, {
    sinceMs: nowMs,
    dueMs: nowMs + draw(engine.membership, limits.doubtSpreadMs),
  })
}

/** P4: doubts that nothing has ended become suspicions, unless somebody else was quicker. */
export function raiseDoubts(engine: Engine, nowMs: number): void {
  for (const [peer, { sinceMs, dueMs }] of engine.doubted) {
    const link = engine.overlay.linksByPeer.get(peer)
    if (link !== undefined && link.lastHeardMs > sinceMs) engine.doubted.delete(peer)
    // A link that is as silent as it may be: its next heartbeat decides.
    const isDue = link === undefined || nowMs - link.lastHeardMs > 1.5 * paceOf(engine, link).everyMs
    if (nowMs < dueMs || !isDue || !engine.doubted.delete(peer)) continue
    const counter = suspect(engine.presence, peer, nowMs)
    if (counter !== undefined) raise(engine, peer, counter, nowMs)
  }
}

export function heartbeats(engine: Engine, nowMs: number, out: Effect[]): void {
  for (const link of engine.overlay.links.values()) {
    const { everyMs } = keepPace(engine, link, nowMs)
    if (nowMs < link.nextHeartbeatMs || link.closingSinceMs !== undefined) continue
    link.nextHeartbeatMs = nowMs + everyMs
    sendHeartbeat(engine, link, nowMs, out)
    if (isPairLink(engine, link)) sayLinked(engine, link, out)
  }
}

export function sendHeartbeat(engine: Engine, link: Link, nowMs: number, out: Effect[]): void {
  const digests = digestsFor(engine, link)
  const wall = Math.max(0, Math.round(wallMs(engine.clock, nowMs)))
  out.push({ type: 'send', link: link.id, frame: { type: 'heartbeat', nowMs: wall, digests } })
}

/** R8: what both sides of this link should agree on. */
export function digestsFor(engine: Engine, link: Link): Digests {
  const rooms = commonRooms(keptRooms(engine).keys(), link.rooms)
  let receipts = 0
  const hasCounts = isRadio(link, engine.sites.own) || isPairLink(engine, link)
  for (const room of rooms) {
    receipts ^= digestOfScope(engine.shelf, `receipt ${room}`)
    // D9: inside a site they are only told to whom they concern.
    if (hasCounts) receipts ^= digestOfScope(engine.shelf, `tally ${room}`)
  }
  return {
    log: logDigest(engine.log, rooms, engine.reconcile.sessions.get(link.id)?.floors),
    sites: sitesDigest(engine, link),
    presences: digestOfScope(engine.shelf, 'presence'),
    receipts: receipts >>> 0,
    alive: aliveDigest(engine.presence),
  }
}

/** X7: where words of other sites do not go, only the own one is compared. */
function sitesDigest(engine: Engine, link: Link): number {
  const { sites, shelf } = engine
  const isWhole = isRadio(link, sites.own) || !isLargeMesh(sites) || isPairLink(engine, link)
  if (isWhole) return digestOfScope(shelf, 'site')
  const own = shelf.items.get(`site ${sites.own}`)
  return own === undefined ? 0 : Number.parseInt(own.id.slice(0, 8), 16)
}

/** Y7: the standby's links count for the site too; the primary is told of them. */
function sayLinked(engine: Engine, link: Link, out: Effect[]): void {
  const { overlay, sites } = engine
  const linked = [...overlay.links.values()].flatMap((one) =>
    isRadio(one, sites.own) && one.site !== undefined && one.closingSinceMs === undefined ? [one.site] : [],
  )
  out.push({
    type: 'send',
    link: link.id,
    frame: { type: 'linked', sites: [...new Set(linked)].slice(0, limits.nearSitesMax) },
  })
}

/** P4: somebody whom nobody here holds a link to is asked now and then; silence is a suspicion (SWIM §3.1). */
export function probe(engine: Engine, nowMs: number, out: Effect[]): void {
  const { presence, overlay, signalling } = engine
  if (engine.probed !== undefined && nowMs >= engine.nextProbeMs - limits.probeIntervalMs / 2) {
    const counter = suspect(presence, engine.probed, nowMs)
    if (counter !== undefined) raise(engine, engine.probed, counter, nowMs)
    engine.probed = undefined
  }
  if (nowMs < engine.nextProbeMs) return
  engine.nextProbeMs = nowMs + limits.probeIntervalMs
  const unsure = [...presence.known.values()].filter(
    (known) => isAlive(presence, known) && !overlay.linksByPeer.has(known.record.peer),
  )
  engine.probed = unsure[draw(engine.membership, unsure.length)]?.record.peer
  if (engine.probed !== undefined)
    out.push(routeSignal(signalling, engine, engine.probed, askings.ping, nowMs))
}

/** What presence needs to know of links and sites. */
export function reachabilityOf(engine: Engine): Reachability {
  const reachable = reachableSites(engine.sites)
  return {
    isLinked: (peer) => engine.overlay.linksByPeer.has(peer),
    nodeOf: (id) => {
      const link = id === undefined ? undefined : engine.overlay.links.get(id)
      return boxOf(engine, link ?? onlyWay(engine))?.node
    },
    isOutOfReach: (site, hint) => {
      if (site === undefined) return false
      return !reachable.has(site) && engine.sites.words.get(site)?.gone.includes(hint) !== true
    },
    isHeardThere: (site, hint) => {
      if (site === undefined) return false
      return reachable.has(site) && engine.sites.words.get(site)?.gone.includes(hint) !== true
    },
  }
}

function boxOf({ presence }: Engine, link: Link | undefined): Presence | undefined {
  const record = link === undefined ? undefined : presence.known.get(link.peer)?.record
  return record?.box === true ? record : undefined
}

/** @returns the link to the own resident, or another one, when this device has no links but to boxes */
function onlyWay(engine: Engine): Link | undefined {
  const links = [...engine.overlay.links.values()].filter((link) => link.closingSinceMs === undefined)
  if (!links.every((link) => boxOf(engine, link) !== undefined)) return undefined
  return links.find((link) => link.peer === engine.sites.own) ?? links[0]
}

/** S2, V3: a signal for this device: a question for a place, or something of a connection that is being made. */
export function deliverSignal(
  engine: Engine,
  from: PeerId,
  payload: string,
  nowMs: number,
  out: Effect[],
): void {
  const { membership, overlay, near, signalling } = engine
  switch (payload) {
    case askings.ask: {
      const answer = promise(membership, overlay, from, Math.max(near.size, 1), nowMs)
        ? askings.yes
        : askings.no
      out.push(routeSignal(signalling, engine, from, answer, nowMs))
      return
    }
    case askings.yes:
      if (admitted(overlay, from, nowMs)) out.push({ type: 'dial', peer: from })
      return
    case askings.no:
      if (overlay.dials.get(from)?.phase === 'dialing') out.push({ type: 'signal-lost', to: from })
      declined(overlay, from, nowMs)
      engine.isUpkeepDue = true
      return
    case askings.ping:
      out.push(routeSignal(signalling, engine, from, askings.pong, nowMs))
      return
    case askings.pong:
      if (engine.probed === from) engine.probed = undefined
      return
    default:
      if (takeRoomSignal(engine, from, payload, nowMs, out)) return
      if (admitConnection(overlay, from, nowMs)) out.push({ type: 'signal-deliver', from, payload })
      else out.push(routeSignal(signalling, engine, from, askings.no, nowMs))
  }
}
