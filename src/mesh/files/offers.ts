/** What can be had here, for whom, and over how many others. Rules C7 and C18 in PROTOCOL.md. */
import type { LinkId } from '../effects.ts'
import { Bitmap } from './bitmap.ts'
import type { Offer } from './file-frame.ts'
import { fileLimits } from './limits.ts'
import type { FileEffect, FileEngine, FileLink, FileState } from './file-state.ts'
import { chunkCount } from './hash-tree.ts'

/** C6: two of one's own site need nobody between them, unless it is searched (C18). */
export function mayCarry(from: FileLink, to: FileLink, isSearched: boolean): boolean {
  return from !== to && (isSearched || !from.isNear || !to.isNear)
}

/** C18: whether whoever is at the other end of a link looks for a file in all of its site. */
export function isSearchedBy(file: FileState, link: FileLink): boolean {
  return (file.wantedBy.get(link.id)?.siteHops ?? 0) > 0
}

/** C11: it was asked and nothing came. */
export function isSilent(file: FileState, link: LinkId): boolean {
  return file.standings.get(link)?.isSilent === true
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
      const isEmpty = offer.held.length + offer.reach.length === 0 && offer.site === undefined
      file.offered.set(id, { key, atMs: nowMs, isEmpty })
      if (link.isNear) file.toldHops = offer.hops
      out.push({ type: 'send', link: id, frame: { type: 'offer', file: file.name, ...offer } })
    }
    if (isDone) file.isOfferStale = false
  }
}

/** Chunks that can be had over so many others. */
interface Part {
  readonly map: Bitmap
  readonly hops: number
}

/** C7: what is held, and what others offer who are not on the way back. */
export function offerFor(engine: FileEngine, file: FileState, link: FileLink): Offer {
  const held = file.held.runs
  if (file.held.isFull) return { held, reach: [], hops: 0 }
  const isSearched = isSearchedBy(file, link)
  const [reach, siteHeld, siteReach]: [Part[], Part[], Part[]] = [[], [], []]
  for (const [id, source] of file.sources) {
    const other = engine.links.get(id)
    if (other === undefined || isSilent(file, id) || engine.banned.has(other.peer)) continue
    if (!mayCarry(other, link, isSearched)) continue
    const [site, through] = [source.siteHops + 1, source.siteReachHops + 1]
    const siteParts = {
      held: { map: source.siteHeld, hops: site },
      reach: { map: source.siteReach, hops: through },
    }
    const own = { held: { map: source.held, hops: 1 }, reach: { map: source.reach, hops: source.hops + 1 } }
    if (!other.isNear || !link.isNear) reach.push(own.held, own.reach, siteParts.held, siteParts.reach)
    else {
      siteHeld.push(own.held, siteParts.held)
      siteReach.push(own.reach, siteParts.reach)
    }
  }
  const chunks = chunkCount(file.content.size)
  const far = unite(chunks, reach, fileLimits.hopsMax)
  const offer = { held, reach: far.map.runs, hops: far.hops }
  const near = unite(chunks, siteHeld, fileLimits.siteHopsMax)
  const through = unite(chunks, siteReach, fileLimits.hopsMax)
  if (near.hops + through.hops === 0) return offer
  const site = { held: near.map.runs, hops: near.hops, reach: through.map.runs, reachHops: through.hops }
  return { ...offer, site }
}

/** Nearest first, and only what adds something: else a way in a circle would become longer each time that it is told. */
function unite(chunks: number, parts: readonly Part[], hopsMax: number): Part {
  const map = new Bitmap(chunks)
  let hops = 0
  for (const part of [...parts].sort((a, b) => a.hops - b.hops)) {
    if (part.hops > hopsMax || map.nextMissingOf(part.map, 0) >= chunks) continue
    map.addAll(part.map)
    hops = part.hops
  }
  return { map, hops }
}

/** C7: somebody offers a file. What does not fit it is no offer. */
export function takeOffer(file: FileState, link: FileLink, offer: Offer): void {
  const chunks = chunkCount(file.content.size)
  // Other sites tell all that can be had there as one.
  const site = link.isNear ? offer.site : undefined
  const held = Bitmap.from(chunks, offer.held)
  const reach = Bitmap.from(chunks, offer.reach)
  const siteHeld = Bitmap.from(chunks, site?.held ?? [])
  const siteReach = Bitmap.from(chunks, site?.reach ?? [])
  if (held === undefined || reach === undefined || siteHeld === undefined || siteReach === undefined) return
  const [siteHops, siteReachHops] = [site?.hops ?? 0, site?.reachHops ?? 0]
  file.sources.set(link.id, { held, reach, hops: offer.hops, siteHeld, siteReach, siteHops, siteReachHops })
  file.isOfferStale = true
}
