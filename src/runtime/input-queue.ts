/** Inputs of one engine, run to completion one after the other: those that arise meanwhile wait their turn. */
export class InputQueue<Input> {
  private readonly run: (input: Input) => void
  private readonly waiting: Input[] = []
  private isRunning = false
  isClosed = false

  constructor(run: (input: Input) => void) {
    this.run = run
  }

  /** Nothing is run any more once it is closed. */
  feed(input: Input): void {
    this.waiting.push(input)
    if (this.isRunning) return
    this.isRunning = true
    try {
      for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
        if (this.isClosed) return
        this.run(next)
      }
    } finally {
      this.isRunning = false
    }
  }
}
