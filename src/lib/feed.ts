/** How a history is laid out: days, the first unread one, and who goes on speaking. */
import type { PlacedEvent } from '#mesh/clock.ts'
import { feedAuthor } from '#mesh/ids.ts'
import { dayOf, writtenMs } from './words.ts'

/** `ux.md` §4.4: within this an author is named once. */
const groupMs = 5 * 60_000

export interface Row {
  readonly event: PlacedEvent
  /** Said above it, where it is the first of its day. */
  readonly day: string | undefined
  readonly isGrouped: boolean
  readonly isFirstUnread: boolean
}

export function rowsOf(events: readonly PlacedEvent[], firstUnread: string | undefined): Row[] {
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
      isGrouped: isSameDay && isSameAuthor && isClose && !isFirstUnread,
      isFirstUnread,
    }
  })
}

/** @returns the topmost message in sight */
export function firstVisible(list: HTMLElement): Element | undefined {
  const { top } = list.getBoundingClientRect()
  return [...list.querySelectorAll('article')].find((row) => row.getBoundingClientRect().bottom > top)
}
