/**
 * Files of one peer: takes inputs, decides effects, as `../engine.ts` does for the chat. Neither knows the other: what
 * they share are the links. Pure and synchronous.
 */
import { unreachable, type LinkId } from '../effects.ts'
import { fileLimits } from './limits.ts'
import { askAll } from './asking.ts'
import type { FileFrame } from './file-frame.ts'
import {
  createFileLink,
  type FileCommand,
  type FileEffect,
  type FileEngine,
  type FileInput,
  type FileLink,
  type FileRecord,
  type FileState,
  type Progress,
} from './file-state.ts'
import { giveAgain, giveAll, hearGot, takeAsk, takeBlockRead, takeChunkRead, takeStop } from './giving.ts'
import { timeoutAtMs } from './congestion.ts'
import { chunkCount, chunkLength } from './hash-tree.ts'
import { askToKeep, hearKept, loseKeeper, reviewKept, takeKeep } from './keeping.ts'
import { isSilent, takeOffer, tellOffers } from './offers.ts'
import { callOff, takeHashes, takeNone, takePart, takeWritten, tellGot } from './taking.ts'
import {
  addFile,
  expireWants,
  forgetUnwanted,
  giveUp,
  giveUpSilent,
  isFetched,
  lookAround,
  loseWant,
  takeWant,
  tellWants,
} from './wants.ts'

/** What the store has kept from before. */
export function remember(engine: FileEngine, records: readonly FileRecord[]): void {
  for (const { content, held, blocks, wish } of records) {
    const file = addFile(engine, content)
    file.held.addAll(held)
    file.blocks.addAll(blocks)
    file.isWanted = wish !== 'carried'
    file.isPaused = wish === 'paused'
    file.isKept = wish === 'kept'
  }
}

/** @returns what is to be done now, in this order. */
export function handleFiles(engine: FileEngine, input: FileInput, nowMs: number): FileEffect[] {
  const out: FileEffect[] = []
  route(engine, input, nowMs, out)
  expireWants(engine, nowMs)
  giveUpSilent(engine, nowMs, out)
  reviewKept(engine, nowMs, out)
  lookAround(engine, nowMs)
  tellWants(engine, nowMs, out)
  forgetUnwanted(engine, out)
  askAll(engine, nowMs, out)
  tellOffers(engine, nowMs, out)
  giveAgain(engine, nowMs)
  giveAll(engine, nowMs, out)
  tellProgress(engine, nowMs, out)
  schedule(engine, nowMs, out)
  return out
}

function route(engine: FileEngine, input: FileInput, nowMs: number, out: FileEffect[]): void {
  switch (input.type) {
    case 'link-up':
      engine.links.set(input.link, createFileLink(input.link, input.peer, input.isNear, nowMs))
      return
    case 'link-down':
      return loseLink(engine, input.link, out)
    case 'received': {
      const link = engine.links.get(input.link)
      if (link !== undefined) receive(engine, link, input.frame, nowMs, out)
      return
    }
    case 'sent':
    case 'drained': {
      const link = engine.links.get(input.link)
      if (link === undefined) return
      link.isFull = input.type === 'sent' && (link.isFull || input.isFull)
      if (input.type === 'sent') link.isSending = false
      return
    }
    case 'chunk-read':
      return takeChunkRead(engine, input.token, input.bytes, out)
    case 'block-read':
      return takeBlockRead(engine, input.token, input.block, out)
    case 'chunk-written':
      return takeWritten(engine, input.token, input.result, out)
    case 'command':
      return command(engine, input.command, out)
    case 'tick':
      engine.tickAtMs = Number.POSITIVE_INFINITY
      return
    default:
      unreachable(input)
  }
}

function command(engine: FileEngine, wish: FileCommand, out: FileEffect[]): void {
  switch (wish.type) {
    case 'hold': {
      const file = addFile(engine, wish.content)
      file.isWanted = true
      file.held.fill(0, file.held.size)
      file.blocks.fill(0, file.blocks.size)
      file.isOfferStale = true
      return
    }
    case 'get': {
      const file = addFile(engine, wish.content)
      file.isPaused = false
      file.isFull = false
      file.unknowns = 0
      file.isWanted = true
      // Also where it is wanted already: the store may have had no room for it.
      out.push({ type: 'keep-file', content: wish.content, wish: 'wanted' })
      return
    }
    case 'pause':
    case 'drop': {
      const file = engine.files.get(wish.file)
      if (file === undefined) return
      if (wish.type === 'drop') drop(file)
      else if (file.isWanted) {
        file.isPaused = true
        out.push({ type: 'keep-file', content: file.content, wish: 'paused' })
      }
      return callOff(engine, file, out)
    }
    case 'ask-to-keep':
      return askToKeep(engine, wish.content, wish.peer, out)
    default:
      unreachable(wish)
  }
}

function drop(file: FileState): void {
  file.isWanted = false
  file.isKept = false
  for (const map of [file.held, file.blocks]) for (let index = 0; index < map.size; index++) map.delete(index)
  file.isOfferStale = true
}

