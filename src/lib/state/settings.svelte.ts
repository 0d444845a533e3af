/** How this device wants the screen: kept beside the history, so that it counts before anything is opened. */
import {
  isLanguage,
  language,
  preferredLanguage,
  type Clock,
  type LanguageCode,
} from '../i18n/language.svelte.ts'

import type { PeerId, RoomId } from '#mesh/ids.ts'
import type { Profile } from '#mesh/record.ts'

export const themes = ['system', 'light', 'dark', 'contrast'] as const
export const densities = ['cozy', 'compact', 'log'] as const
export const alertLevels = ['none', 'mentions', 'all'] as const
export const clocks = ['local', 'h24', 'utc'] as const satisfies readonly Clock[]
/** px of the text; everything else follows, since it is laid out in rem. */
export const sizesPx = [12, 14, 16, 20, 24] as const

export type AlertLevel = (typeof alertLevels)[number]

export const quiets = ['muted', 'hidden'] as const
/** No alerts for what somebody says; nor to see it. */
export type Quiet = (typeof quiets)[number]

export const soundLevels = ['none', 'mentions', 'all'] as const

/** Hours and minutes of the day as `22:00`; from the one to the other, across midnight too. */
export interface QuietHours {
  readonly from: string
  readonly to: string
}

/** guess: more than anybody chooses by hand. The oldest go. */
const quietPeopleMax = 512
/** guess: choices for rooms; a device is in 64. The oldest go. */
const roomAlertsMax = 128

export interface Choices {
  readonly theme: (typeof themes)[number]
  readonly density: (typeof densities)[number]
  readonly sizePx: (typeof sizesPx)[number]
  readonly clock: Clock
  readonly language: LanguageCode
  /** What is told while the page is hidden. */
  readonly alerts: AlertLevel
  /** Of single rooms; the others follow `alerts`. */
  readonly roomAlerts: Readonly<Record<string, AlertLevel>>
  /** People whom this device does not want to hear of, or to hear. */
  readonly people: Readonly<Record<string, Quiet>>
  /** What makes a sound while meshchat is open. */
  readonly sounds: (typeof soundLevels)[number]
  /** Neither alerts nor sounds between these. */
  readonly quietHours: QuietHours | undefined
  /** Others are told when one is writing. */
  readonly tellsTyping: boolean
  /** Single letters do something while a message has the focus (WCAG 2.1.4). */
  readonly singleKeys: boolean
  /** Nothing is fetched that nobody here has asked for. */
  readonly savesBandwidth: boolean
  /** What is said of oneself beside the name. */
  readonly profile: Profile
}

const key = 'meshchat-look'

export class Settings {
  choices = $state.raw<Choices>(initial())

  constructor() {
    this.choices = { ...this.choices, ...kept() }
    this.#apply()
  }

  set(change: Partial<Choices>): void {
    // Another tab may have chosen meanwhile.
    this.choices = { ...this.choices, ...kept(), ...change }
    this.#apply()
    keep(this.choices)
  }

  alertsOf(room: RoomId): AlertLevel {
    return this.choices.roomAlerts[room] ?? this.choices.alerts
  }

  isMuted(room: RoomId): boolean {
    return this.choices.roomAlerts[room] === 'none'
  }

  quietOf(peer: PeerId): Quiet | undefined {
    return this.choices.people[peer]
  }

  /** @param quiet undefined: like everybody */
  setQuiet(peer: PeerId, quiet: Quiet | undefined): void {
    this.set({ people: changed(kept().people ?? this.choices.people, peer, quiet, quietPeopleMax) })
  }

  /** @param level undefined: as for all rooms */
  setAlertsOf(room: RoomId, level: AlertLevel | undefined): void {
    this.set({
      roomAlerts: changed(kept().roomAlerts ?? this.choices.roomAlerts, room, level, roomAlertsMax),
    })
  }

  /** @param ms now @returns whether neither alerts nor sounds are wanted */
  isQuietAt(ms: number): boolean {
    const { quietHours } = this.choices
    if (quietHours === undefined) return false
    const now = new Date(ms).toTimeString().slice(0, 5)
    const { from, to } = quietHours
    return from <= to ? from <= now && now < to : from <= now || now < to
  }

  #apply(): void {
    const { theme, density, sizePx, clock } = this.choices
    const { documentElement: page } = document
    if (theme === 'system') delete page.dataset['theme']
    else page.dataset['theme'] = theme
    page.dataset['density'] = density
    page.style.fontSize = sizePx === 16 ? '' : `${(sizePx / 16) * 100}%`
    language.setClock(clock)
    language.choose(this.choices.language).then(
      () => {
        page.lang = language.code
        page.dir = language.direction
      },
      // No way to the node and never fetched before: English stays.
      () => undefined,
    )
  }
}

