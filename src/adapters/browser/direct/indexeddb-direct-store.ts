/** The store of direct messages in a browser. */
import { bytesEqual } from '#mesh/bytes.ts'
import { stampFromMs } from '#mesh/clock.ts'
import type { Keeping, Letter } from '#mesh/direct/direct-state.ts'
import { keepLetters } from '#mesh/direct/keeping.ts'
import { conversationOf } from '#mesh/direct/letter.ts'
import type { EventId, PeerId } from '#mesh/ids.ts'
import type { DirectStore, KeptPrekey, OpenedDirect } from '#runtime/ports.ts'
import {
  lettersName,
  LettersConnection,
  toStored,
  writing,
  type LettersDatabase,
  type StoredLetter,
} from './letters-database.ts'

type Writing = ReturnType<typeof writing>

export class IndexedDbDirectStore implements DirectStore {
  private readonly self: PeerId
  private readonly connection: LettersConnection

  constructor(self: PeerId, name = lettersName) {
    this.self = self
    this.connection = new LettersConnection(name)
  }

  private database(): Promise<LettersDatabase> {
    return this.connection.open()
  }

  async open(): Promise<OpenedDirect> {
    const database = await this.database()
    const [written, sealed, received, kept, looked, prekeys] = await Promise.all([
      database.getAllFromIndex('letters', 'state', 'written'),
      database.getAllFromIndex('letters', 'state', 'sealed'),
      database.getAllFromIndex('letters', 'state', 'received'),
      database.getAllKeys('letters'),
      database.getAllKeys('looked'),
      database.getAll('prekeys'),
    ])
    return { unconfirmed: [...written, ...sealed], received, kept, looked, prekeys }
  }

  private async write(change: (tx: Writing) => Promise<void>): Promise<void> {
    const tx = writing(await this.database())
    try {
      await change(tx)
      await tx.done
    } catch (error) {
      // What is not whole is not there.
      tx.done.catch(() => undefined)
      abort(tx)
      throw error
    }
  }

  keep(keeping: Keeping): Promise<void> {
    return this.write(async (tx) => {
      const letters = tx.objectStore('letters')
      const before = new Map<EventId, StoredLetter>()
      const note = (found: StoredLetter | undefined) => {
        if (found !== undefined) before.set(found.id, found)
      }
      for (const { id } of keeping.letters) note(await letters.get(id))
      for (const name of keeping.confirmed?.letters ?? [])
        (await letters.getAll(IDBKeyRange.bound(name, `${name}~`))).forEach(note)
      const now = new Map<EventId, Letter>(before)
      keepLetters(this.self, now, keeping)
      for (const letter of now.values()) {
        const known = before.get(letter.id)
        if (letter !== known) await letters.put(toStored(letter, known ?? (await this.newPlace(tx, letter))))
      }
      if (keeping.looked !== undefined) await tx.objectStore('looked').put(true, keeping.looked)
    })
  }

  /** Whatever clocks say, what comes later stands later: what came last is what somebody has not read. */
  private async newPlace(
    tx: Writing,
    { author, to, atMs }: Letter,
  ): Promise<Pick<StoredLetter, 'storedAtMs' | 'effective'>> {
    const conversation = conversationOf(author, to)
    const all = IDBKeyRange.bound([conversation], [conversation, []])
    const last = await tx.objectStore('letters').index('order').openCursor(all, 'prev')
    return {
      storedAtMs: Date.now(),
      effective: Math.max(stampFromMs(atMs), (last?.value.effective ?? -1) + 1),
    }
  }

  addPrekey(prekey: KeptPrekey): Promise<void> {
    return this.write(async (tx) => {
      // Never another one under a generation that may be published: two tabs may lead for a moment.
      await tx.objectStore('prekeys').add(prekey)
    })
  }

  notePublished(publicKey: Uint8Array): Promise<void> {
    return this.change((prekey) =>
      bytesEqual(prekey.publicKey, publicKey) ? { ...prekey, isPublished: true } : prekey,
    )
  }

  destroyPrekeys(madeBeforeMs: number): Promise<void> {
    return this.change((prekey) => (prekey.madeMs < madeBeforeMs ? undefined : prekey))
  }

  /** @param become what a prekey is from now on; undefined: it is no more */
  private change(become: (prekey: KeptPrekey) => KeptPrekey | undefined): Promise<void> {
    return this.write(async (tx) => {
      const prekeys = tx.objectStore('prekeys')
      for (const prekey of await prekeys.getAll()) {
        const now = become(prekey)
        if (now === undefined) await prekeys.delete(prekey.generation)
        else if (now !== prekey) await prekeys.put(now)
      }
    })
  }

  close(): void {
    this.connection.close()
  }
}

/** One that has ended by itself cannot be ended again. */
function abort(tx: Writing): void {
  try {
    tx.abort()
  } catch (error) {
    if (!(error instanceof DOMException)) throw error
  }
}
