/**
 * How fast the way to the others is, where something can be told of it: while something is awaited all the time, what comes
 * is what the way carries. Without that nothing is said: a quiet channel is no slow link.
 */

/** guess: below it a photo takes minutes; bytes per second. */
const slowBytes = 5_000
/** guess: over so long what comes is measured. */
const spanMs = 8_000
/** guess: it stays said for so long after it was seen last, so that the line does not come and go. */
const saidMs = 30_000

export class SlowLink {
  #samples: { readonly atMs: number; readonly bytes: number }[] = []
  #seen: { readonly atMs: number; readonly rate: number } | undefined

  /** @param bytes that have come so far @param isAwaited something is under way, and was asked for */
  look(nowMs: number, bytes: number, isAwaited: boolean): void {
    // A clock that was set back, or a page that slept, measures nothing.
    const last = this.#samples.at(-1)
    const isBroken = last !== undefined && (nowMs <= last.atMs || nowMs - last.atMs > spanMs / 2)
    if (!isAwaited || isBroken) this.#samples = []
    if (!isAwaited) return
    this.#samples.push({ atMs: nowMs, bytes })
    const from = this.#samples.findLast(({ atMs }) => nowMs - atMs >= spanMs)
    if (from === undefined) return
    this.#samples = this.#samples.filter(({ atMs }) => atMs >= from.atMs)
    const rate = ((bytes - from.bytes) / (nowMs - from.atMs)) * 1_000
    // What brings nothing at all is no way.
    if (rate <= 0) return
    this.#seen = rate < slowBytes ? { atMs: nowMs, rate } : undefined
  }

  /** @returns bytes per second; undefined where nobody can say that it is slow */
  rate(nowMs: number): number | undefined {
    const age = this.#seen === undefined ? Number.POSITIVE_INFINITY : nowMs - this.#seen.atMs
    return age >= 0 && age < saidMs ? this.#seen?.rate : undefined
  }
}
