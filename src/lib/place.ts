/** Where in the app the address points: rooms and people sit in the hash, so that pages stay plain files. */
import type { RoomRecord } from '#mesh/effects.ts'
import {
  canonicalRoomName,
  ownedRoomId,
  parseEventId,
  parsePeerId,
  parseRoomId,
  type EventId,
  type PeerId,
  type RoomId,
} from '#mesh/ids.ts'

/** What an invitation to an owned room says. */
export interface Invitation {
  readonly room: RoomId
  readonly name: string
  readonly owner: PeerId
  readonly nonce: string
}

/** A room as the screen has it: a conversation has a partner, and no name that others know. */
export interface ShownRoom extends RoomRecord {
  readonly partner?: PeerId
}

export type Place =
  | { readonly type: 'room'; readonly name: string; readonly message?: EventId }
  /** An owned room: many may have the same name. */
  | {
      readonly type: 'owned'
      readonly room: RoomId
      readonly message?: EventId
      readonly invitation?: Invitation
    }
  | { readonly type: 'direct'; readonly peer: PeerId; readonly message?: EventId }
  | { readonly type: 'chats' }
  | { readonly type: 'people' }

/** @param hash from the address bar, so from anybody */
export function placeFromHash(hash: string): Place {
  if (hash === '#/people') return { type: 'people' }
  const [typed = '', word] = hash.slice(4).split('/m/')
  const message = parseEventId(word)
  const at = message === undefined ? {} : { message }
  if (hash.startsWith('#/o/')) {
    const room = parseRoomId(typed)
    return room === undefined ? { type: 'chats' } : { type: 'owned', room, ...at }
  }
  if (hash.startsWith('#/d/')) {
    const peer = parsePeerId(typed)
    return peer === undefined ? { type: 'chats' } : { type: 'direct', peer, ...at }
  }
  if (hash.startsWith('#/i/')) {
    const invitation = readInvitation(hash.slice(4))
    return invitation === undefined ? { type: 'chats' } : { type: 'owned', room: invitation.room, invitation }
  }
  const name = hash.startsWith('#/c/') ? readName(typed) : ''
  return name === '' ? { type: 'chats' } : { type: 'room', name, ...at }
}

/** @returns '' for what is no name */
function readName(typed: string): string {
  try {
    return canonicalRoomName(decodeURIComponent(typed))
  } catch (error) {
    // A broken escape.
    if (!(error instanceof URIError)) throw error
    return ''
  }
}

function readInvitation(text: string): Invitation | undefined {
  const [typed = '', key = '', nonce = ''] = text.split('/')
  const [name, owner] = [readName(typed), parsePeerId(key)]
  if (name === '' || owner === undefined || !/^[0-9a-f]{32}$/.test(nonce)) return undefined
  return { room: ownedRoomId(owner, nonce), name, owner, nonce }
}

export function roomHref(shown: Pick<ShownRoom, 'room' | 'name' | 'owner' | 'partner'>): string {
  const { room, name, owner, partner } = shown
  if (partner !== undefined) return directHref(partner)
  return owner === undefined ? `#/c/${encodeURIComponent(name)}` : `#/o/${room}`
}

/** Where one writes to somebody. */
export function directHref(peer: PeerId): string {
  return `#/d/${peer}`
}

/** A link to one message: whoever has the room and holds it is led there. */
export function messageHref(record: ShownRoom, message: EventId): string {
  return `${roomHref(record)}/m/${message}`
}

/** A link that brings whoever opens it into the room. @returns undefined while this device does not know enough for one */
export function invitationHref(record: RoomRecord): string | undefined {
  const { name, owner, nonce } = record
  if (owner === undefined) return roomHref(record)
  return nonce === undefined ? undefined : `#/i/${encodeURIComponent(name)}/${owner}/${nonce}`
}
