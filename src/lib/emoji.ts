/** Every emoji by its name, in the language of the screen where CLDR has it, and the ones used last. */
import { foldText } from '#runtime/fold-text.ts'
import type { LanguageCode } from './i18n/language.svelte.ts'

export interface Emoji {
  readonly emoji: string
  readonly name: string
}

const english = () => import('virtual:emoji/en')
const loaders: Readonly<Record<LanguageCode, () => Promise<{ readonly default: string }>>> = {
  en: english,
  'en-XA': english,
  de: () => import('virtual:emoji/de'),
  es: () => import('virtual:emoji/es'),
  fr: () => import('virtual:emoji/fr'),
  // CLDR has Arabic names; emojibase has none.
  ar: english,
}

/** @returns them by group, in the order that people know from elsewhere */
export async function loadEmoji(code: LanguageCode): Promise<Emoji[][]> {
  return readEmoji((await loaders[code]()).default)
}

/** @param text a line for each, an empty line between groups */
export function readEmoji(text: string): Emoji[][] {
  return text.split('\n\n').map((group) =>
    group.split('\n').map((line) => {
      const space = line.indexOf(' ')
      return { emoji: line.slice(0, space), name: line.slice(space + 1) }
    }),
  )
}

/** guess: more do not help to choose. */
const foundMax = 96

/** @returns those whose name has a word that begins with each word that is typed */
export function findEmoji(groups: readonly (readonly Emoji[])[], typed: string): Emoji[] {
  const words = foldText(typed).split(/\s+/).filter(Boolean)
  const found = groups.flat().filter(({ name }) => {
    const has = foldText(name).split(/[^\p{L}\p{N}]+/u)
    return words.every((word) => has.some((one) => one.startsWith(word)))
  })
  return found.slice(0, foundMax)
}

const key = 'meshchat-emoji'
/** `ux.md` §4.6 */
const recentMax = 8
const usual = ['👍', '❤️', '✅', '👀', '🙏', '😂', '😮', '😢']

/** @returns the ones used last, filled up with what many use */
export function recentEmoji(): string[] {
  let kept: readonly string[] = []
  try {
    kept = (localStorage.getItem(key) ?? '').split(' ').filter((one) => one !== '' && one.length <= 32)
  } catch (error) {
    if (!(error instanceof DOMException)) throw error
  }
  return [...new Set([...kept, ...usual])].slice(0, recentMax)
}

export function useEmoji(emoji: string): void {
  try {
    localStorage.setItem(key, [...new Set([emoji, ...recentEmoji()])].slice(0, recentMax).join(' '))
  } catch (error) {
    // Blocked or full: it is not remembered.
    if (!(error instanceof DOMException)) throw error
  }
}
