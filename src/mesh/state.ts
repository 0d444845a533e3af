/**
 * Everything that one engine knows, and how it begins. Each part is made and changed by its own file; this one only
 * says which there are.
 */
import { shelve } from './broadcast.ts'
import { createClock, witnessStamp, type Clock } from './clock.ts'
import { createDelivery, isConfirmed, noteDurable, type Delivery } from './delivery.ts'
import {
  assert,
  type Input,
  type LinkId,
  type Retention,
  type RoomRecord,
  type StoredState,
} from './effects.ts'
import { itemOf } from './gossip/item.ts'
import type { Quota } from './gossip/quota.ts'
import { createShelf, type Shelf } from './gossip/shelf.ts'
import { createTree, type Tree } from './gossip/tree.ts'
import { feedAuthor, feedIdFrom, isDerived, type FeedId, type PeerId, type RoomId } from './ids.ts'
import { createJournal, type Journal } from './journal.ts'
import { limits } from './limits.ts'
import { createLog } from './log.ts'
import type { Log } from './sync/held.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import { createGateways, type Gateways } from './overlay/gateways.ts'
import { createOverlay, type Overlay } from './overlay/links.ts'
import { createMembership, type Membership } from './overlay/membership.ts'
import { createSignalling, type Signalling } from './overlay/signalling.ts'
import { createSites, type Sites } from './overlay/sites.ts'
import { createPresence, type PresenceState } from './presence.ts'
import { roleIn } from './sync/carry.ts'
import { keepAll } from './sync/retention.ts'
import type { Signing } from './signing.ts'
import type { Finding } from './sync/forks.ts'
import type { Load } from './sync/loose.ts'
import type { Tallies } from './sync/tally.ts'
import { createReadMarks, type ReadMarks } from './timeline/read-marks.ts'
import { createReconcile, type Reconcile } from './sync/reconcile.ts'

export interface Engine {
  readonly self: PeerId
  /** What this device writes to; another one from a fork on. */
  feed: FeedId
  /** 32 bits of chance. */
  readonly seed: number
  readonly rooms: Map<RoomId, RoomRecord>
  /** N6: rooms of others that are kept here too. */
  readonly carried: Set<RoomId>
  /** D8, D9: who holds which minutes of which room, and when that is looked at next, ms. */
  readonly tallies: Tallies
  readonly readMarks: ReadMarks
  tallyAtMs: number
  /** N6: carried rooms that nobody known is in, and who named them. */
  readonly unproven: Map<RoomId, { readonly by: PeerId; readonly sinceMs: number }>
  retention: Retention
  /** N5: what is carried for others, and all together, takes as much as it may. */
  isCarryFull: boolean
  isFull: boolean
  /** N6: other rooms are kept than neighbours have been told. */
  areRoomsStale: boolean
  /** N4: feeds that cannot lose their beginning, with the number that it has. */
  readonly lasting: Map<string, number>
  /** When is looked next for what has become too old or too much, ms. */
  retentionAtMs: number
  readonly clock: Clock
  readonly log: Log
  readonly journal: Journal
  readonly outbox: Outbox
  readonly delivery: Delivery
  readonly presence: PresenceState
  readonly overlay: Overlay
  readonly membership: Membership
  readonly sites: Sites
  readonly gateways: Gateways
  readonly tree: Tree
  /** G13 */
  readonly quota: Quota
  /** P10: when this device said last that its person writes, ms. */
  typedMs: number
  readonly shelf: Shelf
  readonly reconcile: Reconcile
  readonly signalling: Signalling
  readonly signing: Map<number, Signing>
  readonly loads: Map<number, Load>
  /** Forks that are found and wait until nothing of their feed is being written. */
  findings: Finding[]
  /** A feed may have ended without a second version that is held. */
  mayRejoin: boolean
  /** Names of the helpers that answer now, by address. */
  readonly nodes: Map<string, string>
  lastToken: number
  /** The largest counter of an own record that anybody has, also of a life that this device forgot. */
  recordCounter: number
  tickAtMs: number
  /** When the list of people is shown anew and what did not come is asked for again, ms. */
  reviewAtMs: number
  upkeepAtMs: number
  isUpkeepDue: boolean
  lastUpkeepMs: number
  /** When a lane has something to repeat, ms. */
  laneAtMs: number
  /** Something that the list of people shows may have changed. */
  isPeopleStale: boolean
  /** 1, or more when this device's own timers run late: then others are given more time. */
  patience: number
  /** Who of the own site can be dialled now, and who may be dialled elsewhere; made anew when stale. */
  readonly near: Set<PeerId>
  readonly listed: Map<PeerId, PeerId[]>
  isNearStale: boolean
  /** The site's word says less than is true; it is being signed; another one speaks for the site too. */
  isWordStale: boolean
  isWordPending: boolean
  isRivalled: boolean
  lastWordKey: string
  standby: PeerId | undefined
  /** Asked whether it still lives, and not answered yet. */
  probed: PeerId | undefined
  nextProbeMs: number
  /** P4: peers of the own site whose socket is gone, since when, and when that is said aloud, ms. */
  readonly doubted: Map<PeerId, { readonly sinceMs: number; readonly dueMs: number }>
  nextTrimMs: number
  nextNearMs: number
  /** What was known of sites, this device's role, and its links between sites, when spare links were last told from others. */
  branchesMadeFor: { readonly cache: Sites['cache']; readonly role: Gateways['role']; readonly links: string }
  /** Links with something on their lane. */
  readonly busyLanes: Set<LinkId>
  /** Whether anybody looks at the list of people. */
  readonly isWatched: boolean
  /** What is stored does not outlast the process: nothing is confirmed. */
  readonly isForgetful: boolean
  /** When collected changes are announced and confirmed, ms; undefined while there are none. */
  tellAtMs: number | undefined
  /** Events fetched and not told to others yet, by room. */
  readonly fetched: Map<RoomId, number>
  /** Links that have become more than spare ones: both sides compare what they hold. */
  readonly promoted: Set<LinkId>
  /** Something may be missing that a linked peer has. */
  mayAsk: boolean
  readonly changedHolders: Set<RoomId>
  /** M11: rooms whose names were asked for, since when, ms. */
  readonly asked: Map<RoomId, number>
  lastPeople: string
  lastMissing: number
  lastLinks: string
}

