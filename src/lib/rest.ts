/** What is fetched when the first load is over. */
import { language } from './i18n/language.svelte.ts'
import type { MeshState } from './state/mesh.svelte.ts'
import { lateParts } from './late-parts.ts'
import { sheets } from './sheets.ts'

/** What is fetched by others when they need it. */
const parts = [() => import('./state/rulings.svelte.ts'), () => import('./state/announcer.svelte.ts')]

/** guess: who types without a pause waits for none of it, and has all of it within a minute. */
const busyMaxMs = 1_000

/** What nobody needs in order to type: sheets, and what is said beyond who is in reach. @returns what calls it off */
export function fetchRest(mesh: MeshState): () => void {
  let close = (): void => undefined
  let isOver = false
  const loads: readonly (() => Promise<unknown>)[] = [
    async () => {
      const { Conditions } = await import('./state/conditions.svelte.ts')
      if (isOver) return
      mesh.conditions = new Conditions(mesh)
      ;({ close } = mesh.conditions)
    },
    // Whoever holds files has them for others from then on.
    async () => (await import('./files/files.svelte.ts')).filesOf(mesh),
    async () => (await import('./i18n/sheet-language.svelte.ts')).sheetLanguage.fetch(language.code),
    async () => (await import('./direct/direct.svelte.ts')).keepOpening(mesh),
    async () => void (mesh.isRested = true),
    ...[...Object.values(lateParts), ...parts, ...Object.values(sheets)],
  ]
  /** One at a time: all at once hold up whoever is typing, 100 ms and more on a slow phone. */
  const fetchAll = async () => {
    for (const load of loads) {
      await idle()
      if (isOver) return
      // One that does not come now is asked for again when it is wanted.
      await load().catch(() => undefined)
    }
  }
  void fetchAll()
  return () => {
    isOver = true
    close()
  }
}

/** Not every browser says when it has nothing to do. */
function idle(): Promise<void> {
  return new Promise((resolve) => {
    if ('requestIdleCallback' in globalThis) requestIdleCallback(() => resolve(), { timeout: busyMaxMs })
    else setTimeout(resolve)
  })
}
