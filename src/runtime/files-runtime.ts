/**
 * Runs the engine of files beside the one of the chat, over the same links (`runtime.ts`). Decodes every frame before the
 * engine sees it; executes effects in their order.
 */
import { unreachable, type LinkFact, type LinkId } from '#mesh/effects.ts'
import { handleFiles, remember } from '#mesh/files/file-engine.ts'
import { decodeFileFrame, encodeFileFrame, fileLaneOf, type FileFrame } from '#mesh/files/file-frame.ts'
import {
  createFileEngine,
  type FileCommand,
  type FileEffect,
  type FileEngine,
  type FileEvent,
  type FileInput,
  type FileRecord,
} from '#mesh/files/file-state.ts'
import { InputQueue } from './input-queue.ts'
import type { Links, FileStore, Timers } from './ports.ts'
import type { LinkListener } from './runtime.ts'
import type { PeerId } from '#mesh/ids.ts'

export interface FilesPlatform {
  readonly self: PeerId
  readonly store: Omit<FileStore, 'open' | 'add'>
  readonly timers: Timers
  readonly links: Pick<Links, 'send' | 'hangUp'>
  /** C19: so much is kept as others ask; undefined: nothing. */
  readonly keptBytesMax?: number
}

export interface FilesRuntime extends LinkListener {
  command(command: FileCommand): void
  /** Safe twice. */
  close(): void
}

interface State {
  readonly platform: FilesPlatform
  readonly emit: (event: FileEvent) => void
  readonly engine: FileEngine
  readonly queue: InputQueue<FileInput>
  readonly facts: Map<LinkId, LinkFact>
  /** What came over links that this side does not count yet. */
  readonly early: Map<LinkId, FileFrame[]>
}

/** @param records what the store answered to `open` @param emit is told what the screen may show; must not throw */
export function startFiles(
  platform: FilesPlatform,
  records: readonly FileRecord[],
  emit: (event: FileEvent) => void,
): FilesRuntime {
  const engine = createFileEngine(platform.self, platform.keptBytesMax)
  remember(engine, records)
  const state: State = {
    platform,
    emit,
    engine,
    queue: new InputQueue((input) => handleOne(state, input)),
    facts: new Map(),
    early: new Map(),
  }
  feed(state, { type: 'tick' })
  return {
    links: (facts) => takeFacts(state, facts),
    down: (link) => {
      state.early.delete(link)
      if (state.facts.delete(link)) feed(state, { type: 'link-down', link })
    },
    frame: (link, bytes) => {
      const frame = decodeFileFrame(bytes)
      if (typeof frame === 'string') state.platform.links.hangUp(link, frame)
      else if (state.facts.has(link)) feed(state, { type: 'received', link, frame })
      else keepEarly(state, link, frame)
    },
    drained: (link) => feed(state, { type: 'drained', link }),
    command: (command) => feed(state, { type: 'command', command }),
    close: () => {
      state.queue.isClosed = true
      platform.timers.cancel()
      platform.store.close()
    },
  }
}

/** A link that has moved to another site is another one. */
function takeFacts(state: State, facts: readonly LinkFact[]): void {
  const now = new Map(facts.map((fact) => [fact.link, fact]))
  for (const [link, { isNear }] of [...state.facts]) {
    if (now.get(link)?.isNear === isNear) continue
    state.facts.delete(link)
    feed(state, { type: 'link-down', link })
  }
  for (const fact of facts) {
    if (state.facts.has(fact.link)) continue
    state.facts.set(fact.link, fact)
    feed(state, { type: 'link-up', ...fact })
    const waiting = state.early.get(fact.link) ?? []
    state.early.delete(fact.link)
    for (const frame of waiting) feed(state, { type: 'received', link: fact.link, frame })
  }
}

/** guess: somebody says what it wants, and what it has; content comes when it was asked for. */
const earlyMax = 16

function keepEarly(state: State, link: LinkId, frame: FileFrame): void {
  const waiting = state.early.get(link) ?? []
  if (waiting.length < earlyMax) state.early.set(link, [...waiting, frame])
}

function feed(state: State, input: FileInput): void {
  state.queue.feed(input)
}

function handleOne(state: State, input: FileInput): void {
  for (const effect of handleFiles(state.engine, input, state.platform.timers.nowMs())) execute(state, effect)
}

function execute(state: State, effect: FileEffect): void {
  const { store, links, timers } = state.platform
  switch (effect.type) {
    case 'send':
      return send(state, effect.link, effect.frame)
    case 'read-chunk':
      void store.read(effect.file, effect.chunk).then(
        (bytes) => feed(state, { type: 'chunk-read', token: effect.token, bytes }),
        // What cannot be read now is not held now.
        () => feed(state, { type: 'chunk-read', token: effect.token, bytes: undefined }),
      )
      return
    case 'read-block':
      void store.readBlock(effect.file, effect.block).then(
        (block) => feed(state, { type: 'block-read', token: effect.token, block }),
        () => feed(state, { type: 'block-read', token: effect.token, block: undefined }),
      )
      return
    case 'write-chunk':
      void store.write(effect.file, effect.chunk, effect.bytes).then(
        (result) => feed(state, { type: 'chunk-written', token: effect.token, result }),
        () => feed(state, { type: 'chunk-written', token: effect.token, result: 'failed' }),
      )
      return
    case 'keep-block':
      // The chunks behind it are refused by the store where it is missing.
      store.keepBlock(effect.file, effect.block, effect.proof).catch(() => undefined)
      return
    case 'keep-file':
      store.keepFile(effect.content, effect.wish).catch(() => undefined)
      return
    case 'forget-file':
      store.forget(effect.file).catch(() => undefined)
      return
    case 'hang-up':
      return links.hangUp(effect.link, effect.reason)
    case 'schedule':
      return timers.wake(effect.delayMs, () => feed(state, { type: 'tick' }))
    case 'emit':
      return state.emit(effect.event)
    default:
      unreachable(effect)
  }
}

function send(state: State, link: LinkId, frame: FileFrame): void {
  const isFree = state.platform.links.send(link, fileLaneOf(frame), encodeFileFrame(frame))
  if (frame.type === 'part') feed(state, { type: 'sent', link, isFull: !isFree })
}
