/**
 * What is asked of whom. Rules C9 to C12 in PROTOCOL.md.
 *
 * Source: rarest first, and what is not there is asked for again elsewhere, as BitTorrent does (Cohen 2003 §2.4); one
 * puller for each site and chunk by rendezvous hash (`gossip.md` §7.10).
 */
import type { LinkId } from '../effects.ts'
import { hash32, mix32, type PeerId } from '../ids.ts'
import type { Chunks } from './file-frame.ts'
import type { FileEffect, FileEngine, FileLink, FileState, Source } from './file-state.ts'
import { chunkCount } from './hash-tree.ts'
import { fileLimits } from './limits.ts'
import { isSilent } from './offers.ts'
import { isFetched, send } from './wants.ts'

/** One who can be asked for parts of a file. */
interface Way {
  readonly link: FileLink
  readonly source: Source
  /** Chunks that it is asked for in this turn. */
  readonly chosen: number[]
  readonly chosenBlocks: number[]
}

export function askAll(engine: FileEngine, nowMs: number, out: FileEffect[]): void {
  if (engine.writes.size >= fileLimits.writingMax) return
  for (const file of engine.files.values()) {
    if (file.sources.size === 0 || !isNeeded(file)) continue
    const all = waysOf(engine, file)
    const near = all.filter(({ link }) => link.isNear)
    // What comes from elsewhere one of the site fetches for all (C9).
    const isHere = near.some(({ source }) => source.held.isFull)
    // Nothing is had of anybody else then, and whoever is free all the time would be looked at with every part that comes.
    const ways = isHere ? near.filter(({ source }) => source.held.count > 0) : all
    const free = ways.reduce((sum, { link }) => sum + (isLow(link) ? freeOf(link) : 0), 0)
    if (free === 0) continue
    const others = isHere ? ways.filter(({ source }) => !source.held.isFull) : []
    const wanted = others.length > 0 ? fileLimits.choiceChunks : free * choiceFactor
    choose(engine, file, { ways, others, most: Math.min(fileLimits.choiceChunks, wanted) }, nowMs)
    for (const way of ways) ask(file, way, nowMs, out)
  }
}

/** guess: so many times as are asked for are looked at for the rarest. */
const choiceFactor = 4

/** C12: asked for again when half is there, several at once. */
function isLow(link: FileLink): boolean {
  return waitingFor(link) <= link.depth / 2
}

function isNeeded(file: FileState): boolean {
  return isFetched(file) || file.pending.size > 0 || file.pendingBlocks.size > 0
}

function waysOf(engine: FileEngine, file: FileState): Way[] {
  return [...file.sources].flatMap(([id, source]): Way[] => {
    const link = engine.links.get(id)
    if (link === undefined || engine.banned.has(link.peer) || isSilent(file, id)) return []
    return [{ link, source, chosen: [], chosenBlocks: [] }]
  })
}

function freeOf(link: FileLink): number {
  return Math.min(link.depth - waitingFor(link), fileLimits.depthMax - link.outstanding)
}

/** C12: chunks of which nothing has come yet: a part that is lost and repeated below holds up no other chunk. */
function waitingFor(link: FileLink): number {
  return link.outstanding - link.coming.size
}

interface Choice {
  readonly ways: readonly Way[]
  /** Those near who fetch the same. */
  readonly others: readonly Way[]
  /** Chunks that are looked at. */
  readonly most: number
}

/** C10: of the next chunks that are missing those first that the fewest have. */
function choose(engine: FileEngine, file: FileState, choice: Choice, nowMs: number): void {
  const { ways, others, most } = choice
  const rarity = (chunk: number) => ways.filter(({ source }) => source.held.has(chunk)).length
  const chunks = nextChunks(engine, file, most)
  if (isFetched(file)) addOthers(engine, file, { others, chunks })
  const turnOf = turns(engine, file, others)
  const candidates = chunks.map((chunk) => ({ chunk, rarity: rarity(chunk), turn: turnOf(chunk) }))
  candidates.sort((a, b) => a.rarity - b.rarity || a.turn - b.turn)
  for (const { chunk } of candidates) {
    const block = Math.floor(chunk / fileLimits.blockChunks)
    // C3: without its hashes nothing of a block can be checked.
    if (file.blocks.has(block)) wayFor(engine, file, chunk, ways)?.chosen.push(chunk)
    else if (!isBlockAsked(file, block, nowMs) && !ways.some((one) => one.chosenBlocks.includes(block)))
      wayForBlock(engine, file, chunk, ways)?.chosenBlocks.push(block)
  }
}

function isBlockAsked(file: FileState, block: number, nowMs: number): boolean {
  const asked = file.askedBlocks.get(block)
  return asked !== undefined && nowMs - asked.atMs < fileLimits.answerMs
}

