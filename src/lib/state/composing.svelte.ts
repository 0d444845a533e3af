/** What is being written in one room: draft, answer or edit, and what has been handed on and is not stored yet. */
import type { MeshEvent } from '#mesh/effects.ts'
import type { PlacedEvent } from '#mesh/clock.ts'
import type { EventId, RoomId } from '#mesh/ids.ts'
import type { Body } from '#mesh/timeline/body.ts'
import type { Mesh } from '../start.ts'
import { settings } from './settings.svelte.ts'

/** guess: an answer that takes longer means that something is wrong. */
const patienceMs = 15_000
const draftDelayMs = 200
/** guess: a second press so soon meant the first. */
const doublePressMs = 600
/** guess */
const typingPauseMs = 1_000

export type PostFault = Extract<MeshEvent, { type: 'post-failed' }>['cause']

export class Composing {
  #mesh: Mesh
  #room: RoomId
  #draftTimer: ReturnType<typeof setTimeout> | undefined
  /** What is typed was kept since something was sent last. */
  #isKeptSince = false
  /** Clearing and typing race with the store; the newest wish counts. */
  #pending = new Map<string, string>()
  #stalled = new Set<string>()
  /** What each of them answers. */
  #answered = new Map<string, PlacedEvent | undefined>()
  #wantsMore = false
  /** Edits, deletions and reactions that are not stored yet. */
  #changes = new Map<string, Body>()
  draft = $state('')
  fault = $state<PostFault | undefined>()
  replyTo = $state.raw<PlacedEvent | undefined>()
  /** The message that is being changed; its text is in `edited`, and the draft waits. */
  editing = $state.raw<PlacedEvent | undefined>()
  edited = $state('')
  /** What the message that is being changed said before. */
  #written = ''
  /** When an edit was stored: the same button sends the draft from then on. */
  #editedAtMs = Number.NEGATIVE_INFINITY
  #typedAtMs = Number.NEGATIVE_INFINITY

  constructor(mesh: Mesh, room: RoomId) {
    this.#mesh = mesh
    this.#room = room
  }

  async begin(): Promise<void> {
    const draft = await this.#mesh.history.draft(this.#room)
    if (this.draft === '') this.draft = draft
  }

  /** What stands in the box. */
  get text(): string {
    return this.editing === undefined ? this.draft : this.edited
  }

