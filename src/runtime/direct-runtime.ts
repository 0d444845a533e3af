/**
 * Runs the engine of direct messages beside the one of the chat, which carries what is sealed (`runtime.ts`). Makes keys,
 * seals and opens; executes effects in their order.
 */
import { stampToMs, type PlacedEvent } from '#mesh/clock.ts'
import { handleDirect } from '#mesh/direct/direct-engine.ts'
import {
  createDirect,
  type DirectEffect,
  type DirectEngine,
  type DirectInput,
  type DirectNews,
} from '#mesh/direct/direct-state.ts'
import type { Said } from '#mesh/direct/letter.ts'
import { directRoom } from '#mesh/direct/sealed-body.ts'
import { unreachable, type Command, type MeshEvent } from '#mesh/effects.ts'
import type { EventId, PeerId } from '#mesh/ids.ts'
import { InputQueue } from './input-queue.ts'
import type { DirectStore, KeptPrekey, OpenedDirect, Position, Store, Timers } from './ports.ts'

/** X25519, 32 bytes each. */
type Pair = Pick<KeptPrekey, 'secret' | 'publicKey'>

/** Rules Q3 to Q5: what `adapters/sealing.ts` does. */
export interface Sealing {
  make(): Pair
  /** Draws what chance gives. */
  seal(
    letter: Uint8Array,
    author: PeerId,
    recipients: Extract<DirectEffect, { type: 'seal' }>['recipients'],
  ): Extract<DirectInput, { type: 'sealed' }>['body']
  /** @param prekeys the newest first */
  open(
    body: Uint8Array,
    author: PeerId,
    self: PeerId,
    prekeys: readonly Pair[],
  ): Uint8Array | 'other' | 'damaged'
}

export interface DirectPlatform {
  readonly self: PeerId
  readonly store: DirectStore
  /** Where what travels in the direct room is kept, like that of any room. */
  readonly history: Pick<Store, 'history' | 'find'>
  readonly sealing: Sealing
  readonly timers: Timers
  /** To the engine of the chat. */
  readonly command: (command: Command) => void
}

export interface DirectRuntime {
  write(token: string, to: PeerId, said: Said): void
  /** What the engine of the chat tells. */
  hear(event: MeshEvent): void
  /** Safe twice. */
  close(): void
}

interface State {
  readonly platform: DirectPlatform
  readonly emit: (news: DirectNews) => void
  readonly engine: DirectEngine
  readonly queue: InputQueue<DirectInput>
  prekeys: readonly KeptPrekey[]
  readonly looked: Set<EventId>
  load: 'due' | 'running' | 'done'
}

const postPrefix = 'direct '
/** guess: read together at the start. */
const pageEvents = 200
/** guess: the history could not be read, and can be then. */
const retryMs = 10_000

/** @param opened what the store answered to `open` @param emit is told what the screen may show; must not throw */
export function startDirect(
  platform: DirectPlatform,
  opened: OpenedDirect,
  emit: (news: DirectNews) => void,
): DirectRuntime {
  const state: State = {
    platform,
    emit,
    engine: createDirect(platform.self, opened),
    queue: new InputQueue((input) => handleOne(state, input)),
    prekeys: opened.prekeys,
    looked: new Set(opened.looked),
    load: 'due',
  }
  platform.command({ type: 'join-direct' })
  tick(state)
  return {
    write: (token, to, said) => feed(state, { type: 'write', token, to, said }),
    hear: (event) => hear(state, event),
    close: () => {
      if (state.queue.isClosed) return
      state.queue.isClosed = true
      platform.timers.cancel()
      platform.store.close()
    },
  }
}

/** What cannot be read now is read at the next tick. */
function tick(state: State): void {
  if (state.load === 'due') {
    state.load = 'running'
    readAll(state).then(
      () => {
        state.load = 'done'
        feed(state, { type: 'loaded' })
      },
      () => {
        state.load = 'due'
        wake(state, retryMs)
      },
    )
  }
  feed(state, { type: 'tick' })
}

function wake(state: State, delayMs: number): void {
  // Without all that stands nothing is sealed.
  state.platform.timers.wake(state.load === 'due' ? Math.min(delayMs, retryMs) : delayMs, () => tick(state))
}

