/**
 * Who has what in rooms of many people: devices tell their own site which minutes of a room they hold as a whole, and
 * each site's primary gateway tells the others how many of its people do. Rules D8–D10 in PROTOCOL.md.
 *
 * Source: "one signed count per site" of the design page's "Message states". Deviation: a count is of everybody who
 * holds exactly the events of a stretch of time, named by one print, so that its size does not grow with messages or
 * authors, and whoever holds the same stretch knows which messages were meant. What differs is not counted.
 */
import { stampToMs, wallMs, type PlacedEvent } from '../clock.ts'
import { countHeld, type CountedRange } from '../delivery.ts'
import type { Effect, LinkId } from '../effects.ts'
import { feedAuthor, type FeedId, type PeerId, type RoomId } from '../ids.ts'
import { directRoom } from '../direct/sealed-body.ts'
import { limits } from '../limits.ts'
import { isRadio } from '../overlay/gateways.ts'
import { isLargeMesh } from '../overlay/sites.ts'
import { audienceOf } from '../presence.ts'
import { tallySigningBytes, type Tally, type TallyFields, type TallyStretch } from '../record.ts'
import { nextCounter, sign } from '../signing.ts'
import type { Engine } from '../state.ts'
import { printText, xor, type Print } from './held.ts'
import { isKept } from './carry.ts'

interface Minute {
  /** XOR of the first 8 bytes of the ids of all that was said in it, by its stamps. */
  print: Print
  changedMs: number
  /** The print that this device last told of, and how often: what goes one way only may get lost. */
  told: string
  times: number
  /** Somebody of the own site spoke in it. */
  isHere: boolean
  /** What this device said itself. */
  readonly own: { readonly feed: FeedId; readonly seq: number }[]
}

interface SiteTally {
  readonly counter: number
  readonly people: number
  readonly stretches: Map<string, TallyStretch>
}

interface RoomTally {
  /** By minutes since 1970. */
  readonly minutes: Map<number, Minute>
  /** Devices of the own site, and what each holds of a minute. */
  readonly devices: Map<PeerId, { counter: number; readonly prints: Map<number, string> }>
  readonly sites: Map<PeerId, SiteTally>
  /** What this device said for its site, by stretch. */
  readonly said: Map<string, string>
  /** When this device tells of itself, and of its site, again, ms. */
  nextOwnMs: number
  nextSiteMs: number
  /** Something came that may confirm own messages. */
  isStale: boolean
}

export type Tallies = Map<RoomId, RoomTally>

const minuteMs = 60_000

function roomTally(tallies: Tallies, room: RoomId): RoomTally {
  const known = tallies.get(room)
  if (known !== undefined) return known
  const fresh: RoomTally = {
    minutes: new Map(),
    devices: new Map(),
    sites: new Map(),
    said: new Map(),
    nextOwnMs: 0,
    nextSiteMs: 0,
    isStale: false,
  }
  tallies.set(room, fresh)
  return fresh
}

/** D8: something has become durable here. */
export function noteSaid(engine: Engine, event: PlacedEvent, nowMs: number): void {
  if (!isKept(engine, event.room)) return
  const tally = roomTally(engine.tallies, event.room)
  const at = Math.floor(stampToMs(event.hlc) / minuteMs)
  const known = tally.minutes.get(at)
  const fresh: Omit<Minute, 'changedMs' | 'isHere'> = { print: [0, 0], told: '', times: 0, own: [] }
  const { print, told, times, own } = known ?? fresh
  const bits: Print = [Number.parseInt(event.id.slice(0, 8), 16), Number.parseInt(event.id.slice(8, 16), 16)]
  const author = feedAuthor(event.feed)
  const isOwn = author === engine.self
  const isNear = isOwn || engine.presence.known.get(author)?.record.site === engine.sites.own
  const isHere = isNear || known?.isHere === true
  tally.minutes.set(at, { print: xor(print, bits), changedMs: nowMs, told, times, isHere, own })
  if (isOwn && own.length < limits.tallyOwnMax) own.push({ feed: event.feed, seq: event.seq })
  if (tally.minutes.size > limits.tallyMinutesMax) forgetFarthest(tally.minutes, wallMs(engine.clock, nowMs))
  tally.isStale = true
}

