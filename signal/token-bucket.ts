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

export class TokenBuckets {
  private readonly buckets = new Map<string, Bucket>()
  private readonly options: BucketOptions

  constructor(options: BucketOptions) {
    this.options = options
  }

  /** @returns whether one may pass now. */
  take(key: string, nowMs: number): boolean {
    const { perSecond, burst, keysMax } = this.options
    const bucket = this.buckets.get(key) ?? { tokens: burst, atMs: nowMs }
    const earned = (Math.max(0, nowMs - bucket.atMs) / 1_000) * perSecond
    bucket.tokens = Math.min(burst, bucket.tokens + earned)
    bucket.atMs = nowMs
    const passes = bucket.tokens >= 1
    if (passes) bucket.tokens -= 1
    this.buckets.delete(key)
    this.buckets.set(key, bucket)
    for (const oldest of this.buckets.keys()) {
      if (this.buckets.size <= keysMax) break
      this.buckets.delete(oldest)
    }
    return passes
  }

  forget(key: string): void {
    this.buckets.delete(key)
  }
}
