/** Steps of an engine of direct messages that others do and answer: keeping, sealing, opening, posting. */
import type {
  DirectEffect,
  DirectEngine,
  DirectNews,
  Keeping,
  KnownPrekey,
  Letter,
  Outgoing,
  Step,
  Unopened,
} from './direct-state.ts'
import { encodeLetter } from './letter.ts'

export function begin(engine: DirectEngine, step: Step): number {
  engine.lastToken += 1
  engine.steps.set(engine.lastToken, step)
  return engine.lastToken
}

type StepOf<T extends Step['type']> = Step extends infer One
  ? One extends { readonly type: infer U }
    ? T extends U
      ? One
      : never
    : never
  : never

export function takeStep<T extends Step['type']>(
  engine: DirectEngine,
  token: number,
  type: T,
): StepOf<T> | undefined {
  const step = engine.steps.get(token)
  if (step?.type !== type) return undefined
  engine.steps.delete(token)
  return step as StepOf<T>
}

export function isUnderWay(engine: DirectEngine, ...types: readonly Step['type'][]): boolean {
  for (const { type } of engine.steps.values()) if (types.includes(type)) return true
  return false
}

/** @param source the letter that it comes from, which is opened again where this fails */
export function keep(
  engine: DirectEngine,
  what: { readonly letters?: readonly Letter[]; readonly confirmed?: Keeping['confirmed'] },
  source: Unopened | undefined,
  out: DirectEffect[],
): void {
  const keeping = { letters: [], confirmed: undefined, ...what, looked: source?.event }
  out.push({ type: 'keep', token: begin(engine, { type: 'keep', ...keeping, source }), ...keeping })
}

export function emit(out: DirectEffect[], event: DirectNews): void {
  out.push({ type: 'emit', event })
}

export function startSealing(engine: DirectEngine, of: Outgoing, to: KnownPrekey, out: DirectEffect[]): void {
  const as = engine.madeGeneration
  const token = begin(engine, { type: 'seal', of, to, as })
  out.push({
    type: 'seal',
    token,
    letter: encodeLetter(as, of.type === 'letter' ? of.letter.said : of.confirm),
    recipients: [to],
  })
}
