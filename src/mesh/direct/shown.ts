/** A letter as screens show events: in the room of its two people, which exists on their devices only. Rule Q6 in PROTOCOL.md. */
import { stampFromMs, type PlacedEvent } from '../clock.ts'
import { feedIdFrom } from '../ids.ts'
import type { Letter, LetterState } from './direct-state.ts'
import { conversationOf } from './letter.ts'

export interface ShownLetter extends PlacedEvent {
  readonly letter: LetterState
}

/** Stands where nothing carries a letter yet. */
const noIncarnation = new Uint8Array(16)

/**
 * @param kept when it was kept here first, ms, and where it stands in the conversation
 * @param carrier the event that carries an own one: who holds that holds the letter
 */
export function showLetter(
  { id, author, to, said, atMs, state }: Letter,
  { storedAtMs, effective }: Pick<PlacedEvent, 'storedAtMs' | 'effective'>,
  carrier?: Pick<PlacedEvent, 'feed' | 'seq'>,
): ShownLetter {
  const stamp = stampFromMs(atMs)
  return {
    room: conversationOf(author, to),
    feed: carrier?.feed ?? feedIdFrom(author, noIncarnation),
    seq: carrier?.seq ?? 0,
    prev: undefined,
    hlc: stamp,
    deps: [],
    kind: said.kind,
    flags: 0,
    epoch: 0,
    body: said.body,
    id,
    signature: undefined,
    effective,
    storedAtMs,
    audience: [to],
    letter: state,
  }
}
