import { describe, expect, it } from 'vitest'
import { itemOf, type Item } from '../../src/mesh/gossip/item.ts'
import type { Note } from '../../src/mesh/gossip/note.ts'
import {
  acceptItem,
  addBranch,
  createTree,
  nextTreeMs,
  receiveAnnouncements,
  receiveGraft,
  receiveOffer,
  receivePrune,
  removeBranch,
  sendDue,
  spreadItem,
  type Tree,
} from '../../src/mesh/gossip/tree.ts'
import { createShelf, digestOfScope, dropRecord, putRecord } from '../../src/mesh/gossip/shelf.ts'
import { limits } from '../../src/mesh/limits.ts'
import { keyOf, presenceOf, runOf } from './make.ts'

const item = itemOf({ type: 'run', run: runOf({ count: 1 }) })
const large = itemOf({ type: 'run', run: runOf({ seed: 2, count: 1, text: 'x'.repeat(2_000) }) })

function treeWith(...links: readonly number[]): Tree {
  const tree = createTree()
  for (const link of links)
    addBranch(tree, link, { cost: 1, isRadio: false, isSpare: false, isSecond: false })
  return tree
}

/** Collects what is sent. */
function wire() {
  const sent: { link: number; note: Note }[] = []
  return { sent, send: (link: number, note: Note) => sent.push({ link, note }) }
}

const isEager = (tree: Tree, link: number) => tree.branches.get(link)?.mode === 'eager'
const everywhere = () => 'now' as const
const never = () => false
const nothing = () => false

function spreadFrom(tree: Tree, from: number, one: Item, nowMs = 0) {
  const { sent, send } = wire()
  acceptItem(tree, one, from, 0, nowMs, send)
  spreadItem(tree, one, everywhere, nowMs, send)
  return sent
}