/** Of years ago, as history comes, or of years to come, as somebody's clock has it. */
function forgetFarthest(minutes: RoomTally['minutes'], atMs: number): void {
  const present = Math.floor(atMs / minuteMs)
  let farthest = present
  for (const minute of minutes.keys()) {
    if (Math.abs(minute - present) >= Math.abs(farthest - present)) farthest = minute
  }
  minutes.delete(farthest)
}

/** What was put there first goes. */
function shorten<K>(map: Map<K, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return
    map.delete(key)
  }
}

/** D3: receipts by name are for rooms of few; where the mesh is large, nobody knows how many an open room has. */
export function isLargeRoom(engine: Engine, room: RoomId, nowMs: number): boolean {
  const isOpen = engine.rooms.get(room)?.owner === undefined
  if (isOpen && isLargeMesh(engine.sites)) return true
  return audienceOf(engine.presence, room, nowMs).length > limits.receiptPeopleMax
}

/** D8, D9: what this device, and its site, has to tell now; what others told is held against what is held here. */
export function tellTallies(engine: Engine, nowMs: number, out: Effect[]): void {
  if (nowMs < engine.tallyAtMs) return
  engine.tallyAtMs = nowMs + limits.upkeepIntervalMs
  for (const [room, tally] of engine.tallies) {
    if (!isKept(engine, room)) {
      engine.tallies.delete(room)
      continue
    }
    if (tally.isStale) recount(engine, room, tally)
    const own = nowMs < tally.nextOwnMs || !isReader(engine, room) ? [] : ownStretches(engine, tally, nowMs)
    const isSpeaker = engine.gateways.role === 'primary' && engine.sites.own !== undefined
    const level = tallyLevel(engine.sites.words.size)
    const site =
      isSpeaker && nowMs >= tally.nextSiteMs ? siteStretches(engine, room, tally, level, nowMs) : []
    if (own.length + site.length === 0 || room === directRoom || !isLargeRoom(engine, room, nowMs)) continue
    if (own.length > 0) {
      tally.nextOwnMs = nowMs + limits.tallyIntervalMs
      for (const { minute, print } of own) {
        const known = tally.minutes.get(minute)
        if (known === undefined) continue
        known.times = known.told === print ? known.times + 1 : 1
        known.told = print
      }
      say(engine, { room, site: undefined, people: 1, stretches: own }, nowMs, out)
    }
    if (site.length > 0) {
      tally.nextSiteMs = nowMs + limits.tallyIntervalMs * 2 ** level
      for (const stretch of site) tally.said.set(keyOf(stretch), valueOf(stretch))
      shorten(tally.said, limits.tallyMinutesMax)
      const people = peopleHere(engine, room).size
      say(engine, { room, site: engine.sites.own, people, stretches: site }, nowMs, out)
    }
  }
}

function say(
  engine: Engine,
  said: Pick<TallyFields, 'room' | 'site' | 'people' | 'stretches'>,
  nowMs: number,
  out: Effect[],
): void {
  const fields = { ...said, signer: engine.self, counter: nextCounter(engine, nowMs) }
  sign(engine, { type: 'tally', fields }, tallySigningBytes(fields), out)
}

function isReader({ rooms, presence: { own } }: Engine, room: RoomId): boolean {
  return rooms.has(room) && !own.box && own.name !== ''
}

/** D9: stretches grow with the number of sites, so that a radio link's share stays what it is. */
export function tallyLevel(sites: number): number {
  const perMinute = (limits.tallyBytesPerSecond * limits.tallyIntervalMs) / 1_000
  const level = Math.ceil(Math.log2(Math.max(1, (sites * limits.tallyBytes) / perMinute)))
  return Math.min(limits.tallyLevelMax, level)
}

