/** Words that only sheets have, in the language of the screen. English comes with the first sheet; another one is fetched. */
import { language, type LanguageCode } from './language.svelte.ts'
import { en, type SheetMessages } from './sheets/en.ts'

const loaders: Readonly<Record<LanguageCode, () => Promise<SheetMessages>>> = {
  en: () => Promise.resolve(en),
  de: async () => (await import('./sheets/de.ts')).de,
  es: async () => (await import('./sheets/es.ts')).es,
  fr: async () => (await import('./sheets/fr.ts')).fr,
  ar: async () => (await import('./sheets/ar.ts')).ar,
  'en-XA': async () => (await import('./pseudo.ts')).longer(en),
}

class SheetLanguage {
  #words = $state.raw<Partial<Record<LanguageCode, SheetMessages>>>({ en })
  #wanted = new Set<LanguageCode>()

  /** In English until the others have come. */
  get words(): SheetMessages {
    const { code } = language
    const words = this.#words[code]
    if (words === undefined) void this.fetch(code)
    return words ?? en
  }

  async fetch(code: LanguageCode): Promise<void> {
    if (this.#wanted.has(code)) return
    this.#wanted.add(code)
    try {
      const words = await loaders[code]()
      this.#words = { ...this.#words, [code]: words }
    } catch (error) {
      // No way to the node: asked for again with the next sheet.
      if (!(error instanceof TypeError)) throw error
      this.#wanted.delete(code)
    }
  }
}

export const sheetLanguage = new SheetLanguage()
