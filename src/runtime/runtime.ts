/**
 * Runs one engine on any platform: one input queue, run to completion, effects executed in order. Decodes and
 * checks every frame before the engine sees it. No clock, chance or platform of its own.
 */
import {
  unreachable,
  type Command,
  type Effect,
  type Input,
  type LinkFact,
  type LinkId,
  type MeshEvent,
} from '#mesh/effects.ts'
import { handle } from '#mesh/engine.ts'
import { createEngine, type Engine } from '#mesh/state.ts'
import { completeFrame, shortCount, unclearFrame } from '#mesh/gossip/complete.ts'
import { isFileFrame } from '#mesh/files/file-codes.ts'
import { decodeFrame, encodeFrame, frameClaims, laneOf, type Frame } from '#mesh/frame.ts'
import { limits } from '#mesh/limits.ts'
import { InputQueue } from './input-queue.ts'
import type { Helpers, Keys, Links, OpenedStore, Store, Timers } from './ports.ts'

export interface Platform {
  readonly keys: Keys
  readonly store: Store
  readonly links: Links
  readonly helpers: Helpers
  readonly timers: Timers
  /** 32 random bits. */
  readonly seed: number
  /** A box that keeps history, and no person. */
  readonly box?: boolean
  /** What it stores does not outlast the process. */
  readonly isForgetful?: boolean
}

/** Files share the links of the chat, and nothing else. */
export interface LinkListener {
  /** All that stand. */
  links(facts: readonly LinkFact[]): void
  down(link: LinkId): void
  frame(link: LinkId, bytes: Uint8Array): void
  drained(link: LinkId): void
}

export interface Runtime {
  command(command: Command): void
  /** @param listener is told of what goes on now, and of everything from then on */
  attach(listener: LinkListener): void
  /** Ends the engine, its links and its sockets; safe twice. */
  close(): void
}

/** Counts of what passed, for diagnostics. */
export interface Traffic {
  framesIn: number
  framesOut: number
  bytesIn: number
  bytesOut: number
  /** Connections that were cut off, by the name of the reason. */
  readonly refused: Map<string, number>
}

/** A wall clock that moved this much against the running time was set, not slow. */
const jumpMinMs = 1_000

interface State {
  readonly platform: Platform
  readonly emit: (event: MeshEvent) => void
  readonly engine: Engine
  readonly queue: InputQueue<Input>
  /** Frames of a link wait for the checks of the frames before them. */
  readonly checks: Map<LinkId, Promise<void>>
  readonly budgets: Map<LinkId, { left: number; atMs: number; waiting: number }>
  readonly traffic: Traffic
  /** What files were told of last, and who tells them. */
  facts: readonly LinkFact[]
  listener: LinkListener | undefined
  /** When the engine was told last that a link carries files, ms. */
  readonly heardMs: Map<LinkId, number>
  wallAheadMs: number
}

/**
 * @param opened what the store answered to `open`
 * @param emit is told everything that the screen may show; must not throw
 */
