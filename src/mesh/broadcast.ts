/**
 * What happens to an item: where it may go, what a new one changes here, what an old one is answered with. Puts the
 * tree, the log, presence, delivery and the sites together per item; decides nothing that one of them decides.
 */
import { bytesEqual } from './bytes.ts'
import { presentMs, stampFromMs } from './clock.ts'
import { acceptReceipt, newerReceipts, noteDurable } from './delivery.ts'
import { unreachable, type Effect, type LinkId } from './effects.ts'
import type { Run } from './event.ts'
import { isKept } from './sync/carry.ts'
import type { Engine } from './state.ts'
import { isUrgent, itemOf, itemRoom, type Item, type ShortId } from './gossip/item.ts'
import { answerWithinMs, enqueueNote, repeatWhole } from './gossip/lane.ts'
import type { Note } from './gossip/note.ts'
import { isAdmitted } from './gossip/admission.ts'
import { dropRecord, putRecord } from './gossip/shelf.ts'
import {
  acceptItem,
  costThrough,
  receiveAnnouncements,
  receiveGraft,
  receiveOffer,
  receivePrune,
  sendDue,
  spreadItem,
} from './gossip/tree.ts'
import { bytesToHex, feedAuthor, type PeerId } from './ids.ts'
import { limits } from './limits.ts'
import { isPairLink, isRadio } from './overlay/gateways.ts'
import { hasFailedDial, retryDial, type Link } from './overlay/links.ts'
import { hearTyping } from './overlay/typing.ts'
import { acceptWord, isLargeMesh, isRoomWanted, reachableSites } from './overlay/sites.ts'
import type { SiteWord } from './overlay/site-word.ts'
import { acceptPresence, hear, hearSuspicion } from './presence.ts'
import { takeRun } from './sync/forks.ts'
import { acceptTally, concernsSite, towardsSpeaker } from './sync/tally.ts'
import { acceptMark, type ReadMark } from './timeline/read-marks.ts'
import type { Presence, Receipt, Tally } from './record.ts'

export function noteTo(engine: Engine, id: LinkId, note: Note): void {
  const link = engine.overlay.links.get(id)
  if (link === undefined || link.closingSinceMs !== undefined) return
  enqueueNote(link.lane, isStrangeTo(link, note) ? { ...note, isWhole: true } : note)
  engine.busyLanes.add(id)
}

/** A8: who does not have the room could complete nothing of it. */
function isStrangeTo(link: Link, note: Note): note is Extract<Note, { type: 'item' }> {
  const room = note.type === 'item' ? itemRoom(note.item) : undefined
  return room !== undefined && !link.rooms.has(room)
}

/** G4: between sites only what somebody there wants, and names only while they are few. */
export function mayCarry(engine: Engine, link: Link, item: Item): boolean {
  const { sites } = engine
  if (link.purpose === undefined) return false
  const { content } = item
  const room = itemRoom(item)
  if (!isRadio(link, sites.own)) return mayCarryInside(engine, link, item)
  if (content.type === 'suspicion') return false
  // D8: what a device tells of itself is for its site.
  if (content.type === 'tally' && content.record.site === undefined) return false
  if (content.type === 'presence') return !isLargeMesh(sites)
  // D11
  if (content.type === 'read-mark' && isLargeMesh(sites)) return false
  if (room === undefined || link.rooms.has(room) || link.site === undefined) return true
  return isRoomWanted(sites, link.site, room)
}

/** X7: in a large mesh other sites' words concern only the two that speak for this one. */
function mayCarryInside(engine: Engine, link: Link, item: Item): boolean {
  const { sites } = engine
  const { content } = item
  const isOfRoom = content.type === 'receipt' || content.type === 'tally' || content.type === 'read-mark'
  if (isOfRoom && !link.rooms.has(content.record.room)) return false
  // D9
  if (content.type === 'tally' && content.record.site !== undefined)
    return isPairLink(engine, link) || concernsSite(engine, content.record)
  if (isOfRoom) return true
  if (content.type !== 'site' || content.record.site === sites.own) return true
  return !isLargeMesh(sites) || isPairLink(engine, link)
}

/** What says something about events goes in company over the radio (G11). */
const patient: ReadonlySet<string> = new Set(['receipt', 'tally', 'read-mark'])

