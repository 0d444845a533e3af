/** The words on the screen for what the mesh knows. `ux.md` §4 has the copy; the design page the states. */
import type { MessageState } from '#mesh/delivery.ts'
import type { MeshEvent, Person, StoreFailure } from '#mesh/effects.ts'
import { stampToMs } from '#mesh/clock.ts'
import type { PlacedEvent } from '#mesh/clock.ts'

export function stateWords(state: MessageState): string {
  switch (state.type) {
    case 'waiting':
      return 'waiting'
    case 'sending':
      return 'sending'
    case 'carried':
      return `carried by ${state.by}`
    case 'delivered':
      return `delivered ${state.to} of ${state.of}`
  }
}

/** Shapes differ, not only colours. */
export function stateMark(state: MessageState): string {
  const marks = { waiting: '◷', sending: '◔', carried: '✓', delivered: '✓✓' } as const
  return marks[state.type]
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })

export function timeOfDay(ms: number): string {
  return clock.format(ms)
}

export function dayOf(ms: number): string {
  return day.format(ms)
}

/**
 * When a message was written, as far as it can be believed: its effective time, but never later than it was
 * stored here.
 */
export function writtenMs(event: PlacedEvent): number {
  return Math.min(stampToMs(event.effective), event.storedAtMs)
}

export function statusWords(person: Pick<Person, 'status' | 'sinceMs'>, nowMs: number): string {
  if (person.status !== 'left') return person.status
  const minutes = Math.floor((nowMs - person.sinceMs) / 60_000)
  if (minutes < 1) return 'left just now'
  return minutes <= 60 ? `left ${minutes} min ago` : `left ${timeOfDay(person.sinceMs)}`
}

/** How what comes from somebody gets here. */
export function wayWords(person: Pick<Person, 'direct' | 'through' | 'status'>): string {
  if (person.direct) return 'direct'
  return person.through === undefined || person.status === 'left' ? '' : `through ${person.through}`
}

export const statusMarks = { here: '●', asleep: '◐', left: '○' } as const

export function storageWords(failure: StoreFailure): string {
  switch (failure) {
    case 'full':
      return 'Storage is full: new messages are NOT saved on this device. Free some space; it goes on by itself.'
    case 'closed':
      return 'This browser closed the storage. Trying again by itself.'
    case 'fenced':
    case 'conflict':
      return 'meshchat is also open in another tab. Both stay in step.'
  }
}

export function postFailureWords(cause: Extract<MeshEvent, { type: 'post-failed' }>['cause']): string {
  switch (cause) {
    case 'empty':
      return 'There is nothing to send yet.'
    case 'too-long':
      return 'Too long: a message has at most 4 000 characters.'
    case 'busy':
      return 'Many messages are still being saved. Try again in a moment.'
    case 'no-room':
      return 'You have left this channel.'
    case 'full':
      return 'Not sent: storage is full. Your text is still here.'
    case 'closed':
    case 'fenced':
    case 'conflict':
      return 'Not sent: it could not be saved. Your text is still here; try again.'
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

/** One of twelve colours on which white initials read well, always the same for one device. */
export function avatarColour(peer: string): string {
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
