/**
 * What programs say at the guest door, and what they are told: small JSON objects (docs/guest-door.md). Parsing is
 * total: a program is a stranger.
 */
import { canonicalRoomName, cleanName } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'

export type GuestMessage =
  | { readonly type: 'hello'; readonly name: string }
  | { readonly type: 'join'; readonly room: string }
  | { readonly type: 'post'; readonly room: string; readonly text: string }

export type DoorMessage =
  | { readonly type: 'welcome'; readonly person: string; readonly rooms: readonly string[] }
  | { readonly type: 'joined'; readonly room: string }
  | { readonly type: 'posted'; readonly room: string }
  | {
      readonly type: 'message'
      readonly room: string
      readonly id: string
      readonly author: string
      readonly text: string
      readonly atMs: number
    }
  | { readonly type: 'refused'; readonly reason: DoorRefusal }

export type DoorRefusal = 'bad-message' | 'unknown-room' | 'too-long' | 'too-fast' | 'not-saved'

const nameCharactersMax = 32

export function parseGuestMessage(value: unknown): GuestMessage | DoorRefusal {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'bad-message'
  const { type, name, room, text } = value as Readonly<Record<string, unknown>>
  if (type === 'hello' && typeof name === 'string') {
    const clean = cleanName(name.slice(0, limits.messageCharactersMax), nameCharactersMax)
    return clean === '' ? 'bad-message' : { type, name: clean }
  }
  if (typeof room !== 'string' || room.length > limits.messageCharactersMax) return 'bad-message'
  const canonical = canonicalRoomName(room)
  if (canonical === '') return 'unknown-room'
  if (type === 'join') return { type, room: canonical }
  if (type !== 'post' || typeof text !== 'string' || text.trim() === '') return 'bad-message'
  // The program's name stands before it.
  if (text.length > limits.messageCharactersMax - nameCharactersMax - 3) return 'too-long'
  return { type, room: canonical, text }
}

/** What others read: the program's name in brackets, since this person only opens the door. */
export function guestText(name: string, text: string): string {
  return `[${name}] ${text}`
}
