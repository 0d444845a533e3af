/**
 * Markdown-lite: what people type for bold, lists and quotes, as a tree for the screen. Never HTML: every leaf is text.
 * Bounded, since texts come from anybody: at worst the square of a message's 4,000 characters.
 */
export type Inline =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'code'; readonly text: string }
  | { readonly type: 'bold' | 'italic' | 'strike'; readonly children: readonly Inline[] }
  /** `host` stands beside what was typed wherever it does not begin with it. */
  | { readonly type: 'link'; readonly href: string; readonly text: string; readonly host: string }
  | { readonly type: 'mention'; readonly name: string }

export type Block =
  | { readonly type: 'paragraph'; readonly lines: readonly (readonly Inline[])[] }
  | { readonly type: 'quote'; readonly lines: readonly (readonly Inline[])[] }
  /** `from`: the first number of an ordered list. */
  | {
      readonly type: 'list'
      readonly from: number | undefined
      readonly items: readonly (readonly Inline[])[]
    }
  | { readonly type: 'code'; readonly text: string }

export const markdownLimits = {
  /** guess: marks within marks; deeper ones are text. */
  depthMax: 4,
  /** guess: parts of one message; what comes behind them is text. */
  partsMax: 1_000,
  /** guess: nobody means more people in one message. */
  mentionsMax: 50,
} as const

interface Budget {
  parts: number
  mentions: number
}

const marks = { '**': 'bold', '*': 'bold', _: 'italic', '~~': 'strike' } as const
type Mark = keyof typeof marks
const fence = '```'
/** A block of code begins with a fence and at most the name of its language. */
const fenceLine = /^```\w{0,20}\s*$/

/** @param names of people that may be mentioned, longest first */
export function parseMarkdown(source: string, names: readonly string[] = []): Block[] {
  const budget: Budget = { parts: markdownLimits.partsMax, mentions: markdownLimits.mentionsMax }
  const blocks: Block[] = []
  const lines = source.split('\n')
  for (let at = 0; at < lines.length;) {
    const line = lines[at] ?? ''
    const end = fenceLine.test(line) ? lines.findIndex((one, i) => i > at && one.trimEnd() === fence) : -1
    if (end > at) {
      blocks.push({ type: 'code', text: lines.slice(at + 1, end).join('\n') })
      at = end + 1
      continue
    }
    const kind = kindOf(line)
    let last = at + 1
    while (
      last < lines.length &&
      kindOf(lines[last] ?? '') === kind &&
      !(lines[last] ?? '').startsWith(fence)
    )
      last += 1
    const part = lines.slice(at, last).map((one) => parseInline(withoutMark(one, kind), names, budget))
    blocks.push(blockOf(kind, part, line))
    at = last
  }
  return blocks
}

type Kind = 'paragraph' | 'quote' | 'bullets' | 'numbers'

function kindOf(line: string): Kind {
  if (/^> ?/.test(line)) return 'quote'
  if (/^[-•] \S/.test(line)) return 'bullets'
  return /^\d{1,3}\. \S/.test(line) ? 'numbers' : 'paragraph'
}

function withoutMark(line: string, kind: Kind): string {
  switch (kind) {
    case 'quote':
      return line.replace(/^> ?/, '')
    case 'bullets':
      return line.slice(2)
    case 'numbers':
      return line.replace(/^\d+\. /, '')
    case 'paragraph':
      return line
  }
}

function blockOf(kind: Kind, lines: readonly (readonly Inline[])[], firstLine: string): Block {
  if (kind === 'paragraph' || kind === 'quote') return { type: kind, lines }
  return { type: 'list', from: kind === 'numbers' ? Number.parseInt(firstLine, 10) : undefined, items: lines }
}

/** What may begin something; all else is text. */
const starts = /[*_~`@]|https?:\/\//g

function parseInline(text: string, names: readonly string[], budget: Budget, depth = 0): Inline[] {
  const parts: Inline[] = []
  let plainFrom = 0
  let at = 0
  /** Marks that nothing closes from here on: not looked for again. */
  const open = new Set<Mark>()
  const push = (part: Inline, from: number, to: number) => {
    if (from > plainFrom) parts.push({ type: 'text', text: text.slice(plainFrom, from) })
    parts.push(part)
    budget.parts -= 1
    plainFrom = to
    at = to
  }
  while (budget.parts > 0) {
    starts.lastIndex = at
    const found = starts.exec(text)
    if (found === null) break
    const from = found.index
    const part = partAt(text, from, names, budget, depth, open)
    if (part === undefined) at = from + 1
    else push(part.inline, from, part.end)
  }
  if (plainFrom < text.length) parts.push({ type: 'text', text: text.slice(plainFrom) })
  return parts
}

