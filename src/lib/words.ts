/** How the screen says what the mesh knows, in its language. `ux.md` §4 has the copy; the design page the states. */
import type { MessageState } from '#mesh/delivery.ts'
import type { MeshEvent, Person } from '#mesh/effects.ts'
import { stampToMs } from '#mesh/clock.ts'
import type { PlacedEvent } from '#mesh/clock.ts'
import { language } from './i18n/language.svelte.ts'

export function stateWords(state: MessageState): string {
  const words = language.words.states
  switch (state.type) {
    case 'waiting':
    case 'sending':
      return words[state.type]
    case 'carried':
      return words.carried(state.by)
    case 'delivered':
      return words.delivered(state.to, state.of)
  }
}

/** Shapes differ, not only colours. */
export function stateMark(state: MessageState): string {
  const marks = { waiting: '◷', sending: '◔', carried: '✓', delivered: '✓✓' } as const
  return marks[state.type]
}

export function timeOfDay(ms: number): string {
  return language.clock.format(ms)
}

export function dayOf(ms: number): string {
  return language.day.format(ms)
}

/**
 * When a message was written, as far as it can be believed: its effective time, but never later than it was
 * stored here.
 */
export function writtenMs(event: PlacedEvent): number {
  // A direct message stands where it came; its author says when it was written.
  return Math.min(stampToMs('letter' in event ? event.hlc : event.effective), event.storedAtMs)
}

export function statusWords(person: Pick<Person, 'status' | 'sinceMs' | 'isCutOff'>, nowMs: number): string {
  const words = language.words.people
  if (person.isCutOff) return words.cutOff
  if (person.status !== 'left') return words.status[person.status]
  const minutes = Math.floor((nowMs - person.sinceMs) / 60_000)
  if (minutes < 1) return words.leftNow
  return minutes <= 60 ? words.leftMinutes(minutes) : words.leftAt(timeOfDay(person.sinceMs))
}

/** How what comes from somebody gets here. */
export function wayWords(person: Pick<Person, 'direct' | 'through' | 'status'>): string {
  const words = language.words.people
  if (person.direct) return words.direct
  return person.through === undefined || person.status === 'left' ? '' : words.through(person.through)
}

export const statusMarks = { here: '●', asleep: '◐', left: '○' } as const

export function postFailureWords(cause: Extract<MeshEvent, { type: 'post-failed' }>['cause']): string {
  const words = language.words.composer.faults
  switch (cause) {
    case 'closed':
    case 'fenced':
    case 'conflict':
      return words.failed
    default:
      return words[cause]
  }
}

const colours = [
  '#9c2c3c',
  '#a3410f',
  '#7a5200',
  '#4f6400',
  '#1f6b3a',
  '#0f6a63',
  '#0b6285',
  '#1f55a8',
  '#4d47b5',
  '#7338a8',
  '#932c86',
  '#5a5f68',
] as const

/**
 * One of twelve colours on which white initials read well.
 * @param chosen 1 to 12; 0: the one that is always the same for one device
 */
export function avatarColour(peer: string, chosen = 0): string {
  const colour = colours[chosen - 1]
  if (colour !== undefined) return colour
  let sum = 0
  for (const letter of peer.slice(0, 12)) sum += letter.charCodeAt(0)
  return colours[sum % colours.length] ?? colours[0]
}

export function initials(name: string): string {
  const words = name.split(/\s+/).filter((word) => word !== '')
  const letters = words.slice(0, 2).map((word) => Array.from(word)[0] ?? '')
  return letters.join('').toUpperCase() || '?'
}

const adjectives = ['Blue', 'Quiet', 'Bright', 'Swift', 'Green', 'Brave', 'Calm', 'Silver', 'Red', 'Warm']
const animals = ['Heron', 'Otter', 'Falcon', 'Badger', 'Lynx', 'Raven', 'Marten', 'Finch', 'Hare', 'Owl']

/** A friendly start that anybody may change. */
export function suggestName(): string {
  const [a = 0, b = 0] = crypto.getRandomValues(new Uint8Array(2))
  return `${adjectives[a % adjectives.length]} ${animals[b % animals.length]}`
}
