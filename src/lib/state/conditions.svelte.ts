/**
 * What is said of the mesh beyond who is in reach (`ux.md` §4.12): it is split, it is whole again, this device was asleep,
 * its clock is wrong. Each is said while it is so, or for a moment after it was.
 */
import { version } from '$app/environment'
import type { PlacedEvent } from '#mesh/clock.ts'
import type { Person } from '#mesh/effects.ts'
import { feedAuthor, type PeerId } from '#mesh/ids.ts'
import { messageText } from '#mesh/timeline/body.ts'
import { sheetLanguage } from '../i18n/sheet-language.svelte.ts'
import { space } from '../browser/storage.ts'
import { askNode, compareVersions } from '../nodes.ts'
import { filesOf } from '../files/files.svelte.ts'
import { language } from '../i18n/language.svelte.ts'
import type { PageSheet } from '../sheets.ts'
import { timeOfDay } from '../words.ts'
import type { MeshState } from './mesh.svelte.ts'
import { settings } from './settings.svelte.ts'
import { SlowLink } from './slow-link.ts'

/** guess: others have given a device up that was silent for so long (links end after 20 to 25 s). */
const sleptMinMs = 30_000
/** guess: timers of a hidden page may run once a minute though it is awake. */
const sleptHiddenMinMs = 90_000
/** guess: a site that is out of reach for less was being dialled anew. */
const splitMinMs = 5_000
/** guess: long enough to be read, and for what was missed to come. */
const toldMs = 60_000

/** guess: some hours of a busy mesh. */
const lowBytes = 50e6
/** guess: the browser has to look at its files for it. */
const spaceIntervalMs = 60_000

/** A line below the header. */
export interface Notice {
  readonly strong: string
  readonly rest: string
  readonly canRetry?: boolean
  readonly canSwitch?: boolean
  readonly isAlarm?: boolean
  /** What can be done about it. */
  readonly action?: string
  readonly run?: () => void
}

export class Conditions {
  #mesh: MeshState
  #lastTickMs = Date.now()
  #wasVisible = true
  /** Whom a split cut off, and since when they are. */
  #cutOff = $state.raw<ReadonlyMap<PeerId, number>>(new Map())
  #merged = $state.raw<{ readonly atMs: number; readonly people: ReadonlySet<PeerId> } | undefined>()
  #arrived = $state(0)
  #slept = $state.raw<{ readonly fromMs: number; readonly toMs: number } | undefined>()
  #missed = $state(0)
  #freeBytes = $state<number | undefined>()
  readonly #link = new SlowLink()
  /** Bytes per second. */
  #slowRate = $state<number | undefined>()
  /** The node that this page speaks through, if its release is another one. */
  #skew = $state.raw<{ readonly name: string; readonly version: string; readonly atMs: number } | undefined>()
  /** Since when another tab of this browser runs the engine for this one. */
  #followsSinceMs = $state<number | undefined>()
  /** The node that was asked last: each is asked once for each time that this page comes to it. */
  #askedUrl: string | undefined
  /** Whoever opened it closes it. */
  readonly close: () => void

  constructor(mesh: MeshState) {
    this.#mesh = mesh
    const leave = mesh.source.subscribe((event) => {
      if (event.type === 'people') this.#look(event.people)
      else if (event.type === 'messages') this.#count(event.added)
      else if (event.type === 'tab') this.#follow(event.role === 'following')
    })
    const timer = setInterval(() => this.#tick(), 1_000)
    const spaceTimer = setInterval(() => this.#measure(), spaceIntervalMs)
    this.#measure()
    this.close = () => {
      leave()
      clearInterval(timer)
      clearInterval(spaceTimer)
    }
    this.#look(mesh.people)
    this.#follow(mesh.isFollowing)
  }

  #follow(isFollowing: boolean): void {
    this.#followsSinceMs = isFollowing ? (this.#followsSinceMs ?? Date.now()) : undefined
  }

  #measure(): void {
    space().then(
      (found) =>
        (this.#freeBytes = found?.quotaBytes === undefined ? undefined : found.quotaBytes - found.usedBytes),
      // The browser does not say.
      (error: unknown) => {
        if (!(error instanceof DOMException || error instanceof TypeError)) throw error
      },
    )
  }

  #look(people: readonly Person[]): void {
    const nowMs = Date.now()
    const before = this.#cutOff
    const cutOff = people.filter((person) => person.isCutOff)
    this.#cutOff = new Map(cutOff.map(({ peer }) => [peer, before.get(peer) ?? nowMs]))
    if (before.size === 0 && cutOff.length > 0) {
      this.#merged = undefined
      this.#arrived = 0
    }
    const isOver = [...before.values()].some((sinceMs) => nowMs - sinceMs >= splitMinMs)
    const back = [...before.keys()].filter((peer) => people.some((one) => one.peer === peer && one.inReach))
    if (cutOff.length > 0 || !isOver || back.length === 0) return
    this.#merged = { atMs: nowMs, people: new Set(before.keys()) }
  }

