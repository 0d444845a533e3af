/** Naming somebody while one types: what stands behind the last `@`, and who that may be. */
export interface MentionQuery {
  /** Where the `@` is. */
  readonly from: number
  /** What is typed behind it. */
  readonly part: string
}

/** guess: more do not help to choose. */
const shownMax = 6

/** @param caret where the next letter will stand */
export function mentionQuery(text: string, caret: number): MentionQuery | undefined {
  const before = text.slice(0, caret)
  const from = before.lastIndexOf('@')
  const isWord = /[\p{L}\p{N}]/u.test(before[from - 1] ?? ' ')
  const part = before.slice(from + 1)
  if (from < 0 || isWord || part.length > 32 || part.includes('\n')) return undefined
  return { from, part }
}

/** @returns names that begin with it; none once one of them is complete */
export function namesFor(part: string, names: readonly string[]): string[] {
  const typed = part.toLowerCase()
  const found = names.filter((name) => name.toLowerCase().startsWith(typed))
  if (found.some((name) => name.toLowerCase() === typed)) return []
  return [...found].sort((a, b) => a.localeCompare(b)).slice(0, shownMax)
}

/** @returns the text with the name in it, and where the caret is then */
export function withMention(
  text: string,
  { from, part }: MentionQuery,
  name: string,
): { readonly text: string; readonly caret: number } {
  const head = `${text.slice(0, from)}@${name} `
  const rest = text.slice(from + 1 + part.length)
  return { text: head + rest.replace(/^ /, ''), caret: head.length }
}
