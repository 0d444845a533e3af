/**
 * Spreading what is new. The simple form for a small mesh: push to every link that carries the room, once.
 * Rules G1–G3. Plumtree (eager, lazy, ihave, graft, prune) replaces this file.
 *
 * Duplicates are recognised by the log (L2), so this file keeps no cache of ids.
 */
import type { Run } from './event.ts'
import { feedAuthor, type PeerId, type RoomId } from './ids.ts'
import type { Link, Overlay } from './overlay.ts'

/** G1, G2: where a run that is new here goes: not back, not to its author, not to who lacks the room. */
export function pushTargets(overlay: Overlay, run: Run, source: Link | undefined): Link[] {
  const author = feedAuthor(run.feed)
  return [...overlay.links.values()].filter(
    (link) => link !== source && link.peer !== author && link.rooms.has(run.room),
  )
}

/** G3: where a signed record that is news here goes. */
export function recordTargets(overlay: Overlay, about: PeerId, source: Link | undefined): Link[] {
  return [...overlay.links.values()].filter((link) => link !== source && link.peer !== about)
}

/** @returns whether somebody who has the room is linked now. */
export function isReachable(overlay: Overlay, room: RoomId): boolean {
  for (const link of overlay.links.values()) if (link.rooms.has(room)) return true
  return false
}
