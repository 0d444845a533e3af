/** How a history is laid out: days, the first unread one, and who goes on speaking. */
import type { PlacedEvent } from '#mesh/clock.ts'
import type { Gap } from '#mesh/effects.ts'
import { feedAuthor, parseEventId, type EventId } from '#mesh/ids.ts'
import { missingAbove } from './gaps.ts'
import { dayOf, writtenMs } from './words.ts'

/** `ux.md` §4.4: within this an author is named once. */
const groupMs = 5 * 60_000
/** guess: what took longer did not come the usual way. */
const lateMs = 2 * 60_000

export interface Row {
  readonly event: PlacedEvent
  /** Said above it, where it is the first of its day. */
  readonly day: string | undefined
  readonly isGrouped: boolean
  readonly isFirstUnread: boolean
  /** It came here much later than something that was said after it: over a split, or from somebody who was alone. */
  readonly isLate: boolean
  /** So many events of its author that belong above it are not here. */
  readonly missing: number
}

export function rowsOf(
  events: readonly PlacedEvent[],
  firstUnread: string | undefined,
  gaps: readonly Gap[] = [],
): Row[] {
  const missing = missingAbove(events, gaps)
  // On this device's clock only, whatever those of others said.
  const soonest: number[] = []
  for (let i = events.length - 1, ms = Number.POSITIVE_INFINITY; i >= 0; i--) {
    soonest[i] = ms
    ms = Math.min(ms, events[i]?.storedAtMs ?? ms)
  }
  return events.map((event, i) => {
    const before = events[i - 1]
    const day = dayOf(writtenMs(event))
    const isSameDay = before !== undefined && dayOf(writtenMs(before)) === day
    const isSameAuthor = before !== undefined && feedAuthor(before.feed) === feedAuthor(event.feed)
    const isClose = before !== undefined && writtenMs(event) - writtenMs(before) < groupMs
    const isFirstUnread = event.id === firstUnread
    return {
      event,
      day: isSameDay ? undefined : day,
      isGrouped: isSameDay && isSameAuthor && isClose && !isFirstUnread && !missing.has(event.id),
      isFirstUnread,
      isLate: event.storedAtMs - (soonest[i] ?? Number.POSITIVE_INFINITY) >= lateMs,
      missing: missing.get(event.id) ?? 0,
    }
  })
}

/** @returns the topmost message in sight */
export function firstVisible(list: HTMLElement): Element | undefined {
  const { top } = list.getBoundingClientRect()
  return [...list.querySelectorAll('article')].find((row) => row.getBoundingClientRect().bottom > top)
}

export function idOf(row: Element | undefined): EventId | undefined {
  return parseEventId(row instanceof HTMLElement ? row.dataset['id'] : undefined)
}

/** @returns what ends it */
export function watchSize(element: Element, resized: () => void): () => void {
  const watch = new ResizeObserver(resized)
  watch.observe(element)
  return () => watch.disconnect()
}

/** What `MessageSheets` offers to the list. */
export interface Sheets {
  act(message: PlacedEvent): void
  ask(message: PlacedEvent): void
  press(key: string, message: PlacedEvent): boolean
}

export interface WalkActions {
  /** @returns whether this key does something with the message that has the focus */
  readonly press: (id: string) => boolean
  readonly end: () => void
}

/** Arrow keys walk from message to message (roving focus); from within a message, Escape leads back to it. */
export function walk(list: HTMLElement, event: KeyboardEvent, { press, end }: WalkActions): void {
  const articles = [...list.querySelectorAll('article')]
  const around = event.target instanceof HTMLElement ? event.target.closest('article') : null
  // What lies over a message has keys of its own.
  const isOver = event.target instanceof HTMLElement && event.target.closest('dialog') !== null
  if (isOver) return
  if (event.key === 'Escape' && around !== null && around !== document.activeElement) {
    event.preventDefault()
    return around.focus()
  }
  const at = articles.findIndex((row) => row === document.activeElement)
  if (at < 0) return
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey
  if (isPlain && press(articles[at]?.dataset['id'] ?? '')) return event.preventDefault()
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key]
  if (event.key === 'End') end()
  if (step === undefined || !isPlain) return
  const next = articles[at + step]
  if (next === undefined) return
  event.preventDefault()
  next.focus()
}
