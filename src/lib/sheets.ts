/**
 * Sheets are fetched when they are wanted, and all of them once the app has come to rest: without a node, and on plain
 * http without a service worker too, whoever has the app open needs no node for them.
 */
import { language } from './i18n/language.svelte.ts'

export const sheets = {
  messageMenu: () => import('./components/sheets/MessageMenu.svelte'),
  whoHas: () => import('./components/sheets/WhoHas.svelte'),
  search: () => import('./components/sheets/SearchSheet.svelte'),
  settings: () => import('./components/sheets/SettingsSheet.svelte'),
  newChannel: () => import('./components/channel/NewChannelSheet.svelte'),
  channel: () => import('./components/channel/ChannelSheet.svelte'),
  directory: () => import('./components/channel/DirectorySheet.svelte'),
  person: () => import('./components/sheets/PersonSheet.svelte'),
  pinned: () => import('./components/channel/PinnedBar.svelte'),
  notIn: () => import('./components/channel/NotIn.svelte'),
  nodes: () => import('./components/nodes/NodesSheet.svelte'),
}

/** guess: behind the first seconds, which belong to the first messages. */
const restMs = 8_000

export function fetchSheets(): void {
  setTimeout(() => {
    // One that does not come now is asked for again when it is wanted.
    for (const load of Object.values(sheets)) load().catch(() => undefined)
    import('./i18n/sheet-language.svelte.ts').then(
      ({ sheetLanguage }) => sheetLanguage.fetch(language.code),
      () => undefined,
    )
  }, restMs)
}
