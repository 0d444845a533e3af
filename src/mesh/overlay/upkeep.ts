/**
 * Keeps this device's place in the mesh, once a second and when something changed: who is near, who speaks for the
 * site, which links to want and to give up, what to say at intervals. Puts membership, gateways, sites and links
 * together; decides nothing that one of them decides.
 */
import { noteTo } from '../broadcast.ts'
import type { Effect } from '../effects.ts'
import type { Engine } from '../state.ts'
import { removeBranch, setSpare } from '../gossip/tree.ts'
import type { PeerId } from '../ids.ts'
import { limits } from '../limits.ts'
import { expireSuspicions, isAlive } from '../presence.ts'
import { keptRooms, reviewCarried } from '../sync/carry.ts'
import { retain } from '../sync/retention.ts'
import { nextCounter, sign } from '../signing.ts'
import {
  chooseStandby,
  electRole,
  gatewayWishes,
  isLinkUseful,
  isRadio,
  type Candidate,
  radioLinks,
} from './gateways.ts'
import { dueDials, type Link, type Wish } from './links.ts'
import { askings, endSilent, heartbeats, probe, raiseDoubts } from './liveness.ts'
import {
  closeRing,
  dueShuffle,
  isRingNeighbor,
  shuffleSample,
  viewLinks,
  viewTarget,
  viewWishes,
} from './membership.ts'
import { routeSignal } from './signalling.ts'
import {
  roomsDigest,
  siteWordSigningBytes,
  type NearSite,
  type SiteWord,
  type SiteWordFields,
} from './site-word.ts'
import { isGuestLink, isResident, residentWish, wantedResident } from './residents.ts'
import { changed, peopleCount, treeNeighbors } from './sites.ts'

export function upkeep(engine: Engine, nowMs: number, out: Effect[]): void {
  engine.isUpkeepDue = false
  engine.lastUpkeepMs = nowMs
  engine.upkeepAtMs = nowMs + limits.upkeepIntervalMs
  raiseDoubts(engine, nowMs)
  if (expireSuspicions(engine.presence, nowMs)) {
    engine.isPeopleStale = true
    engine.isNearStale = true
  }
  endSilent(engine, nowMs, out)
  if (engine.isNearStale && nowMs >= engine.nextNearMs) {
    engine.nextNearMs = nowMs + limits.upkeepIntervalMs
    refreshNear(engine)
    closeRing(engine.membership, engine.self, engine.near, nowMs)
  }
  updateRole(engine, nowMs)
  updateBranches(engine, nowMs)
  sayWord(engine, nowMs, out)
  dialDue(engine, nowMs, out)
  endIdle(engine, nowMs, out)
  trimView(engine, nowMs, out)
  shuffle(engine, nowMs, out)
  heartbeats(engine, nowMs, out)
  retain(engine, nowMs, out)
  engine.areRoomsStale ||= reviewCarried(engine, nowMs)
  probe(engine, nowMs, out)
}

/** Says that a link ends and hangs up a little later, so that the word gets through. */
export function endLink(engine: Engine, link: Link, nowMs: number, out: Effect[]): void {
  if (link.closingSinceMs !== undefined) return
  out.push({ type: 'send', link: link.id, frame: { type: 'disconnect' } })
  link.closingSinceMs = nowMs
  link.purpose = undefined
  removeBranch(engine.tree, link.id)
}