export function startRuntime(
  platform: Platform,
  opened: OpenedStore,
  emit: (event: MeshEvent) => void,
  traffic: Traffic,
): Runtime {
  const { keys, links, helpers, timers, seed, box = false, isForgetful = false } = platform
  const input = { type: 'start', self: keys.self, seed, box, isForgetful, ...opened } as const
  const state: State = {
    platform,
    emit,
    engine: createEngine(input, timers.nowMs()),
    queue: new InputQueue((input) => handleOne(state, input)),
    checks: new Map(),
    budgets: new Map(),
    traffic,
    facts: [],
    listener: undefined,
    heardMs: new Map(),
    wallAheadMs: timers.wallMs() - timers.nowMs(),
  }
  feed(state, input)
  links.start({
    up: (link, peer, version) => feed(state, { type: 'link-up', link, peer, version }),
    down: (link) => {
      state.checks.delete(link)
      state.budgets.delete(link)
      state.heardMs.delete(link)
      state.listener?.down(link)
      feed(state, { type: 'link-down', link })
    },
    frame: (link, _lane, bytes) => receive(state, link, bytes),
    drained: (link) => {
      feed(state, { type: 'drained', link })
      state.listener?.drained(link)
    },
    dialFailed: (peer) => feed(state, { type: 'dial-failed', peer }),
    signal: (to, payload) => feed(state, { type: 'signal-out', to, payload }),
    refused: (_peer, reason) => traffic.refused.set(reason, (traffic.refused.get(reason) ?? 0) + 1),
  })
  helpers.start({
    up: (helper, site, node, at) => feed(state, { type: 'helper-up', helper, site, node, at }),
    down: (helper) => feed(state, { type: 'helper-down', helper }),
    peers: (helper, up, down) => feed(state, { type: 'helper-peers', helper, up, down }),
    sites: (helper, near) => feed(state, { type: 'helper-sites', helper, near }),
    signal: (helper, from, payload) => feed(state, { type: 'signal-in', helper, from, payload }),
    unreachable: (helper, to) => feed(state, { type: 'signal-unreachable', helper, to }),
  })
  return {
    command: (command) => feed(state, { type: 'command', command }),
    attach: (listener) => {
      state.listener = listener
      listener.links(state.facts)
    },
    close: () => close(state),
  }
}

function close(state: State): void {
  if (state.queue.isClosed) return
  state.queue.isClosed = true
  state.platform.timers.cancel()
  state.platform.helpers.close()
  state.platform.links.close()
}

function feed(state: State, input: Input): void {
  state.queue.feed(input)
}

function handleOne(state: State, input: Input): void {
  const nowMs = state.platform.timers.nowMs()
  for (const effect of handle(state.engine, input, nowMs)) execute(state, effect)
}

function receive(state: State, link: LinkId, bytes: Uint8Array): void {
  state.traffic.framesIn += 1
  state.traffic.bytesIn += bytes.length
  if (isFileFrame(bytes)) return receiveFile(state, link, bytes)
  const frame = decodeFrame(bytes)
  if (typeof frame === 'string') return state.platform.links.hangUp(link, frame)
  const shorts = shortCount(frame)
  const claims = frameClaims(frame)
  if (!spend(state, link, claims.length + shorts)) return state.platform.links.hangUp(link, 'too-fast')
  const before = state.checks.get(link)
  if (claims.length + shorts === 0 && before === undefined)
    return feed(state, { type: 'received', link, frame })
  // A short form is completed from what came before it.
  const checked =
    shorts > 0 && before !== undefined
      ? before.then(() => checkFrame(state, link, completeFrame(state.engine, frame), undefined))
      : checkFrame(state, link, completeFrame(state.engine, frame), before)
  const budget = state.budgets.get(link)
  if (budget !== undefined) budget.waiting += 1
  state.checks.set(link, checked)
  void checked.then(() => {
    if (budget !== undefined) budget.waiting -= 1
    if (state.checks.get(link) === checked) state.checks.delete(link)
  })
}

/** guess: often enough for a link not to seem silent, and seldom beside what files are. */
const heardIntervalMs = 1_000

/** C5: files have an engine of their own; until it is there what comes for it is dropped, and asked for again. */
function receiveFile(state: State, link: LinkId, bytes: Uint8Array): void {
  if (bytes.length > limits.frameBytesMax) return state.platform.links.hangUp(link, 'too-large')
  const nowMs = state.platform.timers.nowMs()
  if (nowMs - (state.heardMs.get(link) ?? Number.NEGATIVE_INFINITY) >= heardIntervalMs) {
    state.heardMs.set(link, nowMs)
    feed(state, { type: 'heard', link })
  }
  state.listener?.frame(link, bytes)
}