interface Found {
  readonly inline: Inline
  readonly end: number
}

function partAt(
  text: string,
  from: number,
  names: readonly string[],
  budget: Budget,
  depth: number,
  open: Set<Mark>,
): Found | undefined {
  const first = text[from]
  if (first === '`') return codeAt(text, from)
  if (first === '@') {
    budget.mentions -= 1
    return budget.mentions < 0 ? undefined : mentionAt(text, from, names)
  }
  if (first === 'h') return linkAt(text, from)
  const mark = markAt(text, from)
  if (mark === undefined || open.has(mark)) return undefined
  if (depth >= markdownLimits.depthMax || isWord(text[from - 1])) return undefined
  const begins = from + mark.length
  if (/^(\s|$)/.test(text.slice(begins, begins + 1))) return undefined
  const close = closing(text, mark, begins)
  if (close === undefined) {
    open.add(mark)
    return undefined
  }
  const children = parseInline(text.slice(begins, close), names, budget, depth + 1)
  return { inline: { type: marks[mark], children }, end: close + mark.length }
}

function markAt(text: string, from: number): Mark | undefined {
  for (const mark of ['**', '~~', '*', '_'] as const) if (text.startsWith(mark, from)) return mark
  return undefined
}

/** Marks enclose words: nothing blank before the last one, no word right behind it. */
function closing(text: string, mark: Mark, begins: number): number | undefined {
  for (let at = text.indexOf(mark, begins + 1); at >= 0; at = text.indexOf(mark, at + 1)) {
    if (!/\s/.test(text[at - 1] ?? ' ') && !isWord(text[at + mark.length])) return at
  }
  return undefined
}

function isWord(letter: string | undefined): boolean {
  return letter !== undefined && /[\p{L}\p{N}]/u.test(letter)
}

function codeAt(text: string, from: number): Found | undefined {
  const close = text.indexOf('`', from + 1)
  if (close <= from + 1) return undefined
  return { inline: { type: 'code', text: text.slice(from + 1, close) }, end: close + 1 }
}

function mentionAt(text: string, from: number, names: readonly string[]): Found | undefined {
  if (isWord(text[from - 1])) return undefined
  const rest = text.slice(from + 1, from + 65).toLowerCase()
  const name = names.find((one) => rest.startsWith(one.toLowerCase()) && !isWord(rest[one.length]))
  if (name === undefined) return undefined
  const end = from + 1 + name.length
  return { inline: { type: 'mention', name: text.slice(from + 1, end) }, end }
}

function linkAt(text: string, from: number): Found | undefined {
  if (isWord(text[from - 1])) return undefined
  const typed = /^https?:\/\/[^\s<>"\p{Cf}]{1,2000}/u.exec(text.slice(from, from + 2_010))?.[0]
  const address = typed === undefined ? undefined : withoutEnd(typed)
  if (address === undefined || !URL.canParse(address)) return undefined
  const { href, host, username, protocol } = new URL(address)
  // `http://bank@evil` says one host and means another.
  if (username !== '' || host === '' || !protocol.startsWith('http')) return undefined
  return { inline: { type: 'link', href, text: address, host }, end: from + address.length }
}

/** What ends a sentence does not end an address; a bracket does only if it was opened within it. */
function withoutEnd(address: string): string {
  let end = address.length
  for (; end > 0; end--) {
    const last = address[end - 1] ?? ''
    if (last === ')' && isBalanced(address.slice(0, end))) break
    if (!/[.,;:!?)\]}'*_~]/.test(last)) break
  }
  return address.slice(0, end)
}

function isBalanced(text: string): boolean {
  return text.split('(').length >= text.split(')').length
}

/** @returns whether a text mentions one of these names, as the screen would show it */
export function mentions(text: string, names: readonly string[]): boolean {
  const longestFirst = [...names].sort((a, b) => b.length - a.length)
  const isIn = (parts: readonly Inline[]): boolean =>
    parts.some((part) => part.type === 'mention' || ('children' in part && isIn(part.children)))
  return parseMarkdown(text, longestFirst).some((block) => {
    if (block.type === 'code') return false
    return (block.type === 'list' ? block.items : block.lines).some(isIn)
  })
}