/** V2: who of the own site can be dialled; a mesh of a few people is one site. */
function refreshNear(engine: Engine): void {
  engine.isNearStale = false
  const { presence, sites, signalling, near } = engine
  const all = new Set<PeerId>()
  near.clear()
  engine.listed.clear()
  for (const { peers } of signalling.helpers.values()) {
    for (const [peer, site] of peers) {
      // B2: residents stand beside the view.
      if (!isResident(peer, site)) all.add(peer)
      if (!isResident(peer, site) && site === sites.own) near.add(peer)
      const there = engine.listed.get(site) ?? []
      engine.listed.set(site, there)
      there.push(peer)
    }
  }
  for (const list of engine.listed.values()) list.sort()
  const isListed = (site: PeerId) => !engine.listed.get(site)?.every((peer) => isResident(peer, site))
  const listedSites = new Set(engine.listed.keys())
  const peopled = new Set([...listedSites].filter(isListed))
  if (!sameSites(listedSites, sites.listed) || !sameSites(peopled, sites.peopled)) {
    sites.listed = listedSites
    sites.peopled = peopled
    changed(sites)
  }
  for (const [peer, known] of presence.known) {
    if (known.goneSinceMs !== undefined || known.record.status === 'left') continue
    if (isResident(peer, known.record.site)) continue
    all.add(peer)
    if (isAlive(presence, known) && known.via !== undefined) near.add(peer)
  }
  near.delete(engine.self)
  all.delete(engine.self)
  // Decision 5: up to five browsers in the whole mesh simply hold all links.
  if (all.size < limits.fullMeshMax) for (const peer of all) near.add(peer)
}

function sameSites(a: ReadonlySet<PeerId>, b: ReadonlySet<PeerId>): boolean {
  return a.size === b.size && [...a].every((site) => b.has(site))
}

function candidates(engine: Engine): Candidate[] {
  const { presence, self } = engine
  const { own } = presence
  const list: Candidate[] =
    own.name === '' && !own.box ? [] : [{ peer: self, box: own.box, visible: own.visible }]
  for (const [peer, known] of presence.known) {
    const isHeard = isAlive(presence, known) && known.suspectedUntilMs === undefined
    if (!isHeard) continue
    list.push({ peer, box: known.record.box, visible: known.record.status === 'here' })
  }
  return list
}

function updateRole(engine: Engine, nowMs: number): void {
  const { sites, gateways, self } = engine
  if (sites.own === undefined) return
  const word = sites.words.get(sites.own)
  if (isSettled(engine, word)) return
  const list = candidates(engine)
  const before = gateways.role
  gateways.role = electRole(gateways, sites.own, self, word, list, nowMs)
  if (gateways.role !== 'primary') return
  const standby = chooseStandby(sites.own, self, word?.standby, list)
  const isNew = before !== 'primary' || word?.primary !== self || standby !== word.standby
  if (isNew || engine.isRivalled) engine.isWordStale = true
  engine.isRivalled = false
  engine.standby = standby
}

/** Most of the time nothing has changed: another one speaks, is heard, and is of no lesser class than this device. */
function isSettled(engine: Engine, word: SiteWord | undefined): boolean {
  const { presence, gateways, self } = engine
  if (word === undefined || word.primary === self || engine.isRivalled) return false
  const primary = presence.known.get(word.primary)
  if (primary === undefined || !isAlive(presence, primary) || primary.suspectedUntilMs !== undefined)
    return false
  if (presence.own.box || (primary.record.status !== 'here' && !primary.record.box)) return false
  gateways.vacantSinceMs = undefined
  gateways.role = word.standby === self ? 'standby' : 'none'
  return true
}

/** X2: the word of the site, when it says more than the last one and not too often. */
function sayWord(engine: Engine, nowMs: number, out: Effect[]): void {
  const { sites, gateways } = engine
  if (gateways.role !== 'primary' || sites.own === undefined || engine.isWordPending) return
  const fields = wordFields(engine, sites.own)
  const last = sites.words.get(sites.own)
  const everyMs = fields.meshPeople > limits.siteSmallMax ? limits.siteWordSlowMs : limits.siteWordIntervalMs
  const isCountDue = nowMs - gateways.lastWordMs >= everyMs
  const key = wordKey(fields)
  const isChanged = last === undefined || last.primary !== engine.self || key !== engine.lastWordKey
  const isSlowChange =
    last !== undefined &&
    (fields.people !== last.people ||
      fields.meshPeople !== last.meshPeople ||
      fields.gone.join() !== last.gone.join())
  if (!engine.isWordStale && !isChanged && !(isSlowChange && isCountDue)) return
  if (nowMs - gateways.lastWordMs < limits.siteWordDelayMs) return
  gateways.lastWordMs = nowMs
  engine.isWordStale = false
  engine.lastWordKey = key
  engine.isWordPending = true
  // X1: later than the word of whoever spoke before, whose clock may have run ahead.
  engine.recordCounter = Math.max(engine.recordCounter, last?.counter ?? 0)
  const said = { ...fields, counter: nextCounter(engine, nowMs) }
  sign(engine, { type: 'site', fields: said }, siteWordSigningBytes(said), out)
}

