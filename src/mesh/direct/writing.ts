/** Letters of this device: kept first, then sealed and posted, and sealed anew where that is needed. Rules Q4, Q6 and Q8 in PROTOCOL.md. */
import { confirm } from './confirming.ts'
import type {
  DirectEffect,
  DirectEngine,
  DirectInput,
  KnownPrekey,
  Letter,
  Outgoing,
} from './direct-state.ts'
import { encodeLetter, letterIdOf } from './letter.ts'
import { firstGeneration } from './direct-state.ts'
import { directLimits } from './limits.ts'
import { sealedBytes } from './sealed-body.ts'
import { begin, emit, isUnderWay, keep, startSealing, takeStep } from './steps.ts'

/** Q6: kept here first; the composer clears when it is durable. */
export function write(
  engine: DirectEngine,
  wish: Extract<DirectInput, { type: 'write' }>,
  nowMs: number,
  out: DirectEffect[],
): void {
  const { token, to, said } = wish
  const length = encodeLetter(directLimits.generationMax, said).length
  if (sealedBytes(length, 1) === undefined)
    return emit(out, { type: 'write-failed', token, cause: 'too-long' })
  if (to === engine.self) return emit(out, { type: 'write-failed', token, cause: 'self' })
  const id = letterIdOf(engine.self, to, said)
  // Said again by who was not answered: it is the same one.
  if (engine.writing.has(id)) return
  if (engine.kept.has(id)) return emit(out, { type: 'written', token, id })
  if (engine.unconfirmed.size + engine.writing.size >= directLimits.unconfirmedMax)
    return emit(out, { type: 'write-failed', token, cause: 'busy' })
  const letter: Letter = {
    id,
    author: engine.self,
    to,
    said,
    atMs: nowMs,
    state: 'written',
    sealedTo: undefined,
    sealedAs: undefined,
    sealings: 0,
    sealedMs: 0,
    event: undefined,
  }
  engine.writing.set(id, token)
  keep(engine, { letters: [letter] }, undefined, out)
}

export function sealed(
  engine: DirectEngine,
  { token, body }: Extract<DirectInput, { type: 'sealed' }>,
  nowMs: number,
  out: DirectEffect[],
): void {
  const step = takeStep(engine, token, 'seal')
  if (step === undefined) return
  if (typeof body === 'string') {
    // Q4: a key that cannot be sealed to is none; a later one of that device may be.
    if (engine.known.get(step.to.device)?.id === step.to.id) engine.known.delete(step.to.device)
    return takeBack(engine, step.of, nowMs)
  }
  const next = begin(engine, { ...step, type: 'post' })
  out.push({ type: 'post', token: next, body: { type: 'sealed', bytes: body } })
}

/** What could not be said is said later. */
export function takeBack(engine: DirectEngine, of: Outgoing, nowMs: number): void {
  if (of.type === 'letter') return
  for (const [id, { state, generation }] of of.of)
    confirm(engine, { author: of.to, id, sealedAs: generation }, state, nowMs)
}

export function posted(
  engine: DirectEngine,
  { token, event }: Extract<DirectInput, { type: 'posted' }>,
  nowMs: number,
  out: DirectEffect[],
): void {
  const key = takeStep(engine, token, 'post-prekey')
  if (key !== undefined) {
    engine.prekeys = engine.prekeys.map((one) =>
      one.publicKey === key.publicKey ? { ...one, isPublished: true } : one,
    )
    out.push({ type: 'published', publicKey: key.publicKey })
    return
  }
  const step = takeStep(engine, token, 'post')
  if (step === undefined) return
  const { of, to, as } = step
  if (of.type === 'confirm') {
    const received = [...of.of.keys()].flatMap((id) => engine.received.get(id) ?? [])
    const letters = received.map((letter): Letter => ({ ...letter, state: 'confirmed' }))
    return letters.length > 0 ? keep(engine, { letters }, undefined, out) : undefined
  }
  // A confirmation may have come meanwhile, of an earlier sealing.
  const letter = engine.unconfirmed.get(of.letter.id)
  if (letter === undefined) return
  const now: Letter = {
    ...letter,
    state: 'sealed',
    sealedTo: to.generation,
    sealedAs: as,
    sealings: letter.sealings + 1,
    sealedMs: nowMs,
    event,
  }
  // It goes around now, whatever the disk says.
  engine.unconfirmed.set(now.id, now)
  keep(engine, { letters: [now] }, undefined, out)
}

/** Q8: what was never sealed, and what its addressee cannot open any more. One at a time. */
export function sealNext(engine: DirectEngine, nowMs: number, out: DirectEffect[]): void {
  if (!engine.isLoaded || isUnderWay(engine, 'seal', 'post')) return
  for (const letter of engine.unconfirmed.values()) {
    const to = engine.known.get(letter.to)
    if (to === undefined || !needsSealing(engine, letter, to) || isBeingKept(engine, letter)) continue
    if (nowMs < resealAtMs(letter, nowMs)) continue
    return startSealing(engine, { type: 'letter', letter }, to, out)
  }
}

function isBeingKept(engine: DirectEngine, letter: Letter): boolean {
  for (const step of engine.steps.values())
    if (step.type === 'keep' && step.letters.some(({ id }) => id === letter.id)) return true
  return false
}

/** Q8: its device has not, or not any more, what opens it; or this one has not any more what opens its confirmation. */
function needsSealing(engine: DirectEngine, { sealedTo, sealedAs }: Letter, { first }: KnownPrekey): boolean {
  if (sealedTo === undefined || sealedTo < first) return true
  return sealedAs === undefined || sealedAs < firstGeneration(engine)
}

/** Q8: whoever publishes prekey after prekey and confirms nothing makes its author say the same ever more seldom. */
function resealAtMs({ sealings, sealedMs }: Letter, nowMs: number): number {
  const { resealMs, prekeyValidMs, sealingsAtOnce } = directLimits
  // A clock that was set back holds nothing up.
  if (sealings < sealingsAtOnce || nowMs < sealedMs) return Number.NEGATIVE_INFINITY
  return sealedMs + Math.min(prekeyValidMs, resealMs * 2 ** (sealings - sealingsAtOnce))
}

/** @returns when a letter is to be sealed anew that had to wait, ms */
export function nextSealingMs(engine: DirectEngine, nowMs: number): number {
  let next = Number.POSITIVE_INFINITY
  for (const letter of engine.unconfirmed.values()) {
    const to = engine.known.get(letter.to)
    if (to === undefined || !needsSealing(engine, letter, to)) continue
    const atMs = resealAtMs(letter, nowMs)
    if (atMs > nowMs) next = Math.min(next, atMs)
  }
  return next
}
