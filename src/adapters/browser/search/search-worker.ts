/** Composition root of the search worker: reads the history once, a part at a time, and answers meanwhile. */
import { openDB, type IDBPDatabase } from 'idb'
import type { EventId, RoomId } from '#mesh/ids.ts'
import { databaseVersion, type Schema } from '../indexeddb-schema.ts'
import { SearchIndex } from './search-index.ts'
import type { SearchAnswer, SearchRequest } from './search-words.ts'

/** guess: events read at once; between two parts somebody may ask. */
const partSize = 2_000
const index = new SearchIndex()
let isWhole = false

function answer(words: SearchAnswer): void {
  postMessage(words)
}

function tellCoverage(): void {
  answer({ type: 'coverage', count: index.count, oldest: index.oldest, isWhole })
}

async function read(name: string): Promise<void> {
  const database: IDBPDatabase<Schema> = await openDB<Schema>(name, databaseVersion, {
    // A newer version of the app wants the database: it does not wait for a search.
    blocking: () => database.close(),
  })
  let after: [RoomId, number, EventId] | undefined
  for (;;) {
    const range = after === undefined ? undefined : IDBKeyRange.lowerBound(after, true)
    const events = await database.getAllFromIndex('events', 'position', range, partSize)
    for (const event of events) index.take(event)
    const last = events.at(-1)
    if (last === undefined || events.length < partSize) break
    after = [last.room, last.effective, last.id]
    tellCoverage()
  }
  database.close()
  isWhole = true
  tellCoverage()
}

onmessage = ({ data }: MessageEvent<SearchRequest>) => {
  switch (data.type) {
    case 'open':
      read(data.database).catch((error: unknown) => {
        console.error(error)
        answer({ type: 'failed' })
      })
      return
    case 'take':
      for (const event of data.events) index.take(event)
      tellCoverage()
      return
    case 'find':
      return answer({ type: 'found', token: data.token, ...index.find(data.query) })
  }
}
