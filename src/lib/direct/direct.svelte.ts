/** Direct messages on the screen: each conversation is a room of its own, which exists on the devices of two people only. */
import { chanceBytesLength, conversationOf } from '#mesh/direct/letter.ts'
import { directRoom } from '#mesh/direct/sealed-body.ts'
import type { Holder } from '#mesh/delivery.ts'
import type { MeshEvent } from '#mesh/effects.ts'
import type { PeerId, RoomId } from '#mesh/ids.ts'
import type { DirectEvent, Letters, Mesh } from '../start.ts'
import type { MeshState } from '../state/mesh.svelte.ts'
import { RoomState } from '../state/room.svelte.ts'
import { settings } from '../state/settings.svelte.ts'

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
        const { token, body } = wish
        // What is in a file would not be sealed.
        if (body.type === 'file') return
        const chance = crypto.getRandomValues(new Uint8Array(chanceBytesLength))
        mesh.source.command({ type: 'write-letter', token, to: partner, chance, body })
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
    begun.reachable = this.#isReachable(partner)
    this.conversations = [...this.conversations, begun]
    return begun
  }

  take(event: DirectEvent): void {
    switch (event.type) {
      case 'letters': {
        const room = this.begin(event.partner)
        const { added, moved } = event
        room.take({ type: 'messages', room: room.record.room, added, moved })
        // It was kept before it was told: a conversation that has just begun may have counted it already.
        if (added.length > 0 && settings.quietOf(event.partner) !== 'hidden') void room.recount()
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
    // Elsewhere the draft goes in the transaction that keeps the message.
    if (composing.posted(token) && composing.draft === '')
      void this.#source.history.saveDraft(record.room, '')
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
      const { partner } = room.record
      if (partner === undefined) continue
      room.reachable = this.#isReachable(partner)
      const name = this.#mesh.nameOf(partner)
      if (name !== room.record.name) room.record = { ...room.record, name }
    }
  }

  /** It is on its way only while who is to have it is there. */
  #isReachable(partner: PeerId): boolean {
    return this.#mesh.people.some(({ peer, inReach }) => peer === partner && inReach)
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

/** guess: until then a node is back, or a disk. */
const retryMs = 10_000

let opening: Promise<Direct> | undefined

/** Fetches what is kept, once. @returns undefined while nobody knows whose letters they are */
export async function openDirect(mesh: MeshState): Promise<Direct | undefined> {
  if (mesh.self === undefined || mesh.direct !== undefined) return mesh.direct
  opening ??= Direct.open(mesh, mesh.self)
  try {
    mesh.direct = await opening
  } finally {
    opening = undefined
  }
  // Who holds what was told before anybody listened.
  mesh.command({ type: 'announce' })
  return mesh.direct
}

/** Until it is open. */
export async function keepOpening(mesh: MeshState): Promise<void> {
  try {
    if ((await openDirect(mesh)) !== undefined) return
  } catch (error) {
    // No node to fetch it from, or the browser lets nothing be read now.
    if (!(error instanceof TypeError) && !(error instanceof DOMException)) throw error
  }
  setTimeout(() => void keepOpening(mesh), retryMs)
}

/** Channels and conversations, as they are listed. */
export function allRooms(mesh: MeshState): readonly RoomState[] {
  return [...mesh.roomsInOrder, ...(mesh.direct?.inOrder ?? [])]
}
