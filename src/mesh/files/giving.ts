/** Giving others what they ask for. Rules C8, C13, C14 in PROTOCOL.md. */
import type { LinkId } from '../effects.ts'
import { mayGive, noteGiven, partBytes, takeGot, takeTimeout, type Got, type SentPart } from './congestion.ts'
import type { Chunks, FileFrame } from './file-frame.ts'
import type { FileEffect, FileEngine, FileLink, FileState, Serving } from './file-state.ts'
import { blockCount, chunkCount, type Block } from './hash-tree.ts'
import { fileLimits } from './limits.ts'
import { isSearchedBy, mayCarry } from './offers.ts'
import { send } from './wants.ts'

type Ask = Extract<FileFrame, { type: 'ask' }>

/** C8: what is held is sent, what can be had is fetched, anything else is refused at once. */
export function takeAsk(
  engine: FileEngine,
  link: FileLink,
  file: FileState,
  { chunks, blocks }: Ask,
  out: FileEffect[],
): void {
  const none: number[] = []
  let room = fileLimits.servingMax - link.serving.length - waitingOf(engine, link)
  for (const chunk of eachOf(chunks)) {
    if (chunk >= chunkCount(file.content.size)) continue
    room -= 1
    if (room >= 0 && file.held.has(chunk)) serve(engine, link.id, file, chunk, undefined)
    else if (room >= 0 && canFetch(engine, file, chunk, link)) wait(file.pending, chunk, link.id)
    else none.push(chunk)
  }
  const without: number[] = []
  for (const block of blocks) {
    if (block >= blockCount(file.content.size)) continue
    const first = block * fileLimits.blockChunks
    if (file.blocks.has(block)) serveBlocks(engine, link.id, file, [block], out)
    else if (canFetch(engine, file, first, link)) wait(file.pendingBlocks, block, link.id)
    else without.push(block)
  }
  refuse(link.id, file, none, without, out)
}

/** C8: chunks that are being fetched for a link. */
function waitingOf(engine: FileEngine, link: FileLink): number {
  let sum = 0
  for (const { pending } of engine.files.values())
    for (const links of pending.values()) if (links.has(link.id)) sum += 1
  return sum
}

export function* eachOf(chunks: readonly Chunks[]): Generator<number> {
  for (const { first, count } of chunks) for (let chunk = first; chunk < first + count; chunk++) yield chunk
}

function wait(waiting: Map<number, Set<LinkId>>, index: number, link: LinkId): void {
  const links = waiting.get(index) ?? new Set()
  waiting.set(index, links.add(link))
}

function canFetch(engine: FileEngine, file: FileState, chunk: number, link: FileLink): boolean {
  const isSearched = isSearchedBy(file, link)
  return [...file.sources].some(([id, { held, reach, siteHeld, siteReach }]) => {
    const other = engine.links.get(id)
    const has = [held, reach, siteHeld, siteReach].some((map) => map.has(chunk))
    return other !== undefined && has && mayCarry(other, link, isSearched) && !engine.banned.has(other.peer)
  })
}

export function refuse(
  link: LinkId,
  file: FileState,
  none: readonly number[],
  blocks: readonly number[],
  out: FileEffect[],
): void {
  const rows = none.map((first) => ({ first, count: 1 }))
  const most = fileLimits.rangesPerFrameMax
  for (let at = 0; at < Math.max(rows.length, blocks.length > 0 ? 1 : 0); at += most) {
    const about = { file: file.name, chunks: rows.slice(at, at + most) }
    send(out, link, { type: 'none', ...about, blocks: at === 0 ? blocks : [] })
  }
}

/** @param bytes where they are at hand */
export function serve(
  engine: FileEngine,
  id: LinkId,
  file: FileState,
  chunk: number,
  bytes: Uint8Array | undefined,
): void {
  const link = engine.links.get(id)
  if (link === undefined || link.serving.some((one) => isAllOf(one, file, chunk))) return
  link.serving.push({ file: file.id, chunk, bytes, isReading: false, at: 0, end: undefined })
}

function isAllOf(one: Serving, file: FileState, chunk: number): boolean {
  return one.file === file.id && one.chunk === chunk && one.end === undefined
}

/** C17: what was lost goes before anything else. */
function repair(link: FileLink, parts: readonly SentPart[]): void {
  const again = parts.map(({ file, chunk, bytes, at, end }) => ({
    file,
    chunk,
    bytes,
    isReading: false,
    at,
    end,
  }))
  link.serving.unshift(...again)
}

export function hearGot(link: FileLink, got: Got, nowMs: number): void {
  repair(link, takeGot(link.congestion, got, nowMs))
}