function loseLink(engine: FileEngine, id: LinkId, out: FileEffect[]): void {
  const link = engine.links.get(id)
  if (link !== undefined) loseKeeper(engine, link, out)
  for (const file of engine.files.values()) {
    loseWant(file, id)
    file.askedFor.delete(id)
    file.standings.delete(id)
    if (file.sources.delete(id)) file.isOfferStale = true
    if (link !== undefined) giveUp(engine, file, link)
  }
  engine.links.delete(id)
}

function receive(
  engine: FileEngine,
  link: FileLink,
  frame: FileFrame,
  nowMs: number,
  out: FileEffect[],
): void {
  if (frame.type === 'want-files') {
    for (const wanted of frame.files) takeWant(engine, link, wanted, nowMs, out)
    return
  }
  if (frame.type === 'leave-files') {
    for (const name of frame.files) {
      const file = engine.byName.get(name)
      if (file !== undefined) loseWant(file, link.id)
    }
    return
  }
  if (frame.type === 'got') return hearGot(link, frame, nowMs)
  if (frame.type === 'keep') return takeKeep(engine, link, frame.content, out)
  if (frame.type === 'kept') return hearKept(engine, link, frame, out)
  // Also what nobody waits for any more has arrived.
  if (frame.type === 'part') tellGot(link, frame, out)
  const file = engine.byName.get(frame.file)
  if (file !== undefined) receiveOf(engine, link, file, frame, nowMs, out)
}

function receiveOf(
  engine: FileEngine,
  link: FileLink,
  file: FileState,
  frame: Exclude<FileFrame, { type: 'want-files' | 'leave-files' | 'got' | 'keep' | 'kept' }>,
  nowMs: number,
  out: FileEffect[],
): void {
  switch (frame.type) {
    case 'offer':
      return takeOffer(file, link, frame)
    case 'ask':
      return takeAsk(engine, link, file, frame, out)
    case 'stop':
      return takeStop(link, file, frame.chunks)
    case 'none':
      return takeNone(engine, link, file, frame, nowMs)
    case 'hashes':
      return takeHashes(engine, link, file, frame, nowMs, out)
    case 'part':
      return takePart(engine, link, file, frame, nowMs, out)
    default:
      unreachable(frame)
  }
}

function heldBytes({ held, content }: FileState): number {
  if (held.count === 0) return 0
  const last = chunkCount(content.size) - 1
  const short = fileLimits.chunkBytes - chunkLength(content.size, last)
  return held.count * fileLimits.chunkBytes - (held.has(last) ? short : 0)
}

function progressOf(engine: FileEngine, file: FileState): Progress {
  if (file.held.isFull) return 'complete'
  if (file.isFull) return 'full'
  if (file.isPaused) return 'paused'
  const isComing = [...file.asked.values()].some((asked) =>
    [...asked.keys()].some((id) => engine.links.has(id) && !isSilent(file, id)),
  )
  return isComing || file.writing.size > 0 ? 'fetching' : 'waiting'
}

/** Of files that are wanted here; at most twice a second, but at once when something begins or ends. */
function tellProgress(engine: FileEngine, nowMs: number, out: FileEffect[]): void {
  engine.isProgressDue = false
  for (const file of engine.files.values()) {
    if (!file.isWanted) continue
    const progress = progressOf(engine, file)
    const isSoon = nowMs - file.toldMs < fileLimits.progressIntervalMs
    if (isSoon && file.toldKey.startsWith(progress)) {
      engine.isProgressDue = true
      continue
    }
    const ids = new Set([...file.asked.values()].flatMap((asked) => [...asked.keys()]))
    const peersOf = (links: Iterable<LinkId>) =>
      [...new Set([...links].flatMap((id) => engine.links.get(id)?.peer ?? []))].sort()
    const sources = peersOf(ids)
    const takers = peersOf(file.wantedBy.keys())
    const holders = peersOf([...file.sources].flatMap(([id, { held }]) => (held.isFull ? [id] : [])))
    const event = {
      type: 'progress',
      file: file.id,
      progress,
      heldBytes: heldBytes(file),
      sources,
      holders,
      takers,
    } as const
    const key = `${progress} ${JSON.stringify(event)}`
    if (key === file.toldKey) continue
    file.toldKey = key
    file.toldMs = nowMs
    out.push({ type: 'emit', event })
  }
}

/** Something is asked again, told again or forgotten as long as anything is wanted. */
function schedule(engine: FileEngine, nowMs: number, out: FileEffect[]): void {
  const isBusy =
    engine.isProgressDue ||
    [...engine.files.values()].some((file) => isFetched(file) || file.wantedBy.size > 0)
  let atMs = isBusy ? nowMs + fileLimits.progressIntervalMs : Number.POSITIVE_INFINITY
  for (const { congestion, isFull } of engine.links.values())
    if (!isFull) atMs = Math.min(atMs, timeoutAtMs(congestion))
  if (engine.tickAtMs <= atMs) return
  engine.tickAtMs = atMs
  out.push({ type: 'schedule', delayMs: Math.max(0, atMs - nowMs) })
}
