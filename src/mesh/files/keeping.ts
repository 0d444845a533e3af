/** Files that others ask a device to keep. Rule C19 in PROTOCOL.md. */
import type { PeerId } from '../ids.ts'
import type { Content } from './content.ts'
import { fileNameOf, type FileFrame } from './file-frame.ts'
import type { FileEffect, FileEngine, FileEvent, FileLink } from './file-state.ts'
import { fileIdOf, type FileId } from './hash-tree.ts'
import { fileLimits } from './limits.ts'
import { offerFor } from './offers.ts'
import { makeRoom } from './room.ts'
import { addFile, send } from './wants.ts'

/** C19: somebody asks this device to keep a file. */
export function takeKeep(engine: FileEngine, link: FileLink, content: Content, out: FileEffect[]): void {
  const id = fileIdOf(content)
  const known = engine.files.get(id)
  const isKept = known?.isKept === true || hasRoomFor(engine, content, link.peer)
  send(out, link.id, { type: 'kept', file: fileNameOf(id), isKept })
  if (!isKept) return
  const file = addFile(engine, content)
  if (!file.isKept) Object.assign(file, { keptFor: link.peer, keptSinceMs: undefined })
  // The store may have had no room for it, and has some now.
  Object.assign(file, { isKept: true, isWanted: true, isFull: false, unknowns: 0 })
  out.push({ type: 'keep-file', content, wish: 'kept' })
  // C15: what was carried before is not wanted of anybody any more, so nobody would be told.
  if (file.held.isFull)
    send(out, link.id, { type: 'offer', file: file.name, ...offerFor(engine, file, link) })
}

/** What is carried makes room; what is kept never does. */
function hasRoomFor(engine: FileEngine, { size }: Content, peer: PeerId): boolean {
  const kept = [...engine.files.values()].filter((file) => file.isKept)
  const bytes = kept.reduce((sum, { content }) => sum + content.size, 0)
  if (kept.filter(({ keptFor }) => keptFor === peer).length >= fileLimits.keptPerPeerMax) return false
  return kept.length < fileLimits.keptMax && bytes + size <= engine.keptBytesMax
}

/** C19: what nobody turns out to have is not waited for; and what found no room finds some when something can go. */
export function reviewKept(engine: FileEngine, nowMs: number, out: FileEffect[]): void {
  for (const file of engine.files.values()) {
    if (!file.isKept || file.held.isFull) continue
    if (file.held.count > 0) file.keptSinceMs = nowMs
    else file.keptSinceMs ??= nowMs
    const mayHelp = file.isFull && file.unknowns <= fileLimits.unknownsMax
    if (mayHelp && makeRoom(engine, file, out)) file.isFull = false
    if (nowMs - file.keptSinceMs < fileLimits.keptUnseenMs || file.held.count > 0) continue
    Object.assign(file, { isKept: false, isWanted: false })
    out.push({ type: 'keep-file', content: file.content, wish: 'carried' })
  }
}

/** C19: the screen wishes that somebody keeps a file. */
export function askToKeep(engine: FileEngine, content: Content, peer: PeerId, out: FileEffect[]): void {
  const file = fileIdOf(content)
  const link = [...engine.links.values()].find((one) => one.peer === peer)
  if (link === undefined || link.askedToKeep.size >= fileLimits.askedToKeepMax)
    return tellKept(file, peer, 'unreached', out)
  link.askedToKeep.add(fileNameOf(file))
  send(out, link.id, { type: 'keep', content })
}

/** C19: of what nobody has asked nothing is believed. */
export function hearKept(
  engine: FileEngine,
  link: FileLink,
  frame: Extract<FileFrame, { type: 'kept' }>,
  out: FileEffect[],
): void {
  const file = engine.byName.get(frame.file)
  if (!link.askedToKeep.delete(frame.file) || file === undefined) return
  tellKept(file.id, link.peer, frame.isKept ? 'kept' : 'refused', out)
}

/** Whoever was asked is gone without an answer. */
export function loseKeeper(engine: FileEngine, link: FileLink, out: FileEffect[]): void {
  for (const name of link.askedToKeep) {
    const file = engine.byName.get(name)
    if (file !== undefined) tellKept(file.id, link.peer, 'unreached', out)
  }
}

function tellKept(
  file: FileId,
  peer: PeerId,
  answer: Extract<FileEvent, { type: 'kept' }>['answer'],
  out: FileEffect[],
): void {
  out.push({ type: 'emit', event: { type: 'kept', file, peer, answer } })
}