/** What others wait for first; then, from a place of this device's own, what this device lacks. */
function nextChunks(engine: FileEngine, file: FileState, most: number): number[] {
  const found = [...file.pending.keys()].filter((chunk) => isMissing(engine, file, chunk))
  for (const block of file.pendingBlocks.keys()) {
    const first = block * fileLimits.blockChunks
    if (!file.blocks.has(block) && !file.held.has(first)) found.push(first)
  }
  if (!isFetched(file)) return found
  const count = chunkCount(file.content.size)
  const from = ownPlace(engine, file)
  for (let at = 0; at < 2 && found.length < most; at++) {
    const [first, end] = at === 0 ? [from, count] : [0, from]
    let chunk = file.held.nextMissing(first)
    for (; chunk < end && found.length < most; chunk = file.held.nextMissing(chunk + 1))
      if (isMissing(engine, file, chunk) && !file.pending.has(chunk)) found.push(chunk)
  }
  return found
}

/**
 * C10: of several near who fetch the same at once each has chunks that it asks for first: what two of them fetch from a
 * third comes once too often.
 *
 * @returns how many of the others are before this device
 */
function turns(engine: FileEngine, file: FileState, others: readonly Way[]): (chunk: number) => number {
  const ranks = others.map(({ link }) => rankFor(file, link.peer))
  const ownRank = rankFor(file, engine.self)
  return (chunk) => {
    const own = ownRank(chunk)
    return ranks.reduce((turn, rank) => (rank(chunk) > own ? turn + 1 : turn), 0)
  }
}

/** @returns how high somebody stands for a chunk of a file: a rendezvous hash */
function rankFor(file: FileState, peer: PeerId): (chunk: number) => number {
  const both = hash32(peer) ^ hash32(file.name)
  return (chunk) => mix32(both ^ Math.imul(chunk + 1, 0x9e3779b1))
}

/** C10: those near who began elsewhere have other chunks than the next ones, and would have nothing to give. */
function addOthers(
  engine: FileEngine,
  file: FileState,
  { others, chunks }: { readonly others: readonly Way[]; readonly chunks: number[] },
): void {
  const there = new Set(chunks)
  const from = ownPlace(engine, file)
  for (const { link, source } of others) {
    if (!isLow(link)) continue
    let left = freeOf(link)
    let chunk = file.held.nextMissingOf(source.held, from)
    for (let isAround = false; left > 0; chunk = file.held.nextMissingOf(source.held, chunk + 1)) {
      if (chunk >= file.held.size) {
        if (isAround) break
        isAround = true
        chunk = -1
        continue
      }
      if (isAround && chunk >= from) break
      if (there.has(chunk)) left -= 1
      else if (isMissing(engine, file, chunk)) {
        there.add(chunk)
        chunks.push(chunk)
        left -= 1
      }
    }
  }
}

function ownPlace(engine: FileEngine, file: FileState): number {
  return mix32(hash32(engine.self) ^ hash32(file.name)) % chunkCount(file.content.size)
}

/** Neither held nor on its way. */
function isMissing(engine: FileEngine, file: FileState, chunk: number): boolean {
  if (file.held.has(chunk) || file.writing.has(chunk)) return false
  for (const id of file.asked.get(chunk)?.keys() ?? []) {
    if (engine.links.has(id) && !isSilent(file, id)) return false
  }
  return true
}

/** C9: near before far; and across a link between sites only what this device is to fetch for its site. */
function wayFor(engine: FileEngine, file: FileState, chunk: number, ways: readonly Way[]): Way | undefined {
  const isFree = ({ link, chosen }: Way) =>
    freeOf(link) - chosen.length > 0 && !isAskedOf(file, chunk, link.id)
  const near = ways.filter((way) => way.link.isNear && way.source.held.has(chunk))
  // One who is busy now is waited for: what a neighbour has crosses no radio link again.
  if (near.length > 0) return fewest(near.filter(isFree))
  const waiting = file.pending.get(chunk)
  const inside = throughSite(ways, chunk, 'siteHeld', waiting)
  if (inside.length > 0) return fewest(inside.filter(isFree))
  const { far, puller } = fromElsewhere(engine, file, chunk, ways, waiting)
  if (puller !== undefined) return isFree(puller) ? puller : undefined
  const rest = far.length > 0 ? far : throughSite(ways, chunk, 'siteReach', waiting)
  return fewest(rest.filter(isFree))
}

/** C18: of those through whom others of the site are reached the nearest ones: each step is nearer, so that no circle waits. */
function throughSite(
  ways: readonly Way[],
  chunk: number,
  map: 'siteHeld' | 'siteReach',
  waiting: ReadonlySet<LinkId> | undefined,
): readonly Way[] {
  const all = ways.filter(({ link, source }) => source[map].has(chunk) && waiting?.has(link.id) !== true)
  return nearest(all, ({ source }) => (map === 'siteHeld' ? source.siteHops : source.siteReachHops))
}

function nearest(ways: readonly Way[], hopsOf: (way: Way) => number): readonly Way[] {
  const least = Math.min(...ways.map(hopsOf))
  return ways.filter((way) => hopsOf(way) === least)
}

/**
 * C9: hashes are had of who holds something of their block, else of who fetches its first chunk: whatever chunk somebody
 * needs them for, all of a site ask towards the same one, and never in a circle.
 */
