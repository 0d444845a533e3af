/**
 * Spreading what is new: along eager links at once, along lazy ones by announcement; duplicates prune, what stays
 * missing grafts. Decides per link what is sent to it; the links are the overlay's. Rules G1–G9 in PROTOCOL.md.
 *
 * Source: Leitão, Pereira, Rodrigues, "Epidemic Broadcast Trees" (Plumtree), SRDS 2007, algorithms 1 and 2.
 * Deviations: the distance is a cost (a radio hop counts 10), not a number of hops; a link that has announced or
 * brought an item is not announced it in return; what is larger than one packet is offered to everybody and
 * fetched, which leaves the tree as it is.
 */
import type { LinkId } from '../effects.ts'
import { limits } from '../limits.ts'
import { isBesideTree, type Item, type ShortId } from './item.ts'
import type { Announcement, Note } from './note.ts'

interface Branch {
  mode: 'eager' | 'lazy'
  /** Carries copies only while the tree has a hole: a second way into a site. */
  isSpare: boolean
  readonly isRadio: boolean
  /** Cost of the link itself. */
  readonly cost: number
  readonly announceDelayMs: number
  announcements: Announcement[]
  /** When they are to go out, ms. */
  flushMs: number | undefined
  /** Copies that wait for company. */
  waiting: Item[]
  waitingMs: number | undefined
  /** When copies last went out in company, ms. */
  companyMs: number
  /** No second change of the tree for the better before this, ms. */
  settledMs: number
  /** When the other side was last asked for announcements only, ms. */
  prunedMs: number
}

interface Seen {
  readonly atMs: number
  /** What the way from the author to here cost. */
  readonly cost: number
  parent: LinkId | undefined
  /** Links that are known to have it. */
  readonly holders: LinkId[]
}

/** Who says to have something. */
export interface Announcer {
  readonly link: LinkId
  /** Within what it answers, ms: where that is long, copies are under way for long, too. */
  readonly answerMs: number
}

interface Missing {
  announcers: (Announcer & { readonly cost: number; readonly isOffer: boolean })[]
  dueMs: number
  tries: number
}

export interface Tree {
  readonly branches: Map<LinkId, Branch>
  /** Oldest first. */
  readonly seen: Map<ShortId, Seen>
  /** Oldest first; what a graft is answered from. */
  readonly cache: Map<ShortId, { readonly item: Item; readonly atMs: number }>
  cacheBytes: number
  readonly missing: Map<ShortId, Missing>
}

/** Puts a note on the way to a link. */
export type Send = (link: LinkId, note: Note) => void

export function createTree(): Tree {
  return { branches: new Map(), seen: new Map(), cache: new Map(), cacheBytes: 0, missing: new Map() }
}

/** G1: a new link is eager ("neighbors are initially eager", algorithm 1), unless it only stands by. */
export function addBranch(
  tree: Tree,
  link: LinkId,
  parts: {
    readonly cost: number
    readonly isRadio: boolean
    readonly isSpare: boolean
    /** This side announces later, and then only what the other has not announced. */
    readonly isSecond: boolean
  },
): void {
  tree.branches.set(link, {
    mode: parts.isSpare ? 'lazy' : 'eager',
    isSpare: parts.isSpare,
    isRadio: parts.isRadio,
    cost: parts.cost,
    announceDelayMs: (parts.isRadio ? limits.announceRadioMs : limits.announceMs) * (parts.isSecond ? 3 : 1),
    announcements: [],
    flushMs: undefined,
    waiting: [],
    waitingMs: undefined,
    companyMs: Number.NEGATIVE_INFINITY,
    settledMs: Number.NEGATIVE_INFINITY,
    prunedMs: Number.NEGATIVE_INFINITY,
  })
}

export function removeBranch(tree: Tree, link: LinkId): void {
  tree.branches.delete(link)
  for (const missing of tree.missing.values()) {
    missing.announcers = missing.announcers.filter((one) => one.link !== link)
  }
}

