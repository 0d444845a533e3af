/** The place of a part of the page until it is fetched: what is wished meanwhile waits. */

/** guess: wishes that wait while the code comes. */
const waitingMax = 64

export interface Part<Wish> {
  run(wish: Wish): void
  close(): void
}

export class LatePart<Wish, Fetched extends Part<Wish>> {
  private readonly load: () => Promise<Fetched>
  private readonly lost: ((wishes: readonly Wish[]) => void) | undefined
  private waiting: Wish[] = []
  private isLoading = false
  private isClosed = false
  /** Undefined until it is there. */
  part: Fetched | undefined

  /** @param lost is told what was wished for nothing, when it could not be fetched; else that waits for the next wish */
  constructor(load: () => Promise<Fetched>, lost?: (wishes: readonly Wish[]) => void) {
    this.load = load
    this.lost = lost
  }

  /** The first wish fetches what it takes. */
  run(wish: Wish): void {
    if (this.part !== undefined) return this.part.run(wish)
    if (this.waiting.length < waitingMax) this.waiting.push(wish)
    if (this.isLoading) return
    this.isLoading = true
    this.load().then(
      (part) => {
        if (this.isClosed) return part.close()
        this.part = part
        for (const one of this.waiting.splice(0)) part.run(one)
      },
      // No node to fetch it from, or nothing can be kept here: the next wish tries again.
      () => {
        this.isLoading = false
        if (!this.isClosed && this.lost !== undefined) this.lost(this.waiting.splice(0))
      },
    )
  }

  close(): void {
    this.isClosed = true
    this.part?.close()
  }
}
