import { describe, expect, it } from 'vitest'
import {
  acceptReceipt,
  createDelivery,
  dueReceipts,
  messageState,
  noteDurable,
  type Holder,
} from '../../src/mesh/delivery.ts'
import type { Receipt } from '../../src/mesh/record.ts'
import { feedOf, general, held, keyOf, runOf } from './make.ts'
import { acceptRun } from '../../src/mesh/log.ts'

const self = keyOf(50).peer

const reader = () => 'reader' as const

describe('delivery', () => {
  const feed = feedOf(50)
  const receipt = (seed: number, counter: number, last: number): Receipt => ({
    device: keyOf(seed).peer,
    room: general,
    counter,
    role: 'reader',
    entries: [{ feed, first: 0, last }],
    signature: new Uint8Array(64).fill(counter),
  })

  it('[D1] confirms the durable ranges of what changed, once', () => {
    const log = held(5)
    const delivery = createDelivery([], [])
    noteDurable(delivery, general, feedOf(1))
    expect(dueReceipts(delivery, log, self, { counter: () => 3, roleOf: reader })).toMatchObject([
      { counter: 3, entries: [{ first: 0, last: 4 }] },
    ])
    expect(dueReceipts(delivery, log, self, { counter: () => 4, roleOf: reader })).toEqual([])
  })

  it('[D1] confirms nothing that is on its way to the disk yet', () => {
    const log = held(5)
    acceptRun(log, runOf({ first: 5, count: 2 }))
    const delivery = createDelivery([], [])
    noteDurable(delivery, general, feedOf(1))
    expect(dueReceipts(delivery, log, self, { counter: () => 3, roleOf: reader })).toMatchObject([
      { entries: [{ first: 0, last: 4 }] },
    ])
  })

  it('[D2] the larger counter counts, also when it says less', () => {
    const delivery = createDelivery([], [])
    const [first, late, second] = [receipt(1, 5, 9), receipt(1, 4, 99), receipt(1, 6, 3)]
    expect(acceptReceipt(delivery, first)).toEqual({ isNews: true, outdone: [] })
    expect(acceptReceipt(delivery, late).isNews).toBe(false)
    expect(acceptReceipt(delivery, second)).toEqual({ isNews: true, outdone: [first] })
    expect([...delivery.uses.keys()]).toEqual([second])
  })

  it('[D2] of two with one counter everybody keeps the same one, whichever came first', () => {
    const one = { ...receipt(1, 5, 4), signature: new Uint8Array(64).fill(1) }
    const other = { ...receipt(1, 5, 8), signature: new Uint8Array(64).fill(2) }
    for (const order of [
      [one, other],
      [other, one],
    ]) {
      const delivery = createDelivery(order, [])
      expect([...(delivery.receipts.get(general)?.values() ?? [])]).toEqual([other])
    }
  })

  it('[D4] [D5] [D6] states follow from receipts and reach alone', () => {
    const [ana, bill, cara] = [1, 2, 3].map((seed) => keyOf(seed).peer)
    if (ana === undefined || bill === undefined || cara === undefined) throw new Error('keys')
    const message = { feed, seq: 4, audience: [ana, bill] }
    const holder = (device: typeof ana, role: Holder['role'], last: number): Holder => ({
      device,
      role,
      feed,
      ranges: [{ first: 0, last }],
    })
    expect(messageState(message, [], false)).toEqual({ type: 'waiting' })
    expect(messageState(message, [], true)).toEqual({ type: 'sending' })
    expect(messageState(message, [holder(ana, 'reader', 3)], true)).toEqual({ type: 'sending' })
    expect(messageState(message, [holder(cara, 'carrier', 4)], false)).toEqual({ type: 'carried', by: 1 })
    expect(messageState(message, [holder(ana, 'reader', 4)], false)).toEqual({
      type: 'delivered',
      to: 1,
      of: 2,
    })
    const all = [holder(ana, 'reader', 4), holder(cara, 'reader', 9)]
    expect(messageState(message, all, false)).toEqual({ type: 'delivered', to: 2, of: 3 })
  })
})