/** What the way to here costs when it comes over this link. */
export function costThrough(tree: Tree, link: LinkId, cost: number): number {
  return Math.min(limits.pathCostMax, cost + (tree.branches.get(link)?.cost ?? 0))
}

/** G2: an item has come. @returns whether it is new here; if not, the link becomes lazy and is told so. */
export function acceptItem(
  tree: Tree,
  item: Item,
  from: LinkId,
  cost: number,
  nowMs: number,
  send: Send,
): boolean {
  const seen = tree.seen.get(item.id)
  const branch = tree.branches.get(from)
  // G12: what goes over every link says nothing of which one is needed.
  const isOfTree = item.size <= limits.eagerBytesMax && (branch?.isRadio === true || !isBesideTree(item))
  if (seen === undefined) {
    noteSeen(tree, item.id, {
      atMs: nowMs,
      cost: costThrough(tree, from, cost),
      parent: from,
      holders: [from],
    })
    if (branch !== undefined && isOfTree) branch.mode = 'eager'
    return true
  }
  addHolder(seen, from)
  if (branch === undefined || seen.parent === from || !isOfTree) return false
  const parent = seen.parent === undefined ? undefined : tree.branches.get(seen.parent)
  // G2: of two ways in, the lesser one is pruned, whichever was first.
  if (rankOf(branch) > (parent === undefined ? inside : rankOf(parent))) {
    // What began here and comes back has gone round elsewhere; this link is not the one to break.
    if (parent === undefined || seen.parent === undefined) return false
    pruneBranch(parent, seen.parent, nowMs, send)
    seen.parent = from
  } else pruneBranch(branch, from, nowMs, send)
  return false
}

/** The spanning tree's link into a site is kept rather than one inside, and that rather than a spare way in. */
const inside = 1
function rankOf(branch: Branch): number {
  if (!branch.isRadio) return inside
  return branch.isSpare ? 0 : 2
}

/** G2: said again while copies still come: a graft that crossed it on the way may have undone it over there. */
function pruneBranch(branch: Branch, link: LinkId, nowMs: number, send: Send): void {
  if (branch.mode === 'lazy' && nowMs - branch.prunedMs < limits.pruneAgainMs) return
  branch.mode = 'lazy'
  branch.prunedMs = nowMs
  send(link, { type: 'prune' })
}

/** G1: a link between sites has become part of the sites' spanning tree, or ceased to be. */
export function setSpare(tree: Tree, link: LinkId, isSpare: boolean, nowMs: number, send: Send): void {
  const branch = tree.branches.get(link)
  if (branch === undefined || branch.isSpare === isSpare) return
  branch.isSpare = isSpare
  if (isSpare) return branch.mode === 'lazy' ? undefined : pruneBranch(branch, link, nowMs, send)
  branch.mode = 'eager'
  send(link, { type: 'graft', id: undefined })
}

function noteSeen(tree: Tree, id: ShortId, seen: Seen): void {
  tree.seen.set(id, seen)
  const missing = tree.missing.get(id)
  for (const { link } of missing?.announcers ?? []) addHolder(seen, link)
  tree.missing.delete(id)
  for (const [oldest, { atMs }] of tree.seen) {
    if (tree.seen.size <= limits.seenMax && seen.atMs - atMs <= limits.seenMs) break
    tree.seen.delete(oldest)
  }
}

function addHolder(seen: Seen, link: LinkId): void {
  if (!seen.holders.includes(link)) seen.holders.push(link)
}

/** Whether a link is to get an item, whether that may wait a little for others to go with, or not even for the tree. */
export type Way = 'none' | 'now' | 'in-company' | 'at-once'

