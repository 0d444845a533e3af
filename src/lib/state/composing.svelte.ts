/** What is being written in one room: draft, answer or edit, and what has been handed on and is not stored yet. */
import type { MeshEvent } from '#mesh/effects.ts'
import type { PlacedEvent } from '#mesh/clock.ts'
import type { EventId, RoomId } from '#mesh/ids.ts'
import type { Body } from '#mesh/timeline/body.ts'
import type { Mesh } from '../start.ts'

/** guess: an answer that takes longer means that something is wrong. */
const patienceMs = 15_000
const draftDelayMs = 200

export type PostFault = Extract<MeshEvent, { type: 'post-failed' }>['cause']

export class Composing {
  #mesh: Mesh
  #room: RoomId
  #draftTimer: ReturnType<typeof setTimeout> | undefined
  /** Clearing and typing race with the store; the newest wish counts. */
  #pending = new Map<string, string>()
  #stalled = new Set<string>()
  #wantsMore = false
  /** Edits, deletions and reactions that are not stored yet. */
  #changes = new Map<string, Body>()
  draft = $state('')
  fault = $state<PostFault | undefined>()
  replyTo = $state.raw<PlacedEvent | undefined>()
  /** The message that is being changed; its text is in `edited`, and the draft waits. */
  editing = $state.raw<PlacedEvent | undefined>()
  edited = $state('')

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
    clearTimeout(this.#draftTimer)
    this.#draftTimer = setTimeout(() => void this.#mesh.history.saveDraft(this.#room, text), draftDelayMs)
  }

  answer(message: PlacedEvent): void {
    this.editing = undefined
    this.replyTo = message
  }

  edit(message: PlacedEvent, text: string): void {
    this.replyTo = undefined
    this.editing = message
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

  remove(target: EventId): void {
    if (this.editing?.id === target || this.replyTo?.id === target) this.cancel()
    this.say({ type: 'delete', target })
  }

  /** The composer is cleared when the message is durable, not before. */
  post(): void {
    if (this.editing !== undefined)
      return this.say({ type: 'edit', target: this.editing.id, text: this.edited })
    // While one is being saved, a second Enter means what was typed behind it.
    if (this.#pending.size > this.#stalled.size) {
      this.#wantsMore = true
      return
    }
    const text = this.draft
    const token = this.#newToken()
    clearTimeout(this.#draftTimer)
    void this.#mesh.history.saveDraft(this.#room, text)
    this.#pending.set(token, text)
    setTimeout(() => this.#stall(token), patienceMs)
    const replyTo = this.replyTo?.id
    const body = { type: 'message', text, ...(replyTo === undefined ? {} : { replyTo }) } as const
    this.#mesh.command({ type: 'post', token, room: this.#room, body })
  }

  #newToken(): string {
    return `${this.#room}-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`
  }

  posted(token: string): void {
    const change = this.#changes.get(token)
    this.#changes.delete(token)
    if (change?.type === 'edit' && this.editing?.id === change.target && this.edited === change.text)
      this.cancel()
    const text = this.#pending.get(token)
    if (text === undefined) return
    this.#pending.delete(token)
    this.#stalled.delete(token)
    this.replyTo = undefined
    // What was typed on meanwhile stays.
    if (this.draft === text) this.draft = ''
    else if (this.draft.startsWith(text)) this.draft = this.draft.slice(text.length).trimStart()
    if (this.draft !== '' && this.editing === undefined) this.type(this.draft)
    if (this.#wantsMore && this.draft.trim() !== '') this.post()
    this.#wantsMore = false
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
    const isOwn = this.#pending.delete(token) || this.#changes.delete(token)
    if (isOwn) this.fault = cause
  }
}
