/** Virtual time: a binary heap of things to happen, ties in the order of their making. */
interface Entry {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

export class Schedule {
  nowMs = 0
  steps = 0
  private heap: Entry[] = []
  private made = 0

  after(delayMs: number, run: () => void): void {
    this.push({ atMs: this.nowMs + Math.max(0, delayMs), order: this.made++, run })
  }

  /** Runs everything until `untilMs`. @returns false when the step budget ran out: a storm */
  run(untilMs: number, stepsMax: number): boolean {
    for (let next = this.heap[0]; next !== undefined && next.atMs <= untilMs; next = this.heap[0]) {
      this.pop()
      this.nowMs = next.atMs
      if (++this.steps > stepsMax) return false
      next.run()
    }
    this.nowMs = untilMs
    return true
  }

  private push(entry: Entry): void {
    this.heap.push(entry)
    let i = this.heap.length - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.swapIfLess(i, parent)) return
      i = parent
    }
  }

  private pop(): void {
    const last = this.heap.pop()
    if (last === undefined || this.heap.length === 0) return
    this.heap[0] = last
    let i = 0
    for (;;) {
      const left = 2 * i + 1
      const right = left + 1
      let least = i
      if (this.less(left, least)) least = left
      if (this.less(right, least)) least = right
      if (least === i) return
      this.swapIfLess(least, i)
      i = least
    }
  }

  private less(a: number, b: number): boolean {
    const x = this.heap[a]
    const y = this.heap[b]
    if (x === undefined || y === undefined) return false
    return x.atMs < y.atMs || (x.atMs === y.atMs && x.order < y.order)
  }

  private swapIfLess(a: number, b: number): boolean {
    const x = this.heap[a]
    const y = this.heap[b]
    if (x === undefined || y === undefined || !this.less(a, b)) return false
    this.heap[a] = y
    this.heap[b] = x
    return true
  }
}
