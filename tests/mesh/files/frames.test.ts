import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Malformed, Reader, Writer } from '../../../src/mesh/bytes.ts'
import { Bitmap, readRuns, writeRuns } from '../../../src/mesh/files/bitmap.ts'
import {
  decodeFileFrame,
  encodeFileFrame,
  fileLaneOf,
  fileNameOf,
  type FileFrame,
} from '../../../src/mesh/files/file-frame.ts'
import { isFileFrame } from '../../../src/mesh/files/file-codes.ts'
import { bytesToHex, hexToBytes } from '../../../src/mesh/ids.ts'
import { fileOf } from './make-file.ts'

const made = fileOf(2, 20_000)
const file = fileNameOf(made.id)

function mapOf(size: number, held: readonly number[]): Bitmap {
  const map = new Bitmap(size)
  for (const index of held) map.add(index)
  return map
}

/** One of each, with its bytes. */
const golden: readonly (readonly [FileFrame, string])[] = [
  [{ type: 'leave-files', files: [file] }, `2101${file}`],
  [{ type: 'offer', file, hops: 2, held: [0, 3], reach: [3, 1, 2, 300] }, `22${file}0201000302030102ac02`],
  [
    {
      type: 'offer',
      file,
      hops: 0,
      held: [],
      reach: [],
      site: { hops: 3, held: [0, 3], reachHops: 7, reach: [1, 2] },
    },
    `22${file}800000030100030701` + '0102',
  ],
  [{ type: 'ask', file, chunks: [{ first: 5, count: 2 }], blocks: [0, 130] }, `23${file}0105020200` + '8201'],
  [{ type: 'stop', file, chunks: [{ first: 0, count: 64 }] }, `24${file}010040`],
  [{ type: 'none', file, chunks: [], blocks: [1] }, `25${file}000101`],
  [
    { type: 'part', file, chunk: 300, at: 1_100, number: 130, bytes: Uint8Array.of(1, 2) },
    `27${file}ac02cc0882010102`,
  ],
  [{ type: 'got', newest: 300, before: [5, 0x8000_0000] }, '28ac020000000580000000'],
  [{ type: 'kept', file, isKept: true }, `2a${file}01`],
]

describe('frames about files', () => {
  it('[C4] have these bytes', () => {
    for (const [frame, hex] of golden) {
      expect(bytesToHex(encodeFileFrame(frame))).toBe(hex)
      expect(decodeFileFrame(hexToBytes(hex))).toEqual(frame)
    }
    const want: FileFrame = { type: 'want-files', files: [{ content: made.content, hops: 12, siteHops: 5 }] }
    expect(bytesToHex(encodeFileFrame(want))).toBe(`2001a09c01${bytesToHex(made.content.root)}c5`)
    expect(decodeFileFrame(encodeFileFrame(want))).toEqual(want)
    const keep: FileFrame = { type: 'keep', content: made.content }
    expect(bytesToHex(encodeFileFrame(keep))).toBe(`29a09c01${bytesToHex(made.content.root)}`)
    expect(decodeFileFrame(encodeFileFrame(keep))).toEqual(keep)
    const [block] = made.blocks
    if (block === undefined) throw new Error('no block')
    const hashes: FileFrame = { type: 'hashes', file, block: 0, ...block }
    expect(decodeFileFrame(encodeFileFrame(hashes))).toEqual(hashes)
  })

  it('[C5] are told by their first byte, and content takes the bulk lane', () => {
    for (const [frame] of golden) expect(isFileFrame(encodeFileFrame(frame))).toBe(true)
    for (const code of [0, 7, 31, 43, 255]) expect(isFileFrame(Uint8Array.of(code))).toBe(false)
    expect(isFileFrame(new Uint8Array())).toBe(false)
    expect(golden.filter(([frame]) => fileLaneOf(frame) === 'bulk').map(([{ type }]) => type)).toEqual([
      'part',
      'got',
    ])
  })

  it('[C4] are refused by name, whatever the bytes', () => {
    for (const [, hex] of golden) {
      const bytes = hexToBytes(hex)
      for (let end = 0; end < bytes.length; end++) {
        const cut = decodeFileFrame(bytes.subarray(0, end))
        // Cut content is less content.
        if (typeof cut !== 'string') expect(cut.type).toBe('part')
        else expect(cut).toBe('malformed')
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 32, max: 43 }), (rest, code) => {
        const bytes = Uint8Array.of(code, ...rest)
        const frame = decodeFileFrame(bytes)
        if (typeof frame !== 'string') expect(encodeFileFrame(frame)).toEqual(bytes)
      }),
      { numRuns: 5_000 },
    )
    for (const hex of [
      // No file of no bytes, none above 16 GiB; more hops than there may be; rows of nothing; content beyond its chunk.
      `200100${'00'.repeat(32)}00`,
      `2001818080808001${'00'.repeat(32)}00`,
      `200101${'00'.repeat(32)}d0`,
      `200101${'00'.repeat(32)}06`,
      `22${file}0d0000`,
      `22${file}80000006` + '000000',
      `22${file}80000000` + '000d00',
      `23${file}01050000`,
      `27${file}00ff7f000102`,
      `27${file}000000`,
      `2900${'00'.repeat(32)}`,
      `2a${file}02`,
    ])
      expect(decodeFileFrame(hexToBytes(hex))).toBe('malformed')
  })
})

