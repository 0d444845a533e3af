/**
 * The newest record of everybody about everything that is state and not history: presences, receipts, site words.
 * A graft is answered from it, and two peers compare it by digests. Rule G10 in PROTOCOL.md.
 */
import type { Item, ShortId } from './item.ts'

export interface Shelf {
  readonly items: Map<string, Item>
  readonly byId: Map<ShortId, Item>
  /** XOR of the first 32 bits of all ids of a kind; receipts also by room. */
  readonly digests: Map<string, number>
}

export function createShelf(): Shelf {
  return { items: new Map(), byId: new Map(), digests: new Map() }
}

/** @param scope the kind, or the kind and a room: what is compared as a whole */
export function putRecord(shelf: Shelf, scope: string, key: string, item: Item): Item {
  dropRecord(shelf, scope, key)
  shelf.items.set(key, item)
  shelf.byId.set(item.id, item)
  toggle(shelf, scope, item.id)
  return item
}

export function dropRecord(shelf: Shelf, scope: string, key: string): void {
  const item = shelf.items.get(key)
  if (item === undefined) return
  shelf.items.delete(key)
  shelf.byId.delete(item.id)
  toggle(shelf, scope, item.id)
}

function toggle(shelf: Shelf, scope: string, id: ShortId): void {
  const bits = Number.parseInt(id.slice(0, 8), 16)
  shelf.digests.set(scope, ((shelf.digests.get(scope) ?? 0) ^ bits) >>> 0)
}

export function digestOfScope(shelf: Shelf, scope: string): number {
  return shelf.digests.get(scope) ?? 0
}
