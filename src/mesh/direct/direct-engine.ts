/**
 * Direct messages of one device: an engine of its own beside that of the chat, which carries what is sealed like any other
 * event. Writes, seals, opens and confirms letters, and seals anew what its addressee cannot open. Rules Q1–Q8 in PROTOCOL.md.
 *
 * Pure and synchronous like the others. No state rolls back: what was written is kept in the clear on this device until it
 * is confirmed, and each letter opens by itself (`reliability.md` §5.3 says why there is no ratchet).
 */
import { unreachable } from '../effects.ts'
import type { EventId } from '../ids.ts'
import { confirm, sayConfirms } from './confirming.ts'
import {
  firstGeneration,
  nextPrekeyMs,
  type DirectEffect,
  type DirectEngine,
  type DirectInput,
  type Letter,
} from './direct-state.ts'
import { directLimits } from './limits.ts'
import { openNext, opened, stood } from './reading.ts'
import { encodePrekey } from './sealed-body.ts'
import { begin, emit, isUnderWay, takeStep } from './steps.ts'
import { nextSealingMs, posted, sealNext, sealed, takeBack, write } from './writing.ts'

/** @returns what is to be done now, in this order. */
export function handleDirect(engine: DirectEngine, input: DirectInput, nowMs: number): DirectEffect[] {
  const out: DirectEffect[] = []
  route(engine, input, nowMs, out)
  evaluate(engine, nowMs, out)
  return out
}

function route(engine: DirectEngine, input: DirectInput, nowMs: number, out: DirectEffect[]): void {
  switch (input.type) {
    case 'stood':
      return stood(engine, input.event, input.isSeen)
    case 'write':
      return write(engine, input, nowMs, out)
    case 'read':
      for (const letter of input.letters) confirm(engine, letter, 'read', nowMs)
      return
    case 'prekey-made':
      return takePrekey(engine, input, nowMs)
    case 'sealed':
      return sealed(engine, input, nowMs, out)
    case 'opened':
      return opened(engine, input, nowMs, out)
    case 'posted':
      return posted(engine, input, nowMs, out)
    case 'kept':
      return kept(engine, input.token, nowMs, out)
    case 'failed':
      return failed(engine, input.token, nowMs, out)
    case 'loaded':
      engine.isLoaded = true
      return
    case 'tick':
      return
    default:
      unreachable(input)
  }
}

/** What is durable counts, and is told. */
function kept(engine: DirectEngine, token: number, nowMs: number, out: DirectEffect[]): void {
  const step = takeStep(engine, token, 'keep')
  if (step === undefined) return
  for (const letter of step.letters) noteKept(engine, letter, nowMs, out)
  // What was confirmed meanwhile is not told as it was before.
  const told = step.letters.filter(({ id, state }) => state !== 'sealed' || engine.unconfirmed.has(id))
  if (told.length > 0) emit(out, { type: 'letters', letters: told })
  if (step.confirmed === undefined) return
  const { by, state, letters } = step.confirmed
  emit(out, { type: 'confirmed', by, state, letters })
}

function noteKept(engine: DirectEngine, letter: Letter, nowMs: number, out: DirectEffect[]): void {
  const { id, state } = letter
  engine.kept.add(id)
  const written = engine.writing.get(id)
  engine.writing.delete(id)
  if (written !== undefined) emit(out, { type: 'written', token: written, id })
  // What was confirmed while this was being written stays so.
  if (written !== undefined || engine.unconfirmed.has(id)) engine.unconfirmed.set(id, letter)
  if (state === 'confirmed') engine.received.delete(id)
  if (state !== 'received') return
  // Q7: only what is durable here is confirmed.
  engine.received.set(id, letter)
  confirm(engine, letter, 'delivered', nowMs)
}

/** What could not be done is begun again later; what a person wrote goes back to its composer. */
function failed(engine: DirectEngine, token: number, nowMs: number, out: DirectEffect[]): void {
  const step = engine.steps.get(token)
  engine.steps.delete(token)
  if (step === undefined) return
  engine.retryAtMs = nowMs + directLimits.retryMs
  switch (step.type) {
    case 'make-prekey':
    case 'post-prekey':
      return
    case 'open':
      engine.unopened.set(step.of.event, step.of)
      return
    case 'seal':
    case 'post':
      return takeBack(engine, step.of, nowMs)
    case 'keep':
      if (step.source !== undefined) engine.unopened.set(step.source.event, step.source)
      for (const { id } of step.letters) giveBack(engine, id, out)
      return
    default:
      unreachable(step)
  }
}

