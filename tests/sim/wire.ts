/**
 * One direction of a link between two peers: how long a frame is under way, and whether it gets lost. Loss alone or
 * in bursts (Gilbert 1960, Elliott 1963), a rate with a queue, lanes that wait for what is lost and one that does not.
 */
import { Packer } from '../../src/adapters/packer.ts'
import type { Lane } from '../../src/mesh/frame.ts'
import type { Prng } from './prng.ts'

export interface WireFaults {
  /** Chat lane only: control and bulk are reliable while the link stands. */
  readonly loss: number
  readonly duplication: number
  readonly latencyMinMs: number
  readonly latencyMaxMs: number
  /** Between sites, kbit/s; absent: as fast as can be. */
  readonly radioKbps?: number
  /** Chance per packet that a bad stretch begins, in which most are lost, and that it ends. */
  readonly burst?: { readonly begins: number; readonly ends: number }
}

/** measured (gossip.md §5): headers of a packet, and its share of acknowledgements. */
const overheadBytes = 105
/** What a reliable lane waits for its repetition, ms: the smallest timeout of SCTP (RFC 9260 §16). */
const repeatMs = 1_000
const lossInBurst = 0.8
/** As `rtcLimits`: above, the bulk lane takes no more; below, it does again. */
export const bulkBytes = { most: 65_536, low: 16_384 } as const
/** Chat that would wait longer than this in a router's queue is dropped there. */
const queueMaxMs = 2_000

export class Wire {
  /** Bytes of the bulk lane that have not left yet. */
  bulkWaiting = 0
  isCongested = false
  private readonly packer = new Packer()
  private isBad = false
  /** When everything given so far has left, ms. */
  private freeMs = 0
  /** When the last frame of a reliable lane arrives, ms. */
  private readonly lastMs = new Map<Lane, number>()

  /** @param frame of the bulk lane @returns how many bytes it takes on the way (F7) */
  pack(frame: Uint8Array): number {
    return this.packer.pack(frame).length
  }

  /** @returns when it has left here, ms */
  leaves(bytes: number, faults: WireFaults, isRadio: boolean, nowMs: number): number {
    if (faults.radioKbps === undefined || !isRadio) return nowMs
    const packets = Math.ceil(bytes / 1_160)
    this.freeMs = Math.max(nowMs, this.freeMs) + ((bytes + packets * overheadBytes) * 8) / faults.radioKbps
    return Math.round(this.freeMs)
  }

  /**
   * @param lane undefined for what may be lost and overtaken
   * @param parts `delayMs`: of the way, without queues
   * @returns when it arrives, ms, once for each copy; empty when it is lost
   */
  arrivals(
    lane: Lane | undefined,
    parts: { readonly leftMs: number; readonly delayMs: number; readonly nowMs: number },
    faults: WireFaults,
    random: Prng,
  ): number[] {
    const { leftMs, delayMs, nowMs } = parts
    const atMs = leftMs + delayMs
    const isLostInBurst = this.isLostInBurst(faults, random)
    if (lane !== undefined) {
      const wholeMs = Math.max(this.lastMs.get(lane) ?? 0, atMs + (isLostInBurst ? repeatMs : 0))
      this.lastMs.set(lane, wholeMs)
      return [wholeMs]
    }
    const isLost = random.chance(faults.loss) || isLostInBurst || leftMs - nowMs > queueMaxMs
    const copies = isLost ? [] : [atMs]
    if (random.chance(faults.duplication)) copies.push(leftMs + delayMs * 2)
    return copies
  }

  private isLostInBurst({ burst }: WireFaults, random: Prng): boolean {
    if (burst === undefined) return false
    this.isBad = this.isBad ? !random.chance(burst.ends) : random.chance(burst.begins)
    return this.isBad && random.chance(lossInBurst)
  }
}