/** D8: minutes that have settled since they were last told of, the newest first. Not all devices at once. */
function ownStretches(engine: Engine, { minutes }: RoomTally, nowMs: number): TallyStretch[] {
  const shareMs = (Number.parseInt(engine.presence.hint.slice(0, 4), 16) / 0x1_0000) * limits.tallySettleMs
  return [...minutes]
    .filter(([, { changedMs }]) => nowMs - changedMs >= limits.tallySettleMs + shareMs)
    .map(([minute, { print }]) => ({ minute, level: 0, print: printText(print), readers: 1 }))
    .filter(({ minute, print }) => {
      const known = minutes.get(minute)
      return known?.told !== print || known.times < limits.tallyTimes
    })
    .sort((a, b) => b.minute - a.minute)
    .slice(0, limits.tallyStretchesMax)
}

/** D9: stretches of which another number of people is known to hold all, the newest first. */
function siteStretches(
  engine: Engine,
  room: RoomId,
  tally: RoomTally,
  level: number,
  nowMs: number,
): TallyStretch[] {
  const span = 2 ** level
  const starts = new Set([...tally.minutes.keys()].map((minute) => minute - (minute % span)))
  const here = peopleHere(engine, room)
  const stretches: TallyStretch[] = []
  for (const start of starts) {
    const held = within(tally.minutes, start, level)
    const isSettled = held.every(([, { changedMs }]) => nowMs - changedMs >= 3 * limits.tallySettleMs)
    if (!isSettled) continue
    let readers = 0
    for (const peer of here) {
      const prints = tally.devices.get(peer)?.prints
      const isWhole = held.every(([minute, { print }]) => prints?.get(minute) === printText(print))
      if (peer === engine.self || isWhole) readers += 1
    }
    const stretch = { minute: start, level, print: printOf(held), readers }
    if (readers > 0 && tally.said.get(keyOf(stretch)) !== valueOf(stretch)) stretches.push(stretch)
  }
  return stretches.sort((a, b) => b.minute - a.minute).slice(0, limits.tallyStretchesMax)
}

function within(minutes: RoomTally['minutes'], start: number, level: number): [number, Minute][] {
  return [...minutes].filter(([minute]) => minute >= start && minute < start + 2 ** level)
}

function printOf(held: readonly (readonly [number, Minute])[]): string {
  return printText(held.reduce<Print>((sum, [, { print }]) => xor(sum, print), [0, 0]))
}

/** People of the own site who have the room. */
function peopleHere(engine: Engine, room: RoomId): Set<PeerId> {
  const here = new Set(isReader(engine, room) ? [engine.self] : [])
  for (const { record } of engine.presence.known.values()) {
    if (!record.box && record.site === engine.sites.own && record.rooms.includes(room)) here.add(record.peer)
  }
  return here
}

function keyOf({ minute, level }: TallyStretch): string {
  return `${minute}/${level}`
}

function valueOf({ print, readers }: TallyStretch): string {
  return `${print} ${readers}`
}

/** @returns whether it is news, to be passed on. */
export function acceptTally(engine: Engine, tally: Tally): boolean {
  const there = roomTally(engine.tallies, tally.room)
  const { site, signer, counter } = tally
  if (site === undefined) {
    const known = there.devices.get(signer)
    if (known !== undefined && known.counter >= counter) return false
    // Anybody can make keys: only people of the site are counted, and remembered.
    if (known === undefined && !peopleHere(engine, tally.room).has(signer)) return false
    const device = known ?? { counter, prints: new Map<number, string>() }
    device.counter = counter
    for (const { minute, print } of [...tally.stretches].reverse()) {
      device.prints.delete(minute)
      device.prints.set(minute, print)
    }
    shorten(device.prints, limits.tallyMinutesMax)
    there.devices.set(signer, device)
  } else {
    // Who knows the site's word knows who may speak for it.
    const word = engine.sites.words.get(site)
    if (word !== undefined && word.primary !== signer) return false
    const known = there.sites.get(site)
    if (known !== undefined && known.counter >= counter) return false
    if (known === undefined && there.sites.size >= limits.sitesMax) return false
    const stretches = known?.stretches ?? new Map<string, TallyStretch>()
    for (const stretch of [...tally.stretches].reverse()) {
      stretches.delete(keyOf(stretch))
      stretches.set(keyOf(stretch), stretch)
    }
    shorten(stretches, limits.tallyStretchesMax)
    there.sites.set(site, { counter, people: tally.people, stretches })
    if (site === engine.sites.own) engine.recordCounter = Math.max(engine.recordCounter, counter)
  }
  there.isStale = true
  return true
}

