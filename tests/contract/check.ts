/** Contract cases run in Node and inside a page, so they need no test framework: a name, and what may fail. */
export interface ContractCase<T> {
  readonly name: string
  readonly run: (subject: T) => Promise<void>
}

export function equal(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual, plain), JSON.stringify(expected, plain)]
  if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`)
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Waits for a fact that somebody else brings about; fails by name when it never comes. */
export class Fact<T> {
  private values: T[] = []
  private waiting: (() => void)[] = []

  add(value: T): void {
    this.values.push(value)
    for (const run of this.waiting.splice(0)) run()
  }

  get all(): readonly T[] {
    return this.values
  }

  async count(wanted: number, what: string): Promise<readonly T[]> {
    const limit = setTimeout(() => this.give(), 20_000)
    while (this.values.length < wanted) {
      await new Promise<void>((resolve) => this.waiting.push(resolve))
      if (this.isGiven) throw new Error(`${what}: ${this.values.length} of ${wanted} came`)
    }
    clearTimeout(limit)
    return this.values
  }

  private isGiven = false
  private give(): void {
    this.isGiven = true
    for (const run of this.waiting.splice(0)) run()
  }
}