const nothingSaid: Profile = { statusText: '', colour: 0, emoji: '' }

function initial(): Choices {
  const isTouched = matchMedia('(pointer: coarse)').matches
  return {
    theme: 'system',
    density: isTouched ? 'cozy' : 'compact',
    sizePx: 16,
    clock: 'local',
    language: preferredLanguage(navigator.languages),
    alerts: 'none',
    roomAlerts: {},
    people: {},
    sounds: 'none',
    quietHours: undefined,
    tellsTyping: true,
    singleKeys: true,
    savesBandwidth: false,
    profile: nothingSaid,
  }
}

/** @returns what was chosen before, as far as this version knows it */
function kept(): Partial<Choices> {
  let found: unknown
  try {
    found = JSON.parse(localStorage.getItem(key) ?? '{}')
  } catch (error) {
    // Storage that is blocked, or holds something else.
    if (!(error instanceof SyntaxError || error instanceof DOMException)) throw error
  }
  if (typeof found !== 'object' || found === null) return {}
  const {
    theme,
    density,
    sizePx,
    clock,
    alerts,
    roomAlerts,
    people,
    sounds,
    quietHours,
    tellsTyping,
    singleKeys,
    savesBandwidth,
    profile,
    language: code,
  } = found as Record<string, unknown>
  return {
    ...chosen('theme', themes, theme),
    ...chosen('density', densities, density),
    ...chosen('sizePx', sizesPx, sizePx),
    ...chosen('clock', clocks, clock),
    ...chosen('alerts', alertLevels, alerts),
    roomAlerts: keptFor(roomAlerts, alertLevels, roomAlertsMax),
    people: keptFor(people, quiets, quietPeopleMax),
    ...chosen('sounds', soundLevels, sounds),
    ...chosen('tellsTyping', [true, false], tellsTyping),
    ...chosen('singleKeys', [true, false], singleKeys),
    ...chosen('savesBandwidth', [true, false], savesBandwidth),
    quietHours: isQuietHours(quietHours) ? quietHours : undefined,
    profile: readProfile(profile),
    ...(isLanguage(code) ? { language: code } : {}),
  }
}

function isQuietHours(found: unknown): found is QuietHours {
  if (typeof found !== 'object' || found === null) return false
  const { from, to } = found as Record<string, unknown>
  return [from, to].every((time) => typeof time === 'string' && /^\d\d:\d\d$/.test(time))
}

/** The engine looks at what is in it. */
function readProfile(found: unknown): Profile {
  if (typeof found !== 'object' || found === null) return nothingSaid
  const { statusText, colour, emoji } = found as Record<string, unknown>
  return {
    statusText: typeof statusText === 'string' ? statusText : '',
    colour: typeof colour === 'number' ? colour : 0,
    emoji: typeof emoji === 'string' ? emoji : '',
  }
}

/** @returns the same with one choice more, or less; the oldest go */
function changed<Value>(
  before: Readonly<Record<string, Value>>,
  key: string,
  value: Value | undefined,
  max: number,
): Record<string, Value> {
  const others = Object.entries(before).filter(([one]) => one !== key)
  const all = value === undefined ? others : [...others, [key, value] as const]
  return Object.fromEntries(all.slice(-max))
}

/** Choices for rooms or people, by their ids. */
function keptFor<Value>(found: unknown, options: readonly Value[], max: number): Record<string, Value> {
  if (typeof found !== 'object' || found === null) return {}
  const entries = Object.entries(found).flatMap(([id, value]) => {
    const known = options.find((one) => one === value)
    return known === undefined || !/^[0-9a-z]{32,52}$/.test(id) ? [] : [[id, known] as const]
  })
  return Object.fromEntries(entries.slice(-max))
}

function chosen<Name extends keyof Choices>(
  name: Name,
  options: readonly Choices[Name][],
  value: unknown,
): Partial<Choices> {
  const option = options.find((one) => one === value)
  return option === undefined ? {} : { [name]: option }
}

function keep(choices: Choices): void {
  try {
    localStorage.setItem(key, JSON.stringify(choices))
  } catch (error) {
    // Blocked or full: it counts until the page is closed.
    if (!(error instanceof DOMException)) throw error
  }
}

export const settings = new Settings()