  /** What those who were cut off have said may come before word that they are reached again. */
  #count(events: readonly PlacedEvent[]): void {
    // It may come before the timer of a page that slept.
    this.#tick()
    const people = this.#merged?.people ?? this.#cutOff
    const { self } = this.#mesh
    const said = events.filter((event) => messageText(event) !== undefined && feedAuthor(event.feed) !== self)
    this.#missed += said.length
    this.#arrived += said.filter((event) => people.has(feedAuthor(event.feed))).length
  }

  /** Runs late after a sleep: timers do not run while a page is frozen. */
  #tick(): void {
    const nowMs = Date.now()
    const fromMs = this.#lastTickMs
    this.#lastTickMs = nowMs
    const leastMs = this.#wasVisible ? sleptMinMs : sleptHiddenMinMs
    this.#wasVisible = this.#mesh.isVisible
    if (nowMs - fromMs >= leastMs) {
      this.#slept = { fromMs, toMs: nowMs }
      this.#missed = 0
    }
    // Set back meanwhile: then nothing is said of a time that has not been.
    const isOver = (atMs: number) => nowMs < atMs || nowMs - atMs > toldMs
    if (this.#slept !== undefined && isOver(this.#slept.toMs)) this.#slept = undefined
    if (this.#merged !== undefined && isOver(this.#merged.atMs)) this.#merged = undefined
    if (this.#skew !== undefined && isOver(this.#skew.atMs)) this.#skew = undefined
    this.#weigh(nowMs)
    void this.#askVersion()
  }

  #weigh(nowMs: number): void {
    const { missing, source } = this.#mesh
    const coming = [...filesOf(this.#mesh).facts.values()].filter(({ progress }) => progress === 'fetching')
    const held = coming.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
    const isAwaited = missing > 0 || coming.length > 0
    this.#link.look(nowMs, source.traffic.bytesIn, isAwaited ? `${missing} ${held}` : undefined)
    this.#slowRate = this.#link.rate(nowMs)
  }

  /** Once for each node that this page comes to speak through. */
  async #askVersion(): Promise<void> {
    const { current } = this.#mesh.nodes
    if (current === this.#askedUrl) return
    this.#askedUrl = current
    this.#skew = undefined
    if (current === undefined) return
    const answer = await askNode(current)
    if (this.#askedUrl !== current || typeof answer === 'string') return
    if (compareVersions(answer.version, version) !== 0) this.#skew = { ...answer, atMs: Date.now() }
  }

  /** People who are cut off for longer than a moment. */
  get #lost(): readonly PeerId[] {
    const { nowMs } = this.#mesh
    return [...this.#cutOff].flatMap(([peer, sinceMs]) => (nowMs - sinceMs >= splitMinMs ? [peer] : []))
  }

  /** Somebody is reached, or a node: else it is this device that is cut off. */
  get #isLinked(): boolean {
    const { people, nodes } = this.#mesh.reach
    return people > 0 || nodes.length > 0
  }

  get chip(): string | undefined {
    const lost = this.#lost.length
    const here = this.#mesh.reach.people
    if (lost === 0 || !this.#isLinked) return undefined
    return sheetLanguage.words.conditions.splitChip(here, here + lost)
  }

  /** A word beside who is in reach. */
  get slow(): string | undefined {
    return this.#slowRate === undefined ? undefined : ` · ${sheetLanguage.words.files.slow.chip}`
  }

  #opens(sheet: PageSheet): () => void {
    return () => this.#mesh.over.open(sheet)
  }

  get notice(): Notice | undefined {
    const words = sheetLanguage.words.conditions
    const lost = this.#lost
    if (lost.length > 0 && this.#isLinked) {
      const sinceMs = Math.min(...lost.map((peer) => this.#cutOff.get(peer) ?? 0))
      const nodes = [
        ...new Set(this.#mesh.people.filter(({ peer }) => lost.includes(peer)).map(({ node }) => node)),
      ]
      const rest = words.splitMore(lost.length, nodes.slice(0, 3).join(', '), timeOfDay(sinceMs))
      return { strong: words.split, rest }
    }
    if (this.#merged !== undefined) return { strong: words.merged, rest: words.mergedMore(this.#arrived) }
    if (this.#slept !== undefined) {
      const { fromMs, toMs } = this.#slept
      return { strong: words.slept(timeOfDay(fromMs), timeOfDay(toMs)), rest: words.sleptMore(this.#missed) }
    }
    const aheadMs = this.#mesh.reach.clockAheadMs
    if (aheadMs !== 0) {
      const minutes = Math.abs(aheadMs) / 60_000
      const amount = words.amount(Math.floor(minutes / 60), minutes % 60)
      return { strong: aheadMs > 0 ? words.ahead(amount) : words.behind(amount), rest: words.clockMore }
    }
    if (this.#freeBytes !== undefined && this.#freeBytes < lowBytes) {
      const strong = words.low(language.sizeOf(Math.max(0, this.#freeBytes)))
      return { strong, rest: words.lowMore, run: this.#opens('storage'), action: words.lowAction }
    }
    if (this.#slowRate !== undefined) {
      const said = sheetLanguage.words.files.slow
      const strong = said.link(Math.max(1, Math.round((this.#slowRate * 8) / 1_000)))
      if (settings.choices.savesBandwidth) return { strong, rest: said.saving }
      const run = () => settings.set({ savesBandwidth: true })
      return { strong, rest: said.more, run, action: said.action }
    }
    if (this.#skew !== undefined) {
      const { name, version: other } = this.#skew
      const release = other.split('-')[0] ?? ''
      const isNewer = compareVersions(other, version) > 0
      return {
        strong: isNewer ? words.newer(name, release) : words.older(name, release),
        rest: isNewer ? words.newerMore : words.olderMore,
        run: this.#opens('nodes'),
        action: words.skewAction,
      }
    }
    if (typeof RTCPeerConnection === 'undefined') return { strong: words.noDirect, rest: words.noDirectMore }
    const sinceMs = this.#followsSinceMs
    if (sinceMs !== undefined && Math.abs(this.#mesh.nowMs - sinceMs) < toldMs) {
      return { strong: words.otherTab, rest: words.otherTabMore }
    }
    return undefined
  }
}