describe('which chunks there are', () => {
  it('[C4] is told as stretches, each map in one way', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.array(fc.nat(299)), (size, some) => {
        const map = mapOf(
          size,
          some.filter((index) => index < size),
        )
        const writer = new Writer()
        writeRuns(writer, map.runs)
        const runs = readRuns(new Reader(writer.finish()))
        const again = Bitmap.from(size, runs)
        expect(again?.count).toBe(map.count)
        for (let index = 0; index < size; index++) expect(again?.has(index)).toBe(map.has(index))
        expect(again?.runs).toEqual(map.runs)
      }),
    )
  })

  it('[C4] is refused where it fits no file, and takes no room before that', () => {
    const read = (...numbers: readonly number[]) => {
      const writer = new Writer()
      for (const number of numbers) writer.varint(number)
      return () => readRuns(new Reader(writer.finish()))
    }
    expect(read(1, 0, 0)).toThrow(Malformed)
    expect(read(2, 0, 1, 0, 1)).toThrow(Malformed)
    expect(read(1, 0, 1_048_577)).toThrow(Malformed)
    expect(read(4_096)).toThrow(Malformed)
    expect(Bitmap.from(10, [8, 3])).toBeUndefined()
    expect(Bitmap.from(10, [7, 3])?.count).toBe(3)
  })

  it('[C4] leaves out its end where it has too many holes', () => {
    const map = new Bitmap(10_000)
    for (let index = 0; index < 10_000; index += 2) map.add(index)
    const told = Bitmap.from(10_000, map.runs)
    expect(told?.count).toBe(2_048)
    for (let index = 0; index < 4_095; index++) expect(told?.has(index)).toBe(map.has(index))
  })

  it('[C10] finds what is missing here and held there', () => {
    const indices = fc.uniqueArray(fc.nat(49))
    fc.assert(
      fc.property(indices, indices, fc.nat(50), (own, others, from) => {
        const expected = others.filter((one) => one >= from && !own.includes(one)).sort((a, b) => a - b)
        expect(mapOf(50, own).nextMissingOf(mapOf(50, others), from)).toBe(expected[0] ?? 50)
      }),
    )
  })

  it('[C4] counts, fills, empties, and finds what is missing', () => {
    const map = mapOf(40, [0, 1, 2])
    map.fill(5, 33)
    expect([map.count, map.nextMissing(0), map.nextMissing(4), map.nextMissing(5)]).toEqual([31, 3, 4, 33])
    expect([map.add(3), map.add(3), map.add(40), map.add(-1), map.delete(0), map.delete(0)]).toEqual([
      true,
      false,
      false,
      false,
      true,
      false,
    ])
    map.addAll(Bitmap.full(40))
    expect([map.isFull, map.count, map.nextMissing(0)]).toEqual([true, 40, 40])
  })
})