function wordKey(fields: SiteWordFields): string {
  return JSON.stringify([fields.standby, fields.near, fields.rooms])
}

function wordFields(engine: Engine, site: PeerId): SiteWordFields {
  const { presence, sites, overlay, self } = engine
  const linked = new Set<PeerId>()
  for (const link of overlay.links.values()) {
    if (isRadio(link, site) && link.site !== undefined && link.closingSinceMs === undefined)
      linked.add(link.site)
    for (const other of link.linkedSites) linked.add(other)
  }
  const costs = new Map<PeerId, number>()
  // What the helper says now; what was said before stands in for it while there is none.
  const said = sites.near.size > 0 ? [] : (sites.words.get(site)?.near ?? [])
  for (const near of said) costs.set(near.site, near.cost)
  for (const [other, cost] of sites.near) costs.set(other, cost)
  for (const other of linked) if (!costs.has(other)) costs.set(other, limits.farCost)
  const near: NearSite[] = [...costs]
    .filter(([other]) => other !== site)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, limits.nearSitesMax)
    .map(([other, cost]) => ({ site: other, cost, linked: linked.has(other) }))
  const rooms = new Set<string>(keptRooms(engine).keys())
  const gone: string[] = []
  let people = presence.own.box || presence.own.name === '' ? 0 : 1
  for (const known of presence.known.values()) {
    if (known.record.site !== site || known.record.status === 'left') continue
    for (const room of known.record.rooms) rooms.add(room)
    const isGone = known.goneSinceMs !== undefined
    if (isGone && known.record.status === 'here' && gone.length < limits.goneMax) gone.push(known.hint)
    if (!known.record.box && (!isGone || known.record.status === 'asleep')) people += 1
  }
  const before = sites.words.get(site)?.people ?? 0
  const meshPeople = Math.min(limits.peoplePerMeshMax, peopleCount(sites) - before + people)
  return {
    site,
    primary: self,
    standby: engine.standby,
    counter: 0,
    people,
    meshPeople: Math.max(people, meshPeople),
    near,
    rooms: roomsDigest(rooms),
    gone: gone.sort(),
  }
}

function dialDue(engine: Engine, nowMs: number, out: Effect[]): void {
  // A device without a name looks, but does not take part.
  const { own } = engine.presence
  if (own.name === '' && !own.box) return
  for (const { peer, ask } of dueDials(engine.overlay, wishes(engine, nowMs), nowMs)) {
    if (ask) out.push(routeSignal(engine.signalling, engine, peer, askings.ask, nowMs))
    else out.push({ type: 'dial', peer })
  }
}

function wishes(engine: Engine, nowMs: number): Wish[] {
  const { membership, overlay, sites, gateways, near } = engine
  const list: Wish[] = residentWish(engine)
  // B1: who is in the site dials its resident; it dials only for the site.
  if (engine.presence.own.box) return gatewayWishes(gateways.role, sites, overlay, engine.listed, nowMs)
  const pair = pairPeer(engine)
  if (pair !== undefined && pair !== sites.own) list.push({ peer: pair, purpose: 'view', isUrgent: true })
  list.push(...gatewayWishes(gateways.role, sites, overlay, engine.listed, nowMs))
  for (const [peer, untilMs] of membership.invited) {
    if (untilMs <= nowMs || overlay.linksByPeer.has(peer)) membership.invited.delete(peer)
    else list.push({ peer, purpose: 'view', isUrgent: false, isInvited: true })
  }
  list.push(...viewWishes(membership, overlay, near, nowMs))
  return list
}

/** The other one that speaks for this site, when this device is one of the two. */
function pairPeer(engine: Engine): PeerId | undefined {
  const { sites, self } = engine
  const word = sites.own === undefined ? undefined : sites.words.get(sites.own)
  if (word?.primary === self) return word.standby
  return word?.standby === self ? word.primary : undefined
}

