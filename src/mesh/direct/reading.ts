/** What stands in the direct room: prekeys of others, and letters, which are opened one by one. Rules Q2 and Q4 in PROTOCOL.md. */
import { Malformed, bytesEqual } from '../bytes.ts'
import { feedAuthor, type PeerId } from '../ids.ts'
import { eventKinds } from '../timeline/body.ts'
import { confirmAgain, takeConfirm } from './confirming.ts'
import type { DirectEffect, DirectEngine, DirectEvent, DirectInput } from './direct-state.ts'
import { decodeLetter, letterIdOf } from './letter.ts'
import { directLimits } from './limits.ts'
import { decodePrekey } from './sealed-body.ts'
import { begin, isUnderWay, keep, takeStep } from './steps.ts'

/** Q2, Q4: something in the direct room: a prekey, or a letter that may be for this device. */
export function stood(engine: DirectEngine, event: DirectEvent, isSeen: boolean): void {
  const author = feedAuthor(event.feed)
  if (event.kind === eventKinds.prekey) return learnPrekey(engine, author, event)
  const isForeign = event.kind === eventKinds.sealed && author !== engine.self
  if (!isForeign || isSeen || engine.unopened.size >= directLimits.openingMax) return
  engine.unopened.set(event.id, { event: event.id, author, atMs: event.atMs })
}

export function opened(
  engine: DirectEngine,
  { token, letter }: Extract<DirectInput, { type: 'opened' }>,
  nowMs: number,
  out: DirectEffect[],
): void {
  const step = takeStep(engine, token, 'open')
  if (step === undefined) return
  const { event, author, atMs } = step.of
  // Let go of meanwhile.
  if (letter === 'gone') return
  if (typeof letter === 'string') return keep(engine, {}, step.of, out)
  const read = readLetter(letter)
  if (read === undefined) return keep(engine, {}, step.of, out)
  const knownGeneration = engine.known.get(author)?.generation ?? 0
  // Q7: what could never be confirmed would be looked at for ever.
  if (read.generation > knownGeneration + directLimits.generationAheadMax)
    return keep(engine, {}, step.of, out)
  const { content } = read
  if (content.type === 'confirm') return takeConfirm(engine, content, step.of, out)
  const id = letterIdOf(author, engine.self, content)
  const sealedAs = read.generation
  if (engine.kept.has(id)) {
    confirmAgain(engine, { author, id, sealedAs }, nowMs)
    return keep(engine, {}, step.of, out)
  }
  const whole = { id, author, to: engine.self, said: content, atMs, state: 'received' } as const
  keep(
    engine,
    { letters: [{ ...whole, sealedTo: undefined, sealedAs, sealings: 0, sealedMs: 0, event }] },
    step.of,
    out,
  )
}

/** Q4: one at a time: each takes a while. */
export function openNext(engine: DirectEngine, out: DirectEffect[]): void {
  const [next] = engine.unopened.values()
  if (next === undefined || isUnderWay(engine, 'open')) return
  engine.unopened.delete(next.event)
  const token = begin(engine, { type: 'open', of: next })
  out.push({ type: 'open', token, event: next.event, author: next.author })
}

/** Q2: the later generation counts, whatever clocks say. */
function learnPrekey(engine: DirectEngine, device: PeerId, { id, body }: DirectEvent): void {
  const prekey = decodePrekey(body)
  if (prekey === undefined) return
  if (device === engine.self) {
    const isHere = engine.prekeys.some(({ publicKey }) => bytesEqual(publicKey, prekey.publicKey))
    if (!isHere) engine.metGeneration = Math.max(engine.metGeneration, prekey.generation)
    return
  }
  const before = engine.known.get(device)
  const isLater =
    before === undefined ||
    prekey.generation > before.generation ||
    (prekey.generation === before.generation && id > before.id)
  if (!isLater || (before === undefined && engine.known.size >= directLimits.devicesMax)) return
  engine.known.set(device, { ...prekey, device, id })
}

function readLetter(bytes: Uint8Array) {
  try {
    return decodeLetter(bytes)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    return undefined
  }
}
