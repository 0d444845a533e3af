/**
 * Direct messages in IndexedDB: letters in the clear, keys that open others, and what was looked at. A database of its own,
 * so that nobody fetches the code for it before it is wanted.
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { Letter, LetterState } from '#mesh/direct/direct-state.ts'
import { conversationOf } from '#mesh/direct/letter.ts'
import { stampFromMs } from '#mesh/clock.ts'
import type { EventId, RoomId } from '#mesh/ids.ts'
import { targetOf } from '#mesh/timeline/body.ts'
import type { KeptPrekey } from '#runtime/ports.ts'

export interface StoredLetter extends Letter {
  readonly conversation: RoomId
  /** A stamp; absent where it is about another letter. */
  readonly place?: number
  readonly target?: EventId
  readonly storedAtMs: number
}

interface Schema extends DBSchema {
  letters: {
    key: EventId
    value: StoredLetter
    indexes: { position: [RoomId, number, EventId]; target: EventId; state: LetterState }
  }
  looked: { key: EventId; value: true }
  prekeys: { key: number; value: KeptPrekey }
}

export type LettersDatabase = IDBPDatabase<Schema>

export const lettersName = 'meshchat-direct'
const allStores = ['letters', 'looked', 'prekeys'] as const

export function openLetters(name: string): Promise<LettersDatabase> {
  return openDB<Schema>(name, 1, {
    upgrade: (database) => {
      const letters = database.createObjectStore('letters', { keyPath: 'id' })
      letters.createIndex('position', ['conversation', 'place', 'id'])
      letters.createIndex('target', 'target')
      letters.createIndex('state', 'state')
      database.createObjectStore('looked')
      database.createObjectStore('prekeys', { keyPath: 'generation' })
    },
  })
}

/**
 * The only place where a writing transaction begins. Each covers all tables, so that no two are under way in whatever tab:
 * Chromium may throw everything of the origin away at the next start if a kill found two in one database (measured).
 */
export function writing(database: LettersDatabase) {
  return database.transaction(allStores, 'readwrite', { durability: 'strict' })
}

/** @param storedAtMs when it was kept first */
export function toStored(letter: Letter, storedAtMs: number): StoredLetter {
  const { author, to, said, atMs } = letter
  const target = targetOf({ ...said, epoch: 0 })
  const where = target === undefined ? { place: stampFromMs(atMs) } : { target }
  return { ...letter, conversation: conversationOf(author, to), storedAtMs, ...where }
}