/** What a link may have checked: so many at once, so many a second, so many waiting. */
function spend(state: State, link: LinkId, claims: number): boolean {
  const nowMs = state.platform.timers.nowMs()
  const budget = state.budgets.get(link) ?? { left: limits.checksBurst, atMs: nowMs, waiting: 0 }
  const earned = ((nowMs - budget.atMs) / 1_000) * limits.checksPerSecondMax
  budget.left = Math.min(limits.checksBurst, budget.left + earned) - claims
  budget.atMs = nowMs
  state.budgets.set(link, budget)
  return budget.left >= 0 && budget.waiting <= limits.checksQueueMax
}

function checkFrame(
  state: State,
  link: LinkId,
  frame: Frame,
  before: Promise<void> | undefined,
): Promise<void> {
  const checks = frameClaims(frame).map((claim) => state.platform.keys.verify(claim))
  return Promise.all([before, ...checks]).then(([, ...verdicts]) =>
    checkedFrame(state, link, frame, verdicts.every(Boolean)),
  )
}

function checkedFrame(state: State, link: LinkId, frame: Frame, isGenuine: boolean): void {
  if (isGenuine) feed(state, { type: 'received', link, frame })
  else if (frame.type === 'packet' && frame.isShort === true) {
    feed(state, { type: 'received', link, frame: unclearFrame(frame) })
  } else state.platform.links.hangUp(link, 'bad-signature')
}

function execute(state: State, effect: Effect): void {
  const { keys, store, links, helpers, timers } = state.platform
  switch (effect.type) {
    case 'sign':
      void keys.sign(effect.message).then(
        (signature) => feed(state, { type: 'signed', token: effect.token, signature }),
        () => feed(state, { type: 'sign-failed', token: effect.token }),
      )
      return
    case 'store':
      void store.write(effect.write).then(
        (result) => {
          const { token } = effect
          if (typeof result === 'string') feed(state, { type: 'store-failed', token, cause: result })
          else feed(state, { type: 'stored', token, ...result })
        },
        () => feed(state, { type: 'store-failed', token: effect.token, cause: 'closed' }),
      )
      return
    case 'load':
      void store.load(effect.room, effect.feed, effect.first, effect.last).then(
        (events) => feed(state, { type: 'loaded', token: effect.token, events }),
        // A store that cannot be read now serves nothing now; others have it too.
        () => feed(state, { type: 'loaded', token: effect.token, events: [] }),
      )
      return
    case 'send':
      return send(state, effect.link, effect.frame)
    case 'hang-up':
      return links.hangUp(effect.link, effect.reason)
    case 'dial':
      return links.dial(effect.peer)
    case 'signal-helper':
      return helpers.signal(effect.helper, effect.to, effect.payload)
    case 'signal-deliver':
      return links.signal(effect.from, effect.payload)
    case 'signal-lost':
      return links.signalLost(effect.to)
    case 'schedule':
      return timers.wake(effect.delayMs, () => tick(state))
    case 'links':
      state.facts = effect.links
      return state.listener?.links(effect.links)
    case 'emit':
      return state.emit(effect.event)
    default:
      unreachable(effect)
  }
}

function send(state: State, link: LinkId, frame: Frame): void {
  const bytes = encodeFrame(frame)
  state.traffic.framesOut += 1
  state.traffic.bytesOut += bytes.length
  const lane = laneOf(frame)
  const isFree = state.platform.links.send(link, lane, bytes)
  if (!isFree && lane === 'bulk') feed(state, { type: 'congested', link })
}

function tick(state: State): void {
  const { timers } = state.platform
  const aheadMs = timers.wallMs() - timers.nowMs()
  const byMs = Math.round(aheadMs - state.wallAheadMs)
  if (Math.abs(byMs) >= jumpMinMs) {
    state.wallAheadMs = aheadMs
    feed(state, { type: 'clock-jumped', byMs })
  }
  feed(state, { type: 'tick' })
}
