/**
 * Own posts: one batch at a time becomes a signed run, is stored, and only then leaves the composer and this
 * device (design decision 7). Rules W1–W4 in PROTOCOL.md.
 */
import type { Clock } from './clock.ts'
import { nextStamp } from './clock.ts'
import type { MeshEvent, NewEvent, StoreFailure } from './effects.ts'
import { eventIdOf, eventWireBytes, type Run } from './event.ts'
import type { EventId, FeedId, PeerId, RoomId } from './ids.ts'
import { limits } from './limits.ts'
import { feedsOf, nextOwn, takeDeps } from './log.ts'
import type { Log } from './sync/held.ts'
import { checkBody, encodeBody, type Body, type BodyFault } from './timeline/body.ts'

export interface Post {
  readonly token: string
  readonly room: RoomId
  readonly body: Body
  /** It was not written in the composer: what stands there stays. */
  readonly keepsDraft?: boolean | undefined
}

interface Batch {
  readonly posts: readonly Post[]
  readonly events: readonly NewEvent[]
  /** Of the signature, while it is being made. */
  readonly signToken: number
}

export interface Outbox {
  posts: Post[]
  batch: Batch | undefined
}

export function createOutbox(): Outbox {
  return { posts: [], batch: undefined }
}

/** W1: @returns why the post is refused at once, or undefined when it waits its turn. */
export function enqueue(outbox: Outbox, post: Post): BodyFault | 'busy' | undefined {
  const fault = checkBody(post.body)
  if (fault !== undefined) return fault
  if (outbox.posts.length >= limits.outboxMax) return 'busy'
  outbox.posts.push(post)
  return undefined
}

export interface Author {
  readonly feed: FeedId
  readonly audienceOf: (room: RoomId) => readonly PeerId[]
}

/** W2: takes the waiting posts of one room, chains them, @returns the last event's id, to be signed. */
export function openBatch(
  outbox: Outbox,
  world: { readonly log: Log; readonly clock: Clock; readonly author: Author },
  signToken: number,
  nowMs: number,
): EventId | undefined {
  const first = outbox.posts[0]
  if (outbox.batch !== undefined || first === undefined) return undefined
  const { log, clock, author } = world
  const room = first.room
  let { seq, prev } = nextOwn(log, room, author.feed)
  const newest = feedsOf(log, room).get(author.feed)?.newest ?? 0
  let deps = takeDeps(log, room, author.feed)
  const audience = author.audienceOf(room)
  const posts: Post[] = []
  const events: NewEvent[] = []
  let bytes = 0
  for (const post of outbox.posts) {
    if (post.room !== room || events.length >= limits.runEventsMax) break
    const { kind, bytes: body } = encodeBody(post.body)
    const fields = {
      room,
      feed: author.feed,
      seq,
      prev,
      hlc: nextStamp(clock, nowMs, newest),
      deps,
      kind,
      flags: 0,
      epoch: 0,
      body,
    }
    bytes += eventWireBytes(fields)
    if (events.length > 0 && bytes > limits.runBytesMax) break
    const id = eventIdOf(fields)
    events.push({ ...fields, id, signature: undefined, audience, keepsDraft: post.keepsDraft === true })
    posts.push(post)
    seq += 1
    prev = id
    deps = []
  }
  outbox.posts = outbox.posts.filter((post) => !posts.includes(post))
  outbox.batch = { posts, events, signToken }
  return prev
}

/** @returns the signed run to be stored. */
export function sealBatch(outbox: Outbox, signToken: number, signature: Uint8Array): NewEvent[] | undefined {
  const batch = outbox.batch
  if (batch?.signToken !== signToken) return undefined
  const last = batch.events.length - 1
  const events = batch.events.map((event, i) => (i === last ? { ...event, signature } : event))
  outbox.batch = { ...batch, events }
  return events
}

/** W3: the batch is durable. @returns what to tell the composer and what to send. */
export function finishBatch(outbox: Outbox): { readonly told: MeshEvent[]; readonly run: Run } | undefined {
  const batch = outbox.batch
  const first = batch?.events[0]
  if (batch === undefined || first === undefined) return undefined
  outbox.batch = undefined
  const told = batch.posts.map((post, i): MeshEvent => {
    return { type: 'posted', token: post.token, room: post.room, id: batch.events[i]?.id ?? first.id }
  })
  return { told, run: { room: first.room, feed: first.feed, events: batch.events } }
}

/** L8: the feed that the batch was made for has ended; its texts go first into the next one. */
export function returnBatch(outbox: Outbox): void {
  outbox.posts = [...(outbox.batch?.posts ?? []), ...outbox.posts]
  outbox.batch = undefined
}

/** W4: the batch could not be stored: every text goes back to its composer. */
export function failBatch(outbox: Outbox, cause: StoreFailure): MeshEvent[] {
  const posts = outbox.batch?.posts ?? []
  outbox.batch = undefined
  return posts.map((post) => ({ type: 'post-failed', token: post.token, cause }))
}

export function ownsBatch(outbox: Outbox, events: readonly NewEvent[]): boolean {
  const first = outbox.batch?.events[0]
  return first !== undefined && events.some((event) => event.id === first.id)
}
