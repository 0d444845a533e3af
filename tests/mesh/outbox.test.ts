import { describe, expect, it } from 'vitest'
import { createClock } from '../../src/mesh/clock.ts'
import { limits } from '../../src/mesh/limits.ts'
import { acceptRun, createLog } from '../../src/mesh/log.ts'
import { createOutbox, enqueue, failBatch, finishBatch, openBatch, sealBatch } from '../../src/mesh/outbox.ts'
import { feedOf, general, keyOf } from './make.ts'

const post = (token: string, text: string) =>
  ({ token, room: general, body: { type: 'message', text } }) as const

describe('outbox', () => {
  const author = { feed: feedOf(50), audienceOf: () => [keyOf(1).peer] }

  it('[W1] refuses at once what cannot become a message', () => {
    const outbox = createOutbox()
    expect(enqueue(outbox, post('a', ' '))).toBe('empty')
    expect(enqueue(outbox, post('a', 'x'.repeat(4_001)))).toBe('too-long')
    for (let i = 0; i < limits.outboxMax; i++) enqueue(outbox, post(`${i}`, 'x'))
    expect(enqueue(outbox, post('a', 'x'))).toBe('busy')
  })

  it('[W2] [W3] waiting posts become one chain with one signature, and are told only when finished', () => {
    const outbox = createOutbox()
    const log = createLog([])
    for (const text of ['one', 'two', 'three']) enqueue(outbox, post(text, text))
    const last = openBatch(outbox, { log, clock: createClock(), author }, 9, 1_000)
    const events = sealBatch(outbox, 9, new Uint8Array(64))
    expect(events?.map((event) => event.seq)).toEqual([0, 1, 2])
    expect(events?.map((event) => event.signature !== undefined)).toEqual([false, false, true])
    expect(events?.at(-1)?.id).toBe(last)
    expect(events?.[0]?.audience).toEqual([keyOf(1).peer])
    expect(finishBatch(outbox)?.told.map((event) => event.type)).toEqual(['posted', 'posted', 'posted'])
    expect(openBatch(outbox, { log, clock: createClock(), author }, 10, 1_000)).toBeUndefined()
  })

  it('[W2] the next run goes on where the last one ended', () => {
    const outbox = createOutbox()
    const log = createLog([])
    const world = { log, clock: createClock(), author }
    const write = (text: string) => {
      enqueue(outbox, post(text, text))
      openBatch(outbox, world, 9, 1_000)
      const events = sealBatch(outbox, 9, new Uint8Array(64)) ?? []
      expect(acceptRun(log, { room: general, feed: author.feed, events }, { isOwn: true }).type).toBe('new')
      finishBatch(outbox)
      return events[0]
    }
    const first = write('one')
    const second = write('two')
    expect([second?.seq, second?.prev]).toEqual([1, first?.id])
    expect(second?.hlc).toBeGreaterThan(first?.hlc ?? 0)
  })

  it('[W4] a refused batch goes back to its composers', () => {
    const outbox = createOutbox()
    enqueue(outbox, post('one', 'one'))
    openBatch(outbox, { log: createLog([]), clock: createClock(), author }, 9, 1_000)
    expect(failBatch(outbox, 'full')).toEqual([{ type: 'post-failed', token: 'one', cause: 'full' }])
    expect(outbox.batch).toBeUndefined()
  })
})