/** Nothing of it is durable: it is a text in the composer again. */
function giveBack(engine: DirectEngine, id: EventId, out: DirectEffect[]): void {
  const written = engine.writing.get(id)
  engine.writing.delete(id)
  if (written !== undefined) emit(out, { type: 'write-failed', token: written, cause: 'not-stored' })
}

function evaluate(engine: DirectEngine, nowMs: number, out: DirectEffect[]): void {
  // A clock that was set back holds nothing up.
  engine.retryAtMs = Math.min(engine.retryAtMs, nowMs + directLimits.retryMs)
  if (nowMs >= engine.retryAtMs) {
    renewPrekey(engine, nowMs, out)
    openNext(engine, out)
    sealNext(engine, nowMs, out)
    sayConfirms(engine, nowMs, out)
  }
  scheduleNext(engine, nowMs, out)
}

/** Q2: the next one in time, and no secret longer than it may be needed. */
function renewPrekey(engine: DirectEngine, nowMs: number, out: DirectEffect[]): void {
  const beyondMs = engine.prekeys.at(-1 - directLimits.prekeysMax)?.madeMs ?? Number.NEGATIVE_INFINITY
  const madeBeforeMs = Math.max(nowMs - directLimits.prekeyKeptMs, beyondMs + 1)
  if (engine.prekeys.some(({ madeMs }) => madeMs < madeBeforeMs)) {
    engine.prekeys = engine.prekeys.filter(({ madeMs }) => madeMs >= madeBeforeMs)
    out.push({ type: 'destroy-prekeys', madeBeforeMs })
  }
  if (nowMs >= nextPrekeyMs(engine) && !isUnderWay(engine, 'make-prekey')) makePrekey(engine, out)
  const newest = engine.prekeys.at(-1)
  if (newest === undefined || newest.isPublished || isUnderWay(engine, 'post-prekey')) return
  const { publicKey, generation } = newest
  const token = begin(engine, { type: 'post-prekey', publicKey })
  out.push({
    type: 'post',
    token,
    body: { type: 'prekey', bytes: encodePrekey({ publicKey, generation, first: firstGeneration(engine) }) },
  })
}

function scheduleNext(engine: DirectEngine, nowMs: number, out: DirectEffect[]): void {
  let next = engine.retryAtMs > nowMs ? engine.retryAtMs : Number.POSITIVE_INFINITY
  for (const [person, { dueMs }] of engine.confirms)
    if (dueMs > nowMs && engine.known.get(person) !== undefined) next = Math.min(next, dueMs)
  if (!isUnderWay(engine, 'make-prekey'))
    next = Math.min(next, Math.max(nextPrekeyMs(engine), engine.retryAtMs))
  next = Math.min(next, nextSealingMs(engine, nowMs))
  const delayMs = Math.min(directLimits.sleepMsMax, Math.max(1, next - nowMs))
  if (next < Number.POSITIVE_INFINITY) out.push({ type: 'schedule', delayMs })
}

/** Q2: one more than any that was ever met. */
function nextGeneration({ metGeneration, madeGeneration }: DirectEngine): number {
  return Math.max(metGeneration, madeGeneration) + 1
}

function makePrekey(engine: DirectEngine, out: DirectEffect[]): void {
  const generation = nextGeneration(engine)
  out.push({ type: 'make-prekey', token: begin(engine, { type: 'make-prekey', generation }), generation })
}

function takePrekey(
  engine: DirectEngine,
  { token, publicKey }: Extract<DirectInput, { type: 'prekey-made' }>,
  nowMs: number,
): void {
  const step = takeStep(engine, token, 'make-prekey')
  if (step === undefined) return
  engine.madeGeneration = step.generation
  // The second time, and ever more seldom: two devices with one key would make the other one make the next for ever.
  if (engine.prekeys.length > 0 && step.generation === engine.metGeneration + 1) engine.outdone += 1
  engine.prekeys.push({ publicKey, generation: step.generation, madeMs: nowMs, isPublished: false })
}
