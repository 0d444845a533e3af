/**
 * Texts of messages, to be searched as somebody types: a scan over all of them, newest first, which for 100,000 takes some
 * milliseconds and needs no index to build (`dependencies.md` §4 measured both). Knows no database and no screen.
 *
 * Candidates only: what was edited or deleted since is settled by who asks, with the rules of the timeline.
 */
import type { PlacedEvent } from '#mesh/clock.ts'
import { feedAuthor, type EventId, type PeerId, type RoomId } from '#mesh/ids.ts'
import { messageText, readBody } from '#mesh/timeline/body.ts'
import { foldText } from '#runtime/fold-text.ts'

export const searchLimits = {
  /** guess: nobody reads further; more words find it. */
  foundMax: 200,
  /** guess: edits that are remembered; a later one is found by what was written first. */
  editsMax: 50_000,
} as const

/** What a file is, by its media type. */
export type FileKind = 'picture' | 'sound' | 'other'

export interface SearchQuery {
  /** Folded; each must be somewhere in the text. None: nothing is found, but all files where files are asked for. */
  readonly words: readonly string[]
  /** Files only, of one kind or of any. */
  readonly files?: FileKind | 'any'
  /** Absent: all. */
  readonly rooms?: readonly RoomId[]
  readonly authors?: readonly PeerId[]
}

export interface Candidates {
  /** Newest first. */
  readonly ids: readonly EventId[]
  readonly isMore: boolean
}

/** Of one room, ascending by effective time. */
interface Shelf {
  readonly texts: string[]
  readonly ids: EventId[]
  readonly authors: PeerId[]
  readonly effectives: number[]
  /** Undefined: no file. */
  readonly kinds: (FileKind | undefined)[]
}

interface Hit {
  readonly id: EventId
  readonly effective: number
}

function kindOf(mime: string): FileKind {
  if (mime.startsWith('image/')) return 'picture'
  return /^(audio|video)\//.test(mime) ? 'sound' : 'other'
}

function isOfKind(kind: FileKind | undefined, wanted: FileKind | 'any'): boolean {
  return kind !== undefined && (wanted === 'any' || kind === wanted)
}

export class SearchIndex {
  private readonly shelves = new Map<RoomId, Shelf>()
  /** What messages say now, by what their authors said later. */
  private readonly edits = new Map<
    string,
    Hit & { readonly room: RoomId; readonly by: PeerId; readonly text: string }
  >()
  /** Held twice by nobody: an event may be told while it is read from the database. */
  private readonly known = new Set<EventId>()
  count = 0
  /** Effective time of the oldest message. */
  oldest = Number.POSITIVE_INFINITY

  take(event: PlacedEvent): void {
    if (this.known.has(event.id)) return
    const body = readBody(event)
    const by = feedAuthor(event.feed)
    if (body?.type === 'edit') {
      // By whom too: somebody else's edit changes nothing, and must not hide one that does.
      const key = `${body.target} ${by}`
      const before = this.edits.get(key)
      if (before !== undefined && before.effective >= event.effective) return
      const { room, effective } = event
      if (before === undefined && this.edits.size >= searchLimits.editsMax) return
      this.edits.set(key, { id: body.target, room, by, effective, text: foldText(body.text) })
    }
    const text = messageText(event)
    if (text === undefined) return
    this.known.add(event.id)
    this.count += 1
    this.oldest = Math.min(this.oldest, event.effective)
    const shelf = this.shelves.get(event.room) ?? {
      texts: [],
      ids: [],
      authors: [],
      effectives: [],
      kinds: [],
    }
    this.shelves.set(event.room, shelf)
    let at = shelf.effectives.length
    // Mostly the newest comes last.
    while (at > 0 && (shelf.effectives[at - 1] ?? 0) > event.effective) at -= 1
    shelf.texts.splice(at, 0, foldText(text))
    shelf.ids.splice(at, 0, event.id)
    shelf.authors.splice(at, 0, by)
    shelf.effectives.splice(at, 0, event.effective)
    shelf.kinds.splice(at, 0, body?.type === 'file' ? kindOf(body.file.mime) : undefined)
  }

  find({ words, rooms, authors, files }: SearchQuery): Candidates {
    if (words.length === 0 && files === undefined) return { ids: [], isMore: false }
    const most = searchLimits.foundMax + 1
    const hits = new Map<EventId, Hit>()
    for (const [room, shelf] of this.shelves) {
      if (rooms !== undefined && !rooms.includes(room)) continue
      let found = 0
      for (let i = shelf.texts.length - 1; i >= 0 && found < most; i--) {
        const text = shelf.texts[i] ?? ''
        const author = shelf.authors[i]
        const id = shelf.ids[i]
        if (author === undefined || id === undefined) continue
        if (authors !== undefined && !authors.includes(author)) continue
        if (files !== undefined && !isOfKind(shelf.kinds[i], files)) continue
        if (!words.every((word) => text.includes(word))) continue
        found += 1
        hits.set(id, { id, effective: shelf.effectives[i] ?? 0 })
      }
    }
    // A file is found by its name and by what was said with it first.
    for (const edit of files === undefined ? this.edits.values() : []) {
      const isWanted =
        (rooms === undefined || rooms.includes(edit.room)) &&
        (authors === undefined || authors.includes(edit.by))
      if (isWanted && words.every((word) => edit.text.includes(word))) hits.set(edit.id, edit)
    }
    const sorted = [...hits.values()].sort((a, b) => b.effective - a.effective)
    return {
      ids: sorted.slice(0, searchLimits.foundMax).map(({ id }) => id),
      isMore: sorted.length > searchLimits.foundMax,
    }
  }
}
