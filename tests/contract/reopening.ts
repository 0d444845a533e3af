/** A store of files of which each opening but the first is that of another process. */
import type { FolderFileStore } from '../../src/adapters/files/folder-file-store.ts'
import type { FileStore } from '../../src/runtime/ports.ts'

export function reopening(create: () => FolderFileStore): FileStore & { finish(): Promise<void> } {
  let store = create()
  let isFirst = true
  return {
    open: async () => {
      if (!isFirst) {
        await store.finish()
        store = create()
      }
      isFirst = false
      return store.open()
    },
    keepFile: (content, wish) => store.keepFile(content, wish),
    keepBlock: (file, block, proof) => store.keepBlock(file, block, proof),
    readBlock: (file, block) => store.readBlock(file, block),
    write: (file, chunk, bytes) => store.write(file, chunk, bytes),
    read: (file, chunk) => store.read(file, chunk),
    add: (size, bytes) => store.add(size, bytes),
    forget: (file) => store.forget(file),
    close: () => store.close(),
    finish: () => store.finish(),
  }
}
