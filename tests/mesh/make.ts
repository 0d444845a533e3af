/** Small real things for rule tests: keys, feeds, signed runs. */
import { plainKey, signPlainly, type PlainKey } from '../../src/adapters/signature.ts'
import { encodeUtf8 } from '../../src/mesh/bytes.ts'
import { eventIdOf, eventSigningBytes, type Event, type Run } from '../../src/mesh/event.ts'
import { acceptRun, commit, createLog, recordWith } from '../../src/mesh/log.ts'
import { feedIdFrom, openRoomId, type EventId, type FeedId, type RoomId } from '../../src/mesh/ids.ts'
import { presenceSigningBytes, type Presence, type PresenceFields } from '../../src/mesh/record.ts'

export const general: RoomId = openRoomId('general')

export function keyOf(seed: number): PlainKey {
  return plainKey(new Uint8Array(32).fill(seed))
}

export function feedOf(seed: number, incarnation = 1): FeedId {
  return feedIdFrom(keyOf(seed).peer, new Uint8Array(16).fill(incarnation))
}

export interface RunOptions {
  readonly seed?: number
  readonly first?: number
  readonly count: number
  readonly prev?: EventId
  readonly text?: string
  readonly startMs?: number
  readonly deps?: readonly EventId[]
  readonly incarnation?: number
}

/** A genuine run, signed at its end. */
export function runOf(options: RunOptions): Run {
  const { seed = 1, first = 0, count, text = 'text', startMs = 1_000_000, deps = [] } = options
  const key = keyOf(seed)
  const feed = feedOf(seed, options.incarnation)
  const events: Event[] = []
  let prev = options.prev ?? (first === 0 ? undefined : eventsBefore(options, first))
  for (let i = 0; i < count; i++) {
    const fields = {
      room: general,
      feed,
      seq: first + i,
      prev,
      hlc: (startMs + first + i) * 32,
      deps: i === 0 ? deps : [],
      kind: 1,
      flags: 0,
      epoch: 0,
      body: encodeUtf8(`${text} ${first + i}`),
    }
    const id = eventIdOf(fields)
    const signature = i === count - 1 ? signPlainly(key, eventSigningBytes(id)) : undefined
    events.push({ ...fields, id, signature })
    prev = id
  }
  return { room: general, feed, events }
}

function eventsBefore(options: RunOptions, first: number): EventId | undefined {
  return runOf({ ...options, first: 0, count: first }).events.at(-1)?.id
}

export function presenceOf(seed: number, change: Partial<PresenceFields> = {}): Presence {
  const key = keyOf(seed)
  const fields: PresenceFields = {
    peer: key.peer,
    counter: 1,
    status: 'here',
    box: false,
    name: `Person ${seed}`,
    node: 'node-a',
    site: keyOf(99).peer,
    rooms: [general],
    ...change,
  }
  return { ...fields, signature: signPlainly(key, presenceSigningBytes(fields)) }
}

/** A log that durably holds the first events of feed 1. */
export function held(count: number): ReturnType<typeof createLog> {
  const log = createLog([])
  const run = runOf({ count })
  acceptRun(log, run)
  commit(log, recordWith(log, run.events, general, run.feed))
  return log
}
