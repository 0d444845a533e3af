/** Direct messages as a history that screens read, in whatever tab. */
import type { PlacedEvent } from '#mesh/clock.ts'
import { showLetter, type ShownLetter } from '#mesh/direct/shown.ts'
import type { EventId, PeerId, RoomId } from '#mesh/ids.ts'
import { messageText } from '#mesh/timeline/body.ts'
import type { HistoryQuery, Position, Store } from '#runtime/ports.ts'
import {
  lettersName,
  LettersConnection,
  type LettersDatabase,
  type StoredLetter,
} from './letters-database.ts'

/** guess: letters looked at to count the unread ones. */
const countedMax = 4_000

/** What the history of the mesh does for conversations too. */
type Mesh = Pick<Store, 'find' | 'draft' | 'saveDraft' | 'readMark' | 'saveReadMark'>

export class LettersHistory {
  private readonly self: PeerId
  private readonly mesh: Mesh
  private readonly connection = new LettersConnection(lettersName)

  constructor(self: PeerId, mesh: Mesh) {
    this.self = self
    this.mesh = mesh
  }

  private get database(): Promise<LettersDatabase> {
    return this.connection.open()
  }

  close(): void {
    this.connection.close()
  }

  /** @returns with whom there are letters */
  async partners(): Promise<readonly PeerId[]> {
    const index = (await this.database).transaction('letters').store.index('position')
    const partners: PeerId[] = []
    for (let cursor = await index.openCursor(); cursor !== null;) {
      const { author, to, conversation } = cursor.value
      partners.push(author === this.self ? to : author)
      // An array sorts above every number and text: this is behind all of the conversation.
      cursor = await cursor.continue([conversation, [], ''] as unknown as [RoomId, number, EventId])
    }
    return partners
  }

  async history({ room, before, after, limit }: HistoryQuery): Promise<readonly PlacedEvent[]> {
    const index = (await this.database).transaction('letters').store.index('position')
    const isUpwards = after !== undefined
    const found: StoredLetter[] = []
    let cursor = await index.openCursor(positionRange(room, before, after), isUpwards ? 'next' : 'prev')
    while (cursor !== null && found.length < limit) {
      found.push(cursor.value)
      cursor = await cursor.continue()
    }
    return this.show(isUpwards ? found : found.reverse())
  }

  async find(ids: readonly EventId[]): Promise<readonly ShownLetter[]> {
    const { store } = (await this.database).transaction('letters')
    const found = await Promise.all(ids.map((id) => store.get(id)))
    return this.show(found.filter((letter) => letter !== undefined))
  }

  async about(targets: readonly EventId[]): Promise<readonly ShownLetter[]> {
    const index = (await this.database).transaction('letters').store.index('target')
    const found = await Promise.all(targets.map((target) => index.getAll(target)))
    return this.show(found.flat())
  }

  /** Conversations have no rules. */
  async rulings(): Promise<readonly PlacedEvent[]> {
    return []
  }

  async countAfter(
    room: RoomId,
    after: Position | undefined,
    except: PeerId,
    limit: number,
  ): Promise<number> {
    const index = (await this.database).transaction('letters').store.index('position')
    let count = 0
    let cursor = await index.openCursor(positionRange(room, undefined, after))
    for (let steps = 0; cursor !== null && count < limit && steps < countedMax; steps++) {
      if (cursor.value.author !== except && isMessage(cursor.value)) count += 1
      cursor = await cursor.continue()
    }
    return count
  }

  draft(room: RoomId): Promise<string> {
    return this.mesh.draft(room)
  }

  saveDraft(room: RoomId, text: string): Promise<void> {
    return this.mesh.saveDraft(room, text)
  }

  readMark(room: RoomId): Promise<Position | undefined> {
    return this.mesh.readMark(room)
  }

  saveReadMark(room: RoomId, position: Position): Promise<void> {
    return this.mesh.saveReadMark(room, position)
  }

  /** Own ones that nobody has confirmed stand where their carrier stands: so it shows who holds them. */
  private async show(letters: readonly StoredLetter[]): Promise<ShownLetter[]> {
    const carriers = letters.flatMap(({ state, event }) =>
      state === 'sealed' && event !== undefined ? [event] : [],
    )
    const events = carriers.length === 0 ? [] : await this.mesh.find(carriers)
    return letters.map((letter) =>
      showLetter(
        letter,
        letter,
        events.find(({ id }) => id === letter.event),
      ),
    )
  }
}

function positionRange(room: RoomId, before: Position | undefined, after: Position | undefined): IDBKeyRange {
  const low = after === undefined ? [room] : [room, after.effective, after.id]
  const high = before === undefined ? [room, []] : [room, before.effective, before.id]
  return IDBKeyRange.bound(low, high, after !== undefined, before !== undefined)
}

/** Somebody may send what has no place in a conversation; nobody sees it. */
function isMessage({ said }: StoredLetter): boolean {
  return messageText({ ...said, epoch: 0 }) !== undefined
}
