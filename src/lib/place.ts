/** Where in the app the address points: rooms and people sit in the hash, so that pages stay plain files. */
import { canonicalRoomName } from '#mesh/ids.ts'

export type Place =
  { readonly type: 'room'; readonly name: string } | { readonly type: 'chats' } | { readonly type: 'people' }

/** @param hash from the address bar, so from anybody */
export function placeFromHash(hash: string): Place {
  if (hash === '#/people') return { type: 'people' }
  if (!hash.startsWith('#/c/')) return { type: 'chats' }
  let name: string
  try {
    name = decodeURIComponent(hash.slice(4))
  } catch (error) {
    // A broken escape: then it is no name.
    if (!(error instanceof URIError)) throw error
    return { type: 'chats' }
  }
  const canonical = canonicalRoomName(name)
  return canonical === '' ? { type: 'chats' } : { type: 'room', name: canonical }
}

export function roomHref(name: string): string {
  return `#/c/${encodeURIComponent(name)}`
}