/** C17: nothing has been heard for too long. */
export function giveAgain(engine: FileEngine, nowMs: number): void {
  for (const link of engine.links.values()) {
    const oldest = link.isFull ? undefined : takeTimeout(link.congestion, nowMs)
    if (oldest !== undefined) repair(link, [oldest])
  }
}

export function serveBlocks(
  engine: FileEngine,
  link: LinkId,
  file: FileState,
  blocks: readonly number[],
  out: FileEffect[],
): void {
  for (const block of blocks) {
    engine.lastToken += 1
    engine.blockReads.set(engine.lastToken, { link, file: file.id, block })
    out.push({ type: 'read-block', token: engine.lastToken, file: file.id, block })
  }
}

export function takeBlockRead(
  engine: FileEngine,
  token: number,
  proof: Block | undefined,
  out: FileEffect[],
): void {
  const read = engine.blockReads.get(token)
  engine.blockReads.delete(token)
  const file = read === undefined ? undefined : engine.files.get(read.file)
  if (read === undefined || file === undefined || !engine.links.has(read.link)) return
  if (proof === undefined) return refuse(read.link, file, [], [read.block], out)
  send(out, read.link, { type: 'hashes', file: file.name, block: read.block, ...proof })
}

export function takeChunkRead(
  engine: FileEngine,
  token: number,
  bytes: Uint8Array | undefined,
  out: FileEffect[],
): void {
  const read = engine.reads.get(token)
  engine.reads.delete(token)
  if (read === undefined) return
  const { serving } = read
  serving.isReading = false
  serving.bytes = bytes
  if (bytes !== undefined) return
  const link = engine.links.get(read.link)
  const at = link?.serving.indexOf(serving) ?? -1
  if (at >= 0) link?.serving.splice(at, 1)
  // The store has lost it: others are told, and what was told them is put right.
  const file = engine.files.get(serving.file)
  if (file === undefined || link === undefined) return
  file.held.delete(serving.chunk)
  file.isOfferStale = true
  refuse(read.link, file, [serving.chunk], [], out)
}

export function takeStop(link: FileLink, file: FileState, chunks: readonly Chunks[]): void {
  for (const chunk of eachOf(chunks)) {
    const isCalledOff = (one: Serving) => one.file === file.id && one.chunk === chunk
    for (let at = link.serving.findIndex(isCalledOff); at >= 0; at = link.serving.findIndex(isCalledOff))
      link.serving.splice(at, 1)
    const waiting = file.pending.get(chunk)
    waiting?.delete(link.id)
    if (waiting?.size === 0) file.pending.delete(chunk)
  }
}

/** C13: one part at a time: only when it has left, the next one is given to the lane. */
export function giveAll(engine: FileEngine, nowMs: number, out: FileEffect[]): void {
  for (const link of engine.links.values()) {
    readAhead(engine, link, out)
    const [next] = link.serving
    if (next?.bytes === undefined || link.isFull || link.isSending) continue
    if (!mayGive(link.congestion, nowMs)) continue
    give(engine, link, next, next.bytes, nowMs, out)
  }
}

/** Several at once: each time something is read a worker wakes up. */
function readAhead(engine: FileEngine, link: FileLink, out: FileEffect[]): void {
  let ready = 0
  while (ready < fileLimits.readingMax / 2 && isRead(link.serving[ready])) ready += 1
  if (ready === fileLimits.readingMax / 2) return
  for (const serving of link.serving.slice(0, fileLimits.readingMax)) {
    if (serving.bytes !== undefined || serving.isReading) continue
    serving.isReading = true
    engine.lastToken += 1
    engine.reads.set(engine.lastToken, { link: link.id, serving })
    out.push({ type: 'read-chunk', token: engine.lastToken, file: serving.file, chunk: serving.chunk })
  }
}

function isRead(serving: Serving | undefined): boolean {
  return serving !== undefined && (serving.bytes !== undefined || serving.isReading)
}

function give(
  engine: FileEngine,
  link: FileLink,
  serving: Serving,
  bytes: Uint8Array,
  nowMs: number,
  out: FileEffect[],
): void {
  const file = engine.files.get(serving.file)
  if (file === undefined) {
    link.serving.shift()
    return
  }
  const { at, chunk } = serving
  const whole = serving.end ?? bytes.length
  const end = Math.min(whole, at + partBytes(link.congestion))
  serving.at = end
  if (end >= whole) link.serving.shift()
  file.touchedMs = nowMs
  const number = noteGiven(link.congestion, { file: file.id, chunk, at, end, bytes }, nowMs)
  link.isSending = true
  send(out, link.id, { type: 'part', file: file.name, chunk, at, number, bytes: bytes.subarray(at, end) })
}
