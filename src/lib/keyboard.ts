/** What the keys of the whole page do (`ux.md` §4.23). */
import { goto } from '$app/navigation'
import { allRooms } from './direct/direct.svelte.ts'
import { roomHref } from './place.ts'
import type { MeshState } from './state/mesh.svelte.ts'
import type { RoomState } from './state/room.svelte.ts'
import type { Wish } from './wishes.ts'

/** In the order of the page. */
const regions = ['nav[aria-label]', '[role="feed"] article[tabindex="0"]', 'form textarea', 'aside']

export function obey(wish: Wish, mesh: MeshState, room: RoomState | undefined): void {
  switch (wish) {
    case 'palette':
    case 'keys':
    case 'search':
      mesh.over.searchFor = ''
      mesh.over.open(wish)
      return
    case 'search-here':
      // What is sealed is not searched.
      mesh.over.searchFor =
        room === undefined || room.record.partner !== undefined ? '' : `in:${room.record.name} `
      mesh.over.open('search')
      return
    case 'read-here':
      if (room?.picked !== undefined) {
        room.picked = undefined
        return
      }
      room?.toEnd()
      void room?.readAll()
      return
    case 'read-all':
      void mesh.readAll()
      return
    case 'region':
    case 'region-back':
      return toRegion(wish === 'region' ? 1 : -1)
    case 'room-up':
    case 'unread-up':
      return step(mesh, room, -1, wish === 'unread-up')
    case 'room-down':
    case 'unread-down':
      return step(mesh, room, 1, wish === 'unread-down')
  }
}

/** To the room before or after this one, or to one with unread messages. */
function step(mesh: MeshState, room: RoomState | undefined, by: 1 | -1, isUnread: boolean): void {
  const all = allRooms(mesh)
  for (let at = all.findIndex((one) => one === room) + by; at >= 0 && at < all.length; at += by) {
    const next = all[at]
    if (next === undefined || (isUnread && next.unread === 0)) continue
    // eslint-disable-next-line svelte/no-navigation-without-resolve -- a hash of this same page
    void goto(roomHref(next.record))
    return
  }
}

/** The first thing that takes the focus in the next part of the page that is in sight. */
function toRegion(by: 1 | -1): void {
  const found = regions.map((selector) => document.querySelector<HTMLElement>(selector))
  const at = found.findIndex((part) => part?.contains(document.activeElement) === true)
  for (let i = 1; i <= found.length; i++) {
    const part = found[(at + by * i + 2 * found.length) % found.length]
    if (part == null || part.getClientRects().length === 0) continue
    const target = part.matches('article, textarea')
      ? part
      : part.querySelector<HTMLElement>('a, button, summary')
    if (target === null) continue
    target.focus()
    return
  }
}
