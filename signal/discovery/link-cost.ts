/**
 * What the way to a neighbour costs where nobody else says so: what a radio hop costs, and more when answers are slow. The
 * quickest answer counts, so that a queue that comes and goes does not move the tree.
 */
import type { PeerId } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'

/** guess: a hop of AREDN answers within 50 ms; several hops, a tunnel or a satellite do not. */
const steps: readonly { readonly fromMs: number; readonly cost: number }[] = [
  { fromMs: 400, cost: 3 * limits.radioCost },
  { fromMs: 150, cost: 2 * limits.radioCost },
  { fromMs: 50, cost: 1.5 * limits.radioCost },
]

/** @returns undefined for what is no slower than a radio hop */
export function costOfRtt(rttMs: number): number | undefined {
  return steps.find(({ fromMs }) => rttMs >= fromMs)?.cost
}

/** How quickly neighbours answer, ms: the last time, and at best. */
export class RoundTrips {
  private readonly last = new Map<PeerId, number>()
  private readonly quickest = new Map<PeerId, number>()

  /** @returns whether the way costs something else now */
  note(site: PeerId, rttMs: number): boolean {
    this.last.set(site, rttMs)
    const before = this.quickest.get(site) ?? 0
    if (before > 0 && before <= rttMs) return false
    this.quickest.set(site, rttMs)
    return costOfRtt(before) !== costOfRtt(rttMs)
  }

  forget(site: PeerId): void {
    this.last.delete(site)
    this.quickest.delete(site)
  }

  lastOf(site: PeerId): number | undefined {
    return this.last.get(site)
  }

  costOf(site: PeerId): number | undefined {
    return costOfRtt(this.quickest.get(site) ?? 0)
  }
}
