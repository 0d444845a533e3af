/** What is fetched when the first load is over. */
import { language } from './i18n/language.svelte.ts'
import type { MeshState } from './state/mesh.svelte.ts'
import { lateParts } from './late-parts.ts'
import { sheets } from './sheets.ts'

/** What is fetched by others when they need it. */
const parts = [() => import('./state/rulings.svelte.ts'), () => import('./state/announcer.svelte.ts')]

/** design: the first 5 s belong to the first load and the first messages; the rest of the app comes after. */
const restMs = 6_000

/** What nobody needs in order to type: sheets, and what is said beyond who is in reach. @returns what calls it off */
export function fetchRest(mesh: MeshState): () => void {
  let close = (): void => undefined
  const timer = setTimeout(() => {
    // One that does not come now is asked for again when it is wanted.
    for (const load of [...Object.values(sheets), ...Object.values(lateParts), ...parts])
      load().catch(() => undefined)
    mesh.isRested = true
    // Whoever holds files has them for others from then on.
    import('./files/files.svelte.ts').then(
      ({ filesOf }) => filesOf(mesh),
      () => undefined,
    )
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
