/** The language of the screen, and how times are written in it. English comes with the app; another one is fetched. */
import { en, type Messages } from './en.ts'

export const languages = {
  en: 'English',
  de: 'Deutsch',
  es: 'Español',
  fr: 'Français',
  ar: 'العربية',
} as const

/** `en-XA` is for who looks at the layout: English with longer, accented words, chosen in no menu. */
export type LanguageCode = keyof typeof languages | 'en-XA'
export type Clock = 'local' | 'h24' | 'utc'

const loaders: Readonly<Record<LanguageCode, () => Promise<Messages>>> = {
  en: () => Promise.resolve(en),
  de: async () => (await import('./de.ts')).de,
  es: async () => (await import('./es.ts')).es,
  fr: async () => (await import('./fr.ts')).fr,
  ar: async () => (await import('./ar.ts')).ar,
  'en-XA': async () => (await import('./pseudo.ts')).longer(en),
}

class Language {
  words = $state.raw<Messages>(en)
  code = $state<LanguageCode>('en')
  #clock = $state<Clock>('local')
  #choices = 0
  /** Where English is chosen, dates are written as the device does; elsewhere as the language does. */
  #locale = $derived(this.code === 'en' ? undefined : this.code)
  readonly clock = $derived(new Intl.DateTimeFormat(this.#locale, clockOptions(this.#clock)))
  readonly day = $derived(
    new Intl.DateTimeFormat(this.#locale, {
      weekday: 'long',
      day: 'numeric',
      month: 'long',
      ...(this.#clock === 'utc' ? { timeZone: 'UTC' } : {}),
    }),
  )
  /** With its year, for what may be old. */
  readonly date = $derived(new Intl.DateTimeFormat(this.#locale, { dateStyle: 'medium' }))
  readonly number = $derived(new Intl.NumberFormat(this.#locale))

  /** @returns so many bytes as people say it, in decimal units */
  sizeOf(bytes: number): string {
    const [unit, per] =
      bytes < 1e6
        ? (['kilobyte', 1e3] as const)
        : bytes < 1e9
          ? (['megabyte', 1e6] as const)
          : (['gigabyte', 1e9] as const)
    const format = new Intl.NumberFormat(this.#locale, { style: 'unit', unit, maximumFractionDigits: 1 })
    // A few bytes are not nothing.
    return format.format((bytes > 0 ? Math.max(100, bytes) : 0) / per)
  }

  get direction(): 'ltr' | 'rtl' {
    return this.code === 'ar' ? 'rtl' : 'ltr'
  }

  /** What was chosen last counts, whichever comes first. */
  async choose(code: LanguageCode): Promise<void> {
    const choice = ++this.#choices
    const words = await loaders[code]()
    if (choice !== this.#choices) return
    this.words = words
    this.code = code
  }

  setClock(clock: Clock): void {
    this.#clock = clock
  }
}

function clockOptions(clock: Clock): Intl.DateTimeFormatOptions {
  const base = { hour: '2-digit', minute: '2-digit' } as const
  if (clock === 'local') return base
  return { ...base, hourCycle: 'h23', ...(clock === 'utc' ? { timeZone: 'UTC', timeZoneName: 'short' } : {}) }
}

/** @returns the language that this browser's person reads best of those that there are */
export function preferredLanguage(wanted: readonly string[]): LanguageCode {
  for (const one of wanted) {
    const code = one.toLowerCase().split('-')[0] ?? ''
    if (isLanguage(code)) return code
  }
  return 'en'
}

export function isLanguage(code: unknown): code is LanguageCode {
  return typeof code === 'string' && Object.hasOwn(loaders, code)
}

export const language = new Language()
