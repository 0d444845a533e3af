/** Saves the app as a file that needs no node to open (`ux.md` §4.20), with the nodes that are known now. */
import { resolve } from '$app/paths'
import { language } from '../i18n/language.svelte.ts'
import { sheetLanguage } from '../i18n/sheet-language.svelte.ts'
import type { MeshState } from '../state/mesh.svelte.ts'

const fileName = 'meshchat.html'
const emptyList = '<script type="application/json" id="nodes">[]</script>'
/** guess: the browser has begun to read it by then. */
const revokeMs = 60_000

export async function keepCopy(mesh: MeshState): Promise<void> {
  const app = new URL(resolve('/'), location.href)
  const { current = app.href, known } = mesh.nodes
  const urls = new Set([current, app.href, ...known.map(({ url }) => url)])
  try {
    await saveCopy(app, [...urls])
    mesh.tell(sheetLanguage.words.install.copySaved)
  } catch (error) {
    // No way to the node.
    if (!(error instanceof TypeError)) throw error
    mesh.tell(language.words.notice.notLoaded)
  }
}

/**
 * @param app where the app stands @param nodes addresses that the copy will look for, the best first
 * @throws TypeError when no node answers
 */
async function saveCopy(app: URL, nodes: readonly string[]): Promise<void> {
  const response = await fetch(new URL(fileName, app))
  if (!response.ok) throw new TypeError(`no copy at this node: ${response.status}`)
  // Within a script a `<` could end it.
  const list = JSON.stringify(nodes).replaceAll('<', '\\u003c')
  const page = (await response.text()).replace(emptyList, () => emptyList.replace('[]', list))
  saveFile(new Blob([page], { type: 'text/html' }), fileName)
}

function saveFile(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), revokeMs)
}