  /** Keeps what is being typed within 300 ms, so that nothing can take it. */
  type(text: string): void {
    this.fault = undefined
    if (this.editing !== undefined) {
      this.edited = text
      return
    }
    this.draft = text
    // Whoever has typed since means what is written.
    this.#editedAtMs = Number.NEGATIVE_INFINITY
    this.#tellTyping(text)
    clearTimeout(this.#draftTimer)
    this.#draftTimer = setTimeout(() => {
      this.#isKeptSince = true
      void this.#mesh.history.saveDraft(this.#room, text)
    }, draftDelayMs)
  }

  /** The engine says it on only so often; in another tab each word to it costs something too. */
  #tellTyping(text: string): void {
    const now = performance.now()
    const { tellsTyping, savesBandwidth } = settings.choices
    if (text === '' || !tellsTyping || savesBandwidth || now - this.#typedAtMs < typingPauseMs) return
    this.#typedAtMs = now
    this.#mesh.command({ type: 'typing', room: this.#room })
  }

  answer(message: PlacedEvent): void {
    this.editing = undefined
    // Another object each time: whoever asks again wants to type again.
    this.replyTo = { ...message }
  }

  edit(message: PlacedEvent, text: string): void {
    this.replyTo = undefined
    this.editing = message
    this.#written = text
    this.edited = text
    this.fault = undefined
  }

  /** Neither an answer nor an edit any more; the draft is as it was. */
  cancel(): void {
    this.replyTo = undefined
    this.editing = undefined
    this.fault = undefined
  }

  /** Says something about a message, or about the room. */
  say(body: Body): void {
    const token = this.#newToken()
    this.#changes.set(token, body)
    this.#mesh.command({ type: 'post', token, room: this.#room, body })
  }

  /** A message that was written elsewhere; the draft stays. */
  forward(text: string): void {
    const body = { type: 'message', text } as const
    const token = this.#newToken()
    this.#changes.set(token, body)
    this.#mesh.command({ type: 'post', token, room: this.#room, body, keepsDraft: true })
  }

  /** @param isOwn else it is a moderator who takes it away */
  remove(target: EventId, isOwn: boolean): void {
    if (this.editing?.id === target || this.replyTo?.id === target) this.cancel()
    this.say({ type: isOwn ? 'delete' : 'remove', target })
  }

  /** The composer is cleared when the message is durable, not before. */
  post(): void {
    if (this.editing !== undefined) return this.#saveEdit(this.editing.id)
    if (performance.now() - this.#editedAtMs < doublePressMs) return
    // While one is being saved, a second Enter means what was typed behind it; another text is another message.
    const last = [...this.#pending].findLast(([token]) => !this.#stalled.has(token))
    if (last !== undefined && this.draft.startsWith(last[1])) {
      this.#wantsMore = true
      return
    }
    const text = this.draft
    const token = this.#newToken()
    clearTimeout(this.#draftTimer)
    void this.#mesh.history.saveDraft(this.#room, text)
    this.#isKeptSince = false
    this.#pending.set(token, text)
    this.#answered.set(token, this.replyTo)
    setTimeout(() => this.#stall(token), patienceMs)
    const replyTo = this.replyTo?.id
    const body = { type: 'message', text, ...(replyTo === undefined ? {} : { replyTo }) } as const
    this.#mesh.command({ type: 'post', token, room: this.#room, body })
  }

  #saveEdit(target: EventId): void {
    if (this.edited === this.#written) return this.cancel()
    const isOnItsWay = [...this.#changes.values()].some(
      (change) => change.type === 'edit' && change.target === target && change.text === this.edited,
    )
    if (!isOnItsWay) this.say({ type: 'edit', target, text: this.edited })
  }

  /** A message that is answered or changed may be deleted elsewhere; what was typed stays. */
  settle(isDeleted: (message: PlacedEvent) => boolean): void {
    if (this.replyTo !== undefined && isDeleted(this.replyTo)) this.replyTo = undefined
    if (this.editing === undefined || !isDeleted(this.editing)) return
    const text = this.edited
    this.cancel()
    if (text !== this.#written) this.type(this.draft === '' ? text : `${this.draft}\n${text}`)
  }

  #newToken(): string {
    return `${this.#room}-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`
  }

  /** @returns whether it was a message that was written here */
  posted(token: string): boolean {
    const change = this.#changes.get(token)
    this.#changes.delete(token)
    if (change?.type === 'edit' && this.editing?.id === change.target && this.edited === change.text) {
      this.cancel()
      this.#editedAtMs = performance.now()
    }
    const text = this.#pending.get(token)
    if (text === undefined) return false
    this.#pending.delete(token)
    this.#stalled.delete(token)
    if (this.replyTo === this.#answered.get(token)) this.replyTo = undefined
    this.#answered.delete(token)
    // What was typed on meanwhile stays.
    if (this.draft === text) this.draft = ''
    else if (this.draft.startsWith(text)) this.draft = this.draft.slice(text.length).trimStart()
    if (this.draft === '') {
      clearTimeout(this.#draftTimer)
      // It may have been kept behind the transaction that took it away.
      if (this.#isKeptSince) void this.#mesh.history.saveDraft(this.#room, '')
    } else if (this.editing === undefined) this.type(this.draft)
    const wantsMore = this.#wantsMore
    this.#wantsMore = false
    if (wantsMore && this.draft.trim() !== '') this.post()
    return true
  }

  /** Nobody has answered: the tab that stores may be gone. The text stays; a late answer still clears it. */
  #stall(token: string): void {
    if (!this.#pending.has(token)) return
    this.#stalled.add(token)
    this.fault = 'closed'
  }

  failed(token: string, cause: PostFault): void {
    this.#wantsMore = false
    this.#stalled.delete(token)
    this.#answered.delete(token)
    const isOwn = this.#pending.delete(token) || this.#changes.delete(token)
    if (isOwn) this.fault = cause
  }
}