/** G3, G4, G11: an item that is new here goes on. */
export function spreadItem(
  tree: Tree,
  item: Item,
  wayOf: (link: LinkId) => Way,
  nowMs: number,
  send: Send,
): void {
  if (!tree.seen.has(item.id)) {
    noteSeen(tree, item.id, { atMs: nowMs, cost: 0, parent: undefined, holders: [] })
  }
  const seen = tree.seen.get(item.id)
  if (seen === undefined) return
  remember(tree, item, nowMs)
  for (const [link, branch] of tree.branches) {
    const way = link === seen.parent ? 'none' : wayOf(link)
    if (way === 'none') continue
    if (item.size > limits.eagerBytesMax) {
      if (!seen.holders.includes(link)) send(link, { type: 'offer', id: item.id, cost: seen.cost })
    } else if (way === 'at-once') {
      if (!seen.holders.includes(link)) send(link, { type: 'item', item, cost: seen.cost })
    } else if (branch.mode === 'eager') {
      if (way === 'in-company') wait(branch, item, nowMs)
      else send(link, { type: 'item', item, cost: seen.cost })
    } else if (way === 'now' || !branch.isSpare) {
      announce(branch, { id: item.id, cost: seen.cost }, nowMs)
    }
  }
}

/** G11: the first after a pause waits only for those that come with it. */
function wait(branch: Branch, item: Item, nowMs: number): void {
  if (branch.waiting.length >= limits.waitingMax) branch.waiting.shift()
  branch.waiting.push(item)
  branch.waitingMs ??= Math.max(nowMs + limits.announceMs, branch.companyMs + limits.announceRadioMs)
}

function announce(branch: Branch, announcement: Announcement, nowMs: number): void {
  branch.announcements.push(announcement)
  branch.flushMs ??= nowMs + branch.announceDelayMs
}

/** G4: says what is held to one link, as after link-up. */
export function announceTo(tree: Tree, link: LinkId, ids: Iterable<ShortId>, nowMs: number): void {
  const branch = tree.branches.get(link)
  if (branch === undefined) return
  for (const id of ids) announce(branch, { id, cost: tree.seen.get(id)?.cost ?? 0 }, nowMs)
}

/** G9: bounded in number, bytes and age. */
function remember(tree: Tree, item: Item, nowMs: number): void {
  if (tree.cache.has(item.id)) return
  tree.cache.set(item.id, { item, atMs: nowMs })
  tree.cacheBytes += item.size
  for (const [id, cached] of tree.cache) {
    const isFull = tree.cache.size > limits.itemCacheMax || tree.cacheBytes > limits.itemCacheBytesMax
    if (!isFull && nowMs - cached.atMs <= limits.itemCacheMs) break
    tree.cache.delete(id)
    tree.cacheBytes -= cached.item.size
  }
}

/** G5, G7: the other side has these. @param has whether an item is held here although it was never spread here */
export function receiveAnnouncements(
  tree: Tree,
  from: Announcer,
  announcements: readonly Announcement[],
  has: (id: ShortId) => boolean,
  nowMs: number,
  send: Send,
): void {
  for (const { id, cost } of announcements) {
    const seen = tree.seen.get(id)
    if (seen === undefined && !has(id)) {
      const dueMs = nowMs + Math.max(limits.graftDelayMs, from.answerMs)
      miss(tree, id, { ...from, cost, isOffer: false }, dueMs)
    } else if (seen !== undefined) {
      addHolder(seen, from.link)
      improve(tree, seen, from.link, cost, nowMs, send)
    }
  }
}

/** G8: what is offered is fetched at once from the first who offers it. */
export function receiveOffer(
  tree: Tree,
  from: Announcer,
  offer: Announcement,
  has: (id: ShortId) => boolean,
  nowMs: number,
): void {
  const seen = tree.seen.get(offer.id)
  if (seen !== undefined) addHolder(seen, from.link)
  else if (!has(offer.id)) miss(tree, offer.id, { ...from, cost: offer.cost, isOffer: true }, nowMs)
}

function miss(tree: Tree, id: ShortId, announcer: Missing['announcers'][number], dueMs: number): void {
  const missing = tree.missing.get(id)
  if (missing === undefined) {
    if (tree.missing.size >= limits.missingMax) return
    tree.missing.set(id, { announcers: [announcer], dueMs, tries: 0 })
    return
  }
  // Whoever answers soon is not held up by whoever takes long.
  if (missing.tries === 0) missing.dueMs = Math.min(missing.dueMs, dueMs)
  if (missing.announcers.length < limits.announcersMax) missing.announcers.push(announcer)
}

