/**
 * News for who does not look at the screen: one hidden region for screen readers (`ux.md` §4.24), and notices while the
 * page is hidden (§4.22). Bursts are told as a number.
 */
import { feedAuthor } from '#mesh/ids.ts'
import type { PlacedEvent } from '#mesh/clock.ts'
import { messageText } from '#mesh/timeline/body.ts'
import { language } from '../i18n/language.svelte.ts'
import { mentions } from '../markdown.ts'
import { notify } from '../browser/notices.ts'
import { play } from '../browser/sounds.ts'
import { writtenMs } from '../words.ts'
import type { MeshState } from './mesh.svelte.ts'
import type { RoomState } from './room.svelte.ts'
import { settings } from './settings.svelte.ts'

/** `ux.md` §4.24 */
const pauseMs = 2_000
/** guess: more than this at once is told as a number. */
const singlyMax = 3
const keptMax = 3
/** guess: what was said longer ago is history that is being caught up with. */
const newMs = 10 * 60_000

interface News {
  readonly room: RoomState
  readonly event: PlacedEvent
  readonly text: string
}

export class Announcer {
  #mesh: MeshState
  #waiting: News[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #openRoom: RoomState | undefined
  /** The last ones, each by itself: the same words again are news too. */
  said = $state.raw<readonly { readonly id: number; readonly text: string }[]>([])
  #lastId = 0

  constructor(mesh: MeshState) {
    this.#mesh = mesh
  }

  /** The room that is on the screen. */
  look(room: RoomState | undefined): void {
    this.#openRoom = room
  }

  hear(room: RoomState, events: readonly PlacedEvent[]): void {
    const news = events.flatMap((event) => {
      const text = messageText(event)
      const isNew = Date.now() - writtenMs(event) < newMs
      const author = feedAuthor(event.feed)
      const isUnwanted = author === this.#mesh.self || settings.quietOf(author) !== undefined
      if (text === undefined || !room.isShown(event) || !isNew || isUnwanted) return []
      return [{ room, event, text }]
    })
    const wanted = news.filter((one) => {
      const isWanted = this.#isMention(one) && !settings.isMuted(one.room.record.room)
      return one.room === this.#openRoom || isWanted
    })
    this.#notify(news)
    if (wanted.length === 0) return
    this.#waiting.push(...wanted)
    this.#timer ??= setTimeout(() => this.#tell(), pauseMs)
  }

  #isMention({ room, text }: News): boolean {
    // What is said to one person alone is meant for that one.
    if (room.record.partner !== undefined) return true
    return mentions(
      text,
      ['here', 'all', this.#mesh.name].filter((name) => name !== ''),
    )
  }

  #tell(): void {
    this.#timer = undefined
    // What was deleted meanwhile is not read out.
    const news = this.#waiting.splice(0).filter(({ room, event }) => !room.fold(event).isDeleted)
    if (news.length === 0) return
    if (news.length <= singlyMax) return this.#say(news.map((one) => this.#wordsOf(one)).join('. '))
    const rooms = [...new Set(news.map(({ room }) => room))]
    this.#say(rooms.map((room) => this.#countOf(news.filter((one) => one.room === room))).join('. '))
  }

  #say(text: string): void {
    this.said = [...this.said, { id: ++this.#lastId, text }].slice(-keptMax)
  }

  #wordsOf({ event, text }: News): string {
    return language.words.history.said(this.#mesh.nameOf(feedAuthor(event.feed)), text)
  }

  #countOf(news: readonly News[]): string {
    const authors = new Set(news.map(({ event }) => feedAuthor(event.feed)))
    return language.words.history.several(news.length, news[0]?.room.title ?? '', authors.size)
  }

  /** Not for what stands before somebody's eyes anyway. */
  #sound(news: readonly News[]): void {
    const { sounds } = settings.choices
    if (sounds === 'none') return
    const heard = news.filter(
      ({ room }) => !settings.isMuted(room.record.room) && !(this.#mesh.isVisible && room === this.#openRoom),
    )
    const isMention = heard.some((one) => this.#isMention(one))
    if (isMention || (sounds === 'all' && heard.length > 0)) play(isMention ? 'mention' : 'message')
  }

  /** Only what nobody sees, and what was asked for. */
  #notify(news: readonly News[]): void {
    // Of several tabs one speaks.
    if (this.#mesh.isFollowing || settings.isQuietAt(Date.now())) return
    this.#sound(news)
    if (this.#mesh.isVisible) return
    const wanted = news.filter((one) => {
      const level = settings.alertsOf(one.room.record.room)
      return level === 'all' || (level === 'mentions' && this.#isMention(one))
    })
    for (const room of new Set(wanted.map((one) => one.room))) {
      const here = wanted.filter((one) => one.room === room)
      const [first] = here
      if (first === undefined) continue
      void notify(room.title, here.length === 1 ? this.#wordsOf(first) : this.#countOf(here))
    }
  }
}
