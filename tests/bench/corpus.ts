/** What people might have said: the project's own pages, cut into lines of about 60 bytes, and who said it when. */
import { readFileSync } from 'node:fs'
import { encodeUtf8 } from '../../src/mesh/bytes.ts'
import { eventIdOf } from '../../src/mesh/event.ts'
import type { NewEvent } from '../../src/mesh/effects.ts'
import { feedIdFrom, peerIdFromBytes, type EventId, type FeedId } from '../../src/mesh/ids.ts'
import { general } from '../sim/checks.ts'
import { Prng } from '../sim/prng.ts'

const pages = ['README.md', 'CHANGELOG.md', 'docs/decisions.md', 'src/README.md', 'src/mesh/PROTOCOL.md']
const startMs = 1_780_000_000_000

/** English of 10 to 110 bytes a line, 60 on average; the same lines again only after all others. */
export function lines(random: Prng): () => string {
  const words = pages
    .map((page) => readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8'))
    .join(' ')
    .replace(/[^A-Za-z0-9 .,;:'\n?!-]/g, ' ')
    .split(/\s+/)
  let at = 0
  return () => {
    let line = ''
    for (const length = random.between(10, 102); line.length < length; at++) {
      line += `${line === '' ? '' : ' '}${words[at % words.length] ?? ''}`
    }
    return line
  }
}

/** Authors who speak in turn, as chance has it, each naming what somebody else said before; every message signed. */
export function conversation(random: Prng, authors: number, count: number): Map<FeedId, NewEvent[]> {
  const next = lines(random)
  const feeds = new Map<FeedId, NewEvent[]>()
  const names = Array.from({ length: authors }, () => {
    return feedIdFrom(peerIdFromBytes(random.bytes(32)), random.bytes(16).fill(0, 0, 1))
  })
  let before: { readonly feed: FeedId; readonly id: EventId } | undefined
  let atMs = startMs
  for (let i = 0; i < count; i++) {
    const feed = random.pick(names)
    if (feed === undefined) continue
    const events = feeds.get(feed) ?? []
    atMs += random.between(1_000, 60_000)
    const fields = {
      room: general,
      feed,
      seq: events.length,
      prev: events.at(-1)?.id,
      hlc: atMs * 32,
      deps: before === undefined || before.feed === feed ? [] : [before.id],
      kind: 1,
      flags: 0,
      epoch: 0,
      body: encodeUtf8(next()),
    }
    const id = eventIdOf(fields)
    events.push({ ...fields, id, signature: random.bytes(64), audience: undefined })
    feeds.set(feed, events)
    before = { feed, id }
  }
  return feeds
}
