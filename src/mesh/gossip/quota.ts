/**
 * How much of one author goes on as news. Rule G13 in PROTOCOL.md.
 *
 * Source: `reliability.md` T6 (per-author quotas, what is over them is deferred and not dropped), as a token bucket
 * (RFC 2697 §3, one colour). Deviation: no tiers of trust yet; keys are free, so a link as a whole is bounded by F4.
 */
import type { PeerId } from '../ids.ts'
import { limits } from '../limits.ts'

interface Bucket {
  readonly left: number
  readonly atMs: number
}

/** By author; who is not in it has a full one. */
export type Quota = Map<PeerId, Bucket>

function leftOf(quota: Quota, author: PeerId, nowMs: number): number {
  const bucket = quota.get(author)
  if (bucket === undefined) return limits.authorBurst
  const filled = bucket.left + ((nowMs - bucket.atMs) * limits.authorPerSecond) / 1_000
  return Math.min(limits.authorBurst, filled)
}

/** G13: @returns whether so many events of this author may go on as news now; if so they are counted. */
export function spend(quota: Quota, author: PeerId, events: number, nowMs: number): boolean {
  const left = leftOf(quota, author, nowMs)
  if (left < events) return false
  quota.delete(author)
  quota.set(author, { left: left - events, atMs: nowMs })
  if (quota.size > limits.quotaAuthorsMax) {
    // Who has been silent for longest, and so has the most left.
    const [oldest] = quota.keys()
    if (oldest !== undefined) quota.delete(oldest)
  }
  return true
}

/** G13: @returns whether an author has said so much that others come first. */
export function isOver(quota: Quota, author: PeerId, nowMs: number): boolean {
  return leftOf(quota, author, nowMs) < limits.authorBurst / 2
}
