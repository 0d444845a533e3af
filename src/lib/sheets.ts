/**
 * Sheets are fetched when they are wanted, and all of them once the app has come to rest: without a node, and on plain
 * http without a service worker too, whoever has the app open needs no node for them.
 */
import { language } from './i18n/language.svelte.ts'
import type { MeshState } from './state/mesh.svelte.ts'

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
  update: () => import('./components/UpdatePrompt.svelte'),
  reach: () => import('./components/sheets/ReachSheet.svelte'),
  nodes: () => import('./components/nodes/NodesSheet.svelte'),
}

/** What is fetched by others when they need it. */
const parts = [() => import('./state/rulings.svelte.ts'), () => import('./state/announcer.svelte.ts')]

/** design: the first 5 s belong to the first load and the first messages; the rest of the app comes after. */
const restMs = 6_000

/** What nobody needs in order to type: sheets, and what is said beyond who is in reach. @returns what calls it off */
export function fetchRest(mesh: MeshState): () => void {
  let close = (): void => undefined
  const timer = setTimeout(() => {
    // One that does not come now is asked for again when it is wanted.
    for (const load of [...Object.values(sheets), ...parts]) load().catch(() => undefined)
    mesh.isRested = true
    import('./state/conditions.svelte.ts').then(
      ({ Conditions }) => {
        mesh.conditions = new Conditions(mesh)
        ;({ close } = mesh.conditions)
      },
      () => undefined,
    )
    import('./i18n/sheet-language.svelte.ts').then(
      ({ sheetLanguage }) => sheetLanguage.fetch(language.code),
      () => undefined,
    )
  }, restMs)
  return () => {
    clearTimeout(timer)
    close()
  }
}
