/** Case and the marks over letters do not count when somebody searches: `Muller` finds `Müller`. */
export function foldText(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}

/** guess: more words narrow nothing any more. */
const wordsMax = 8

/** @returns the words that are looked for */
export function wordsOf(text: string): string[] {
  return foldText(text)
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(0, wordsMax)
}
