/** Which keys mean something wherever the focus is (`ux.md` §4.23). What they do is fetched with the first of them. */
export type Wish =
  | 'palette'
  | 'search'
  | 'search-here'
  | 'keys'
  | 'read-here'
  | 'read-all'
  | 'region'
  | 'region-back'
  | 'room-up'
  | 'room-down'
  | 'unread-up'
  | 'unread-down'

function isWriting(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.matches('input:not([type=checkbox], [type=radio]), textarea, select')
  )
}

export function wishOf(event: KeyboardEvent): Wish | undefined {
  const { altKey, shiftKey, key } = event
  const isCommand = event.ctrlKey || event.metaKey
  // A sheet has its own keys; whoever has one open wants those.
  if (event.isComposing || event.defaultPrevented || document.querySelector('dialog[open]') !== null)
    return undefined
  if (isCommand && !altKey) return commandOf(key.toLowerCase(), shiftKey)
  if (isCommand) return undefined
  if (altKey) {
    const way = { ArrowUp: 'up', ArrowDown: 'down' }[key] as 'up' | 'down' | undefined
    return way === undefined ? undefined : `${shiftKey ? 'unread' : 'room'}-${way}`
  }
  if (key === 'F6') return shiftKey ? 'region-back' : 'region'
  if (key === 'Escape') return shiftKey ? 'read-all' : isWriting(event.target) ? undefined : 'read-here'
  return key === '?' && !isWriting(event.target) ? 'keys' : undefined
}

function commandOf(key: string, shiftKey: boolean): Wish | undefined {
  if (key === 'f') return shiftKey ? 'search' : 'search-here'
  return key === 'k' && !shiftKey ? 'palette' : undefined
}
