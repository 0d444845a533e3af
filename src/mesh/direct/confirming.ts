/** Letters that have come are confirmed to their authors, and what others confirm is noted. Rule Q7 in PROTOCOL.md. */
import type { Confirming, DirectEffect, DirectEngine, Letter, Unopened } from './direct-state.ts'
import { confirmedName, type Confirm } from './letter.ts'
import { directLimits } from './limits.ts'
import { isUnderWay, keep, startSealing } from './steps.ts'

/** Q7: said in company. */
export function confirm(
  engine: DirectEngine,
  { author, id, sealedAs = 0 }: Pick<Letter, 'id' | 'author' | 'sealedAs'>,
  state: Confirm['state'],
  nowMs: number,
): void {
  if (author === engine.self) return
  const dueMs = nowMs + directLimits.confirmDelayMs
  const entry: Confirming = engine.confirms.get(author) ?? { letters: new Map(), dueMs }
  // The rest is confirmed after the next start: it is kept as not confirmed.
  const before = entry.letters.get(id)
  if (before === undefined && entry.letters.size >= directLimits.confirmsMax) return
  const generation = Math.max(sealedAs, before?.generation ?? 0)
  entry.letters.set(id, { state: before?.state === 'read' ? 'read' : state, generation })
  engine.confirms.set(author, entry)
}

/** Q7: only the addressee of a letter confirms it; nothing more is done about it from now on. */
export function takeConfirm(
  engine: DirectEngine,
  confirm: Confirm,
  source: Unopened,
  out: DirectEffect[],
): void {
  const names = new Set(confirm.letters)
  for (const { id, to } of engine.unconfirmed.values())
    if (to === source.author && names.has(confirmedName(id))) engine.unconfirmed.delete(id)
  keep(engine, { confirmed: { ...confirm, by: source.author } }, source, out)
}

/** Q7: of one person's letters as many as fit. */
export function sayConfirms(engine: DirectEngine, nowMs: number, out: DirectEffect[]): void {
  if (isUnderWay(engine, 'seal', 'post')) return
  for (const [person, { letters, dueMs }] of engine.confirms) {
    const to = engine.known.get(person)
    if (to === undefined || (dueMs > nowMs && letters.size < directLimits.confirmedMax)) continue
    // The prekey that some were to be confirmed to is still on its way.
    const due = [...letters].filter(([, { generation }]) => generation <= to.generation)
    const state = due.some(([, one]) => one.state === 'delivered') ? 'delivered' : 'read'
    const said = due.filter(([, one]) => one.state === state).slice(0, directLimits.confirmedMax)
    if (said.length === 0) continue
    for (const [id] of said) letters.delete(id)
    if (letters.size === 0) engine.confirms.delete(person)
    const confirm: Confirm = { type: 'confirm', state, letters: said.map(([id]) => confirmedName(id)) }
    return startSealing(engine, { type: 'confirm', to: person, confirm, of: new Map(said) }, to, out)
  }
}

/** Q8: it was sealed anew, since its author has not heard that it came: confirmed again once in a life, and to each later prekey of its author. */
export function confirmAgain(
  engine: DirectEngine,
  letter: Pick<Letter, 'id' | 'author'> & { readonly sealedAs: number },
  nowMs: number,
): void {
  if ((engine.answered.get(letter.id) ?? -1) >= letter.sealedAs) return
  const [oldest] = engine.answered.keys()
  if (oldest !== undefined && engine.answered.size >= directLimits.answeredMax) engine.answered.delete(oldest)
  engine.answered.set(letter.id, letter.sealedAs)
  confirm(engine, letter, 'delivered', nowMs)
}
