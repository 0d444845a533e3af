/**
 * Folders in IndexedDB, for plain pages and browsers without a file system: files in pages of one size, small files whole.
 * A database of its own: what fills it up or is removed with it is never the history.
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import { NoRoom, type Folders, type OpenFile } from '../../files/folder.ts'

interface Schema extends DBSchema {
  /** A number for each folder: renaming one moves nothing else. */
  folders: { key: string; value: number }
  small: { key: [number, string]; value: Uint8Array }
  pages: { key: [number, string, number]; value: Uint8Array }
  meta: { key: string; value: number }
}

type Database = IDBPDatabase<Schema>
const allStores = ['folders', 'small', 'pages', 'meta'] as const

/** guess: one chunk; a page is written whole each time that a part of it is made durable (decision 110). */
const pageBytes = 16_384
/** guess: pages that are kept in memory for one open file, 1 MiB; as many again may wait for being written. */
const cachedMax = 64
/** guess: pages that are read together, 256 KiB (`gossip.md` §7.10): who asks for one asks for the next ones too. */
const loadedTogether = 16

/**
 * The only place where a writing transaction begins. Each covers all tables, so that no two are under way in whatever tab:
 * Chromium may throw everything of the origin away at the next start if a kill found two in one database (measured).
 */
function writing(database: Database) {
  return database.transaction(allStores, 'readwrite', { durability: 'strict' })
}

type Writing = ReturnType<typeof writing>

export class IndexedDbFolders implements Folders {
  private readonly database: Promise<Database>
  private readonly numbers = new Map<string, number>()

  constructor(name: string) {
    this.database = openDB<Schema>(name, 1, {
      upgrade: (database) => {
        for (const store of allStores) database.createObjectStore(store)
      },
      blocking: () => void this.database.then((database) => database.close()),
    })
    // Whoever asks for something is told.
    this.database.catch(() => undefined)
  }

  close(): void {
    void this.database.then(
      (database) => database.close(),
      () => undefined,
    )
  }

  async list(): Promise<readonly string[]> {
    return (await this.database).getAllKeys('folders')
  }

  /** @returns the folder's number; undefined when there is none */
  private async numberOf(folder: string): Promise<number | undefined> {
    const known = this.numbers.get(folder) ?? (await (await this.database).get('folders', folder))
    if (known !== undefined) this.numbers.set(folder, known)
    return known
  }

  private async makeNumber(folder: string): Promise<number> {
    const known = await this.numberOf(folder)
    if (known !== undefined) return known
    const number = await this.write(async (tx) => {
      const there = await tx.objectStore('folders').get(folder)
      if (there !== undefined) return there
      const next = ((await tx.objectStore('meta').get('last')) ?? 0) + 1
      await tx.objectStore('meta').put(next, 'last')
      await tx.objectStore('folders').put(next, folder)
      return next
    })
    this.numbers.set(folder, number)
    return number
  }

  private async write<Result>(change: (tx: Writing) => Promise<Result>): Promise<Result> {
    const tx = writing(await this.database)
    try {
      const result = await change(tx)
      await tx.done
      return result
    } catch (error) {
      // Nobody waits for it any more.
      tx.done.catch(() => undefined)
      const isFull = error instanceof DOMException && error.name === 'QuotaExceededError'
      const isAborted = tx.error?.name === 'QuotaExceededError'
      if (isFull || isAborted) throw new NoRoom('the browser gives no more room', { cause: error })
      throw error
    }
  }

  async open(folder: string, name: string): Promise<OpenFile> {
    const number = await this.makeNumber(folder)
    return new PagedFile({
      load: async (first, end) => {
        const range = IDBKeyRange.bound([number, name, first], [number, name, end], false, true)
        const { store } = (await this.database).transaction('pages')
        const [keys, pages] = await Promise.all([store.getAllKeys(range), store.getAll(range)])
        return new Map(pages.map((bytes, at) => [keys[at]?.[2] ?? -1, bytes]))
      },
      store: (pages) =>
        this.write(async (tx) => {
          const store = tx.objectStore('pages')
          await Promise.all([...pages].map(([page, bytes]) => store.put(bytes, [number, name, page])))
        }),
    })
  }

  async load(folder: string, name: string): Promise<Uint8Array | undefined> {
    const number = await this.numberOf(folder)
    return number === undefined ? undefined : (await this.database).get('small', [number, name])
  }

  async replace(folder: string, name: string, bytes: Uint8Array): Promise<void> {
    const number = await this.makeNumber(folder)
    await this.write((tx) => tx.objectStore('small').put(bytes, [number, name]))
  }

  async rename(from: string, to: string): Promise<void> {
    await this.write(async (tx) => {
      const folders = tx.objectStore('folders')
      const number = await folders.get(from)
      if (number === undefined) return
      await folders.delete(from)
      await folders.put(number, to)
    })
    this.numbers.delete(from)
    this.numbers.delete(to)
  }

