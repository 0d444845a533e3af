/** Where in a history something is missing. */
import type { PlacedEvent } from '#mesh/clock.ts'
import type { Gap } from '#mesh/effects.ts'

/** @returns how much is missing right above each message, by id */
export function missingAbove(
  events: readonly Pick<PlacedEvent, 'id' | 'feed' | 'seq'>[],
  gaps: readonly Gap[],
): Map<string, number> {
  const missing = new Map<string, number>()
  for (const gap of gaps) {
    const own = events.filter(({ feed }) => feed === gap.feed)
    const after = own.find(({ seq }) => seq > gap.last)
    // Only where the messages on both sides are loaded, or the very next one: else it belongs further up.
    const isHere = after?.seq === gap.last + 1 || own.some(({ seq }) => seq < gap.first)
    if (after === undefined || !isHere) continue
    missing.set(after.id, (missing.get(after.id) ?? 0) + gap.last - gap.first + 1)
  }
  return missing
}