/** Something of this device's own, or something that came over a reliable lane and is news. */
export function spread(engine: Engine, item: Item, nowMs: number): void {
  const { overlay, tree, sites } = engine
  const speaker = isOfDevice(item) ? towardsSpeaker(engine, tree.seen.get(item.id)?.parent) : undefined
  const wayOf = (id: LinkId) => {
    const link = overlay.links.get(id)
    if (link === undefined || !mayCarry(engine, link, item)) return 'none'
    if (isRadio(link, sites.own)) return patient.has(item.content.type) ? 'in-company' : 'now'
    if (isOfDevice(item)) return id === speaker ? 'at-once' : 'none'
    return isOfOwnSite(engine, item) ? 'at-once' : 'now'
  }
  spreadItem(tree, item, wayOf, nowMs, (link, note) => noteTo(engine, link, note))
}

/** R17: what was said just now and comes into the site as history, since the tree was broken, goes on as if it were whole. */
export function spreadInside(engine: Engine, from: Link, run: Run, nowMs: number): void {
  const { overlay, tree, sites, clock } = engine
  const newest = run.events.at(-1)?.hlc ?? 0
  if (newest < stampFromMs(presentMs(clock, nowMs) - limits.recentMs)) return
  const item = itemOf({ type: 'run', run })
  if (tree.seen.has(item.id)) return
  tree.seen.set(item.id, {
    atMs: nowMs,
    cost: costThrough(tree, from.id, 0),
    parent: from.id,
    holders: [from.id],
  })
  const wayOf = (id: LinkId) => {
    const link = overlay.links.get(id)
    return link === undefined || isRadio(link, sites.own) || !mayCarry(engine, link, item) ? 'none' : 'now'
  }
  spreadItem(tree, item, wayOf, nowMs, (link, note) => noteTo(engine, link, note))
}

/** D8 */
function isOfDevice({ content }: Item): boolean {
  return content.type === 'tally' && content.record.site === undefined
}

/** G12 */
function isOfOwnSite(engine: Engine, item: Item): boolean {
  const { content } = item
  return isUrgent(item) && (content.type !== 'site' || content.record.site === engine.sites.own)
}

/** G11: a receipt that a later one of the same device for the same feeds has replaced. */
function isOutdone(engine: Engine, item: Item): boolean {
  const { content } = item
  if (content.type !== 'receipt' || !isKept(engine, content.record.room)) return false
  return !engine.delivery.uses.has(content.record)
}

export function spreadDue(engine: Engine, nowMs: number): void {
  const isOld = (item: Item) => isOutdone(engine, item)
  sendDue(engine.tree, nowMs, isOld, (link, note) => noteTo(engine, link, note))
}

export function receiveNote(engine: Engine, link: Link, note: Note, nowMs: number, out: Effect[]): void {
  const { tree } = engine
  const send = (id: LinkId, answer: Note) => noteTo(engine, id, answer)
  const has = (id: ShortId) => hasItem(engine, id)
  const from = { link: link.id, answerMs: answerWithinMs(link.lane) }
  switch (note.type) {
    case 'item': {
      const isNew = acceptItem(tree, note.item, link.id, note.cost, nowMs, send)
      if (!isNew) return
      if (takeItem(engine, link, note.item, nowMs, out)) spread(engine, note.item, nowMs)
      return
    }
    case 'ihave':
      return receiveAnnouncements(tree, from, note.announcements, has, nowMs, send)
    case 'offer':
      return receiveOffer(tree, from, note, has, nowMs)
    case 'graft':
      return receiveGraft(tree, link.id, note.id === undefined ? undefined : findItem(engine, note.id), send)
    case 'fetch': {
      const item = findItem(engine, note.id)
      if (item !== undefined)
        out.push({ type: 'send', link: link.id, frame: { type: 'items', items: [item] } })
      return
    }
    case 'prune':
      return receivePrune(tree, link.id)
    case 'unclear':
      repeatWhole(link.lane, note.seq)
      engine.busyLanes.add(link.id)
      return
    case 'typing':
      return hearTyping(engine, link, note.room, nowMs, out)
    case 'short':
      // Completed before it gets here, or its packet was unclear.
      return
    default:
      unreachable(note)
  }
}

