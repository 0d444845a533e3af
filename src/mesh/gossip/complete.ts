/** Completing what came in short form, before its signatures are checked. Rules A7 and A8 in PROTOCOL.md. */
import type { Frame } from '../frame.ts'
import type { Engine } from '../state.ts'
import { keptRooms } from '../sync/carry.ts'
import type { Note } from './note.ts'
import { completeAll } from './short.ts'

/**
 * A7: what comes in short form, completed from what is held here; a packet in which something cannot be completed is
 * unclear. Called before signatures are checked, when everything that came earlier has been taken.
 */
export function completeFrame(engine: Engine, frame: Frame): Frame {
  if (frame.type !== 'packet' || shortCount(frame) === 0) return frame
  const shorts = frame.notes.flatMap((note) => (note.type === 'short' ? [note.short] : []))
  const items = completeAll(shorts, {
    rooms: keptRooms(engine),
    log: engine.log,
    peers: [...engine.presence.known.keys(), engine.self],
    recent: [...engine.tree.cache.values()].map(({ item }) => item),
  })
  if (items === undefined) return unclearFrame(frame)
  const notes = frame.notes.map((note): Note => {
    if (note.type !== 'short') return note
    const item = items.shift()
    return item === undefined ? note : { type: 'item', item, cost: note.cost }
  })
  return { ...frame, notes, isShort: true }
}

/** @returns how many signatures the completed frame will have more. */
export function shortCount(frame: Frame): number {
  if (frame.type !== 'packet') return 0
  return frame.notes.reduce((count, note) => count + (note.type === 'short' ? 1 : 0), 0)
}

/** A7: also when a signature does not fit what was completed: a name may have meant another feed. */
export function unclearFrame(frame: Extract<Frame, { type: 'packet' }>): Frame {
  return { ...frame, notes: [], isUnclear: true }
}
