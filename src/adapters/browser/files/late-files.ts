/** The place of a page's files until they are fetched: what is wished meanwhile waits. */
import type { FilesCommand, PageFiles } from './page-files.ts'

/** guess: wishes that wait while the code comes. */
const waitingMax = 64

export class LateFiles {
  private readonly load: () => Promise<PageFiles>
  private files: PageFiles | undefined
  private waiting: FilesCommand[] = []
  private isLoading = false
  private isClosed = false

  constructor(load: () => Promise<PageFiles>) {
    this.load = load
  }

  /** The first wish fetches what it takes. */
  run(wish: FilesCommand): void {
    if (this.files !== undefined) return this.files.run(wish)
    if (this.waiting.length < waitingMax) this.waiting.push(wish)
    if (this.isLoading) return
    this.isLoading = true
    this.load().then(
      (files) => {
        if (this.isClosed) return files.close()
        this.files = files
        for (const one of this.waiting.splice(0)) files.run(one)
      },
      // No node to fetch it from, or nothing can be kept here: the next wish tries again.
      () => (this.isLoading = false),
    )
  }

  close(): void {
    this.isClosed = true
    this.files?.close()
  }
}
