/**
 * The guest door: programs on the mesh that speak PeerJS may join this person's channels, read and write there. Off
 * unless the person opens it; fetched only then. Its name at `/peerjs` needs the token that the node gives to this key.
 */
import { Peer, type DataConnection } from 'peerjs'
import type { PlacedEvent } from '#mesh/clock.ts'
import type { Command, MeshEvent, Person, RoomRecord } from '#mesh/effects.ts'
import { stampToMs } from '#mesh/clock.ts'
import { feedAuthor, type RoomId } from '#mesh/ids.ts'
import { messageText } from '#mesh/timeline/body.ts'
import { guestText, parseGuestMessage, type DoorMessage, type GuestMessage } from './door-dialect.ts'

export const doorLimits = {
  guestsMax: 8,
  /** guess: a sensor says little; a bot that answers says some things at once. */
  postsPerSecond: 1,
  postsBurst: 10,
  bufferedBytesMax: 262_144,
  /** guess: a connection over the mesh stands within it, or never. */
  openTimeoutMs: 15_000,
} as const

/** What the node gave: where, under which name, and what proves that it may be had. */
export interface DoorPass {
  readonly url: string
  readonly name: string
  readonly token: string
}

export interface GuestDoorParts {
  readonly pass: DoorPass
  readonly stunUrls: readonly string[]
  readonly command: (command: Command) => void
  /** How many guests there are. */
  readonly changed: (guests: number) => void
  /** The node did not let the door be opened, or it is gone. */
  readonly failed: () => void
}

/** What the door has to know of the mesh. */
export interface DoorView {
  readonly person: string
  readonly rooms: readonly RoomRecord[]
  readonly people: readonly Person[]
  readonly self: string
}

interface Guest {
  readonly connection: DataConnection
  name: string
  readonly rooms: Set<RoomId>
}

export class GuestDoor {
  private readonly parts: GuestDoorParts
  private readonly peer: Peer
  private readonly guests = new Set<Guest>()
  /** By token: which guest waits for what it said to be stored, and where. */
  private readonly posting = new Map<string, { readonly guest: Guest; readonly room: string }>()
  private view: DoorView
  private lastToken = 0
  private tokens: number = doorLimits.postsBurst
  private earnedAtMs = performance.now()

  constructor(parts: GuestDoorParts, view: DoorView) {
    this.parts = parts
    this.view = view
    const { pass, stunUrls } = parts
    const { hostname, port, protocol } = new URL(pass.url)
    const isSecure = protocol === 'https:'
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- PeerJS types its options as a class of which it exports no constructor
    this.peer = new Peer(pass.name, {
      host: hostname,
      port: port === '' ? (isSecure ? 443 : 80) : Number(port),
      path: '/peerjs/',
      key: 'peerjs',
      secure: isSecure,
      token: pass.token,
      config: { iceServers: stunUrls.map((urls) => ({ urls })) },
    })
    this.peer.on('connection', (connection) => this.arrived(connection))
    // One guest's failed connection ends nothing else; a door without its node is opened anew.
    this.peer.on('error', ({ type }) => {
      if (type !== 'peer-unavailable' && type !== 'webrtc') parts.failed()
    })
    this.peer.on('disconnected', () => parts.failed())
    this.peer.on('call', (call) => call.close())
  }

  setView(view: DoorView): void {
    this.view = view
  }

  private arrived(connection: DataConnection): void {
    // Other ways of packing are put together without a bound.
    if (connection.serialization !== 'json') return connection.close()
    if (this.guests.size >= doorLimits.guestsMax) return connection.close()
    const guest: Guest = {
      connection,
      name: connection.peer,
      rooms: new Set(),
    }
    this.guests.add(guest)
    const gone = () => {
      clearTimeout(patience)
      connection.close()
      if (this.guests.delete(guest)) this.parts.changed(this.guests.size)
    }
    // PeerJS says nothing of a connection that ends before it is open.
    const patience = setTimeout(gone, doorLimits.openTimeoutMs)
    connection.on('open', () => {
      clearTimeout(patience)
      this.parts.changed(this.guests.size)
      const rooms = this.view.rooms.map(({ name }) => name)
      this.tell(guest, { type: 'welcome', person: this.view.person, rooms })
    })
    connection.on('data', (data) => this.received(guest, data))
    connection.on('close', gone)
    connection.on('error', gone)
  }

  private tell(guest: Guest, message: DoorMessage): void {
    const channel = guest.connection.dataChannel as RTCDataChannel | undefined
    // A program that does not read is let go.
    if ((channel?.bufferedAmount ?? 0) > doorLimits.bufferedBytesMax) return guest.connection.close()
    if (guest.connection.open) void guest.connection.send(message)
  }

  private received(guest: Guest, data: unknown): void {
    const message = parseGuestMessage(data)
    if (typeof message === 'string') return this.tell(guest, { type: 'refused', reason: message })
    if (message.type === 'hello') {
      guest.name = message.name
      return
    }
    const room = this.view.rooms.find(({ name }) => name === message.room)
    // Only what this person has opened; a program opens no channels in its name.
    if (room === undefined) return this.tell(guest, { type: 'refused', reason: 'unknown-room' })
    if (message.type === 'join') {
      guest.rooms.add(room.room)
      return this.tell(guest, { type: 'joined', room: room.name })
    }
    this.post(guest, room, message)
  }

  private post(
    guest: Guest,
    { room, name }: RoomRecord,
    message: Extract<GuestMessage, { type: 'post' }>,
  ): void {
    if (!this.mayPost(performance.now())) return this.tell(guest, { type: 'refused', reason: 'too-fast' })
    const token = `door ${++this.lastToken}`
    this.posting.set(token, { guest, room: name })
    const body = { type: 'message', text: guestText(guest.name, message.text) } as const
    this.parts.command({ type: 'post', token, room, body, keepsDraft: true })
  }

  /** For all guests together: whoever connects again has no more. */
  private mayPost(nowMs: number): boolean {
    const earned = ((nowMs - this.earnedAtMs) / 1_000) * doorLimits.postsPerSecond
    this.tokens = Math.min(doorLimits.postsBurst, this.tokens + earned)
    this.earnedAtMs = nowMs
    if (this.tokens < 1) return false
    this.tokens -= 1
    return true
  }

  /** What the mesh says. */
  take(event: MeshEvent): void {
    if (event.type === 'posted' || event.type === 'post-failed') {
      const waiting = this.posting.get(event.token)
      if (waiting === undefined) return
      this.posting.delete(event.token)
      const { guest, room } = waiting
      const isStored = event.type === 'posted'
      return this.tell(guest, isStored ? { type: 'posted', room } : { type: 'refused', reason: 'not-saved' })
    }
    if (event.type !== 'messages') return
    const room = this.view.rooms.find((one) => one.room === event.room)
    if (room === undefined) return
    for (const guest of this.guests) {
      if (!guest.rooms.has(event.room)) continue
      for (const added of event.added) this.tellMessage(guest, room.name, added)
    }
  }

  private tellMessage(guest: Guest, room: string, event: PlacedEvent): void {
    const text = messageText(event)
    if (text === undefined) return
    const author = feedAuthor(event.feed)
    const known = this.view.people.find(({ peer }) => peer === author)?.name
    const name = author === this.view.self ? this.view.person : (known ?? author.slice(0, 4))
    const atMs = stampToMs(event.effective)
    this.tell(guest, { type: 'message', room, id: event.id, author: name, text, atMs })
  }

  close(): void {
    this.peer.removeAllListeners()
    this.peer.destroy()
    this.guests.clear()
  }
}
