/** What every store of files guarantees (ports.ts `FileStore`). */
import { bytesToHex } from '../../src/mesh/ids.ts'
import type { Wish } from '../../src/mesh/files/file-state.ts'
import type { FileStore } from '../../src/runtime/ports.ts'
import { fileOf, type Made } from '../mesh/files/make-file.ts'
import { equal, type ContractCase } from './check.ts'

/** Three blocks, the last chunk short. */
const made = fileOf(1, 130 * 16_384 + 5)
const chunkAt = ({ bytes }: Made, chunk: number) => bytes.slice(chunk * 16_384, (chunk + 1) * 16_384)

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

async function begun(store: FileStore, file: Made, wish: Wish = 'wanted'): Promise<void> {
  await store.open()
  await store.keepFile(file.content, wish)
  for (const [block, proof] of file.blocks.entries()) await store.keepBlock(file.id, block, proof)
}

/** What the store says of itself when it is opened once more. */
async function again(store: FileStore): Promise<unknown[]> {
  return (await store.open()).map(({ content, held, blocks, wish }) => ({
    size: content.size,
    root: bytesToHex(content.root),
    held: held.runs,
    blocks: blocks.runs,
    wish,
  }))
}

const { size } = made.content
const root = bytesToHex(made.content.root)

export const fileStoreContract: readonly ContractCase<FileStore>[] = [
  {
    name: 'takes what is said in its order, without being waited for',
    run: async (store) => {
      await store.open()
      const [first] = made.blocks
      if (first === undefined) throw new Error('no block')
      const [, , ...results] = await Promise.all([
        store.keepFile(made.content, 'wanted'),
        store.keepBlock(made.id, 0, first),
        store.write(made.id, 3, chunkAt(made, 3)),
        store.write(made.id, 0, chunkAt(made, 0)),
      ])
      equal(results, ['stored', 'stored'], 'chunks')
      equal(await store.read(made.id, 3), chunkAt(made, 3), 'one of them')
    },
  },
  {
    name: 'keeps chunks that are right, in any order, and knows them when it is opened again',
    run: async (store) => {
      await begun(store, made)
      for (const chunk of [5, 130, 0, 64, 5]) {
        equal(await store.write(made.id, chunk, chunkAt(made, chunk)), 'stored', `chunk ${chunk}`)
      }
      equal(await store.read(made.id, 130), chunkAt(made, 130), 'the short one')
      equal(await store.read(made.id, 1), undefined, 'one that is not held')
      equal(
        await again(store),
        [{ size, root, held: [0, 1, 4, 1, 58, 1, 65, 1], blocks: [0, 3], wish: 'wanted' }],
        'after opening',
      )
      for (const chunk of [5, 130, 0, 64]) {
        equal(await store.read(made.id, chunk), chunkAt(made, chunk), `chunk ${chunk} after opening`)
      }
      equal(await store.readBlock(made.id, 2), made.blocks[2], 'hashes after opening')
      equal(await store.readBlock(made.id, 3), undefined, 'hashes that are not known')
    },
  },
  {
    name: 'keeps hashes and chunks that come all at once',
    run: async (store) => {
      await store.open()
      await store.keepFile(made.content, 'wanted')
      const chunks = [...Array(131).keys()]
      await Promise.all([
        ...made.blocks.map((proof, block) => store.keepBlock(made.id, block, proof)),
        ...chunks.map((chunk) => store.write(made.id, chunk, chunkAt(made, chunk))),
      ])
      await again(store)
      for (const [block, proof] of made.blocks.entries())
        equal(await store.readBlock(made.id, block), proof, `hashes ${block}`)
      for (const chunk of chunks)
        equal(await store.read(made.id, chunk), chunkAt(made, chunk), `chunk ${chunk}`)
    },
  },
  {
    name: 'refuses what is not of the file, and goes on',
    run: async (store) => {
      await store.open()
      const right = chunkAt(made, 0)
      equal(await store.write(made.id, 0, right), 'unknown', 'a file that is not known')
      await store.keepFile(made.content, 'wanted')
      equal(await store.write(made.id, 0, right), 'unknown', 'a block that is not known')
      const [first] = made.blocks
      if (first === undefined) throw new Error('no block')
      await store.keepBlock(made.id, 0, first)
      const wrong = right.map((byte, i) => (i === 7 ? byte ^ 1 : byte))
      equal(await store.write(made.id, 0, wrong), 'damaged', 'other bytes')
      equal(await store.write(made.id, 1, right), 'damaged', 'another place')
      equal(await store.write(made.id, 0, right.subarray(1)), 'damaged', 'fewer bytes')
      equal(await store.write(made.id, 0, right), 'stored', 'the right ones')
      equal(
        await again(store),
        [{ size, root, held: [0, 1], blocks: [0, 1], wish: 'wanted' }],
        'after opening',
      )
    },
  },
  {
    name: 'remembers whether a file is wanted, and forgets it whole',
    run: async (store) => {
      await begun(store, made, 'carried')
      const other = fileOf(2, 100)
      await store.keepFile(other.content, 'wanted')
      await store.keepFile(other.content, 'paused')
      await store.write(made.id, 0, chunkAt(made, 0))
      await store.keepFile(made.content, 'wanted')
      const wishes = (await store.open()).map(({ content, wish }) => [content.size, wish])
      equal(
        wishes.sort(),
        [
          [100, 'paused'],
          [size, 'wanted'],
        ],
        'wishes',
      )
      await store.forget(made.id)
      equal(await store.read(made.id, 0), undefined, 'a chunk that is gone')
      equal((await again(store)).length, 1, 'files')
      equal(await store.read(made.id, 0), undefined, 'a chunk that is gone, after opening')
      await store.forget(made.id)
    },
  },
  {
    name: 'forgets and takes up again in that order, without being waited for',
    run: async (store) => {
      await begun(store, made)
      await store.write(made.id, 5, chunkAt(made, 5))
      const [first] = made.blocks
      if (first === undefined) throw new Error('no block')
      const [, , , result] = await Promise.all([
        store.forget(made.id),
        store.keepFile(made.content, 'carried'),
        store.keepBlock(made.id, 0, first),
        store.write(made.id, 0, chunkAt(made, 0)),
      ])
      equal(result, 'stored', 'a chunk')
      equal(
        await again(store),
        [{ size, root, held: [0, 1], blocks: [0, 1], wish: 'carried' }],
        'after opening',
      )
    },
  },
  {
    name: 'takes in a file in pieces of any length',
    run: async (store) => {
      await store.open()
      for (const [i, length] of [1_000, 16_384, 100_000].entries()) {
        const file = fileOf(10 + i, 70 * 16_384 + i)
        const content = await store.add(file.content.size, inPieces(file.bytes, length))
        if (typeof content === 'string') throw new Error(`not kept: ${content}`)
        equal(bytesToHex(content.root), bytesToHex(file.content.root), 'what it is')
        equal(content.wasKnown, false, 'whether it was there')
        equal(await store.read(file.id, 69), chunkAt(file, 69), 'a chunk of it')
        equal(await store.readBlock(file.id, 1), file.blocks[1], 'hashes of it')
      }
      const file = fileOf(10, 70 * 16_384)
      const once = await store.add(file.content.size, inPieces(file.bytes, 5_000))
      equal(typeof once !== 'string' && once.wasKnown, true, 'whether it was there before')
      equal((await again(store)).length, 3, 'the same content is kept once')
      equal(await store.read(file.id, 69), chunkAt(file, 69), 'after opening')
    },
  },
  {
    name: 'keeps nothing of a file that has changed its length meanwhile',
    run: async (store) => {
      await store.open()
      const { bytes } = fileOf(3, 50_000)
      equal(await store.add(50_001, inPieces(bytes, 9_000)), 'changed', 'fewer bytes')
      equal(await store.add(49_999, inPieces(bytes, 9_000)), 'changed', 'more bytes')
      equal(await store.add(16_384, inPieces(bytes, 9_000)), 'changed', 'more chunks')
      equal(await again(store), [], 'after opening')
    },
  },
]
