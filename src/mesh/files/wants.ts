/** Saying what is wanted. Rules C6 and C18 in PROTOCOL.md. */
import type { LinkId } from '../effects.ts'
import { Bitmap } from './bitmap.ts'
import { fileNameOf, type FileName, type Wanted } from './file-frame.ts'
import {
  createFile,
  type FileEffect,
  type FileEngine,
  type FileLink,
  type FileState,
  type Standing,
  type Want,
} from './file-state.ts'
import type { Content } from './content.ts'
import { chunkCount, fileIdOf } from './hash-tree.ts'
import { fileLimits } from './limits.ts'
import { isSearchedBy, isSilent, mayCarry, offerFor } from './offers.ts'

/** Whether it is fetched for this device now. */
export function isFetched(file: FileState): boolean {
  return file.isWanted && !file.isPaused && !file.isFull && !file.held.isFull
}

/** How far somebody's wish for a file may still go: over so many others, and inside a site (C18). */
interface Scope {
  readonly hops: number
  readonly siteHops: number
}

/** C6: @returns undefined where nothing is wanted through a link */
function scopeFor(engine: FileEngine, file: FileState, link: FileLink): Scope | undefined {
  if (file.held.isFull) return undefined
  const siteHops = file.isSearched ? fileLimits.siteHopsMax : 0
  let scope: Scope | undefined = isFetched(file) ? { hops: fileLimits.hopsMax, siteHops } : undefined
  for (const [id, want] of file.wantedBy) {
    const other = engine.links.get(id)
    const passed = other === undefined ? undefined : passedOn(want, other, link)
    if (passed === undefined) continue
    scope = {
      hops: Math.max(scope?.hops ?? 0, passed.hops),
      siteHops: Math.max(scope?.siteHops ?? 0, passed.siteHops),
    }
  }
  return scope
}

/** Each who passes it on takes one away, so that a wish that goes in a circle ends; another site is searched as a whole. */
function passedOn(want: Scope, from: FileLink, to: FileLink): Scope | undefined {
  const isSearched = want.siteHops > 0
  if (want.hops === 0 || !mayCarry(from, to, isSearched)) return undefined
  const isInside = from.isNear && to.isNear
  const siteHops = isInside ? want.siteHops - 1 : isSearched ? fileLimits.siteHopsMax : 0
  return { hops: want.hops - 1, siteHops }
}

/** C6: to every link what is wanted through it; again while it is, and once that it is not any more. */
export function tellWants(engine: FileEngine, nowMs: number, out: FileEffect[]): void {
  for (const link of engine.links.values()) {
    const wanted: Wanted[] = []
    const left: FileName[] = []
    const whole: FileState[] = []
    for (const file of engine.files.values()) {
      const said = file.askedFor.get(link.id)
      const scope = scopeFor(engine, file, link)
      if (scope !== undefined && isDue(said, scope, nowMs)) {
        wanted.push({ content: file.content, ...scope })
        file.askedFor.set(link.id, { ...scope, atMs: nowMs })
      } else if (scope === undefined && said !== undefined) {
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

function isDue(said: Want | undefined, scope: Scope, nowMs: number): boolean {
  if (said === undefined || nowMs - said.atMs >= fileLimits.wantIntervalMs) return true
  return scope.siteHops > 0 && said.siteHops === 0
}

/** C18: whoever cannot have all of what is missing from those whom it is linked to has its site searched. */
export function lookAround(engine: FileEngine, nowMs: number): void {
  for (const file of engine.files.values()) {
    if (!isFetched(file)) Object.assign(file, { isSearched: false, uncoveredMs: undefined })
    else if (nowMs >= file.lookAtMs) {
      file.lookAtMs = nowMs + fileLimits.progressIntervalMs
      file.uncoveredMs = isCovered(engine, file) ? undefined : (file.uncoveredMs ?? nowMs)
      file.isSearched = file.uncoveredMs !== undefined && nowMs - file.uncoveredMs >= fileLimits.searchAfterMs
    }
  }
}

function isCovered(engine: FileEngine, file: FileState): boolean {
  const all = new Bitmap(chunkCount(file.content.size))
  all.addAll(file.held)
  for (const [id, { held, reach }] of file.sources) {
    const link = engine.links.get(id)
    if (link === undefined || engine.banned.has(link.peer) || isSilent(file, id)) continue
    all.addAll(held)
    all.addAll(reach)
  }
  return all.isFull
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

/** C11: what a silent one was asked for of a file is asked of others, and of itself once more a while later. */
export function giveUpSilent(engine: FileEngine, nowMs: number, out: FileEffect[]): void {
  for (const file of engine.files.values()) {
    for (const [id, standing] of file.standings) {
      if (standing.isSilent && nowMs >= standing.silentUntilMs) {
        standing.isSilent = false
        file.isOfferStale = true
      }
      const link = engine.links.get(id)
      if (link === undefined || !isLate(file, link, standing, nowMs)) continue
      fallSilent(file, standing, nowMs)
      const chunks = [...file.asked].filter(([, links]) => links.has(id)).map(([chunk]) => chunk)
      giveUp(engine, file, link)
      for (const rows of inParts(chunks.map((first) => ({ first, count: 1 }))))
        send(out, id, { type: 'stop', file: file.name, chunks: rows })
    }
  }
}

function isLate(
  file: FileState,
  { id, outstanding }: FileLink,
  { heardMs }: Standing,
  nowMs: number,
): boolean {
  const isOver = outstanding > 0 && nowMs - heardMs > fileLimits.answerMs
  if (isOver && [...file.asked.values()].some((asked) => asked.has(id))) return true
  for (const { link, atMs } of file.askedBlocks.values())
    if (link === id && nowMs - atMs > fileLimits.answerMs) return true
  return false
}

/** C11: each time twice as long while nothing comes of what it offers; and what it offers is offered to nobody meanwhile. */
export function fallSilent(file: FileState, standing: Standing, nowMs: number): void {
  const { silences } = standing
  standing.silentUntilMs = nowMs + fileLimits.answerMs * 2 ** Math.min(silences, fileLimits.silencesMax)
  standing.silences += 1
  standing.isSilent = true
  file.isOfferStale = true
}

function inParts<T>(all: readonly T[]): T[][] {
  const most = fileLimits.filesPerFrameMax
  return Array.from({ length: Math.ceil(all.length / most) }, (_, i) => all.slice(i * most, (i + 1) * most))
}

/** C6: somebody wants a file. What nobody here knows is carried, also while there is nobody that it could come from. */
export function takeWant(
  engine: FileEngine,
  link: FileLink,
  { content, hops, siteHops }: Wanted,
  nowMs: number,
  out: FileEffect[],
): void {
  const id = fileIdOf(content)
  const file = engine.files.get(id) ?? carry(engine, link, content, out)
  if (file === undefined) return
  // What is offered to whom depends on it.
  if (siteHops > 0 !== isSearchedBy(file, link)) file.isOfferStale = true
  file.wantedBy.set(link.id, { hops, siteHops, atMs: nowMs })
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
    for (const [link, { atMs }] of file.wantedBy)
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

export function send(
  out: FileEffect[],
  link: LinkId,
  frame: Extract<FileEffect, { type: 'send' }>['frame'],
): void {
  out.push({ type: 'send', link, frame })
}
