/** What somebody looks for on this device, and what of it is still as it was found. */
import type { PlacedEvent } from '#mesh/clock.ts'
import { feedAuthor, type EventId, type PeerId, type RoomId } from '#mesh/ids.ts'
import type { SharedFile } from '#mesh/timeline/file-body.ts'
import { fold } from '#mesh/timeline/fold.ts'
import { foldText, wordsOf } from '#runtime/fold-text.ts'
import type { Mesh, Search, SearchQuery } from '../start.ts'
import type { MeshState } from './mesh.svelte.ts'
import { removals } from './removals.svelte.ts'

/** guess: shown at once; more words find the rest. */
const shownMax = 50

export interface Result {
  readonly event: PlacedEvent
  /** Of a file its name and what was said with it. */
  readonly text: string
  readonly file: SharedFile | undefined
}

export class SearchState {
  #mesh: Mesh
  #names: MeshState
  #search: Search | undefined
  #stop: () => void
  #asked = 0
  #isClosed = false
  text = $state('')
  results = $state.raw<readonly Result[]>([])
  isMore = $state(false)
  isSearched = $state(false)
  isFailed = $state(false)
  /** Files only; then all of them are found while nothing is typed. */
  files = $state.raw<SearchQuery['files']>()
  coverage = $state.raw({ count: 0, oldest: Number.POSITIVE_INFINITY, isWhole: false })

  constructor(state: MeshState, files?: SearchQuery['files']) {
    this.files = files
    this.#mesh = state.source
    this.#names = state
    this.#stop = this.#mesh.subscribe((event) => {
      if (event.type === 'messages') this.#search?.take(event.added)
    })
    this.#open().catch((error: unknown) => {
      // The part of the app that searches could not be fetched.
      if (!(error instanceof TypeError)) throw error
      this.isFailed = true
    })
  }

  async #open(): Promise<void> {
    const search = await this.#mesh.openSearch((coverage) => {
      this.isFailed = coverage === undefined
      if (coverage === undefined) return
      this.coverage = coverage
      this.#lookAgain()
    })
    if (this.#isClosed) return search.close()
    this.#search = search
    this.#lookAgain()
  }

  #lookAgain(): void {
    if (this.text !== '' || this.files !== undefined) void this.look(this.text)
  }

  /** As it is typed; what was asked before does not count any more. */
  async look(text: string): Promise<void> {
    this.text = text
    const asked = ++this.#asked
    const { words, rooms, authors } = this.#parse(text)
    if (this.#search === undefined || (words.length === 0 && this.files === undefined)) {
      this.results = []
      this.isSearched = false
      return
    }
    const found = await this.#search.find({
      words,
      ...(rooms === undefined ? {} : { rooms }),
      ...(authors === undefined ? {} : { authors }),
      ...(this.files === undefined ? {} : { files: this.files }),
    })
    if (asked !== this.#asked) return
    const results: Result[] = []
    for (let at = 0; at < found.ids.length && results.length < shownMax; at += shownMax) {
      const part = await this.#settled(found.ids.slice(at, at + shownMax), words)
      if (asked !== this.#asked) return
      results.push(...part)
    }
    this.results = results.slice(0, shownMax)
    this.isMore = found.isMore || results.length > shownMax
    this.isSearched = true
  }

  /** @returns those that still say it */
  async #settled(ids: readonly EventId[], words: readonly string[]): Promise<Result[]> {
    const { history } = this.#mesh
    const [events, about] = await Promise.all([history.find(ids), history.about(ids)])
    const results: Result[] = []
    for (const id of ids) {
      const event = events.find((one) => one.id === id)
      if (event === undefined || removals.has(id)) continue
      const rules = this.#names.room(event.room)?.rules
      if (rules?.isHeard(event) === false) continue
      const { text, file } = fold(event, about, rules)
      if (text === undefined) continue
      const said = [...(file === undefined ? [] : [file.name]), ...(text === '' ? [] : [text])].join('\n')
      const folded = foldText(said)
      if (words.every((word) => folded.includes(word))) results.push({ event, text: said, file })
    }
    return results
  }

  /** `in:shelter` and `from:ana` narrow it; the rest is looked for. */
  #parse(text: string): {
    readonly words: string[]
    readonly rooms: readonly RoomId[] | undefined
    readonly authors: readonly PeerId[] | undefined
  } {
    const all = wordsOf(text)
    const named = (key: string) =>
      all
        .filter((word) => word.startsWith(key) && word.length > key.length)
        .map((word) => word.slice(key.length))
    const [places, people] = [named('in:'), named('from:')]
    return {
      words: all.filter((word) => !/^(in|from):./.test(word)),
      rooms: places.length === 0 ? undefined : places.flatMap((part) => this.#names.roomsNamed(part)),
      authors: people.length === 0 ? undefined : people.flatMap((part) => this.#names.names.holding(part)),
    }
  }

  authorOf({ event }: Pick<Result, 'event'>): PeerId {
    return feedAuthor(event.feed)
  }

  close(): void {
    this.#isClosed = true
    this.#stop()
    this.#search?.close()
  }
}
