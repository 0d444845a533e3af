/**
 * H9: of whom each browser has been told. Whoever is named at all has a small number, so that what 5,000 browsers were
 * told takes half a kilobyte each; a number is free again when everybody has been told that its peer is gone.
 */
import type { PeerId } from '#mesh/ids.ts'
import type { SitePeers } from '#runtime/signal-frame.ts'
import { listedBySite, type Directory } from './directory.ts'

export const sampleLimits = {
  /** guess: peers of its own site that one browser is told of: while there is no other one, and else. */
  aloneMax: 256,
  ownMax: 128,
  /** guess: peers of other sites, together and of each. */
  othersMax: 128,
  perSiteMax: 8,
  /** Numbers of two bytes; who comes when all are taken is told of when one is free. */
  numbersMax: 65_536,
} as const

/** Numbers of the peers that one browser has been told of. */
export type Told = Uint16Array

export const toldNobody: Told = new Uint16Array(0)

export interface Telling {
  readonly told: Told
  readonly up: readonly SitePeers[]
  readonly down: readonly PeerId[]
}

interface Listed {
  readonly site: PeerId
  readonly share: number
  readonly numbers: readonly number[]
}

const gone = -1

export class Samples {
  private readonly numbers = new Map<PeerId, number>()
  private readonly peers: PeerId[] = []
  private readonly free: number[] = []
  /** Where in `listed` the site of a number is. */
  private places = new Int32Array(0)
  /** The last browser that a number was looked at for. */
  private looked = new Uint32Array(0)
  private look = 0
  private listed: readonly Listed[] = []

  /** What is to be told from now on. */
  update(directory: Directory): void {
    const shares = sharesOf(directory)
    const bySite = [...listedBySite(directory)]
    this.listed = bySite.map(([site, peers]) => ({
      site,
      share: shares.get(site) ?? 0,
      numbers: peers.flatMap((peer) => this.numberOf(peer) ?? []),
    }))
    this.places = new Int32Array(this.peers.length).fill(gone)
    this.looked = new Uint32Array(this.peers.length)
    this.look = 0
    this.listed.forEach(({ numbers }, index) => {
      for (const number of numbers) this.places[number] = index
    })
  }

  private numberOf(peer: PeerId): number | undefined {
    const known = this.numbers.get(peer)
    if (known !== undefined) return known
    const number = this.free.pop() ?? this.peers.length
    if (number >= sampleLimits.numbersMax) return undefined
    this.peers[number] = peer
    this.numbers.set(peer, number)
    return number
  }

  /** @param peer who is told @returns undefined when there is nothing new for it */
  tell(peer: PeerId, told: Told): Telling | undefined {
    this.look += 1
    const counts = new Array<number>(this.listed.length).fill(0)
    const down: PeerId[] = []
    const kept: number[] = []
    for (const number of told) {
      const place = this.places[number] ?? gone
      // Of the own site, the first one, only who is gone is told as gone: others will take it for a sign of death (P4).
      const isKept =
        place === 0 || (place !== gone && (counts[place] ?? 0) < (this.listed[place]?.share ?? 0))
      if (isKept) this.keep(number, place, counts, kept)
      else down.push(this.peerOf(number))
    }
    const up: SitePeers[] = []
    // Not the same ones for everybody: whom everybody knows, everybody dials.
    const from = Number.parseInt(peer.slice(0, 8), 36) || 0
    this.listed.forEach(({ site, share, numbers }, place) => {
      const peers: PeerId[] = []
      for (let i = 0; i < numbers.length && (counts[place] ?? 0) < share; i++) {
        const number = numbers[(from + i) % numbers.length]
        if (number === undefined || this.looked[number] === this.look || this.peers[number] === peer) continue
        this.keep(number, place, counts, kept)
        peers.push(this.peerOf(number))
      }
      if (peers.length > 0) up.push({ site, peers })
    })
    if (up.length === 0 && down.length === 0) return undefined
    return { told: Uint16Array.from(kept), up, down }
  }

  private keep(number: number, place: number, counts: number[], kept: number[]): void {
    counts[place] = (counts[place] ?? 0) + 1
    this.looked[number] = this.look
    kept.push(number)
  }

  private peerOf(number: number): PeerId {
    const peer = this.peers[number]
    if (peer === undefined) throw new Error('bug: a number without a peer')
    return peer
  }

  /** Everybody has been told: numbers of who is gone may be given to others. */
  settle(): void {
    for (const [peer, number] of this.numbers) {
      if (this.places[number] !== gone) continue
      this.numbers.delete(peer)
      this.free.push(number)
    }
  }

  peersOf(told: Told): PeerId[] {
    return [...told].map((number) => this.peerOf(number))
  }
}

/**
 * Of how many peers of each site a browser is told. Every site has a share, nearest ones first, so that a large site
 * knows that there are others.
 */
function sharesOf(directory: Directory): ReadonlyMap<PeerId, number> {
  const others = [...listedBySite(directory)].filter(
    ([site, { length }]) => site !== directory.self && length > 0,
  )
  const ownMax = others.length === 0 ? sampleLimits.aloneMax : sampleLimits.ownMax
  const shares = new Map<PeerId, number>([[directory.self, ownMax]])
  let rest: number = sampleLimits.othersMax
  for (let round = 1; round <= sampleLimits.perSiteMax; round++) {
    for (const [site, { length }] of others) {
      if (length < round || rest === 0) continue
      shares.set(site, round)
      rest -= 1
    }
  }
  return shares
}
