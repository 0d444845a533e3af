/**
 * How fast the way to the others is, where something can be told of it: while something is awaited and goes on coming, what
 * comes is what the way carries. Without that nothing is said: a quiet channel is no slow link, nor is a source that sleeps.
 */

/** guess: below it a photo takes minutes; bytes per second. */
const slowBytes = 5_000
/** guess: over so long what comes is measured: at 11 kbit/s a chunk of a file comes in each half of it. */
const spanMs = 24_000
/** guess: timers of a page that was put away run late; longer is a pause. */
const gapMs = 4_000
/** guess: it stays said for so long after it was seen last, so that the line does not come and go. */
const saidMs = 30_000

interface Sample {
  readonly atMs: number
  readonly bytes: number
  /** What has come of what is awaited, in whatever unit. */
  readonly moved: string
}

export class SlowLink {
  #samples: Sample[] = []
  #seen: { readonly atMs: number; readonly rate: number } | undefined

  /** @param bytes that have come so far @param moved another one whenever something of what is awaited has come; undefined: nothing is */
  look(nowMs: number, bytes: number, moved: string | undefined): void {
    const last = this.#samples.at(-1)
    // Asked twice in a moment.
    if (last?.atMs === nowMs && moved !== undefined) return
    // A clock that was set back, or a page that slept, measures nothing.
    const isBroken = last !== undefined && (nowMs < last.atMs || nowMs - last.atMs > gapMs)
    if (moved === undefined || isBroken) this.#samples = []
    if (moved === undefined) return
    this.#samples.push({ atMs: nowMs, bytes, moved })
    const from = this.#samples.findLast(({ atMs }) => nowMs - atMs >= spanMs)
    if (from === undefined) return
    this.#samples = this.#samples.filter(({ atMs }) => atMs >= from.atMs)
    const rate = ((bytes - from.bytes) / (nowMs - from.atMs)) * 1_000
    if (rate >= slowBytes) this.#seen = undefined
    else if (this.#movesOn(from, nowMs)) this.#seen = { atMs: nowMs, rate }
  }

  /** In each half of what is measured something has come: what stands still is no way. */
  #movesOn(from: Sample, nowMs: number): boolean {
    const middle = this.#samples.find(({ atMs }) => nowMs - atMs <= spanMs / 2)
    return middle !== undefined && from.moved !== middle.moved && middle.moved !== this.#samples.at(-1)?.moved
  }

  /** @returns bytes per second; undefined where nobody can say that it is slow */
  rate(nowMs: number): number | undefined {
    const age = this.#seen === undefined ? Number.POSITIVE_INFINITY : nowMs - this.#seen.atMs
    return age >= 0 && age < saidMs ? this.#seen?.rate : undefined
  }
}
