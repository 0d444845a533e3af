/** Parts of the page that nobody needs in order to type; they come when the first load is over, or when they are wanted. */
export const lateParts = {
  install: () => import('./components/InstallCard.svelte'),
  pills: () => import('./components/history/Pills.svelte'),
  typing: () => import('./components/history/TypingLine.svelte'),
  picked: () => import('./components/history/PickedBar.svelte'),
  file: () => import('./components/files/FileCard.svelte'),
  preparing: () => import('./components/files/Preparing.svelte'),
  opened: () => import('./components/sheets/OpenedSheet.svelte'),
  direct: () => import('./direct/direct.svelte.ts'),
  directList: () => import('./components/direct/DirectList.svelte'),
  directLine: () => import('./components/direct/DirectLine.svelte'),
  directStart: () => import('./components/direct/DirectStart.svelte'),
  keyboard: () => import('./keyboard.ts'),
}
