/** Composition root of the file worker: keeps files, and hashes them, away from the page that draws and answers. */
import { FolderFileStore } from '../../files/folder-file-store.ts'
import { browserGround } from './browser-ground.ts'
import type { FileAnswer, FileCall, FileRequest, FileResult } from './file-words.ts'

/** guess: how often whoever waits is told how much of a file has been taken in. */
const toldBytes = 1_048_576

let store: FolderFileStore | undefined
/** What is being taken in and not wanted any more. */
const stopped = new Set<number>()

function answer(words: FileAnswer, transfer: Transferable[] = []): void {
  postMessage(words, { transfer })
}

async function* piecesOf(token: number, blob: Blob): AsyncGenerator<Uint8Array> {
  const reader = blob.stream().getReader()
  let taken = 0
  let told = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done || stopped.has(token)) return
      yield value
      taken += value.length
      if (taken - told < toldBytes) continue
      told = taken
      answer({ token, type: 'taken-in', bytes: taken })
    }
  } finally {
    await reader.cancel()
  }
}

async function run(token: number, call: FileCall): Promise<FileResult> {
  if (call.type === 'open') {
    store = new FolderFileStore(browserGround(), Number.POSITIVE_INFINITY)
    const records = await store.open()
    return records.map(({ content, held, blocks, wish }) => ({
      content,
      held: held.bytes,
      blocks: blocks.bytes,
      wish,
    }))
  }
  if (store === undefined) throw new Error('asked before it was opened')
  switch (call.type) {
    case 'keep-file':
      await store.keepFile(call.content, call.wish)
      return undefined
    case 'keep-block':
      await store.keepBlock(call.file, call.block, call.proof)
      return undefined
    case 'read-block':
      return store.readBlock(call.file, call.block)
    case 'write':
      return store.write(call.file, call.chunk, call.bytes)
    case 'read':
      return store.read(call.file, call.chunk)
    case 'add':
      return store.add(call.blob.size, piecesOf(token, call.blob)).finally(() => stopped.delete(token))
    case 'forget':
      await store.forget(call.file)
      return undefined
  }
}

onmessage = ({ data: { token, call } }: MessageEvent<FileRequest>) => {
  if (call.type === 'stop') {
    stopped.add(token)
    return
  }
  run(token, call).then(
    (result) => {
      const transfer = result instanceof Uint8Array ? [result.buffer] : []
      answer({ token, type: 'done', result }, transfer)
    },
    (error: unknown) => {
      console.error(error)
      answer({ token, type: 'failed', reason: String(error) })
    },
  )
}
