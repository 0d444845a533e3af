/** Where in the app the address points: rooms and people sit in the hash, so that pages stay plain files. */
import { canonicalRoomName, parseEventId, type EventId } from '#mesh/ids.ts'

export type Place =
  | { readonly type: 'room'; readonly name: string; readonly message?: EventId }
  | { readonly type: 'chats' }
  | { readonly type: 'people' }

/** @param hash from the address bar, so from anybody */
export function placeFromHash(hash: string): Place {
  if (hash === '#/people') return { type: 'people' }
  if (!hash.startsWith('#/c/')) return { type: 'chats' }
  const [typed = '', word] = hash.slice(4).split('/m/')
  const message = parseEventId(word)
  let name: string
  try {
    name = decodeURIComponent(typed)
  } catch (error) {
    // A broken escape: then it is no name.
    if (!(error instanceof URIError)) throw error
    return { type: 'chats' }
  }
  const canonical = canonicalRoomName(name)
  if (canonical === '') return { type: 'chats' }
  return { type: 'room', name: canonical, ...(message === undefined ? {} : { message }) }
}

export function roomHref(name: string): string {
  return `#/c/${encodeURIComponent(name)}`
}

/** A link to one message: whoever has the room and holds it is led there. */
export function messageHref(room: string, message: EventId): string {
  return `${roomHref(room)}/m/${message}`
}
