/** What a page and its file worker say to each other. */
import type { Wish, WriteResult } from '#mesh/files/file-state.ts'
import type { Content } from '#mesh/files/content.ts'
import type { Block, FileId } from '#mesh/files/hash-tree.ts'
import type { Added } from '#runtime/ports.ts'

/** A record whose maps travel as bytes. */
export interface RecordWords {
  readonly content: Content
  readonly held: Uint8Array
  readonly blocks: Uint8Array
  readonly wish: Wish
}

export type FileCall =
  | { readonly type: 'open' }
  | { readonly type: 'keep-file'; readonly content: Content; readonly wish: Wish }
  | { readonly type: 'keep-block'; readonly file: FileId; readonly block: number; readonly proof: Block }
  | { readonly type: 'read-block'; readonly file: FileId; readonly block: number }
  | { readonly type: 'write'; readonly file: FileId; readonly chunk: number; readonly bytes: Uint8Array }
  | { readonly type: 'read'; readonly file: FileId; readonly chunk: number }
  | { readonly type: 'add'; readonly blob: Blob }
  | { readonly type: 'forget'; readonly file: FileId }

export interface FileRequest {
  readonly token: number
  /** `stop`: the call of that token is not wanted any more. */
  readonly call: FileCall | { readonly type: 'stop' }
}

export type FileResult =
  readonly RecordWords[] | Block | Uint8Array | WriteResult | Added | 'changed' | undefined

export type FileAnswer =
  | { readonly token: number; readonly type: 'done'; readonly result: FileResult }
  | { readonly token: number; readonly type: 'taken-in'; readonly bytes: number }
  | { readonly token: number; readonly type: 'failed'; readonly reason: string }
