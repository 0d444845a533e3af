/** Saying what is wanted, and what can be had here. Rules C6 to C8 in PROTOCOL.md. */
import type { LinkId } from '../effects.ts'
import { Bitmap } from './bitmap.ts'
import { fileNameOf, type FileName, type Offer } from './file-frame.ts'
import { createFile, type FileEffect, type FileEngine, type FileLink, type FileState } from './file-state.ts'
import type { Content } from './content.ts'
import { chunkCount, fileIdOf } from './hash-tree.ts'
import { fileLimits } from './limits.ts'

/** C6: two of one's own site need nobody between them. */
export function mayCarry(from: FileLink, to: FileLink): boolean {
  return from !== to && (!from.isNear || !to.isNear)
}

/** Whether it is fetched for this device now. */
export function isFetched(file: FileState): boolean {
  return file.isWanted && !file.isPaused && !file.isFull && !file.held.isFull
}

function isWantedOf(engine: FileEngine, file: FileState, link: FileLink): boolean {
  if (file.held.isFull) return false
  if (isFetched(file)) return true
  return [...file.wantedBy.keys()].some((id) => {
    const other = engine.links.get(id)
    return other !== undefined && mayCarry(other, link)
  })
}

/** C6: to every link what is wanted through it; again while it is, and once that it is not any more. */
export function tellWants(engine: FileEngine, nowMs: number, out: FileEffect[]): void {
  for (const link of engine.links.values()) {
    const wanted: Content[] = []
    const left: FileName[] = []
    const whole: FileState[] = []
    for (const file of engine.files.values()) {
      const saidMs = file.askedFor.get(link.id)
      const isWanted = isWantedOf(engine, file, link)
      if (isWanted && (saidMs === undefined || nowMs - saidMs >= fileLimits.wantIntervalMs)) {
        wanted.push(file.content)
        file.askedFor.set(link.id, nowMs)
      } else if (!isWanted && saidMs !== undefined) {
        left.push(file.name)
        file.askedFor.delete(link.id)
        giveUp(engine, file, link)
        // C15: whoever was told that it is wanted may be the only one who has it.
        if (file.held.isFull) whole.push(file)
      }
    }
    for (const files of inParts(wanted)) send(out, link.id, { type: 'want-files', files })
    for (const files of inParts(left)) send(out, link.id, { type: 'leave-files', files })
    for (const file of whole)
      send(out, link.id, { type: 'offer', file: file.name, ...offerFor(engine, file, link) })
  }
}

/** C6: who leaves a file has called off what it had asked for. */
export function giveUp(engine: FileEngine, file: FileState, link: FileLink): void {
  for (const chunk of [...file.asked.keys()]) settleAsk(engine, file, chunk, link.id)
  for (const [block, { link: id }] of file.askedBlocks) if (id === link.id) file.askedBlocks.delete(block)
}

/** An ask is answered, or given up. */
export function settleAsk(engine: FileEngine, file: FileState, chunk: number, id: LinkId): void {
  const asked = file.asked.get(chunk)
  if (asked?.delete(id) !== true) return
  if (asked.size === 0) file.asked.delete(chunk)
  const link = engine.links.get(id)
  if (link === undefined) return
  link.outstanding -= 1
  link.coming.delete(`${file.name} ${chunk}`)
}

/** C11: what a silent link was asked for is asked of others, and of itself once more a while later. */
export function giveUpSilent(engine: FileEngine, nowMs: number, out: FileEffect[]): void {
  for (const link of engine.links.values()) {
    const isLate = link.outstanding > 0 && nowMs - link.heardMs > fileLimits.answerMs
    if (!isLate && !owesHashes(engine, link, nowMs)) continue
    link.silentUntilMs = nowMs + fileLimits.answerMs
    for (const file of engine.files.values()) {
      const chunks = [...file.asked].filter(([, links]) => links.has(link.id)).map(([chunk]) => chunk)
      giveUp(engine, file, link)
      for (const rows of inParts(chunks.map((first) => ({ first, count: 1 }))))
        send(out, link.id, { type: 'stop', file: file.name, chunks: rows })
    }
  }
}

function owesHashes(engine: FileEngine, link: FileLink, nowMs: number): boolean {
  for (const { askedBlocks } of engine.files.values())
    for (const { link: id, atMs } of askedBlocks.values())
      if (id === link.id && nowMs - atMs > fileLimits.answerMs) return true
  return false
}

function inParts<T>(all: readonly T[]): T[][] {
  const most = fileLimits.filesPerFrameMax
  return Array.from({ length: Math.ceil(all.length / most) }, (_, i) => all.slice(i * most, (i + 1) * most))
}

/** C6: somebody wants a file. What nobody here knows is carried, also while there is nobody that it could come from. */
export function takeWant(
  engine: FileEngine,
  link: FileLink,
  content: Content,
  nowMs: number,
  out: FileEffect[],
): void {
  const id = fileIdOf(content)
  const file = engine.files.get(id) ?? carry(engine, link, content, out)
  if (file === undefined) return
  file.wantedBy.set(link.id, nowMs)
}

