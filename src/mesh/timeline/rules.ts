/**
 * What holds in an owned room, from what its owner and its moderators have said: who moderates, its name and purpose,
 * how long it keeps, whether it is closed, what is pinned. Rules M7–M9 in PROTOCOL.md.
 *
 * Source: `gossip.md` §7.4 ("causal, deny wins on concurrency"). Deviation: only the owner appoints, so appointments
 * have one order; who dismisses says how far it has seen the other's feeds, and what lies beyond counts for nothing,
 * whenever it was written. So no graph has to be searched.
 */
import type { PlacedEvent } from '../clock.ts'
import { feedAuthor, incarnationOf, ownedRoomId, type EventId, type PeerId, type RoomId } from '../ids.ts'
import { readBody, type Seen } from './body.ts'

export interface RoomRules {
  readonly owner: PeerId
  readonly name: string
  readonly purpose: string
  /** 0: as long as devices keep them. */
  readonly maxAgeMs: number
  /** From here on only moderators are heard; undefined while the room is open. */
  readonly closedAt: Place | undefined
  readonly moderators: ReadonlySet<PeerId>
  /** M8: @returns whether this event was written by somebody who moderated then. */
  readonly mayModerate: (event: PlacedEvent) => boolean
  /** M9: @returns whether a message is shown: in a closed room only what was said before, and by moderators. */
  readonly isHeard: (event: PlacedEvent) => boolean
}

type Place = Pick<PlacedEvent, 'effective' | 'id'>

interface Appointment {
  readonly at: Place
  readonly isOn: boolean
  readonly seen: readonly Seen[]
}

/** M7: @returns who created the room, if this event did. */
export function ownerBy(event: PlacedEvent): PeerId | undefined {
  const body = readBody(event)
  const owner = feedAuthor(event.feed)
  if (body?.type !== 'create' || event.seq !== 0) return undefined
  return ownedRoomId(owner, body.nonce) === event.room ? owner : undefined
}

/**
 * @param creation a room's first event
 * @param about every held event about it, in any order
 * @returns undefined when the event has created no room
 */
export function rulesOf(creation: PlacedEvent, about: readonly PlacedEvent[]): RoomRules | undefined {
  const owner = ownerBy(creation)
  const body = readBody(creation)
  if (owner === undefined || body?.type !== 'create') return undefined
  const appointments = new Map<PeerId, Appointment[]>()
  const mayModerate = (event: PlacedEvent) =>
    feedAuthor(event.feed) === owner || counts(event, appointments.get(feedAuthor(event.feed)) ?? [])
  let { name, purpose } = body
  let maxAgeMs = 0
  let closedAt: Place | undefined
  const said = about.filter((event) => event.room === creation.room).sort(comparePlaces)
  for (const event of said) {
    const word = readBody(event)
    if (word?.type !== 'appoint' || word.target !== creation.id || feedAuthor(event.feed) !== owner) continue
    const terms = appointments.get(word.peer) ?? []
    appointments.set(word.peer, terms)
    terms.push({ at: event, isOn: word.isOn, seen: word.seen })
  }
  for (const event of said) {
    const word = readBody(event)
    if (word?.type === 'settings' && word.target === creation.id && feedAuthor(event.feed) === owner) {
      ;({ name, purpose, maxAgeMs } = word)
    } else if (word?.type === 'close' && word.target === creation.id && mayModerate(event)) {
      closedAt = word.isOn ? (closedAt ?? event) : undefined
    }
  }
  const moderators = new Set([...appointments].flatMap(([peer, terms]) => (terms.at(-1)?.isOn ? [peer] : [])))
  const isHeard = (event: PlacedEvent) =>
    closedAt === undefined || comparePlaces(event, closedAt) < 0 || mayModerate(event)
  return { owner, name, purpose, maxAgeMs, closedAt, moderators, mayModerate, isHeard }
}

/** M8: after an appointment, and before every later dismissal as far as the owner had seen. */
function counts(event: PlacedEvent, terms: readonly Appointment[]): boolean {
  const from = terms.findLastIndex(({ at, isOn }) => isOn && comparePlaces(at, event) < 0)
  if (from < 0) return false
  return terms.slice(from + 1).every(({ isOn, seen }) => isOn || wasSeen(event, seen))
}

function wasSeen({ feed, seq }: PlacedEvent, seen: readonly Seen[]): boolean {
  return seen.some(({ incarnation, last }) => incarnationOf(feed) === incarnation && seq <= last)
}

/** M9: @returns what moderators have pinned, the latest first. @param pins every held event of that kind in the room */
export function pinned(rules: RoomRules, room: RoomId, pins: readonly PlacedEvent[]): EventId[] {
  const places = new Map<EventId, boolean>()
  for (const event of [...pins].sort(comparePlaces)) {
    const word = readBody(event)
    if (word?.type !== 'pin' || event.room !== room || !rules.mayModerate(event)) continue
    places.delete(word.target)
    places.set(word.target, word.isOn)
  }
  return [...places].flatMap(([target, isOn]) => (isOn ? [target] : [])).reverse()
}

function comparePlaces(a: Place, b: Place): number {
  return a.effective - b.effective || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
