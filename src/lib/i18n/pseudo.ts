/** A language that nobody speaks: longer by two fifths and accented, to see what breaks and what was never translated. */
const accents: Readonly<Record<string, string>> = {
  a: 'á',
  c: 'ç',
  e: 'é',
  i: 'í',
  n: 'ñ',
  o: 'ö',
  u: 'ü',
  y: 'ý',
  A: 'Å',
  E: 'É',
  I: 'Î',
  O: 'Ö',
  U: 'Û',
}
const longerBy = 0.4

/** @returns the same words, each sentence between ⟦ and ⟧ */
export function longer<Words>(words: Words): Words {
  return change(words) as Words
}

function change(words: unknown): unknown {
  if (typeof words === 'string') return lengthen(words)
  if (typeof words === 'function') {
    const say = words as (...parts: unknown[]) => string
    return (...parts: unknown[]) => lengthen(say(...parts))
  }
  if (Array.isArray(words)) return words.map(change)
  if (typeof words !== 'object' || words === null) return words
  return Object.fromEntries(Object.entries(words).map(([key, value]) => [key, change(value)]))
}

function lengthen(text: string): string {
  const accented = Array.from(text)
    .map((letter) => accents[letter] ?? letter)
    .join('')
  const more = Math.max(0, Math.ceil(text.length * longerBy) - 2)
  return `⟦${accented}${' ẋẋẋẋẋ'.repeat(Math.ceil(more / 6)).slice(0, more)}⟧`
}