/** G1: between sites only the links of the spanning tree carry copies unasked, and only between those who speak. */
export function isSpareLink(engine: Engine, link: Link): boolean {
  const { sites, gateways } = engine
  if (!isRadio(link, sites.own) || link.site === undefined) return false
  const word = sites.words.get(link.site)
  // Before the sites have spoken, and among a few people, every link carries.
  if (word === undefined || engine.near.has(link.peer) || isGuestLink(link)) return false
  if (gateways.role !== 'primary' || !treeNeighbors(sites, 'primary').tree.includes(link.site)) return true
  // Until there is a link to who speaks there, whoever else is linked there stands in.
  return word.primary !== link.peer && engine.overlay.linksByPeer.has(word.primary)
}

function updateBranches(engine: Engine, nowMs: number): void {
  const { sites, gateways } = engine
  const known = engine.branchesMadeFor
  const radio = radioLinks(engine.overlay, sites.own)
  const links = radio.map(({ id }) => id).join()
  if (known.cache === sites.cache && known.role === gateways.role && known.links === links) return
  engine.branchesMadeFor = { cache: sites.cache, role: gateways.role, links }
  for (const link of radio) {
    const isSpare = isSpareLink(engine, link)
    // R14: what was to be waited for comes over this one now.
    if (!isSpare && engine.tree.branches.get(link.id)?.isSpare === true) engine.promoted.add(link.id)
    setSpare(engine.tree, link.id, isSpare, nowMs, (id, note) => noteTo(engine, id, note))
  }
}

/** How many peers the site has besides this one: those that are known, or at least those that are linked. */
export function othersCount(engine: Engine): number {
  return Math.max(engine.near.size, viewLinks(engine.overlay).length)
}

/** V4, Y8: links that this device dialled and has no use for any more. */
function endIdle(engine: Engine, nowMs: number, out: Effect[]): void {
  const { overlay, presence, sites, gateways, near } = engine
  for (const link of [...overlay.links.values()]) {
    if (!link.isOwn || link.purpose === undefined || !isRadio(link, sites.own)) continue
    const isUseful = isGuestLink(link)
      ? wantedResident(engine) === link.peer
      : (!presence.own.box && near.has(link.peer)) || isLinkUseful(gateways.role, sites, overlay, link)
    if (isUseful) link.idleSinceMs = undefined
    else link.idleSinceMs ??= nowMs
    if (link.idleSinceMs !== undefined && nowMs - link.idleSinceMs >= limits.linkIdleMs) {
      endLink(engine, link, nowMs, out)
      engine.isWordStale = true
    }
  }
}

/** V4: a site has grown, and four links are enough: one that carries no copies is given up now and then. */
function trimView(engine: Engine, nowMs: number, out: Effect[]): void {
  const { overlay, membership, sites, tree, near } = engine
  if (nowMs < engine.nextTrimMs) return
  engine.nextTrimMs = nowMs + limits.trimIntervalMs
  const links = viewLinks(overlay).filter((link) => !isRadio(link, sites.own))
  if (links.length <= viewTarget(near.size)) return
  const pair = pairPeer(engine)
  const isNeeded = (link: Link) => link.peer === pair || isRingNeighbor(membership, link.peer)
  const idle = links.find(
    (link) => link.isOwn && !isNeeded(link) && tree.branches.get(link.id)?.mode === 'lazy',
  )
  if (idle !== undefined) endLink(engine, idle, nowMs, out)
}

function shuffle(engine: Engine, nowMs: number, out: Effect[]): void {
  const { membership, overlay, near } = engine
  // Who holds all links has nothing to learn.
  if (viewLinks(overlay).length >= near.size || viewTarget(near.size) >= near.size) return
  const due = dueShuffle(membership, overlay, nowMs)
  if (due === undefined) return
  const peers = shuffleSample(membership, overlay)
  out.push({
    type: 'send',
    link: due.link.id,
    frame: { type: 'shuffle', walk: due.walk, ttl: limits.activeWalk, peers },
  })
}