/** Everything that stands in the direct room, also what is carried for others: nobody can tell them apart. */
function readAll(state: State, after: Position = { effective: -1, id: '' }): Promise<void> {
  const { history } = state.platform
  return history.history({ room: directRoom, after, limit: pageEvents }).then((events) => {
    for (const event of events) stood(state, event)
    const last = events.at(-1)
    if (last === undefined || state.queue.isClosed) return undefined
    return readAll(state, { effective: last.effective, id: last.id })
  })
}

function stood(state: State, { id, feed: from, kind, body, hlc }: PlacedEvent): void {
  const event = { id, feed: from, kind, body, atMs: stampToMs(hlc) }
  feed(state, { type: 'stood', event, isSeen: state.looked.has(id) })
}

function hear(state: State, event: MeshEvent): void {
  if (event.type === 'messages' && event.room === directRoom)
    for (const added of event.added) stood(state, added)
  if (event.type !== 'posted' && event.type !== 'post-failed') return
  if (!event.token.startsWith(postPrefix)) return
  const token = Number(event.token.slice(postPrefix.length))
  feed(
    state,
    event.type === 'posted' ? { type: 'posted', token, event: event.id } : { type: 'failed', token },
  )
}

function feed(state: State, input: DirectInput): void {
  state.queue.feed(input)
}

function handleOne(state: State, input: DirectInput): void {
  for (const effect of handleDirect(state.engine, input, state.platform.timers.wallMs()))
    execute(state, effect)
}

function execute(state: State, effect: DirectEffect): void {
  const { self, store, sealing, command } = state.platform
  switch (effect.type) {
    case 'make-prekey':
      return makePrekey(state, effect)
    case 'destroy-prekeys':
      state.prekeys = state.prekeys.filter(({ madeMs }) => madeMs >= effect.madeBeforeMs)
      // What is left of them is destroyed after the next start.
      store.destroyPrekeys(effect.madeBeforeMs).catch(() => undefined)
      return
    case 'published':
      // Else it is said once more after the next start.
      store.notePublished(effect.publicKey).catch(() => undefined)
      return
    case 'seal':
      return feed(state, {
        type: 'sealed',
        token: effect.token,
        body: sealing.seal(effect.letter, self, effect.recipients),
      })
    case 'open':
      return open(state, effect)
    case 'post':
      return command({
        type: 'post',
        token: `${postPrefix}${effect.token}`,
        room: directRoom,
        body: effect.body,
        keepsDraft: true,
      })
    case 'keep':
      return keep(state, effect)
    case 'schedule':
      return wake(state, effect.delayMs)
    case 'emit':
      return state.emit(effect.event)
    default:
      unreachable(effect)
  }
}

/** What a platform has done, or could not do. */
function answer(state: State, token: number, done: Promise<DirectInput>): void {
  void done.then(
    (input) => feed(state, input),
    () => feed(state, { type: 'failed', token }),
  )
}

function makePrekey(
  state: State,
  { token, generation }: Extract<DirectEffect, { type: 'make-prekey' }>,
): void {
  const { store, sealing, timers } = state.platform
  const prekey = { ...sealing.make(), generation, madeMs: timers.wallMs(), isPublished: false }
  const made = store.addPrekey(prekey).then((): DirectInput => {
    state.prekeys = [...state.prekeys, prekey]
    return { type: 'prekey-made', token, publicKey: prekey.publicKey }
  })
  answer(state, token, made)
}

function open(state: State, { token, event, author }: Extract<DirectEffect, { type: 'open' }>): void {
  const { self, history, sealing } = state.platform
  const opened = history.find([event]).then(([found]): DirectInput => {
    if (found === undefined) return { type: 'opened', token, letter: 'gone' }
    const letter = sealing.open(found.body, author, self, [...state.prekeys].reverse())
    return { type: 'opened', token, letter }
  })
  answer(state, token, opened)
}

function keep(state: State, { token, ...keeping }: Extract<DirectEffect, { type: 'keep' }>): void {
  const kept = state.platform.store.keep(keeping).then((): DirectInput => {
    if (keeping.looked !== undefined) state.looked.add(keeping.looked)
    return { type: 'kept', token }
  })
  answer(state, token, kept)
}
