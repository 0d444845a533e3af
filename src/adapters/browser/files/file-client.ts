/** The page's side of the file worker: the port of the runtime, and taking files in. */
import { Bitmap } from '#mesh/files/bitmap.ts'
import type { FileRecord, Wish, WriteResult } from '#mesh/files/file-state.ts'
import type { Content } from '#mesh/files/content.ts'
import { blockCount, chunkCount, type Block, type FileId } from '#mesh/files/hash-tree.ts'
import type { Added, FileStore } from '#runtime/ports.ts'
import type { FileAnswer, FileCall, FileRequest, FileResult, RecordWords } from './file-words.ts'

interface Waiting {
  readonly resolve: (result: FileResult) => void
  readonly reject: (error: Error) => void
  readonly onProgress?: (bytes: number) => void
}

/** `stopped`: whoever asked for it has called it off. */
export type TakenIn = Added | 'full' | 'failed' | 'changed' | 'stopped'

export interface TakingIn {
  readonly done: Promise<TakenIn>
  /** Nothing of it is left then. */
  stop(): void
}

export class FileClient implements Omit<FileStore, 'add'> {
  private readonly worker = new Worker(new URL('./file-worker.ts', import.meta.url), { type: 'module' })
  private readonly waiting = new Map<number, Waiting>()
  private lastToken = 0

  constructor() {
    this.worker.onmessage = ({ data }: MessageEvent<FileAnswer>) => this.answered(data)
    this.worker.onerror = () => this.fail(new Error('the file worker did not start'))
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error)
    this.waiting.clear()
  }

  private answered(answer: FileAnswer): void {
    const waiting = this.waiting.get(answer.token)
    if (answer.type === 'taken-in') return waiting?.onProgress?.(answer.bytes)
    this.waiting.delete(answer.token)
    if (answer.type === 'done') waiting?.resolve(answer.result)
    else waiting?.reject(new Error(answer.reason))
  }

  /** The worker answers what fits the call: both are built together. */
  private ask<Result extends FileResult>(
    call: FileCall,
    onProgress?: (bytes: number) => void,
    token = ++this.lastToken,
  ): Promise<Result> {
    return new Promise<FileResult>((resolve, reject) => {
      this.waiting.set(token, { resolve, reject, ...(onProgress === undefined ? {} : { onProgress }) })
      this.say({ token, call })
    }) as Promise<Result>
  }

  private say(request: FileRequest): void {
    this.worker.postMessage(request)
  }

  async open(): Promise<readonly FileRecord[]> {
    const records = await this.ask<readonly RecordWords[]>({ type: 'open' })
    return records.flatMap(({ content, wish, ...maps }) => {
      const held = Bitmap.ofBytes(chunkCount(content.size), maps.held)
      const blocks = Bitmap.ofBytes(blockCount(content.size), maps.blocks)
      return held === undefined || blocks === undefined ? [] : [{ content, held, blocks, wish }]
    })
  }

  async keepFile(content: Content, wish: Wish): Promise<void> {
    await this.ask({ type: 'keep-file', content, wish })
  }

  async keepBlock(file: FileId, block: number, proof: Block): Promise<void> {
    await this.ask({ type: 'keep-block', file, block, proof })
  }

  readBlock(file: FileId, block: number): Promise<Block | undefined> {
    return this.ask<Block | undefined>({ type: 'read-block', file, block })
  }

  write(file: FileId, chunk: number, bytes: Uint8Array): Promise<WriteResult> {
    return this.ask<WriteResult>({ type: 'write', file, chunk, bytes })
  }

  read(file: FileId, chunk: number): Promise<Uint8Array | undefined> {
    return this.ask<Uint8Array | undefined>({ type: 'read', file, chunk })
  }

  async forget(file: FileId): Promise<void> {
    await this.ask({ type: 'forget', file })
  }

  /** @param onProgress is told how many bytes have been hashed and stored */
  takeIn(blob: Blob, onProgress: (bytes: number) => void): TakingIn {
    const token = ++this.lastToken
    let isStopped = false
    const done = this.ask<Added | 'full' | 'failed' | 'changed'>({ type: 'add', blob }, onProgress, token)
    return {
      done: done.then(
        (result) => (isStopped && result === 'changed' ? 'stopped' : result),
        () => 'failed',
      ),
      stop: () => {
        isStopped = true
        this.say({ token, call: { type: 'stop' } })
      },
    }
  }

  close(): void {
    this.worker.terminate()
    this.fail(new Error('closed'))
  }
}
