/** Letters that have come are confirmed to their authors, and what others confirm is noted. Rule Q7 in PROTOCOL.md. */
import type { EventId, PeerId } from '../ids.ts'
import type { DirectEffect, DirectEngine, Letter } from './direct-state.ts'
import { confirmedName, type Confirm } from './letter.ts'
import { directLimits } from './limits.ts'
import { isUnderWay, startSealing } from './steps.ts'

/** Q7: said in company. */
export function confirm(
  engine: DirectEngine,
  author: PeerId,
  letter: EventId,
  state: Confirm['state'],
  nowMs: number,
): void {
  if (author === engine.self) return
  const dueMs = nowMs + directLimits.confirmDelayMs
  const entry = engine.confirms.get(author) ?? { letters: new Map(), dueMs }
  // The rest is confirmed after the next start: it is kept as not confirmed.
  if (entry.letters.size >= directLimits.confirmsMax) return
  if (entry.letters.get(letter) !== 'read') entry.letters.set(letter, state)
  engine.confirms.set(author, entry)
}

/** Q7: only the addressee of a letter confirms it, and no state goes back. */
export function confirmedBy(engine: DirectEngine, by: PeerId, { letters, state }: Confirm): Letter[] {
  const names = new Set(letters)
  const found = [...engine.unconfirmed.values()].filter(
    ({ id, to }) => to === by && names.has(confirmedName(id)),
  )
  return found.map((letter) => ({ ...letter, state }))
}

/** Q7: of one person's letters as many as fit. */
export function sayConfirms(engine: DirectEngine, nowMs: number, out: DirectEffect[]): void {
  if (isUnderWay(engine, 'seal', 'post')) return
  for (const [person, { letters, dueMs }] of engine.confirms) {
    const to = engine.known.get(person)
    if (to === undefined || (dueMs > nowMs && letters.size < directLimits.confirmedMax)) continue
    const state = [...letters.values()].includes('delivered') ? 'delivered' : 'read'
    const ids = [...letters].filter(([, one]) => one === state).map(([id]) => id)
    const said = ids.slice(0, directLimits.confirmedMax)
    for (const id of said) letters.delete(id)
    if (letters.size === 0) engine.confirms.delete(person)
    const of = said.flatMap((id) => engine.received.get(id) ?? [])
    const confirm: Confirm = { type: 'confirm', state, letters: said.map(confirmedName) }
    return startSealing(engine, { type: 'confirm', to: person, confirm, of }, to, out)
  }
}
