/**
 * Direct messages in IndexedDB: letters in the clear, keys that open others, and what was looked at. A database of its own,
 * so that nobody fetches the code for it before it is wanted.
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { Letter, LetterState } from '#mesh/direct/direct-state.ts'
import { conversationOf } from '#mesh/direct/letter.ts'
import type { EventId, RoomId } from '#mesh/ids.ts'
import { targetOf } from '#mesh/timeline/body.ts'
import type { KeptPrekey } from '#runtime/ports.ts'

export interface StoredLetter extends Letter {
  readonly conversation: RoomId
  /** A stamp: where it stands among all of the conversation. */
  readonly effective: number
  /** The same; absent where it is about another letter. */
  readonly place?: number
  readonly target?: EventId
  readonly storedAtMs: number
}

interface Schema extends DBSchema {
  letters: {
    key: EventId
    value: StoredLetter
    indexes: {
      position: [RoomId, number, EventId]
      order: [RoomId, number]
      target: EventId
      state: LetterState
    }
  }
  looked: { key: EventId; value: true }
  prekeys: { key: number; value: KeptPrekey }
}

export type LettersDatabase = IDBPDatabase<Schema>

export const lettersName = 'meshchat-direct'
const allStores = ['letters', 'looked', 'prekeys'] as const

/** A connection that opens with its first use, and anew where the browser has closed it. */
export class LettersConnection {
  private readonly name: string
  private opening: Promise<LettersDatabase> | undefined

  constructor(name: string) {
    this.name = name
  }

  open(): Promise<LettersDatabase> {
    const close = () => this.close()
    this.opening ??= openDB<Schema>(this.name, 1, {
      upgrade: create,
      // A newer version of the app needs it.
      blocking: close,
      // By itself: a full disk, cleared data.
      terminated: () => (this.opening = undefined),
    })
    // One that did not open is tried again at the next use.
    this.opening.catch(() => (this.opening = undefined))
    return this.opening
  }

  close(): void {
    const { opening } = this
    this.opening = undefined
    opening?.then(
      (database) => database.close(),
      () => undefined,
    )
  }
}

function create(database: LettersDatabase): void {
  const letters = database.createObjectStore('letters', { keyPath: 'id' })
  letters.createIndex('position', ['conversation', 'place', 'id'])
  letters.createIndex('order', ['conversation', 'effective'])
  letters.createIndex('target', 'target')
  letters.createIndex('state', 'state')
  database.createObjectStore('looked')
  database.createObjectStore('prekeys', { keyPath: 'generation' })
}

/**
 * The only place where a writing transaction begins. Each covers all tables, so that no two are under way in whatever tab:
 * Chromium may throw everything of the origin away at the next start if a kill found two in one database (measured).
 */
export function writing(database: LettersDatabase) {
  return database.transaction(allStores, 'readwrite', { durability: 'strict' })
}

/** @param first when it was kept first, ms, and where it stands */
export function toStored(
  letter: Letter,
  first: Pick<StoredLetter, 'storedAtMs' | 'effective'>,
): StoredLetter {
  const { storedAtMs, effective } = first
  const { author, to, said } = letter
  const target = targetOf({ ...said, epoch: 0 })
  const where = target === undefined ? { place: effective } : { target }
  return { ...letter, conversation: conversationOf(author, to), storedAtMs, effective, ...where }
}