  async remove(folder: string): Promise<void> {
    this.numbers.delete(folder)
    await this.write(async (tx) => {
      const number = await tx.objectStore('folders').get(folder)
      if (number === undefined) return
      await tx.objectStore('small').delete(IDBKeyRange.bound([number], [number, []]))
      await tx.objectStore('pages').delete(IDBKeyRange.bound([number], [number, []]))
      await tx.objectStore('folders').delete(folder)
    })
  }
}

interface Pages {
  /** @returns those of them that are there */
  load(first: number, end: number): Promise<ReadonlyMap<number, Uint8Array>>
  store(pages: ReadonlyMap<number, Uint8Array>): Promise<void>
}

/** One file, in pages; the last page of it may be short. */
class PagedFile implements OpenFile {
  private readonly pages: Pages
  /** The least used first. */
  private readonly cached = new Map<number, Promise<Uint8Array>>()
  private changed = new Map<number, Uint8Array>()
  /** What is being written: until it stands there it is read from here. */
  private leaving: ReadonlyMap<number, Uint8Array> = new Map()
  private storing: Promise<void> = Promise.resolve()
  private writing: Promise<void> = Promise.resolve()

  constructor(pages: Pages) {
    this.pages = pages
  }

  private page(index: number): Promise<Uint8Array> {
    const first = index - (index % loadedTogether)
    if (!this.cached.has(index)) this.loadRun(first)
    // Whoever reads on does not wait for the next ones.
    const isReadOn = index === first + loadedTogether / 2 && this.cached.has(index - 1)
    if (isReadOn && !this.cached.has(first + loadedTogether)) this.loadRun(first + loadedTogether)
    const known = this.cached.get(index) ?? this.loadPage(index, this.pages.load(index, index + 1))
    this.cache(index, known)
    return known
  }

  private cache(index: number, page: Promise<Uint8Array>): void {
    this.cached.delete(index)
    this.cached.set(index, page)
    if (this.cached.size > cachedMax) this.letGo()
  }

  private loadRun(first: number): void {
    const loading = this.pages.load(first, first + loadedTogether)
    for (let index = first; index < first + loadedTogether; index++) {
      if (this.cached.has(index)) continue
      const page = this.loadPage(index, loading)
      this.cache(index, page)
      // Whoever asks for it then tries again.
      page.catch(() => {
        if (this.cached.get(index) === page) this.cached.delete(index)
      })
    }
  }

  private async loadPage(
    index: number,
    loading: Promise<ReadonlyMap<number, Uint8Array>>,
  ): Promise<Uint8Array> {
    const newer = this.changed.get(index) ?? this.leaving.get(index)
    return newer ?? (await loading).get(index) ?? new Uint8Array()
  }

  /** What waits for being written is kept beside. */
  private letGo(): void {
    const [oldest] = this.cached.keys()
    if (oldest !== undefined) this.cached.delete(oldest)
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length;) {
      const [index, from] = placeOf(at + done)
      const page = await this.page(index)
      const part = page.subarray(from, from + length - done)
      if (part.length === 0) return bytes.subarray(0, done)
      bytes.set(part, done)
      done += part.length
    }
    return bytes
  }

  /** One after the other: two that change the same page would take it from before each other. */
  write(at: number, bytes: Uint8Array): Promise<void> {
    const written = this.writing.then(() => this.writeNow(at, bytes))
    // Whoever wrote is told; the next one writes all the same.
    this.writing = written.catch(() => undefined)
    return written
  }

  private async writeNow(at: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const [index, from] = placeOf(at + done)
      const part = bytes.subarray(done, done + pageBytes - from)
      const isWhole = from === 0 && part.length === pageBytes
      const before = isWhole ? new Uint8Array() : await this.page(index)
      const page = new Uint8Array(Math.max(before.length, from + part.length))
      page.set(before)
      page.set(part, from)
      this.cached.set(index, Promise.resolve(page))
      this.changed.set(index, page)
      done += part.length
    }
    if (this.changed.size >= cachedMax) await this.store()
  }

  /** In turn: the second one stores what the first one has left. */
  async sync(): Promise<void> {
    await this.writing
    await this.store()
  }

  private store(): Promise<void> {
    this.storing = this.storing
      .catch(() => undefined)
      .then(async () => {
        const pages = this.changed
        if (pages.size === 0) return
        this.changed = new Map()
        this.leaving = pages
        try {
          await this.pages.store(pages)
        } catch (error) {
          for (const [index, page] of pages) if (!this.changed.has(index)) this.changed.set(index, page)
          throw error
        } finally {
          this.leaving = new Map()
        }
      })
    return this.storing
  }

  async close(): Promise<void> {
    await this.sync()
    this.cached.clear()
  }
}

function placeOf(at: number): [page: number, from: number] {
  const page = Math.floor(at / pageBytes)
  return [page, at - page * pageBytes]
}
