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
