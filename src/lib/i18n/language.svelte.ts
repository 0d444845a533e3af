/** The language of the screen. English comes with the app; another one is fetched when it is chosen. */
import { en, type Messages } from './en.ts'

class Language {
  words = $state.raw<Messages>(en)
}

export const language = new Language()