describe('broadcast tree', () => {
  it('[G1] new links are eager, spare ones lazy', () => {
    const tree = treeWith(1)
    addBranch(tree, 2, { cost: 10, isRadio: true, isSpare: true, isSecond: false })
    expect([isEager(tree, 1), isEager(tree, 2)]).toEqual([true, false])
  })

  it('[G2] a graft that crossed a prune does not leave both ways open: the next duplicate prunes again', () => {
    const tree = treeWith(1, 2)
    const { sent, send } = wire()
    acceptItem(tree, item, 1, 0, 0, send)
    acceptItem(tree, item, 2, 0, 1, send)
    acceptItem(tree, item, 2, 0, 2, send)
    acceptItem(tree, item, 2, 0, 1 + limits.pruneAgainMs, send)
    expect(sent).toEqual([
      { link: 2, note: { type: 'prune' } },
      { link: 2, note: { type: 'prune' } },
    ])
  })

  it('[G2] the link of the spanning tree stays when an own item comes back over it', () => {
    const tree = treeWith(1)
    addBranch(tree, 2, { cost: 10, isRadio: true, isSpare: false, isSecond: false })
    const { sent, send } = wire()
    spreadItem(tree, item, everywhere, 0, () => undefined)
    acceptItem(tree, item, 2, 30, 5, send)
    expect(sent).toEqual([])
    acceptItem(tree, item, 1, 30, 5, send)
    expect(sent).toEqual([{ link: 1, note: { type: 'prune' } }])
  })

  it('[G7] a spare way in is left as soon as another link announces what it brought', () => {
    const tree = treeWith(1)
    addBranch(tree, 2, { cost: 10, isRadio: true, isSpare: true, isSecond: false })
    receivePrune(tree, 1)
    const { sent, send } = wire()
    acceptItem(tree, item, 2, 0, 0, send)
    receiveAnnouncements(tree, { link: 1, answerMs: 0 }, [{ id: item.id, cost: 40 }], nothing, 1, send)
    expect(sent).toEqual([
      { link: 1, note: { type: 'graft', id: undefined } },
      { link: 2, note: { type: 'prune' } },
    ])
    expect([isEager(tree, 1), isEager(tree, 2)]).toEqual([true, false])
  })

  it('[G11] what may wait goes with others, at most every two seconds, without what is outdone', () => {
    const tree = createTree()
    addBranch(tree, 1, { cost: 10, isRadio: true, isSpare: false, isSecond: false })
    addBranch(tree, 2, { cost: 10, isRadio: true, isSpare: true, isSecond: false })
    const items = [1, 2, 3].map((seed) => itemOf({ type: 'run', run: runOf({ seed, count: 1 }) }))
    const { sent, send } = wire()
    for (const one of items) spreadItem(tree, one, () => 'in-company', 0, send)
    expect([sent, nextTreeMs(tree)]).toEqual([[], limits.announceMs])
    sendDue(tree, limits.announceMs, (one) => one === items[0], send)
    const ids = () => sent.map(({ link, note }) => [link, note.type === 'item' && note.item.id])
    expect(ids()).toEqual([
      [1, items[1]?.id],
      [1, items[2]?.id],
    ])
    spreadItem(
      tree,
      itemOf({ type: 'run', run: runOf({ seed: 4, count: 1 }) }),
      () => 'in-company',
      300,
      send,
    )
    expect(nextTreeMs(tree)).toBe(limits.announceMs + limits.announceRadioMs)
  })

  it('[G2] a duplicate prunes the link that brought it, and only that', () => {
    const tree = treeWith(1, 2)
    const { sent, send } = wire()
    expect(acceptItem(tree, item, 1, 0, 0, send)).toBe(true)
    expect(acceptItem(tree, item, 1, 0, 1, send)).toBe(false)
    expect(sent).toEqual([])
    expect(acceptItem(tree, item, 2, 0, 1, send)).toBe(false)
    expect(sent).toEqual([{ link: 2, note: { type: 'prune' } }])
    expect([isEager(tree, 1), isEager(tree, 2)]).toEqual([true, false])
  })

  it('[G3] what is new goes to every eager link but the one it came from, and announced to lazy ones', () => {
    const tree = treeWith(1, 2, 3)
    receivePrune(tree, 3)
    expect(spreadFrom(tree, 1, item).map(({ link, note }) => `${link} ${note.type}`)).toEqual(['2 item'])
    const { sent, send } = wire()
    sendDue(tree, limits.announceMs - 1, never, send)
    expect(sent).toEqual([])
    sendDue(tree, limits.announceMs, never, send)
    expect(sent).toMatchObject([
      { link: 3, note: { type: 'ihave', announcements: [{ id: item.id, cost: 1 }] } },
    ])
  })

  it('[G4] nothing is announced to who has announced it, nor sent to who does not want it', () => {
    const tree = treeWith(1, 2, 3)
    receivePrune(tree, 3)
    const { sent, send } = wire()
    acceptItem(tree, item, 1, 0, 0, send)
    spreadItem(tree, item, (link) => (link === 2 ? 'none' : 'now'), 0, send)
    receiveAnnouncements(tree, { link: 3, answerMs: 0 }, [{ id: item.id, cost: 0 }], nothing, 1, send)
    sendDue(tree, limits.announceMs, never, send)
    expect(sent).toEqual([])
  })

  it('[G5] what is announced and does not come is grafted, from the cheapest first', () => {
    const tree = treeWith(1, 2)
    receivePrune(tree, 1)
    receivePrune(tree, 2)
    const { sent, send } = wire()
    receiveAnnouncements(tree, { link: 1, answerMs: 0 }, [{ id: item.id, cost: 9 }], nothing, 0, send)
    receiveAnnouncements(tree, { link: 2, answerMs: 0 }, [{ id: item.id, cost: 3 }], nothing, 1, send)
    expect(nextTreeMs(tree)).toBe(limits.graftDelayMs)
    sendDue(tree, limits.graftDelayMs, never, send)
    expect(sent).toEqual([{ link: 2, note: { type: 'graft', id: item.id } }])
    expect(isEager(tree, 2)).toBe(true)
    sendDue(tree, limits.graftDelayMs + limits.graftRetryMs, never, send)
    expect(sent[1]).toEqual({ link: 1, note: { type: 'graft', id: item.id } })
    sendDue(tree, 10_000, never, send)
    expect(tree.missing.size).toBe(0)
    receiveAnnouncements(tree, { link: 1, answerMs: 0 }, [{ id: large.id, cost: 9 }], () => true, 0, send)
    expect(tree.missing.size).toBe(0)
  })

  it('[G5] where answers take long, copies do too: nothing is grafted before, nor from the next one', () => {
    const tree = treeWith(1, 2)
    receivePrune(tree, 1)
    receivePrune(tree, 2)
    const { sent, send } = wire()
    receiveAnnouncements(tree, { link: 1, answerMs: 900 }, [{ id: item.id, cost: 3 }], nothing, 0, send)
    receiveAnnouncements(tree, { link: 2, answerMs: 950 }, [{ id: item.id, cost: 9 }], nothing, 1, send)
    sendDue(tree, 899, never, send)
    expect(sent).toEqual([])
    sendDue(tree, 900, never, send)
    expect(sent).toEqual([{ link: 1, note: { type: 'graft', id: item.id } }])
    sendDue(tree, 1_799, never, send)
    expect(sent.length).toBe(1)
    sendDue(tree, 1_800, never, send)
    expect(sent[1]).toEqual({ link: 2, note: { type: 'graft', id: item.id } })
  })

  it('[G5] who answers late does not hold up who answers soon', () => {
    const tree = treeWith(1, 2)
    receivePrune(tree, 1)
    receivePrune(tree, 2)
    const { sent, send } = wire()
    receiveAnnouncements(tree, { link: 1, answerMs: 2_000 }, [{ id: item.id, cost: 9 }], nothing, 0, send)
    receiveAnnouncements(tree, { link: 2, answerMs: 0 }, [{ id: item.id, cost: 3 }], nothing, 10, send)
    sendDue(tree, 10 + limits.graftDelayMs, never, send)
    expect(sent).toEqual([{ link: 2, note: { type: 'graft', id: item.id } }])
  })

  it('[G6] a graft makes the link eager and is answered from the cache; a prune makes it lazy', () => {
    const tree = treeWith(1, 2)
    spreadFrom(tree, 1, item)
    receivePrune(tree, 2)
    const { sent, send } = wire()
    receiveGraft(tree, 2, item, send)
    expect(sent).toMatchObject([{ link: 2, note: { type: 'item' } }])
    expect(isEager(tree, 2)).toBe(true)
    receiveGraft(tree, 2, undefined, send)
    expect(sent).toHaveLength(1)
  })

  it('[G7] a much cheaper way replaces the parent, not more often than every 10 s', () => {
    const tree = treeWith(1, 2)
    const { sent, send } = wire()
    acceptItem(tree, item, 1, 20, 0, send)
    receivePrune(tree, 2)
    receiveAnnouncements(
      tree,
      { link: 2, answerMs: 0 },
      [{ id: item.id, cost: 20 - limits.treeThreshold + 1 }],
      nothing,
      1,
      send,
    )
    expect(sent).toEqual([])
    receiveAnnouncements(
      tree,
      { link: 2, answerMs: 0 },
      [{ id: item.id, cost: 20 - limits.treeThreshold }],
      nothing,
      1,
      send,
    )
    expect(sent).toEqual([
      { link: 2, note: { type: 'graft', id: undefined } },
      { link: 1, note: { type: 'prune' } },
    ])
    expect([isEager(tree, 1), isEager(tree, 2)]).toEqual([false, true])
  })

  it('[G8] what is larger than a packet is offered to all and fetched from one, and the tree stays', () => {
    const tree = treeWith(1, 2)
    receivePrune(tree, 2)
    const offers = spreadFrom(tree, 1, large)
    expect(offers).toMatchObject([{ link: 2, note: { type: 'offer', id: large.id } }])
    const other = treeWith(1, 2)
    const { sent, send } = wire()
    receiveOffer(other, { link: 1, answerMs: 0 }, { id: large.id, cost: 1 }, nothing, 0)
    receiveOffer(other, { link: 2, answerMs: 0 }, { id: large.id, cost: 1 }, nothing, 0)
    sendDue(other, 0, never, send)
    expect(sent).toEqual([{ link: 1, note: { type: 'fetch', id: large.id } }])
    acceptItem(other, large, 1, 0, 5, send)
    acceptItem(other, large, 2, 0, 6, send)
    expect(isEager(other, 2)).toBe(true)
    expect(sent).toHaveLength(1)
  })

  it('[G9] what is remembered is bounded in number, bytes and age; a lost link is forgotten', () => {
    const tree = treeWith(1, 2)
    for (let i = 0; i < 300; i++) {
      const one = { ...item, id: i.toString(16).padStart(12, '0') as Item['id'], size: 10_000 }
      spreadFrom(tree, 1, one, i)
    }
    expect(tree.cacheBytes).toBeLessThanOrEqual(limits.itemCacheBytesMax)
    spreadFrom(tree, 1, item, 300 + limits.itemCacheMs)
    expect(tree.cache.size).toBe(1)
    expect(tree.seen.size).toBe(301)
    spreadFrom(tree, 1, { ...item, id: 'ffffffffffff' as Item['id'] }, 300 + limits.seenMs)
    expect(tree.seen.size).toBe(2)
    const { send } = wire()
    receiveAnnouncements(tree, { link: 2, answerMs: 0 }, [{ id: large.id, cost: 1 }], nothing, 0, send)
    removeBranch(tree, 2)
    expect(tree.missing.get(large.id)?.announcers).toEqual([])
  })

  it('[G12] what is urgent goes over lazy links too, but not where it is known, and changes nothing about the tree', () => {
    const urgent = itemOf({ type: 'suspicion', peer: keyOf(3).peer, counter: 1, round: 1 })
    const tree = treeWith(1, 2, 3)
    receivePrune(tree, 2)
    receivePrune(tree, 3)
    const { sent, send } = wire()
    acceptItem(tree, urgent, 2, 0, 0, send)
    acceptItem(tree, urgent, 3, 0, 0, send)
    spreadItem(tree, urgent, () => 'at-once', 0, send)
    acceptItem(tree, urgent, 1, 0, 1, send)
    expect(sent.map(({ link, note }) => [link, note.type])).toEqual([[1, 'item']])
    expect([1, 2, 3].map((link) => isEager(tree, link))).toEqual([true, false, false])
  })

  it('[G10] a shelf has one record of each, and equal shelves have equal digests', () => {
    const [a, b] = [createShelf(), createShelf()]
    putRecord(a, 'presence', 'p1', itemOf({ type: 'presence', record: presenceOf(1, { counter: 1 }) }))
    putRecord(a, 'presence', 'p1', itemOf({ type: 'presence', record: presenceOf(1, { counter: 2 }) }))
    putRecord(a, 'presence', 'p2', itemOf({ type: 'presence', record: presenceOf(2) }))
    putRecord(b, 'presence', 'p1', itemOf({ type: 'presence', record: presenceOf(1, { counter: 2 }) }))
    expect(digestOfScope(a, 'presence')).not.toBe(digestOfScope(b, 'presence'))
    dropRecord(a, 'presence', 'p2')
    expect(digestOfScope(a, 'presence')).toBe(digestOfScope(b, 'presence'))
    expect([a.items.size, a.byId.size]).toEqual([1, 1])
  })
})
