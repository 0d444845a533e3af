/** Direct messages on the screen: each conversation is a room of its own, which exists on the devices of two people only. */
import { conversationOf } from '#mesh/direct/letter.ts'
import { directRoom } from '#mesh/direct/sealed-body.ts'
import type { Holder } from '#mesh/delivery.ts'
import type { MeshEvent } from '#mesh/effects.ts'
import type { PeerId, RoomId } from '#mesh/ids.ts'
import type { DirectEvent, Letters, Mesh } from '../start.ts'
import type { MeshState } from '../state/mesh.svelte.ts'
import { RoomState } from '../state/room.svelte.ts'

export class Direct {
  #mesh: MeshState
  #self: PeerId
  #source: Mesh
  #holders: readonly Holder[] = []
  conversations = $state.raw<readonly RoomState[]>([])

  private constructor(mesh: MeshState, self: PeerId, letters: Letters) {
    this.#mesh = mesh
    this.#self = self
    this.#source = {
      ...mesh.source,
      history: letters,
      command: (wish) => {
        const partner = 'room' in wish ? this.#room(wish.room)?.record.partner : undefined
        // Nothing else is said of a conversation.
        if (wish.type !== 'post' || partner === undefined) return
        mesh.source.command({ type: 'write-letter', token: wish.token, to: partner, body: wish.body })
      },
    }
  }

  /** @param self this device, whose letters they are */
  static async open(mesh: MeshState, self: PeerId): Promise<Direct> {
    const letters = await mesh.source.openLetters(self)
    const direct = new Direct(mesh, self, letters)
    for (const partner of await letters.partners()) direct.begin(partner)
    mesh.source.command({ type: 'start-direct' })
    return direct
  }

  #room(id: RoomId): RoomState | undefined {
    return this.conversations.find(({ record }) => record.room === id)
  }

  /** @returns the conversation with somebody, where there is one */
  with(peer: PeerId): RoomState | undefined {
    return this.conversations.find(({ record }) => record.partner === peer)
  }

  /** Begins a conversation, which nobody is told of before something is written. */
  begin(partner: PeerId): RoomState {
    const known = this.with(partner)
    if (known !== undefined) return known
    const room = conversationOf(this.#self, partner)
    const record = { room, partner, joinedAtMs: Date.now(), name: this.#mesh.nameOf(partner) }
    const begun = new RoomState(this.#source, record, () => this.#self)
    begun.takeHolders(this.#holders)
    begun.reachable = this.#isReachable
    this.conversations = [...this.conversations, begun]
    begun.selfKnown()
    return begun
  }

  take(event: DirectEvent): void {
    switch (event.type) {
      case 'letters': {
        const room = this.begin(event.partner)
        const { added, moved } = event
        room.take({ type: 'messages', room: room.record.room, added, moved })
        // It was kept before it was told: a conversation that has just begun may have counted it already.
        void room.recount()
        return void this.#mesh.announce(room, added)
      }
      case 'letter-kept':
        for (const room of this.conversations) this.#kept(room, event.token)
        return
      case 'letter-failed':
        for (const { composing } of this.conversations) composing.failed(event.token, faultOf(event.cause))
    }
  }

  #kept({ composing, record }: RoomState, token: string): void {
    composing.posted(token)
    // Elsewhere it goes in the transaction that keeps the message.
    if (composing.draft === '') void this.#source.history.saveDraft(record.room, '')
  }

  /** Who holds what carries letters. */
  takeHolders({ room, holders }: Extract<MeshEvent, { type: 'holders' }>): void {
    if (room !== directRoom) return
    this.#holders = holders
    for (const one of this.conversations) one.takeHolders(holders)
  }

  /** Names and reach have changed. */
  spreadReach(): void {
    for (const room of this.conversations) {
      room.reachable = this.#isReachable
      const { partner } = room.record
      const name = partner === undefined ? '' : this.#mesh.nameOf(partner)
      if (name !== room.record.name) room.record = { ...room.record, name }
    }
  }

  get #isReachable(): boolean {
    return this.#mesh.reach.rooms.includes(directRoom)
  }

  /** As they are listed: what is unread first. */
  get inOrder(): readonly RoomState[] {
    return [...this.conversations].sort(
      (a, b) => Number(b.unread > 0) - Number(a.unread > 0) || a.title.localeCompare(b.title),
    )
  }

  get unread(): number {
    return this.conversations.reduce((sum, { unread }) => sum + unread, 0)
  }
}

type Cause = Extract<DirectEvent, { type: 'letter-failed' }>['cause']

function faultOf(cause: Cause): 'too-long' | 'busy' | 'closed' {
  return cause === 'not-stored' || cause === 'self' ? 'closed' : cause
}

/** Fetches what is kept, once. @returns undefined while nobody knows whose letters they are */
export async function openDirect(mesh: MeshState): Promise<void> {
  if (mesh.self === undefined || mesh.direct !== undefined) return
  opening ??= Direct.open(mesh, mesh.self)
  try {
    mesh.direct = await opening
  } finally {
    opening = undefined
  }
}

let opening: Promise<Direct> | undefined
