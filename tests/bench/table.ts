/** Rows of a measurement: what, how much, against what, and the ratio. */
export interface Row {
  readonly what: string
  readonly value: string
  readonly against: string
  readonly ratio?: number
}

export function printTable(title: string, rows: readonly Row[]): void {
  const lines = rows.map(({ what, value, against, ratio }) => {
    return `| ${what} | ${value} | ${against} | ${ratio === undefined ? '' : ratio.toFixed(2)} |`
  })
  console.log(
    [`\n${title}`, '| what | measured | against | ratio |', '|---|---|---|---|', ...lines].join('\n'),
  )
}

/** @param share 0.5 for the median */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function ms(value: number): string {
  return `${value.toFixed(1)} ms`
}

export interface Figure {
  readonly id: string
  readonly what: string
  readonly value: number
  readonly goal: number | undefined
  readonly floor?: number
}

/** Prints medians over the seeds, with the least and the most. Goals are upper bounds. */
export function printFigures(title: string, runs: readonly (readonly Figure[])[]): void {
  const number = (value: number) => (Math.abs(value) < 0.1 ? value.toFixed(4) : value.toFixed(2))
  console.log(`\n${title}`)
  for (const [row, figure] of (runs[0] ?? []).entries()) {
    const values = runs.map((run) => run[row]?.value ?? Number.NaN).sort((a, b) => a - b)
    const middle = values[values.length >> 1] ?? Number.NaN
    const spread = values.length > 1 ? ` (${number(values[0] ?? 0)} to ${number(values.at(-1) ?? 0)})` : ''
    const goal = figure.goal === undefined ? '' : `, goal ${number(figure.goal)}`
    const floor = figure.floor === undefined ? '' : `, floor ${number(figure.floor)}`
    console.log(`${figure.id.padEnd(9)} ${figure.what.padEnd(46)} ${number(middle)}${spread}${goal}${floor}`)
  }
}