/** An item that came over a reliable lane: fetched, or told beside something else. */
export function receiveItem(engine: Engine, link: Link, item: Item, nowMs: number, out: Effect[]): void {
  const { tree } = engine
  if (tree.seen.has(item.id)) return
  const cost = costThrough(tree, link.id, 0)
  tree.missing.delete(item.id)
  const isTaken = takeItem(engine, link, item, nowMs, out)
  // What is over its author's quota is not fetched again from the next one who offers it.
  if (!isTaken && item.content.type !== 'run') return
  tree.seen.set(item.id, { atMs: nowMs, cost, parent: link.id, holders: [link.id] })
  if (isTaken) spread(engine, item, nowMs)
}

function findItem(engine: Engine, id: ShortId): Item | undefined {
  return engine.tree.cache.get(id)?.item ?? engine.shelf.byId.get(id)
}

function hasItem(engine: Engine, id: ShortId): boolean {
  return findItem(engine, id) !== undefined
}

/** @returns whether the item is to go on from here. */
function takeItem(engine: Engine, link: Link, item: Item, nowMs: number, out: Effect[]): boolean {
  const { content } = item
  switch (content.type) {
    case 'run': {
      learnWay(engine, feedAuthor(content.run.feed), link.id)
      // G13: what is over it comes by comparing.
      if (!isAdmitted(engine, content.run, nowMs)) return false
      takeRun(engine, content.run, { link: link.id }, nowMs, out)
      return true
    }
    case 'presence':
      return takePresence(engine, link, item, content.record, nowMs)
    case 'receipt':
      return takeReceipt(engine, link, item, content.record)
    case 'site':
      return takeSiteWord(engine, link, item, content.record, nowMs)
    case 'tally':
      return takeTally(engine, item, content.record)
    case 'read-mark':
      return takeReadMark(engine, item, content.record)
    case 'suspicion':
      return takeSuspicion(engine, content.peer, content.counter, nowMs)
    default:
      return unreachable(content)
  }
}

/** Whence news of somebody comes first, there is the way to them (learning bridges, IEEE 802.1D §7.8). */
function learnWay(engine: Engine, peer: PeerId, link: LinkId): void {
  const known = engine.presence.known.get(peer)
  if (known !== undefined) known.via = link
}

function takePresence(engine: Engine, link: Link, item: Item, record: Presence, nowMs: number): boolean {
  const { presence } = engine
  if (record.peer === engine.self) {
    // P1: an earlier life of this device is still being told; say the present again, later than that.
    const { current, farewell } = presence.own
    const isOurs = [current, farewell].some((own) => own && bytesEqual(own.signature, record.signature))
    if (isOurs || record.counter < (current?.counter ?? 0)) return false
    engine.recordCounter = Math.max(engine.recordCounter, record.counter)
    presence.own.stale = true
    return false
  }
  const { isNews, forgotten } = acceptPresence(presence, record, link.id, nowMs)
  if (!isNews) {
    const known = engine.shelf.items.get(`presence ${record.peer}`)
    if (known !== undefined && record.peer === link.peer)
      noteTo(engine, link.id, { type: 'item', item: known, cost: 0 })
    return false
  }
  if (forgotten !== undefined) dropRecord(engine.shelf, 'presence', `presence ${forgotten}`)
  shelve(engine, item)
  engine.journal.presences.push(record)
  engine.isPeopleStale = true
  engine.isNearStale = true
  return true
}

/** Puts a record where grafts are answered from and digests are made of. */
export function shelve(engine: Engine, item: Item): Item {
  const { shelf } = engine
  const { content } = item
  switch (content.type) {
    case 'presence':
      return putRecord(shelf, 'presence', `presence ${content.record.peer}`, item)
    case 'site':
      return putRecord(shelf, 'site', `site ${content.record.site}`, item)
    case 'receipt':
      return putRecord(shelf, receiptScope(content.record), receiptKey(content.record), item)
    case 'read-mark': {
      const { room, device } = content.record
      return putRecord(shelf, `receipt ${room}`, `read-mark ${room} ${device}`, item)
    }
    case 'tally': {
      const { room, site } = content.record
      // A device's own is told again when something changes.
      return site === undefined ? item : putRecord(shelf, `tally ${room}`, `tally ${room} ${site}`, item)
    }
    case 'run':
    case 'suspicion':
      // Events are kept by the log, suspicions by nobody.
      return item
    default:
      return unreachable(content)
  }
}

