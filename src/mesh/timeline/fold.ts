/**
 * What is shown of a message after all that was said about it, in whatever order that came. Rules M3–M6.
 *
 * Source: `gossip.md` §7.4: each rule is a last-writer-wins register or a tombstone, so every replica that holds the
 * same events shows the same. The writer's place in the order (effective time, id) decides, not its clock.
 */
import type { PlacedEvent } from '../clock.ts'
import { feedAuthor, type EventId, type PeerId } from '../ids.ts'
import { readBody, targetOf } from './body.ts'
import type { SharedFile } from './file-body.ts'
import type { RoomRules } from './rules.ts'

export interface Version {
  readonly text: string
  readonly id: EventId
  readonly effective: number
}

export interface Folded {
  /** Undefined when it was deleted, or cannot be shown. */
  readonly text: string | undefined
  /** What was shared with it. */
  readonly file: SharedFile | undefined
  readonly isDeleted: boolean
  /** The moderator who took it away, where its author did not. */
  readonly removedBy: PeerId | undefined
  /** Oldest first, the message as it was written among them; one when it was never edited. */
  readonly versions: readonly Version[]
  /** Who reacted how, by emoji in the order of the first, people in the order of theirs. */
  readonly reactions: ReadonlyMap<string, readonly PeerId[]>
}

interface Reaction {
  readonly by: PeerId
  readonly emoji: string
  readonly isOn: boolean
}

const nothing = {
  text: undefined,
  file: undefined,
  removedBy: undefined,
  versions: [],
  reactions: new Map<string, PeerId[]>(),
} as const

/**
 * @param about every held event about this message, in any order; what is not about it is left out
 * @param rules of an owned room
 */
export function fold(message: PlacedEvent, about: readonly PlacedEvent[], rules?: RoomRules): Folded {
  const author = feedAuthor(message.feed)
  const original = readBody(message)
  if (original?.type !== 'message' && original?.type !== 'file') return { ...nothing, isDeleted: false }
  const versions: Version[] = [versionOf(message, original.text)]
  const reactions = new Map<string, Reaction>()
  let isDeleted = false
  let removedBy: PeerId | undefined
  for (const event of [...about].sort(compare)) {
    const body = readBody(event)
    if (body === undefined || targetOf(event) !== message.id || event.room !== message.room) continue
    // M9
    if (rules?.isHeard(event) === false && body.type !== 'delete') continue
    const by = feedAuthor(event.feed)
    // M5
    if (body.type === 'reaction') {
      const key = `${by} ${body.emoji}`
      reactions.delete(key)
      reactions.set(key, { by, emoji: body.emoji, isOn: body.isOn })
    }
    // M9
    else if (body.type === 'remove') {
      if (rules?.mayModerate(event) === true) removedBy ??= by
    } else if (by !== author) continue
    // M4, M3
    else if (body.type === 'delete') isDeleted = true
    else if (body.type === 'edit') versions.push(versionOf(event, body.text))
  }
  if (isDeleted) removedBy = undefined
  if (isDeleted || removedBy !== undefined) return { ...nothing, isDeleted: true, removedBy }
  return {
    text: versions.at(-1)?.text,
    file: original.type === 'file' ? original.file : undefined,
    isDeleted,
    removedBy,
    versions,
    reactions: byEmoji(reactions.values()),
  }
}

function versionOf(event: PlacedEvent, text: string): Version {
  return { text, id: event.id, effective: event.effective }
}

function byEmoji(reactions: Iterable<Reaction>): Map<string, PeerId[]> {
  const people = new Map<string, PeerId[]>()
  for (const { by, emoji, isOn } of reactions) {
    if (!isOn) continue
    const list = people.get(emoji) ?? []
    people.set(emoji, list)
    list.push(by)
  }
  return people
}

function compare(a: PlacedEvent, b: PlacedEvent): number {
  return a.effective - b.effective || (a.id < b.id ? -1 : 1)
}
