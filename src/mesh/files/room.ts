/** Room in the store for what is carried and kept for others. Rules C14 and C19 in PROTOCOL.md. */
import type { FileEffect, FileEngine, FileState } from './file-state.ts'
import { forgetFile } from './wants.ts'

/** C14: what was carried for others longest ago goes first; never what is wanted here. @returns whether anything could go */
export function makeRoom(engine: FileEngine, file: FileState, out: FileEffect[]): boolean {
  let oldest: FileState | undefined
  for (const other of engine.files.values()) {
    const isSpare = other !== file && !other.isWanted && other.held.count > 0 && other.wantedBy.size === 0
    if (isSpare && (oldest === undefined || other.touchedMs < oldest.touchedMs)) oldest = other
  }
  if (oldest === undefined) return false
  forgetFile(engine, oldest, out)
  engine.roomToken = engine.lastToken
  return true
}

/**
 * What is carried or kept for others makes room. @returns whether it is asked for once more: what is only carried always,
 * since who waits for it gets it without room, too
 */
export function mayMakeRoom(engine: FileEngine, file: FileState, token: number, out: FileEffect[]): boolean {
  if (file.isWanted && !file.isKept) return false
  // What was given to the store before is refused for what was so before.
  const isMade = token <= engine.roomToken || makeRoom(engine, file, out)
  return isMade || !file.isWanted
}
