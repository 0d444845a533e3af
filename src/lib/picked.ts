/** What can be done with messages that somebody picked: quoted elsewhere, or taken away on this device. */
import type { PlacedEvent } from '#mesh/clock.ts'
import { feedAuthor } from '#mesh/ids.ts'
import { checkText } from '#mesh/timeline/body.ts'
import { language } from './i18n/language.svelte.ts'
import { sheetLanguage } from './i18n/sheet-language.svelte.ts'
import type { MeshState } from './state/mesh.svelte.ts'
import type { RoomState } from './state/room.svelte.ts'
import { removals } from './state/removals.svelte.ts'
import { timeOfDay, writtenMs } from './words.ts'

/** One line of a log: when, who, what. */
export function quoteOf(mesh: MeshState, room: RoomState, event: PlacedEvent): string {
  const ms = writtenMs(event)
  const when = `${language.date.format(ms)} ${timeOfDay(ms)}`
  return `${when} ${mesh.nameOf(feedAuthor(event.feed))}: ${room.fold(event).text ?? ''}`
}

/**
 * A message as it is said again elsewhere: who wrote it where and when, and the text as a quotation.
 * @returns undefined when that is more than one message holds
 */
export function forwardedText(mesh: MeshState, room: RoomState, event: PlacedEvent): string | undefined {
  const text = room.fold(event).text ?? ''
  const ms = writtenMs(event)
  const when = `${language.date.format(ms)} ${timeOfDay(ms)}`
  const head = sheetLanguage.words.picked.from(mesh.nameOf(feedAuthor(event.feed)), room.title, when)
  const quoted = text
    .split('\n')
    .map((line) => `> ${line}`)
    .join('\n')
  return [`${head}\n${quoted}`, `${head}\n${text}`].find((one) => checkText(one) === undefined)
}

/** “Delete for me”; it can be undone for a moment. */
export function removeHere(mesh: MeshState, events: readonly PlacedEvent[]): void {
  const words = sheetLanguage.words.picked
  const ids = events.map(({ id }) => id)
  if (!removals.add(ids)) return mesh.tell(words.notRemoved)
  mesh.tell(words.removed(ids.length), () => removals.delete(ids))
}