function wayForBlock(
  engine: FileEngine,
  file: FileState,
  chunk: number,
  ways: readonly Way[],
): Way | undefined {
  const near = ways.filter((way) => way.link.isNear && way.source.held.has(chunk))
  if (near.length > 0) return fewest(near)
  const block = Math.floor(chunk / fileLimits.blockChunks)
  const first = block * fileLimits.blockChunks
  const waiting = file.pendingBlocks.get(block)
  const inside = throughSite(ways, chunk, 'siteHeld', waiting)
  if (inside.length > 0) return fewest(inside)
  const { far, puller } = fromElsewhere(engine, file, first, ways, waiting)
  // A part of the block may be there without its first chunk.
  const held = ways.filter(({ source }) => source.held.has(chunk))
  return puller ?? fewest(far) ?? fewest(held) ?? fewest(throughSite(ways, first, 'siteReach', waiting))
}

/** C9: who may be asked across a link between sites, and who of this site does it; undefined: this device. */
function fromElsewhere(
  engine: FileEngine,
  file: FileState,
  chunk: number,
  ways: readonly Way[],
  waiting: ReadonlySet<LinkId> | undefined,
): { readonly far: readonly Way[]; readonly puller: Way | undefined } {
  const others = ways.filter(({ link }) => waiting?.has(link.id) !== true)
  const through = others.filter(({ link, source }) => link.isNear && source.reach.has(chunk))
  const far = others.filter(
    ({ link, source }) => !link.isNear && (source.held.has(chunk) || source.reach.has(chunk)),
  )
  // Each step is nearer: where sites lie in a circle nobody waits in one.
  const hopsOf = ({ source }: Way) => (source.held.has(chunk) ? 0 : source.hops)
  return { far: nearest(far, hopsOf), puller: pullerOf(engine, file, chunk, far.length > 0, through) }
}

function isAskedOf(file: FileState, chunk: number, link: LinkId): boolean {
  return file.asked.get(chunk)?.has(link) === true
}

function fewest(ways: readonly Way[]): Way | undefined {
  let best: Way | undefined
  for (const way of ways) if (best === undefined || loadOf(way) < loadOf(best)) best = way
  return best
}

/** How much of what it may be asked for it has been asked for. */
function loadOf({ link, chosen }: Way): number {
  return (link.outstanding + chosen.length) / link.depth
}

/** C9: @returns who of this site fetches a chunk from elsewhere: the nearest, then by rank; undefined: this device */
function pullerOf(
  engine: FileEngine,
  file: FileState,
  chunk: number,
  isCandidate: boolean,
  through: readonly Way[],
): Way | undefined {
  let best: Way | undefined
  let hops = isCandidate ? file.toldHops : Number.POSITIVE_INFINITY
  let rank = isCandidate ? rankFor(file, engine.self)(chunk) : -1
  for (const way of through) {
    const other = rankFor(file, way.link.peer)(chunk)
    if (way.source.hops > hops || (way.source.hops === hops && other <= rank)) continue
    best = way
    hops = way.source.hops
    rank = other
  }
  return best
}

function ask(file: FileState, { link, chosen, chosenBlocks }: Way, nowMs: number, out: FileEffect[]): void {
  const blocks = chosenBlocks.slice(0, fileLimits.blocksPerFrameMax)
  const chunks = rowsOf(chosen.sort((a, b) => a - b))
  if (chunks.length === 0 && blocks.length === 0) return
  noteAsked(file, link, nowMs)
  for (const { first, count } of chunks) {
    for (let chunk = first; chunk < first + count; chunk++) {
      const asked = file.asked.get(chunk) ?? new Map<LinkId, number>()
      file.asked.set(chunk, asked.set(link.id, nowMs))
      link.outstanding += 1
    }
  }
  for (const block of blocks) file.askedBlocks.set(block, { link: link.id, atMs: nowMs })
  send(out, link.id, { type: 'ask', file: file.name, chunks, blocks })
}

/** C11: from now on something is due. */
function noteAsked(file: FileState, { id, outstanding }: FileLink, nowMs: number): void {
  const standing = file.standings.get(id)
  if (standing === undefined)
    file.standings.set(id, {
      ...{ heardMs: nowMs, isSilent: false, silentUntilMs: nowMs, silences: 0, refusals: 0 },
    })
  else if (outstanding === 0 || ![...file.asked.values()].some((asked) => asked.has(id)))
    standing.heardMs = nowMs
}

/** @param chunks ascending @returns them in rows, as many as fit a frame */
export function rowsOf(chunks: readonly number[]): Chunks[] {
  const rows: { first: number; count: number }[] = []
  for (const chunk of chunks) {
    const last = rows.at(-1)
    if (last !== undefined && last.first + last.count === chunk && last.count < fileLimits.depthMax)
      last.count += 1
    else if (rows.length === fileLimits.rangesPerFrameMax) break
    else rows.push({ first: chunk, count: 1 })
  }
  return rows
}