export function receiptScope(receipt: Receipt): string {
  return `receipt ${receipt.room}`
}

function receiptKey(receipt: Receipt): string {
  // Two with one counter, of two lives of the device, may both be the newest for some feed.
  const which = bytesToHex(receipt.signature.subarray(0, 8))
  return `receipt ${receipt.room} ${receipt.device} ${receipt.counter} ${which}`
}

function takeReceipt(engine: Engine, link: Link, item: Item, receipt: Receipt): boolean {
  if (!isKept(engine, receipt.room)) return true
  if (receipt.device === engine.self) {
    learnOwnReceipt(engine, receipt)
    return false
  }
  const newer = receipt.device === link.peer ? newerReceipts(engine.delivery, receipt) : []
  for (const record of newer)
    noteTo(engine, link.id, { type: 'item', item: itemOf({ type: 'receipt', record }), cost: 0 })
  if (!keepReceipt(engine, item, receipt)) return false
  if (receipt.entries.some((entry) => feedAuthor(entry.feed) === engine.self)) {
    engine.changedHolders.add(receipt.room)
  }
  engine.journal.receipts.push(receipt)
  return true
}

/** @returns whether it is news. */
export function keepReceipt(engine: Engine, item: Item, receipt: Receipt): boolean {
  const { isNews, outdone } = acceptReceipt(engine.delivery, receipt)
  for (const old of outdone) dropRecord(engine.shelf, receiptScope(old), receiptKey(old))
  if (isNews && engine.delivery.uses.has(receipt)) shelve(engine, item)
  return isNews
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

function takeSiteWord(engine: Engine, link: Link, item: Item, word: SiteWord, nowMs: number): boolean {
  const { sites, gateways } = engine
  const known = sites.words.get(word.site)
  // O4: what failed while its site was out of reach may go now, once.
  const hasFailed = hasFailedDial(engine.overlay, word.primary)
  const wasReached = hasFailed && reachableSites(sites).has(word.site)
  if (!acceptWord(sites, word)) return false
  if (word.site === sites.own) learnWay(engine, word.primary, link.id)
  if (hasFailed && !wasReached && reachableSites(sites).has(word.site)) {
    retryDial(engine.overlay, word.primary, nowMs)
  }
  shelve(engine, item)
  const isRival = word.site === sites.own && word.primary !== engine.self && gateways.role === 'primary'
  // A word of this device's earlier life is outdone as soon as the role is looked at.
  if (isRival || (word.primary === engine.self && known?.primary !== engine.self)) engine.isRivalled = true
  engine.recordCounter =
    word.primary === engine.self ? Math.max(engine.recordCounter, word.counter) : engine.recordCounter
  engine.isUpkeepDue ||= engine.gateways.role !== 'none' || word.site === sites.own
  engine.isPeopleStale = true
  return true
}

/** D11 */
function takeReadMark(engine: Engine, item: Item, mark: ReadMark): boolean {
  if (!isKept(engine, mark.room)) return true
  if (mark.device === engine.self) engine.recordCounter = Math.max(engine.recordCounter, mark.counter)
  if (!acceptMark(engine.readMarks, mark)) return false
  shelve(engine, item)
  engine.journal.readMarks.push(mark)
  return true
}

/** D8, D9 */
function takeTally(engine: Engine, item: Item, tally: Tally): boolean {
  if (!isKept(engine, tally.room)) return true
  if (tally.signer === engine.self) {
    engine.recordCounter = Math.max(engine.recordCounter, tally.counter)
    return false
  }
  if (!acceptTally(engine, tally)) return false
  shelve(engine, item)
  return true
}

function takeSuspicion(engine: Engine, peer: PeerId, counter: number, nowMs: number): boolean {
  const { own } = engine.presence
  if (peer !== engine.self)
    return hearSuspicion(engine.presence, peer, counter, nowMs) && notLinked(engine, peer)
  if (own.current === undefined || counter < own.current.counter) return true
  // P4: still here; a later record says so.
  own.stale = true
  return true
}

/** Somebody with a link to the suspected knows better, but only its own later word ends the suspicion elsewhere. */
function notLinked(engine: Engine, peer: PeerId): boolean {
  if (engine.overlay.linksByPeer.has(peer)) hear(engine.presence, peer)
  return true
}
