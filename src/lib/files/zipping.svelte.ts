/** A folder, or many files, on the way to being one zip. */
import type { Mesh } from '../start.ts'
import type { Packed } from './folder.ts'

type Open = Mesh['fileTools']
type Start = Awaited<ReturnType<Open>>['startZip']
type Words = Parameters<Parameters<Start>[1]>[0]

/** guess: as many names as can be read at a glance. */
const listedMax = 12

export class Zipping {
  readonly name: string
  files = $state.raw<readonly Packed[]>([])
  /** Read so far, bytes. */
  done = $state(0)
  /** When it is packed. */
  blob = $state.raw<Blob | undefined>()
  fault = $state<'empty' | 'too-many' | 'failed' | undefined>()
  readonly bytes = $derived(this.files.reduce((sum, { file }) => sum + file.size, 0))
  #isStopped = false
  #end: (() => void) | undefined

  /** @param name without its ending @param found told when it is known what is in it */
  constructor(open: Open, name: string, files: Promise<readonly Packed[]>, found: (zip: Zipping) => void) {
    this.name = `${name}.zip`
    // What was dropped may be gone or closed to us, and the code may not come; the sheet says so.
    Promise.all([files, open()]).then(
      ([all, { startZip }]) => this.#start(all, startZip, found),
      () => (this.fault = 'failed'),
    )
  }

  #start(files: readonly Packed[], start: Start, found: (zip: Zipping) => void): void {
    this.files = files
    if (this.#isStopped) return
    if (files.length === 0) {
      this.fault = 'empty'
      return
    }
    const end = start(files, (words) => this.#hear(words))
    if (end === 'too-many') {
      this.fault = end
      return
    }
    this.#end = end
    found(this)
  }

  #hear(words: Words): void {
    if ('bytes' in words) this.done = words.bytes
    else if ('blob' in words) this.blob = words.blob
    else this.fault = words.fault
  }

  /** @returns the first names, and how many more there are */
  get listed(): { readonly names: string; readonly more: number } {
    const names = this.files.slice(0, listedMax).map(({ path }) => path.slice(path.indexOf('/') + 1))
    return { names: names.join(', '), more: this.files.length - names.length }
  }

  stop(): void {
    this.#isStopped = true
    this.#end?.()
  }
}
