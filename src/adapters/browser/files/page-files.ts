/** Files of one page: the engine of files on the page's links, the worker that keeps them, and what the screen wishes. */
import type { FileCommand, FileEvent } from '#mesh/files/file-state.ts'
import type { FileId } from '#mesh/files/hash-tree.ts'
import type { PeerId } from '#mesh/ids.ts'
import { startFiles, type FilesRuntime } from '#runtime/files-runtime.ts'
import type { Links } from '#runtime/ports.ts'
import type { Runtime } from '#runtime/runtime.ts'
import { createTimers } from '../../timers.ts'
import { FileClient, type TakenIn, type TakingIn } from './file-client.ts'

export type FilesCommand =
  | { readonly type: 'file'; readonly command: FileCommand }
  | { readonly type: 'take-in'; readonly token: string; readonly blob: Blob }
  | { readonly type: 'stop-taking-in'; readonly token: string }
  /** It is not to be on this device any more. */
  | { readonly type: 'remove-file'; readonly file: FileId }
  /** Somebody came later and wants to know. */
  | { readonly type: 'tell-files' }

export type FilesEvent =
  | { readonly type: 'file'; readonly event: FileEvent }
  | { readonly type: 'taking-in'; readonly token: string; readonly bytes: number }
  | { readonly type: 'taken-in'; readonly token: string; readonly result: TakenIn }
  | { readonly type: 'file-removed'; readonly file: FileId }

export interface FilesParts {
  readonly self: PeerId
  readonly links: Pick<Links, 'send' | 'hangUp'>
  readonly runtime: Pick<Runtime, 'attach'>
  readonly tell: (event: FilesEvent) => void
}

export class PageFiles {
  private readonly store: FileClient
  private readonly files: FilesRuntime
  private readonly tell: (event: FilesEvent) => void
  private readonly told = new Map<FileId, FileEvent>()
  private readonly takingIn = new Map<string, TakingIn>()

  private constructor(store: FileClient, files: FilesRuntime, parts: FilesParts) {
    this.store = store
    this.files = files
    this.tell = parts.tell
  }

  static async open(parts: FilesParts): Promise<PageFiles> {
    const store = new FileClient()
    const records = await store.open()
    const early: FileEvent[] = []
    const opened: { files?: PageFiles } = {}
    const platform = { self: parts.self, store, timers: createTimers(), links: parts.links }
    const files = startFiles(platform, records, (event) => {
      if (opened.files === undefined) early.push(event)
      else opened.files.heard(event)
    })
    const page = (opened.files = new PageFiles(store, files, parts))
    for (const event of early) page.heard(event)
    parts.runtime.attach(files)
    return page
  }

  private heard(event: FileEvent): void {
    if (event.type === 'progress') this.told.set(event.file, event)
    this.tell({ type: 'file', event })
  }

  run(wish: FilesCommand): void {
    switch (wish.type) {
      case 'file':
        return this.files.command(wish.command)
      case 'take-in':
        return this.takeIn(wish.token, wish.blob)
      case 'stop-taking-in':
        return this.takingIn.get(wish.token)?.stop()
      case 'remove-file':
        return this.remove(wish.file)
      case 'tell-files':
        for (const event of this.told.values()) this.tell({ type: 'file', event })
        return
    }
  }

  private takeIn(token: string, blob: Blob): void {
    if (this.takingIn.has(token)) return
    const taking = this.store.takeIn(blob, (bytes) => this.tell({ type: 'taking-in', token, bytes }))
    this.takingIn.set(token, taking)
    void taking.done.then((result) => {
      this.takingIn.delete(token)
      if (typeof result !== 'string')
        this.files.command({ type: 'hold', content: { size: result.size, root: result.root } })
      this.tell({ type: 'taken-in', token, result })
    })
  }

  private remove(file: FileId): void {
    this.files.command({ type: 'drop', file })
    this.told.delete(file)
    const removed = () => this.tell({ type: 'file-removed', file })
    // Where it could not be removed it is found again at the next start.
    this.store.forget(file).then(removed, removed)
  }

  close(): void {
    this.files.close()
  }
}
