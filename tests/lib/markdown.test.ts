import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { markdownLimits, mentions, parseMarkdown, type Block, type Inline } from '../../src/lib/markdown.ts'

function inlineOf(source: string, names: readonly string[] = []): readonly Inline[] {
  const [block] = parseMarkdown(source, names)
  return block?.type === 'paragraph' ? (block.lines[0] ?? []) : []
}

/** All that is shown, without the marks. */
function textOf(parts: readonly Inline[]): string {
  return parts
    .map((part) => {
      if (part.type === 'mention') return `@${part.name}`
      return 'children' in part ? textOf(part.children) : part.text
    })
    .join('')
}

function linesOf(block: Block): readonly (readonly Inline[])[] {
  if (block.type === 'code') return [[{ type: 'text', text: block.text }]]
  return block.type === 'list' ? block.items : block.lines
}

function depthOf(parts: readonly Inline[]): number {
  return Math.max(0, ...parts.map((part) => ('children' in part ? 1 + depthOf(part.children) : 0)))
}

const text = (value: string): Inline => ({ type: 'text', text: value })

describe('markdown-lite', () => {
  it('knows bold, italic, struck and code, within each other', () => {
    expect(inlineOf('a *b _c_* ~~d~~ `*e*`')).toEqual([
      text('a '),
      { type: 'bold', children: [text('b '), { type: 'italic', children: [text('c')] }] },
      text(' '),
      { type: 'strike', children: [text('d')] },
      text(' '),
      { type: 'code', text: '*e*' },
    ])
  })

  it.each(['2*3*4', 'snake_case_name', '* not bold *', '*', '**', '_ _', '~~', '****', '`', '``', 'a ~b~ c'])(
    'leaves %s as it was typed',
    (source) => {
      expect(inlineOf(source)).toEqual([text(source)])
    },
  )

  it('makes links of addresses only, without what ends the sentence', () => {
    expect(inlineOf('see http://eoc.local.mesh:8080/a?b=1.')).toEqual([
      text('see '),
      {
        type: 'link',
        href: 'http://eoc.local.mesh:8080/a?b=1',
        text: 'http://eoc.local.mesh:8080/a?b=1',
        host: 'eoc.local.mesh:8080',
      },
      text('.'),
    ])
    for (const source of [
      'javascript:alert(1)',
      'data:text/html,x',
      'http://bank@evil/',
      'xhttp://a',
      'http://',
    ])
      expect(inlineOf(source)).toEqual([text(source)])
  })

  it('knows the people that it is told of, whole names only', () => {
    const names = ['Ana Maria', 'Ana']
    expect(inlineOf('@ana maria and @Ana, not @Anatol or me@Ana', names)).toEqual([
      { type: 'mention', name: 'ana maria' },
      text(' and '),
      { type: 'mention', name: 'Ana' },
      text(', not @Anatol or me@Ana'),
    ])
  })

  it('knows two stars, keeps numbers of lists, brackets within addresses, and text behind a fence', () => {
    expect(inlineOf('**so** it is')[0]).toEqual({ type: 'bold', children: [text('so')] })
    const [list] = parseMarkdown('3. third\n4. fourth')
    expect(list).toMatchObject({ type: 'list', from: 3 })
    expect(inlineOf('(http://a.b/Foo_(bar))')[1]).toMatchObject({ href: 'http://a.b/Foo_(bar)' })
    expect(textOf(parseMarkdown('```fuel 40 L\nx\n```').flatMap(linesOf).flat())).toContain('fuel 40 L')
    expect(inlineOf('http://evil.com/\u202egpj.exe')[0]).toMatchObject({ text: 'http://evil.com/' })
    expect(inlineOf('https://раypal.com/login')[0]).toMatchObject({ host: 'xn--ypal-43d9g.com' })
  })

  it('says whether somebody is meant, whole names only', () => {
    expect(mentions('come, @Ana!', ['Ana'])).toBe(true)
    expect(mentions('*@here* please', ['here'])).toBe(true)
    for (const other of ['bob@allotment.example', '@anabel', '`@Ana`', 'Ana'])
      expect(mentions(other, ['Ana', 'all'])).toBe(false)
  })

  it('knows quotes, lists and blocks of code, and an open block is text', () => {
    const source = '> said\n> twice\n- one\n- two\n1. first\n```\nlet *x*\n```\nend\n```open'
    expect(parseMarkdown(source).map(({ type }) => type)).toEqual([
      'quote',
      'list',
      'list',
      'code',
      'paragraph',
      'paragraph',
    ])
  })

  it('loses nothing that is no mark, nests no deeper than it may, and is bounded, whatever it is given', () => {
    const piece = fc.constantFrom(
      '*',
      '_',
      '~~',
      '`',
      '```',
      '\n',
      '> ',
      '- ',
      ' ',
      'a',
      'http://b.c',
      '@Ana',
      '<b>',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const source = pieces.join('')
        const blocks = parseMarkdown(source, ['Ana'])
        const lines = blocks.flatMap(linesOf)
        const letters = (value: string) => value.replace(/[^a-z<>A]/g, '')
        const shown = lines.map(textOf).join('')
        for (const letter of ['a', 'b', 'A']) {
          const count = (value: string) => letters(value).split(letter).length
          expect(count(shown)).toBe(count(source))
        }
        for (const line of lines) expect(depthOf(line)).toBeLessThanOrEqual(markdownLimits.depthMax)
      }),
    )
    const long = '*a* '.repeat(1_000)
    expect(inlineOf(long).length).toBeLessThanOrEqual(2 * markdownLimits.partsMax + 1)
    expect(depthOf(inlineOf('*_'.repeat(2_000)))).toBeLessThanOrEqual(markdownLimits.depthMax)
  })
})
