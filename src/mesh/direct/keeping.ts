/** What a disk makes of a step of direct messages, the same on every platform. Rule Q7 in PROTOCOL.md. */
import type { EventId, PeerId } from '../ids.ts'
import type { Keeping, Letter, LetterState } from './direct-state.ts'
import { confirmedName } from './letter.ts'

const ranks: Readonly<Record<LetterState, number>> = {
  written: 0,
  sealed: 1,
  received: 1,
  confirmed: 2,
  delivered: 2,
  read: 3,
}

/** No state goes back, in whatever order steps end. @param letters all that are kept; changed */
export function keepLetters(
  self: PeerId,
  letters: Map<EventId, Letter>,
  { letters: now, confirmed }: Keeping,
): void {
  for (const letter of now) {
    const state = later(letters.get(letter.id)?.state, letter.state)
    letters.set(letter.id, { ...letter, state })
  }
  if (confirmed === undefined) return
  const names = new Set(confirmed.letters)
  for (const letter of letters.values()) {
    const isMeant =
      letter.author === self && letter.to === confirmed.by && names.has(confirmedName(letter.id))
    if (isMeant) letters.set(letter.id, { ...letter, state: later(letter.state, confirmed.state) })
  }
}

function later(before: LetterState | undefined, now: LetterState): LetterState {
  return before !== undefined && ranks[before] > ranks[now] ? before : now
}