/** D10: what others say of stretches of time that are the same here confirms what this device said in them. */
function recount(engine: Engine, room: RoomId, tally: RoomTally): void {
  tally.isStale = false
  const said = [...tally.minutes].filter(([, { own }]) => own.length > 0)
  if (said.length === 0) return
  for (const [site, { people, stretches }] of tally.sites) {
    // Of the own site this device is one.
    const self = site === engine.sites.own && isReader(engine, room) ? 1 : 0
    const others = Math.max(0, people - self - namedAt(engine, room, site))
    for (const stretch of stretches.values()) {
      const held = within(tally.minutes, stretch.minute, stretch.level)
      const own = held.flatMap(([, minute]) => minute.own)
      if (own.length === 0 || printOf(held) !== stretch.print || stretch.readers <= self) continue
      confirm(engine, room, { by: site, own, readers: stretch.readers - self, others })
    }
  }
}

/** D9: inside a site a count is for those of it who spoke in one of its stretches. */
export function concernsSite(engine: Engine, { room, stretches }: Tally): boolean {
  const minutes = engine.tallies.get(room)?.minutes
  if (minutes === undefined) return false
  return stretches.some(({ minute, level }) =>
    within(minutes, minute, level).some(([, { isHere }]) => isHere),
  )
}

/**
 * D8: the way to who speaks for this site: its link, or whence news of it came.
 * @param from the link that the tally came over
 */
export function towardsSpeaker(engine: Engine, from: LinkId | undefined): LinkId | undefined {
  const { overlay, presence, sites, tree } = engine
  const primary = sites.own === undefined ? undefined : sites.words.get(sites.own)?.primary
  if (primary === undefined || primary === engine.self) return undefined
  const direct = overlay.linksByPeer.get(primary)?.id
  const learned = presence.known.get(primary)?.via
  const inside = [...overlay.links.values()].filter((link) => !isRadio(link, sites.own)).map(({ id }) => id)
  const eager = inside.filter((id) => tree.branches.get(id)?.mode === 'eager')
  return [direct, learned, ...eager, ...inside].find(
    (id) => id !== undefined && id !== from && inside.includes(id),
  )
}

function confirm(
  engine: Engine,
  room: RoomId,
  count: {
    readonly by: PeerId
    readonly own: Minute['own']
    readonly readers: number
    /** People of the site whose names are not known here. */
    readonly others: number
  },
): void {
  const { by, own, readers, others } = count
  for (const feed of new Set(own.map((one) => one.feed))) {
    const ranges = own
      .filter((one) => one.feed === feed)
      .map(({ seq }): CountedRange => ({ first: seq, last: seq, readers }))
    const changed = countHeld(engine.delivery, { room, by, feed, others, ranges })
    if (changed === undefined) continue
    engine.journal.counts.set(`${room} ${by} ${feed}`, changed)
    engine.changedHolders.add(room)
  }
}

function namedAt(engine: Engine, room: RoomId, site: PeerId): number {
  let count = 0
  for (const { record } of engine.presence.known.values()) {
    if (!record.box && record.site === site && record.rooms.includes(room)) count += 1
  }
  return count
}
