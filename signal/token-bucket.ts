/** Token buckets by key: so many per second, so many at once, and at most so many keys remembered. */
export interface BucketOptions {
  readonly perSecond: number
  readonly burst: number
  readonly keysMax: number
}

interface Bucket {
  tokens: number
  atMs: number
}

/** How many of the oldest are looked at for one that is full again, when one has to go. */
const lookedAtMax = 8

export class TokenBuckets {
  private readonly buckets = new Map<string, Bucket>()
  private readonly options: BucketOptions

  constructor(options: BucketOptions) {
    this.options = options
  }

  /** @returns whether one may pass now. */
  take(key: string, nowMs: number): boolean {
    const bucket = this.buckets.get(key) ?? this.add(key, nowMs)
    bucket.tokens = this.tokensOf(bucket, nowMs)
    bucket.atMs = nowMs
    const passes = bucket.tokens >= 1
    if (passes) bucket.tokens -= 1
    return passes
  }

  private tokensOf({ tokens, atMs }: Bucket, nowMs: number): number {
    const { perSecond, burst } = this.options
    return Math.min(burst, tokens + (Math.max(0, nowMs - atMs) / 1_000) * perSecond)
  }

  private add(key: string, nowMs: number): Bucket {
    if (this.buckets.size >= this.options.keysMax) this.makeRoom(nowMs)
    const bucket = { tokens: this.options.burst, atMs: nowMs }
    this.buckets.set(key, bucket)
    return bucket
  }

  /** A full bucket is as good as none; else the one that came first goes. */
  private makeRoom(nowMs: number): void {
    let oldest: string | undefined
    let looked = 0
    for (const [key, bucket] of this.buckets) {
      oldest ??= key
      if (this.tokensOf(bucket, nowMs) >= this.options.burst) {
        this.buckets.delete(key)
        return
      }
      looked += 1
      if (looked >= lookedAtMax) break
    }
    if (oldest !== undefined) this.buckets.delete(oldest)
  }

  forget(key: string): void {
    this.buckets.delete(key)
  }
}
