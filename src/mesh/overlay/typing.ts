/**
 * Who is writing right now. Rule P10 in PROTOCOL.md.
 *
 * Source: `gossip.md` §7.6: ephemeral, one hop inside a site, never stored. The link says who it is, so nothing is
 * signed. Deviation: never over a link between sites; there every byte is dear.
 */
import type { Effect } from '../effects.ts'
import { enqueueNote } from '../gossip/lane.ts'
import type { RoomId } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Engine } from '../state.ts'
import { isRadio } from './gateways.ts'
import type { Link } from './links.ts'

/** P10: a person writes in a room; said to who is linked and near, not more often than it is worth. */
export function sayTyping(engine: Engine, room: RoomId, nowMs: number): void {
  const { overlay, presence, sites } = engine
  if (!engine.rooms.has(room) || nowMs - engine.typedMs < limits.typingIntervalMs) return
  engine.typedMs = nowMs
  for (const link of overlay.links.values()) {
    const isBox = presence.known.get(link.peer)?.record.box === true
    if (isBox || link.purpose === undefined || isRadio(link, sites.own) || !link.rooms.has(room)) continue
    enqueueNote(link.lane, { type: 'typing', room })
    engine.busyLanes.add(link.id)
  }
}

/** P10: somebody at the other end of a link says so. */
export function hearTyping(engine: Engine, link: Link, room: RoomId, nowMs: number, out: Effect[]): void {
  const isTooSoon = nowMs - link.typedMs < limits.typingIntervalMs / 2
  if (isTooSoon || !engine.rooms.has(room) || !link.rooms.has(room)) return
  link.typedMs = nowMs
  out.push({ type: 'emit', event: { type: 'typing', room, peer: link.peer } })
}