const nothingStale = {
  isCarryFull: false,
  isFull: false,
  areRoomsStale: false,
  isNearStale: false,
  isWordStale: false,
  isWordPending: false,
  isRivalled: false,
}
const nothingShown = { lastWordKey: '', lastPeople: '', lastMissing: 0, lastLinks: '' }

/** What other files make. */
function createParts({ self, stored, box, seed }: Extract<Input, { type: 'start' }>, nowMs: number) {
  return {
    clock: createClock(),
    log: createLog(stored.feeds),
    journal: createJournal(),
    outbox: createOutbox(),
    readMarks: createReadMarks(stored.readMarks),
    delivery: createDelivery(stored.receipts, stored.counts),
    presence: createPresence(stored.presences, self, { name: stored.name, box: box === true }),
    overlay: createOverlay(self, box === true),
    membership: createMembership(seed, nowMs),
    sites: createSites(),
    gateways: createGateways(),
    tree: createTree(),
    quota: new Map(),
    typedMs: Number.NEGATIVE_INFINITY,
    shelf: createShelf(),
    reconcile: createReconcile(),
    signalling: createSignalling(self),
  }
}

/** @param input the first input of every engine; later ones go to `handle` */
export function createEngine(input: Extract<Input, { type: 'start' }>, nowMs: number): Engine {
  const { self, stored, incarnation } = input
  const engine: Engine = {
    self,
    feed: feedIdFrom(self, incarnation),
    seed: input.seed,
    rooms: new Map(stored.rooms.map((record) => [record.room, record])),
    carried: new Set(),
    tallies: new Map(),
    tallyAtMs: nowMs + limits.upkeepIntervalMs,
    unproven: new Map(),
    lasting: new Map(),
    retention: keepAll,
    retentionAtMs: nowMs + limits.upkeepIntervalMs,
    ...createParts(input, nowMs),
    signing: new Map(),
    loads: new Map(),
    findings: [],
    mayRejoin: true,
    nodes: new Map(),
    lastToken: 0,
    recordCounter: Math.max(
      0,
      ...[...stored.receipts, ...stored.readMarks].map((r) => (r.device === self ? r.counter : 0)),
    ),
    tickAtMs: Number.POSITIVE_INFINITY,
    reviewAtMs: nowMs,
    upkeepAtMs: nowMs,
    isUpkeepDue: false,
    lastUpkeepMs: Number.NEGATIVE_INFINITY,
    laneAtMs: Number.POSITIVE_INFINITY,
    isPeopleStale: true,
    patience: 1,
    near: new Set(),
    listed: new Map(),
    ...nothingStale,
    ...nothingShown,
    standby: undefined,
    probed: undefined,
    nextProbeMs: nowMs + limits.probeIntervalMs,
    doubted: new Map(),
    nextTrimMs: nowMs + limits.trimIntervalMs,
    nextNearMs: Number.NEGATIVE_INFINITY,
    branchesMadeFor: { cache: {}, role: 'none', links: '' },
    busyLanes: new Set(),
    isWatched: input.isWatched ?? input.box !== true,
    isForgetful: input.isForgetful === true,
    tellAtMs: undefined,
    fetched: new Map(),
    promoted: new Set(),
    mayAsk: false,
    changedHolders: new Set(),
    asked: new Map(),
  }
  assert(!isDerived(engine.feed), 'an incarnation looks like a branch')
  remember(engine, stored, nowMs)
  return engine
}

/** What the store has kept: records to tell others of, clocks, and what is still to be confirmed. */
function remember(engine: Engine, stored: StoredState, nowMs: number): void {
  const { self } = engine
  for (const { record } of engine.presence.known.values())
    shelve(engine, itemOf({ type: 'presence', record }))
  for (const record of engine.delivery.uses.keys()) shelve(engine, itemOf({ type: 'receipt', record }))
  for (const record of stored.readMarks) shelve(engine, itemOf({ type: 'read-mark', record }))
  for (const record of stored.feeds) {
    witnessStamp(engine.clock, record.newest, nowMs)
    if (
      feedAuthor(record.feed) === self ||
      isConfirmed(engine.delivery, self, roleIn(engine, record.room), record)
    )
      continue
    noteDurable(engine.delivery, record.room, record.feed)
  }
}
