/** What comes of a file: hashes, chunks in parts, and word that something does not come. Rules C2, C3, C11, C12. */
import { unreachable, type LinkId } from '../effects.ts'
import type { FileFrame } from './file-frame.ts'
import type { FileEffect, FileEngine, FileLink, FileState, Stretch, WriteResult } from './file-state.ts'
import { noteArrived } from './congestion.ts'
import { refuse, serve, serveBlocks } from './giving.ts'
import { chunkCount, chunkLength, isBlockOf } from './hash-tree.ts'
import { fileLimits } from './limits.ts'
import { mayMakeRoom } from './room.ts'
import { fallSilent, send, settleAsk } from './wants.ts'

type Frame<T extends FileFrame['type']> = Extract<FileFrame, { type: T }>

/** C2: what is not of the file ends the link, and its peer is not asked again. */
function ban(
  engine: FileEngine,
  link: FileLink,
  reason: 'bad-chunk' | 'bad-hashes',
  out: FileEffect[],
): void {
  engine.banned.add(link.peer)
  if (engine.links.get(link.id) === link) out.push({ type: 'hang-up', link: link.id, reason })
}

/** C11: it has something after all. */
function hearGood(file: FileState, link: FileLink, nowMs: number): void {
  const standing = file.standings.get(link.id)
  if (standing !== undefined) Object.assign(standing, { heardMs: nowMs, refusals: 0, silences: 0 })
}

export function takeHashes(
  engine: FileEngine,
  link: FileLink,
  file: FileState,
  frame: Frame<'hashes'>,
  nowMs: number,
  out: FileEffect[],
): void {
  const { block, hashes, path } = frame
  if (file.blocks.has(block)) return
  if (!isBlockOf(file.content, block, frame)) return ban(engine, link, 'bad-hashes', out)
  hearGood(file, link, nowMs)
  file.blocks.add(block)
  file.askedBlocks.delete(block)
  out.push({ type: 'keep-block', file: file.id, block, proof: { hashes, path } })
  const waiting = file.pendingBlocks.get(block)
  file.pendingBlocks.delete(block)
  for (const id of waiting ?? []) serveBlocks(engine, id, file, [block], out)
}

/** C16: whoever sends is told what has arrived, after every two packets and at the end of a chunk. */
export function tellGot(link: FileLink, part: Frame<'part'>, out: FileEffect[]): void {
  if (noteArrived(link.arrivals, part.number, part.bytes.length) || link.outstanding === 0) sayGot(link, out)
}

function sayGot({ id, arrivals }: FileLink, out: FileEffect[]): void {
  arrivals.untoldBytes = 0
  const { newest, before } = arrivals
  send(out, id, { type: 'got', newest, before: [...before] })
}

/** C11: parts of a chunk come in any order; one that was not asked for is not taken. */
export function takePart(
  engine: FileEngine,
  link: FileLink,
  file: FileState,
  frame: Frame<'part'>,
  nowMs: number,
  out: FileEffect[],
): void {
  const { chunk, at, bytes } = frame
  const askedMs = file.asked.get(chunk)?.get(link.id)
  if (askedMs === undefined || chunk >= chunkCount(file.content.size)) return
  const standing = file.standings.get(link.id)
  if (standing !== undefined) standing.heardMs = nowMs
  file.touchedMs = nowMs
  link.takenBytes += bytes.length
  const key = `${file.name} ${chunk}`
  const length = chunkLength(file.content.size, chunk)
  const isWhole = bytes.length === length
  const coming = link.coming.get(key) ?? { bytes: isWhole ? bytes : new Uint8Array(length), there: [] }
  const there = withStretch(coming.there, { from: at, end: at + bytes.length })
  if (at + bytes.length > length || there.length > fileLimits.stretchesMax) return
  coming.there = there
  if (coming.bytes !== bytes) coming.bytes.set(bytes, at)
  link.coming.set(key, coming)
  if (there[0]?.end !== length || there[0].from > 0) return
  link.coming.delete(key)
  hearGood(file, link, nowMs)
  settleAsk(engine, file, chunk, link.id)
  if (link.arrivals.untoldBytes > 0) sayGot(link, out)
  adaptDepth(link, nowMs - askedMs, nowMs)
  if (file.held.has(chunk) || file.writing.has(chunk)) return
  // Others who were asked for it too need not send it.
  for (const id of [...(file.asked.get(chunk)?.keys() ?? [])]) stopAsking(engine, file, chunk, id, out)
  file.writing.add(chunk)
  engine.lastToken += 1
  engine.writes.set(engine.lastToken, { file: file.id, chunk, bytes: coming.bytes, from: link })
  out.push({ type: 'write-chunk', token: engine.lastToken, file: file.id, chunk, bytes: coming.bytes })
}

/** Parts may lie over one another: those of a chunk that was asked for twice need not be cut alike. */
function withStretch(all: readonly Stretch[], { from, end }: Stretch): Stretch[] {
  const apart = all.filter((one) => one.end < from || one.from > end)
  const touching = all.filter((one) => one.end >= from && one.from <= end)
  const whole = {
    from: Math.min(from, ...touching.map((one) => one.from)),
    end: Math.max(end, ...touching.map((one) => one.end)),
  }
  return [...apart, whole].sort((a, b) => a.from - b.from)
}

