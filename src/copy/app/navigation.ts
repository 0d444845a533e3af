/** In place of `$app/navigation`. */
import { page } from './state.svelte.ts'

/** @param href a hash: the app has one page */
export async function goto(href: string, { replaceState = false } = {}): Promise<void> {
  if (replaceState) history.replaceState(null, '', href)
  else history.pushState(null, '', href)
  page.look()
  return Promise.resolve()
}
