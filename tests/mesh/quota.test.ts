import { describe, expect, it } from 'vitest'
import { itemOf } from '../../src/mesh/gossip/item.ts'
import { isOver, spend, type Quota } from '../../src/mesh/gossip/quota.ts'
import type { PeerId } from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import { createReconcile, dueWants, noteHave, openSession } from '../../src/mesh/sync/reconcile.ts'
import { createLog } from '../../src/mesh/log.ts'
import { feedOf, general, keyOf, runOf } from './make.ts'
import { Peer, talk } from './peer.ts'

const ana = keyOf(1).peer

describe('how much one author says', () => {
  it('[G13] has a burst, fills again with time, and is counted for each author alone', () => {
    const quota: Quota = new Map()
    expect(spend(quota, ana, limits.authorBurst, 0)).toBe(true)
    expect(spend(quota, ana, 1, 0)).toBe(false)
    expect(spend(quota, keyOf(2).peer, limits.authorBurst, 0)).toBe(true)
    expect(spend(quota, ana, limits.authorPerSecond, 1_000)).toBe(true)
    expect(spend(quota, ana, 1, 1_000)).toBe(false)
    expect(isOver(quota, ana, 1_000)).toBe(true)
    expect(isOver(quota, ana, 3_600_000)).toBe(false)
    expect(spend(quota, ana, limits.authorBurst + 1, 3_600_000)).toBe(false)
  })

  it('[G13] remembers a bounded number of authors, those that spoke last', () => {
    const quota: Quota = new Map()
    for (let i = 0; i <= limits.quotaAuthorsMax; i++) spend(quota, `author ${i}` as PeerId, 1, i)
    expect(quota.size).toBe(limits.quotaAuthorsMax)
    expect(quota.has('author 0' as PeerId)).toBe(false)
  })

  it('[G13] what is over it is neither taken nor passed on as news', () => {
    const [hop, next] = [new Peer(2), new Peer(3)]
    hop.link(next)
    talk([hop, next], 2)
    hop.give({ type: 'link-up', link: 9, peer: ana, version: 1 })
    hop.give({ type: 'received', link: 9, frame: { type: 'rooms', rooms: [general] } })
    const before = hop.sent.length
    for (let first = 0; first < 400; first++) {
      const item = itemOf({ type: 'run', run: runOf({ first, count: 1 }) })
      const notes = [{ type: 'item', item, cost: 0, isWhole: true }] as const
      hop.give({ type: 'received', link: 9, frame: { type: 'packet', seq: first, ack: undefined, notes } })
    }
    expect(hop.texts()).toHaveLength(limits.authorBurst)
    const passed = hop.sent
      .slice(before)
      .flatMap(({ to, frame }) => (to === 3 && frame.type === 'packet' ? frame.notes : []))
    expect(passed.filter(({ type }) => type === 'item').length).toBeLessThanOrEqual(limits.authorBurst)
  })

  it('[G13] what is held already costs its author nothing, and is not spread when it is old', () => {
    // Of the beginning of time, as far as the stamps of these runs are concerned.
    const hop = new Peer(2, [runOf({ count: 64 })], 3_600_000_000)
    const next = new Peer(3, [], 3_600_000_000)
    hop.link(next)
    talk([hop, next], 2)
    hop.give({ type: 'link-up', link: 9, peer: ana, version: 1 })
    hop.give({ type: 'received', link: 9, frame: { type: 'rooms', rooms: [general] } })
    const before = hop.sent.length
    for (let seq = 0; seq < 20; seq++) {
      // The same events, cut elsewhere each time, so that each looks new.
      const run = runOf({ first: seq, count: 40 })
      const notes = [{ type: 'item', item: itemOf({ type: 'run', run }), cost: 0, isWhole: true }] as const
      hop.give({ type: 'received', link: 9, frame: { type: 'packet', seq, ack: undefined, notes } })
    }
    expect(hop.engine.quota.has(ana)).toBe(false)
    const passed = hop.sent
      .slice(before)
      .flatMap(({ to, frame }) => (to === 3 && frame.type === 'packet' ? frame.notes : []))
    expect(passed.filter(({ type }) => type === 'item' || type === 'offer' || type === 'ihave')).toEqual([])
  })

  it('[G13] [R3] whoever said too much is asked for last, and asked for all the same', () => {
    const reconcile = createReconcile()
    const session = openSession(reconcile, 1)
    const have = (seed: number, newest: number) => {
      const { feed, events } = runOf({ seed, count: 1 })
      const ranges = events.map(({ id, prev }) => ({ first: 0, last: 63, lastId: id, prev }))
      return { feed, newest, ranges }
    }
    noteHave(session, general, [have(1, 2_000), have(2, 1_000)])
    session.allowance = 128
    const wishes = { isWanted: () => true, isOver: (author: PeerId) => author === ana }
    const wants = dueWants(reconcile, session, createLog([]), [general], 0, wishes)
    expect(wants.map(({ feed }) => feed)).toEqual([feedOf(2), feedOf(1)])
  })
})