function carry(
  engine: FileEngine,
  link: FileLink,
  content: Content,
  out: FileEffect[],
): FileState | undefined {
  const carried = [...engine.files.values()].filter((file) => !file.isWanted && file.held.count === 0)
  const ofLink = carried.filter((file) => file.wantedBy.has(link.id)).length
  if (carried.length >= fileLimits.relayedMax || ofLink >= fileLimits.relayedPerLinkMax) return undefined
  const file = addFile(engine, content)
  out.push({ type: 'keep-file', content, wish: 'carried' })
  return file
}

export function addFile(engine: FileEngine, content: Content): FileState {
  const id = fileIdOf(content)
  const known = engine.files.get(id)
  if (known !== undefined) return known
  const file = createFile(id, fileNameOf(id), content)
  engine.files.set(id, file)
  engine.byName.set(file.name, file)
  return file
}

/** C6: who has not said again that it wants a file wants it no more. */
export function expireWants(engine: FileEngine, nowMs: number): void {
  for (const file of engine.files.values()) {
    for (const [link, atMs] of file.wantedBy)
      if (nowMs - atMs > fileLimits.wantLifetimeMs) loseWant(file, link)
  }
}

/** C6: what nobody wants is not known any more. */
export function forgetUnwanted(engine: FileEngine, out: FileEffect[]): void {
  for (const file of [...engine.files.values()]) {
    const isNeeded = file.isWanted || file.held.count > 0 || file.wantedBy.size > 0 || file.writing.size > 0
    // Whoever was told that it is wanted is told first that it is not any more.
    if (!isNeeded && file.askedFor.size === 0) forgetFile(engine, file, out)
  }
}

export function forgetFile(engine: FileEngine, file: FileState, out: FileEffect[]): void {
  for (const link of engine.links.values()) giveUp(engine, file, link)
  engine.files.delete(file.id)
  engine.byName.delete(file.name)
  out.push({ type: 'forget-file', file: file.id })
}

export function loseWant(file: FileState, link: LinkId): void {
  file.wantedBy.delete(link)
  file.offered.delete(link)
  for (const waiting of [file.pending, file.pendingBlocks]) {
    for (const [index, links] of waiting) {
      links.delete(link)
      if (links.size === 0) waiting.delete(index)
    }
  }
}

/** C7: to whoever wants a file what can be had here: at once what is new to it, then at most every two seconds. */
export function tellOffers(engine: FileEngine, nowMs: number, out: FileEffect[]): void {
  for (const file of engine.files.values()) {
    if (!file.isOfferStale && file.offered.size === file.wantedBy.size) continue
    let isDone = true
    for (const id of file.wantedBy.keys()) {
      const link = engine.links.get(id)
      const before = file.offered.get(id)
      if (link === undefined) continue
      const everyMs = link.isNear ? fileLimits.offerNearIntervalMs : fileLimits.offerIntervalMs
      if (before !== undefined && !before.isEmpty && nowMs - before.atMs < everyMs) {
        isDone = false
        continue
      }
      const offer = offerFor(engine, file, link)
      const key = JSON.stringify(offer)
      if (before?.key === key) continue
      const isEmpty = offer.held.length + offer.reach.length === 0
      file.offered.set(id, { key, atMs: nowMs, isEmpty })
      send(out, id, { type: 'offer', file: file.name, ...offer })
    }
    if (isDone) file.isOfferStale = false
  }
}

/** C7: what is held, and what others offer who are not on the way back. */
function offerFor(engine: FileEngine, file: FileState, link: FileLink): Offer {
  const held = file.held.runs
  const reach = new Bitmap(chunkCount(file.content.size))
  let hops = 0
  for (const [id, source] of file.held.isFull ? [] : file.sources) {
    const other = engine.links.get(id)
    if (other === undefined || !mayCarry(other, link)) continue
    reach.addAll(source.held)
    hops = Math.max(hops, 1)
    // A way in a circle becomes longer each time that it is told.
    if (source.reach.count === 0 || source.hops >= fileLimits.hopsMax) continue
    reach.addAll(source.reach)
    hops = Math.max(hops, source.hops + 1)
  }
  return { held, reach: reach.runs, hops }
}

/** C7: somebody offers a file. What does not fit it is no offer. */
export function takeOffer(file: FileState, link: FileLink, offer: Offer): void {
  const chunks = chunkCount(file.content.size)
  const held = Bitmap.from(chunks, offer.held)
  const reach = Bitmap.from(chunks, offer.reach)
  if (held === undefined || reach === undefined) return
  file.sources.set(link.id, { held, reach, hops: offer.hops })
  file.isOfferStale = true
}

export function send(
  out: FileEffect[],
  link: LinkId,
  frame: Extract<FileEffect, { type: 'send' }>['frame'],
): void {
  out.push({ type: 'send', link, frame })
}
