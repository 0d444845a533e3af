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
  | { readonly type: 'list'; readonly isOrdered: boolean; readonly items: readonly (readonly Inline[])[] }
  | { readonly type: 'code'; readonly text: string }

export const markdownLimits = {
  /** guess: marks within marks; deeper ones are text. */
  depthMax: 4,
  /** guess: parts of one message; what comes behind them is text. */
  partsMax: 1_000,
} as const

interface Budget {
  parts: number
}

const marks = { '*': 'bold', _: 'italic', '~~': 'strike' } as const
const fence = '```'

/** @param names of people that may be mentioned, longest first */
export function parseMarkdown(source: string, names: readonly string[] = []): Block[] {
  const budget: Budget = { parts: markdownLimits.partsMax }
  const blocks: Block[] = []
  const lines = source.split('\n')
  for (let at = 0; at < lines.length;) {
    const line = lines[at] ?? ''
    const end = line.startsWith(fence) ? lines.findIndex((one, i) => i > at && one.trimEnd() === fence) : -1
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
    blocks.push(blockOf(kind, part))
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

function blockOf(kind: Kind, lines: readonly (readonly Inline[])[]): Block {
  if (kind === 'paragraph' || kind === 'quote') return { type: kind, lines }
  return { type: 'list', isOrdered: kind === 'numbers', items: lines }
}

/** What may begin something; all else is text. */
const starts = /[*_~`@]|https?:\/\//g

function parseInline(text: string, names: readonly string[], budget: Budget, depth = 0): Inline[] {
  const parts: Inline[] = []
  let plainFrom = 0
  let at = 0
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
    const part = partAt(text, from, names, budget, depth)
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
): Found | undefined {
  const first = text[from]
  if (first === '`') return codeAt(text, from)
  if (first === '@') return mentionAt(text, from, names)
  if (first === 'h') return linkAt(text, from)
  const mark = text.startsWith('~~', from) ? '~~' : first
  if (mark !== '*' && mark !== '_' && mark !== '~~') return undefined
  if (depth >= markdownLimits.depthMax || isWord(text[from - 1])) return undefined
  const open = from + mark.length
  const close = closing(text, mark, open)
  if (close === undefined) return undefined
  const children = parseInline(text.slice(open, close), names, budget, depth + 1)
  return { inline: { type: marks[mark], children }, end: close + mark.length }
}

/** Marks enclose words: nothing blank within them at either end, no word right behind them. */
function closing(text: string, mark: string, open: number): number | undefined {
  if (/^(\s|$)/.test(text.slice(open, open + 1))) return undefined
  for (let at = text.indexOf(mark, open + 1); at >= 0; at = text.indexOf(mark, at + 1)) {
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
  const typed = /^https?:\/\/[^\s<>"]{1,2000}/.exec(text.slice(from, from + 2_010))?.[0]
  // What ends a sentence does not end an address.
  const address = typed?.replace(/[.,;:!?)\]}'*_~]+$/, '')
  if (address === undefined || !URL.canParse(address)) return undefined
  const { href, host, username, protocol } = new URL(address)
  // `http://bank@evil` says one host and means another.
  if (username !== '' || host === '' || !protocol.startsWith('http')) return undefined
  return { inline: { type: 'link', href, text: address, host }, end: from + address.length }
}