/** G7: "if the path via the announcer is shorter by the threshold, graft it and prune the parent" (§3.8). */
function improve(tree: Tree, seen: Seen, link: LinkId, cost: number, nowMs: number, send: Send): void {
  const branch = tree.branches.get(link)
  const parent = seen.parent === undefined ? undefined : tree.branches.get(seen.parent)
  if (branch === undefined || parent === undefined || seen.parent === undefined) return
  if (branch.mode === 'eager' || parent.mode === 'lazy' || nowMs < parent.settledMs) return
  if (branch.isSpare) return
  const isShorter = seen.cost - (cost + branch.cost) >= limits.treeThreshold
  if (!isShorter && !parent.isSpare) return
  branch.mode = 'eager'
  branch.settledMs = nowMs + limits.treeSettleMs
  send(link, { type: 'graft', id: undefined })
  pruneBranch(parent, seen.parent, nowMs, send)
}

/** G6: @param item what is asked for, if it is held */
export function receiveGraft(tree: Tree, link: LinkId, item: Item | undefined, send: Send): void {
  const branch = tree.branches.get(link)
  if (branch !== undefined) branch.mode = 'eager'
  if (item === undefined || item.size > limits.eagerBytesMax) return
  send(link, { type: 'item', item, cost: tree.seen.get(item.id)?.cost ?? 0 })
}

export function receivePrune(tree: Tree, link: LinkId): void {
  const branch = tree.branches.get(link)
  if (branch !== undefined) branch.mode = 'lazy'
}

/**
 * G5, G11: grafts and fetches that are due, and announcements and copies that have waited long enough.
 * @param isOutdone whether something newer says what the item says
 */
export function sendDue(tree: Tree, nowMs: number, isOutdone: (item: Item) => boolean, send: Send): void {
  for (const [id, missing] of tree.missing) if (missing.dueMs <= nowMs) ask(tree, id, missing, nowMs, send)
  for (const [link, branch] of tree.branches) {
    if (branch.waitingMs !== undefined && branch.waitingMs <= nowMs) {
      const items = branch.waiting.filter(
        (item) => !isOutdone(item) && tree.seen.get(item.id)?.holders.includes(link) !== true,
      )
      branch.waiting = []
      branch.waitingMs = undefined
      branch.companyMs = nowMs
      for (const item of items) send(link, { type: 'item', item, cost: tree.seen.get(item.id)?.cost ?? 0 })
    }
    if (branch.flushMs === undefined || branch.flushMs > nowMs) continue
    const fresh = branch.announcements.filter(({ id }) => tree.seen.get(id)?.holders.includes(link) !== true)
    branch.announcements = []
    branch.flushMs = undefined
    for (let i = 0; i < fresh.length; i += limits.announcementsMax) {
      send(link, { type: 'ihave', announcements: fresh.slice(i, i + limits.announcementsMax) })
    }
  }
}

function ask(tree: Tree, id: ShortId, missing: Missing, nowMs: number, send: Send): void {
  missing.announcers.sort((a, b) => a.cost - b.cost)
  const next = missing.announcers.shift()
  if (next === undefined || missing.tries >= limits.graftTriesMax) {
    tree.missing.delete(id)
    return
  }
  missing.tries += 1
  missing.dueMs = nowMs + Math.max(limits.graftRetryMs, next.answerMs)
  if (next.isOffer) return send(next.link, { type: 'fetch', id })
  const branch = tree.branches.get(next.link)
  if (branch !== undefined) branch.mode = 'eager'
  send(next.link, { type: 'graft', id })
}

/** @returns when `sendDue` has something to do, ms. */
export function nextTreeMs(tree: Tree): number | undefined {
  let next: number | undefined
  const consider = (ms: number | undefined) => {
    if (ms !== undefined && (next === undefined || ms < next)) next = ms
  }
  for (const { dueMs } of tree.missing.values()) consider(dueMs)
  for (const { flushMs, waitingMs } of tree.branches.values()) {
    consider(flushMs)
    consider(waitingMs)
  }
  return next
}
