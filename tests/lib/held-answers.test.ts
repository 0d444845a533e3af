import { describe, expect, it } from 'vitest'
import { rangeAnswer } from '../../src/adapters/browser/files/held-answers.ts'

/** Ranges as players ask for them (RFC 9110 §14). */
const content = new Blob([Uint8Array.from({ length: 1_000 }, (_, i) => i % 251)])

async function ask(range: string | null) {
  const answer = rangeAnswer(content, range, { 'content-type': 'video/webm' })
  const bytes = new Uint8Array(await answer.arrayBuffer())
  const { headers, status } = answer
  return { status, range: headers.get('content-range'), length: bytes.length, first: bytes[0] }
}

describe('answers at the address of a held file', () => {
  it.each([
    ['bytes=0-', 206, 'bytes 0-999/1000', 1_000, 0],
    ['bytes=10-19', 206, 'bytes 10-19/1000', 10, 10],
    ['bytes=990-5000', 206, 'bytes 990-999/1000', 10, 990 % 251],
    ['bytes=-5', 206, 'bytes 995-999/1000', 5, 995 % 251],
    ['bytes=-5000', 206, 'bytes 0-999/1000', 1_000, 0],
    ['bytes=1000-', 416, 'bytes */1000', 0, undefined],
    ['bytes=-0', 416, 'bytes */1000', 0, undefined],
    [null, 200, null, 1_000, 0],
    ['bytes=5-1', 200, null, 1_000, 0],
    ['bytes=0-1,5-6', 200, null, 1_000, 0],
    ['bytes=-', 200, null, 1_000, 0],
    ['chunks=0-1', 200, null, 1_000, 0],
    [`bytes=${'9'.repeat(400)}-`, 200, null, 1_000, 0],
  ])('%s', async (range, status, contentRange, length, first) => {
    expect(await ask(range)).toEqual({ status, range: contentRange, length, first })
  })
})
