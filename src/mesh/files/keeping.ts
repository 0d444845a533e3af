/** Files that others ask a device to keep. Rule C19 in PROTOCOL.md. */
import type { PeerId } from '../ids.ts'
import type { Content } from './content.ts'
import { fileNameOf, type FileFrame } from './file-frame.ts'
import type { FileEffect, FileEngine, FileLink } from './file-state.ts'
import { fileIdOf } from './hash-tree.ts'
import { fileLimits } from './limits.ts'
import { offerFor } from './offers.ts'
import { addFile, send } from './wants.ts'

/** C19: somebody asks this device to keep a file. */
export function takeKeep(engine: FileEngine, link: FileLink, content: Content, out: FileEffect[]): void {
  const id = fileIdOf(content)
  const known = engine.files.get(id)
  const isKept = known?.isKept === true || hasRoomFor(engine, content)
  send(out, link.id, { type: 'kept', file: fileNameOf(id), isKept })
  if (!isKept) return
  const file = addFile(engine, content)
  // The store may have had no room for it, and has some now.
  Object.assign(file, { isKept: true, isWanted: true, isFull: false, unknowns: 0 })
  out.push({ type: 'keep-file', content, wish: 'kept' })
  // C15: what was carried before is not wanted of anybody any more, so nobody would be told.
  if (file.held.isFull)
    send(out, link.id, { type: 'offer', file: file.name, ...offerFor(engine, file, link) })
}

/** What is carried makes room; what is kept never does. */
function hasRoomFor(engine: FileEngine, { size }: Content): boolean {
  const kept = [...engine.files.values()].filter((file) => file.isKept)
  const bytes = kept.reduce((sum, { content }) => sum + content.size, 0)
  return kept.length < fileLimits.keptMax && bytes + size <= engine.keptBytesMax
}

/** C19: the screen wishes that somebody keeps a file. */
export function askToKeep(engine: FileEngine, content: Content, peer: PeerId, out: FileEffect[]): void {
  const file = fileIdOf(content)
  const link = [...engine.links.values()].find((one) => one.peer === peer)
  if (link === undefined || link.askedToKeep.size >= fileLimits.askedToKeepMax) {
    out.push({ type: 'emit', event: { type: 'kept', file, peer, isKept: false } })
    return
  }
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
  out.push({ type: 'emit', event: { type: 'kept', file: file.id, peer: link.peer, isKept: frame.isKept } })
}
