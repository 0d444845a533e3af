import { describe, expect, it } from 'vitest'
import type { StoreWrite } from '../../src/mesh/effects.ts'
import { createJournal, hasSpace, nextWrite, settleFailed, settleStored } from '../../src/mesh/journal.ts'
import { limits } from '../../src/mesh/limits.ts'
import { acceptRun, createLog, heldRanges } from '../../src/mesh/log.ts'
import { general, runOf } from './make.ts'

function queued(count: number, seed = 1): ReturnType<typeof createJournal> {
  const journal = createJournal()
  journal.events.push(...runOf({ seed, count }).events.map((event) => ({ ...event, audience: undefined })))
  return journal
}

describe('journal', () => {
  it('[J1] has one transaction in flight, and the next one takes what collected', () => {
    const log = createLog([])
    const journal = queued(3)
    acceptRun(log, runOf({ count: 5 }))
    expect(nextWrite(journal, log, 1, 0)?.events).toHaveLength(3)
    journal.events.push(
      ...runOf({ first: 3, count: 2 }).events.map((event) => ({ ...event, audience: undefined })),
    )
    expect(nextWrite(journal, log, 2, 0)).toBeUndefined()
    expect(settleStored(journal, log, 1)?.feeds).toMatchObject([{ ranges: [{ first: 0, last: 2 }] }])
    expect(nextWrite(journal, log, 2, 0)?.feeds).toMatchObject([{ ranges: [{ first: 0, last: 4 }] }])
  })

  it('[J2] says when it is full', () => {
    const journal = createJournal()
    expect(hasSpace(journal)).toBe(true)
    const [event] = runOf({ count: 1 }).events
    if (event === undefined) throw new Error('no event')
    for (let i = 0; i < limits.journalEventsMax; i++) journal.events.push({ ...event, audience: undefined })
    expect(hasSpace(journal)).toBe(false)
  })

  it('[J3] a failure holds nothing, keeps settings, and waits before it tries again', () => {
    const log = createLog([])
    const run = runOf({ count: 3 })
    acceptRun(log, run)
    const journal = queued(3)
    journal.name = 'Ana'
    nextWrite(journal, log, 1, 0)
    expect(settleFailed(journal, log, { token: 1, cause: 'full' }, 1_000)?.events).toHaveLength(3)
    expect(heldRanges(log, general, run.feed)).toEqual([])
    expect(acceptRun(log, run).type).toBe('new')
    expect(nextWrite(journal, log, 2, 1_001)).toBeUndefined()
    const retry: StoreWrite | undefined = nextWrite(journal, log, 2, 1_000 + limits.storeRetryMs)
    expect(retry).toMatchObject({ name: 'Ana', events: [] })
  })
})