function stopAsking(engine: FileEngine, file: FileState, chunk: number, id: LinkId, out: FileEffect[]): void {
  settleAsk(engine, file, chunk, id)
  send(out, id, { type: 'stop', file: file.name, chunks: [{ first: chunk, count: 1 }] })
}

/** C14: what nobody waits for any more is not to be sent. */
export function callOff(engine: FileEngine, file: FileState, out: FileEffect[]): void {
  for (const [chunk, asked] of [...file.asked]) {
    if (file.pending.has(chunk)) continue
    for (const id of [...asked.keys()]) stopAsking(engine, file, chunk, id, out)
  }
}

/** C12: twice as much as is under way at the pace of the link: the shortest way seen times what comes; but never too little. */
function adaptDepth(link: FileLink, tookMs: number, nowMs: number): void {
  link.leastMs = Math.min(link.leastMs, Math.max(1, tookMs))
  const spanMs = nowMs - link.takenSinceMs
  if (spanMs < Math.max(link.leastMs, fileLimits.rateIntervalMs)) return
  const perMs = link.takenBytes / spanMs
  const aheadMs = Math.max(2 * link.leastMs, fileLimits.aheadMinMs)
  const depth = Math.ceil((perMs * aheadMs) / fileLimits.chunkBytes)
  link.depth = Math.min(fileLimits.depthMax, Math.max(fileLimits.depthMin, depth, Math.ceil(link.depth / 2)))
  link.takenBytes = 0
  link.takenSinceMs = nowMs
}

export function takeNone(
  engine: FileEngine,
  link: FileLink,
  file: FileState,
  frame: Frame<'none'>,
  nowMs: number,
): void {
  const source = file.sources.get(link.id)
  const standing = file.standings.get(link.id)
  let refusals = standing?.refusals ?? 0
  const refuse = (chunk: number) => {
    if (source?.held.delete(chunk) === true) refusals += heldRefusals
    for (const map of source === undefined ? [] : [source.reach, source.siteHeld, source.siteReach])
      if (map.delete(chunk)) refusals += 1
  }
  for (const { first, count } of frame.chunks) {
    for (let chunk = first; chunk < first + count; chunk++) {
      settleAsk(engine, file, chunk, link.id)
      refuse(chunk)
    }
  }
  for (const block of frame.blocks) {
    if (file.askedBlocks.get(block)?.link !== link.id) continue
    file.askedBlocks.delete(block)
    // Whoever has not even the hashes has nothing of it.
    const first = block * fileLimits.blockChunks
    for (let chunk = first; chunk < first + fileLimits.blockChunks; chunk++) refuse(chunk)
  }
  file.isOfferStale = true
  if (standing === undefined) return
  standing.refusals = refusals % fileLimits.refusalsMax
  if (refusals >= fileLimits.refusalsMax) fallSilent(file, standing, nowMs)
}

/** C11: what somebody holds does not go as quickly as what others do. */
const heldRefusals = 8

/** The store has checked a chunk and keeps it, or says why not. */
export function takeWritten(engine: FileEngine, token: number, result: WriteResult, out: FileEffect[]): void {
  const write = engine.writes.get(token)
  engine.writes.delete(token)
  const file = write === undefined ? undefined : engine.files.get(write.file)
  if (write === undefined || file === undefined) return
  const { chunk, bytes, from } = write
  file.writing.delete(chunk)
  switch (result) {
    case 'damaged':
      // Its link may be gone by now: for an earlier chunk of the same source.
      out.push({ type: 'emit', event: { type: 'damaged', file: file.id, peer: from.peer } })
      return ban(engine, from, 'bad-chunk', out)
    case 'full':
      file.isFull = !mayMakeRoom(engine, file, token, out)
      // It is right: whoever waits for it gets it, and nothing is kept.
      return pass(engine, file, chunk, bytes)
    case 'unknown':
      // Nobody else's fault: its hashes are asked for again, but not for ever.
      file.blocks.delete(Math.floor(chunk / fileLimits.blockChunks))
      file.unknowns += 1
      if (file.unknowns <= fileLimits.unknownsMax) return
      file.isFull = true
      for (const id of file.pending.get(chunk) ?? []) refuse(id, file, [chunk], [], out)
      file.pending.delete(chunk)
      return
    case 'failed':
      file.isFull = true
      // Room would not help.
      file.unknowns = fileLimits.unknownsMax + 1
      for (const id of file.pending.get(chunk) ?? []) refuse(id, file, [chunk], [], out)
      file.pending.delete(chunk)
      return
    case 'stored':
      file.held.add(chunk)
      file.isOfferStale = true
      return pass(engine, file, chunk, bytes)
    default:
      unreachable(result)
  }
}

function pass(engine: FileEngine, file: FileState, chunk: number, bytes: Uint8Array): void {
  const waiting = file.pending.get(chunk)
  file.pending.delete(chunk)
  for (const id of waiting ?? []) serve(engine, id, file, chunk, bytes)
}
