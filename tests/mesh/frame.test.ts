import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Malformed, Reader } from '../../src/mesh/bytes.ts'
import { verifyPlainly } from '../../src/adapters/signature.ts'
import { decodeFrame, encodeFrame, frameClaims, laneOf } from '../../src/mesh/frame.ts'
import { bytesToHex, hexToBytes } from '../../src/mesh/ids.ts'
import { itemOf } from '../../src/mesh/gossip/item.ts'
import { limits } from '../../src/mesh/limits.ts'
import { samples } from '../vectors/samples.ts'
import { presenceOf, runOf } from './make.ts'

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/frames.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, string>>

describe('frame', () => {
  it.each(Object.entries(samples))('[F6] %s has the same bytes as yesterday', (name, frame) => {
    expect(bytesToHex(encodeFrame(frame))).toBe(vectors[name])
    expect(decodeFrame(hexToBytes(vectors[name] ?? ''))).toEqual(frame)
  })

  it('[F2] packets ride the chat lane, what is large the bulk lane, the rest the control lane', () => {
    const lanes: Readonly<Record<string, string>> = { packet: 'chat', events: 'bulk', items: 'bulk' }
    for (const frame of Object.values(samples)) expect(laneOf(frame)).toBe(lanes[frame.type] ?? 'control')
  })

  it('[F1] trailing bytes, a missing end, unknown types and giants are refused by name', () => {
    for (const frame of Object.values(samples)) {
      const bytes = encodeFrame(frame)
      expect(decodeFrame(new Uint8Array([...bytes, 0]))).toBe('malformed')
      expect(decodeFrame(bytes.slice(0, -1))).toBe('malformed')
    }
    expect(decodeFrame(new Uint8Array([200]))).toBe('unknown-type')
    expect(decodeFrame(new Uint8Array(0))).toBe('malformed')
    expect(decodeFrame(new Uint8Array(limits.frameBytesMax + 1))).toBe('too-large')
  })

  it('[F1] a number has one encoding: a longer one of the same value is malformed', () => {
    expect(new Reader(new Uint8Array([0x85, 0x00])).u8()).toBe(0x85)
    expect(() => new Reader(new Uint8Array([0x85, 0x00])).varint(1_000)).toThrow(Malformed)
    expect(new Reader(new Uint8Array([0x85, 0x01])).varint(1_000)).toBe(133)
    expect(() => new Reader(new Uint8Array([0x85, 0x01])).varint(132)).toThrow(Malformed)
  })

  it('[F3] no bytes throw, and what decodes encodes to the same bytes', () => {
    const seeds = Object.values(samples).map(encodeFrame)
    const mutated = fc
      .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }))
      .map(([bytes, changes]) => {
        const copy = bytes.slice()
        for (const [at, value] of changes) copy[at % copy.length] = value
        return copy
      })
    const anything = fc.oneof(mutated, fc.uint8Array({ maxLength: 300 }))
    fc.assert(
      fc.property(anything, (bytes) => {
        const frame = decodeFrame(bytes)
        if (typeof frame === 'string') return
        expect(bytesToHex(encodeFrame(frame))).toBe(bytesToHex(bytes))
      }),
      { numRuns: 5_000, seed: 5 },
    )
  })

  it('[F4] every signature in a frame is a claim, and each sample is genuine', () => {
    for (const name of ['events', 'items', 'packet-items']) {
      const frame = samples[name]
      if (frame === undefined) throw new Error(name)
      const claims = frameClaims(frame)
      expect(claims.length).toBeGreaterThan(0)
      expect(claims.every(verifyPlainly)).toBe(true)
    }
  })

  it('[F5] a presence record with a name that must not be shown is malformed', () => {
    for (const name of ['a\u202eb', ' a', 'x'.repeat(33)]) {
      const bytes = encodeFrame({
        type: 'items',
        items: [itemOf({ type: 'presence', record: presenceOf(1, { name }) })],
      })
      expect(decodeFrame(bytes)).toBe('malformed')
    }
  })

  it('[T6] a stamp that could run the order over is malformed', () => {
    const run = runOf({ count: 1, startMs: Math.ceil(limits.stampMax / 32) + 1 })
    expect(decodeFrame(encodeFrame({ type: 'events', runs: [run] }))).toBe('malformed')
  })
})
