/**
 * Sheets are fetched when they are wanted, and all of them once the app has come to rest: without a node, and on plain
 * http without a service worker too, whoever has the app open needs no node for them.
 */
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
  forward: () => import('./components/history/ForwardSheet.svelte'),
  palette: () => import('./components/sheets/PaletteSheet.svelte'),
  keys: () => import('./components/sheets/KeysSheet.svelte'),
  jump: () => import('./components/sheets/JumpSheet.svelte'),
  profile: () => import('./components/sheets/ProfileSheet.svelte'),
  emoji: () => import('./components/composer/EmojiSheet.svelte'),
  storage: () => import('./components/sheets/StorageSheet.svelte'),
  attach: () => import('./components/files/AttachSheet.svelte'),
  files: () => import('./components/files/FilesSheet.svelte'),
  alertAll: () => import('./components/composer/AlertAllSheet.svelte'),
}

/** Those that lie over the whole page, whatever opened them. */
export type PageSheet =
  | 'search'
  | 'settings'
  | 'newChannel'
  | 'directory'
  | 'reach'
  | 'nodes'
  | 'palette'
  | 'keys'
  | 'jump'
  | 'profile'
  | 'storage'
  | 'files'
