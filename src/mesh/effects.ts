/**
 * What can happen to an engine (inputs), what it decides (effects), what people wish (commands) and what the
 * screen is told (events). Four closed unions; a `switch` over one of them is complete or does not compile.
 */
import type { PlacedEvent } from './clock.ts'
import type { Count, Holder } from './delivery.ts'
import type { Event } from './event.ts'
import type { Frame } from './frame.ts'
import type { Range } from './sync/sync-frame.ts'
import type { EventId, FeedId, PeerId, RoomId } from './ids.ts'
import type { FeedRecord } from './sync/held.ts'
import type { Split } from './sync/branches.ts'
import type { Presence, Profile, Receipt, Status } from './record.ts'
import type { Body, BodyFault } from './timeline/body.ts'
import type { ReadMark, ReadPosition } from './timeline/read-marks.ts'

/** One open link; never used again for another one. */
export type LinkId = number

export interface RoomRecord {
  readonly room: RoomId
  /** As shown, without `#`. */
  readonly name: string
  readonly joinedAtMs: number
  /** M7: of an owned room; an open one has none. */
  readonly owner?: PeerId
  /** M7: what the room's id is made of together with its owner; an invitation says it. 32 hex characters */
  readonly nonce?: string
  /** M7, M9: as far as it is known. */
  readonly purpose?: string
  /** M9: how long its owner wants it kept, and where that was said. */
  readonly policy?: { readonly maxAgeMs: number; readonly effective: number; readonly id: EventId }
  /** N4: older events are let go of; absent: all are kept, unless the device keeps less. */
  readonly maxAgeMs?: number
  /** D11: others are told how far this device has read here. */
  readonly tellsRead?: true
}

/** M11: how a room introduces itself to somebody who is not in it. */
export type RoomCard = Pick<RoomRecord, 'room' | 'name' | 'purpose' | 'owner' | 'nonce'>

/** What a device keeps at most, of all rooms together. */
export interface Retention {
  readonly maxAgeMs: number
  readonly maxBytes: number
  /** N6: rooms that are carried for others. */
  readonly carriedRoomsMax: number
  readonly carriedBytesMax: number
}

/** N1: events of a feed below this number go. */
export interface FeedCut {
  readonly room: RoomId
  readonly feed: FeedId
  readonly below: number
}

/** Everything that an engine needs from the store to go on where it was. */
export interface StoredState {
  readonly rooms: readonly RoomRecord[]
  readonly feeds: readonly FeedRecord[]
  readonly presences: readonly Presence[]
  readonly receipts: readonly Receipt[]
  readonly counts: readonly Count[]
  readonly readMarks: readonly ReadMark[]
  readonly name: string
}

/** An own event travels with the people who were to get it, frozen when it was written; local, never sent. */
export interface NewEvent extends Event {
  readonly audience: readonly PeerId[] | undefined
  /** L2: it is held; only its signature may be new, if it is the same event. */
  readonly isHeld?: boolean
  /** Written by nobody in the composer. */
  readonly keepsDraft?: boolean
}

/** One durable transaction: all of it or nothing. */
export interface StoreWrite {
  /** First: events that move from one feed to another. */
  readonly splits: readonly Split[]
  /** Then: events that are let go of. */
  readonly cuts: readonly FeedCut[]
  readonly events: readonly NewEvent[]
  readonly feeds: readonly FeedRecord[]
  readonly presences: readonly Presence[]
  readonly receipts: readonly Receipt[]
  readonly counts: readonly Count[]
  readonly readMarks: readonly ReadMark[]
  /** The whole list, when it changed. */
  readonly rooms: readonly RoomRecord[] | undefined
  readonly name: string | undefined
  /** What this device writes under from now on, 16 bytes, when it changed. */
  readonly incarnation: Uint8Array | undefined
  /** Rooms whose draft went out as one of `events`. */
  readonly clearDrafts: readonly RoomId[]
}

/**
 * Why a store refused. `full`: no space. `fenced`: another tab has taken over. `conflict`: a sequence number is
 * taken. `closed`: the connection is gone; it may come back.
 */
export type StoreFailure = 'full' | 'fenced' | 'conflict' | 'closed'

export type HangUpReason =
  | 'malformed'
  | 'too-large'
  | 'unknown-type'
  | 'bad-signature'
  | 'silent'
  | 'too-fast'
  | 'superseded'
  /** C2 */
  | 'bad-chunk'
  | 'bad-hashes'
  | 'leaving'

export type Command =
  | {
      readonly type: 'post'
      readonly token: string
      readonly room: RoomId
      readonly body: Body
      readonly keepsDraft?: boolean
    }
  | { readonly type: 'join'; readonly name: string }
  /** M7: a room that this device owns. @see ownedRoomId for the nonce */
  | {
      readonly type: 'create'
      readonly token: string
      readonly nonce: string
      readonly name: string
      readonly purpose: string
    }
  /** An owned room that somebody has been invited to. */
  | {
      readonly type: 'enter'
      readonly room: RoomId
      readonly name: string
      readonly owner: PeerId
      readonly nonce: string
      readonly purpose?: string
    }
  /** Q1: this device's direct messages, and those of others, travel over it from now on. */
  | { readonly type: 'join-direct' }
  | { readonly type: 'leave'; readonly room: RoomId }
  /** M11: what a room that others are in is called. */
  | { readonly type: 'ask-room'; readonly room: RoomId }
  /** D11: a person has read this room up to there, and whether others are told so. */
  | { readonly type: 'read'; readonly room: RoomId; readonly position: ReadPosition }
  | { readonly type: 'tell-read'; readonly room: RoomId; readonly isOn: boolean }
  | { readonly type: 'rename'; readonly name: string }
  /** P11: until the engine ends; whoever shows a screen says it at each start. */
  | ({ readonly type: 'set-profile' } & Profile)
  /** P10 */
  | { readonly type: 'typing'; readonly room: RoomId }
  /** R9: compare with everybody who is linked now, rather than when digests differ. */
  | { readonly type: 'compare' }
  /** Which parts of this room's feeds are known to be missing. */
  | { readonly type: 'tell-gaps'; readonly room: RoomId }
  /** How much is held, by room. */
  | { readonly type: 'tell-sizes' }
  | { readonly type: 'set-visible'; readonly visible: boolean }
  /** What this device keeps from now on. */
  | { readonly type: 'set-retention'; readonly retention: Retention }
  /** N4: how long messages of this room are kept here; undefined: as long as the device keeps any. */
  | { readonly type: 'set-max-age'; readonly room: RoomId; readonly maxAgeMs: number | undefined }
  /** Tell the screen everything once more (a new tab has opened). */
  | { readonly type: 'announce' }
  /** The page goes away: say so to everybody, now. */
  | { readonly type: 'depart' }

export type Input =
  | {
      readonly type: 'start'
      readonly self: PeerId
      /** 16 bytes */
      readonly incarnation: Uint8Array
      /** A box that keeps history, and no person. */
      readonly box?: boolean
      /** What it stores does not outlast the process: it confirms nothing. */
      readonly isForgetful?: boolean
      /** Whether a screen shows people; a box has none. */
      readonly isWatched?: boolean
      /** 32 bits for choices that need chance. */
      readonly seed: number
      readonly stored: StoredState
    }
  | { readonly type: 'command'; readonly command: Command }
  | { readonly type: 'signed'; readonly token: number; readonly signature: Uint8Array }
  /** The key is not to be had: what was to be signed is not said. */
  | { readonly type: 'sign-failed'; readonly token: number }
  | {
      readonly type: 'stored'
      readonly token: number
      readonly added: readonly PlacedEvent[]
      readonly moved: readonly PlacedEvent[]
    }
  | { readonly type: 'store-failed'; readonly token: number; readonly cause: StoreFailure }
  | { readonly type: 'loaded'; readonly token: number; readonly events: readonly Event[] }
  /** K5: the version of the protocol that both ends speak. */
  | { readonly type: 'link-up'; readonly link: LinkId; readonly peer: PeerId; readonly version: number }
  | { readonly type: 'link-down'; readonly link: LinkId }
  | { readonly type: 'received'; readonly link: LinkId; readonly frame: Frame }
  /** Something of files came over it. */
  | { readonly type: 'heard'; readonly link: LinkId }
  /** The bulk lane takes no more for now. */
  | { readonly type: 'congested'; readonly link: LinkId }
  | { readonly type: 'drained'; readonly link: LinkId }
  | { readonly type: 'dial-failed'; readonly peer: PeerId }
  | {
      readonly type: 'helper-up'
      readonly helper: string
      readonly site: PeerId
      readonly node: string
      /** The helper's own site, where it stands in for the one of this device's. */
      readonly at?: PeerId
    }
  | { readonly type: 'helper-down'; readonly helper: string }
  | {
      readonly type: 'helper-peers'
      readonly helper: string
      readonly up: readonly { readonly peer: PeerId; readonly site: PeerId }[]
      readonly down: readonly PeerId[]
    }
  /** The neighbours of this device's site, and what the way there costs. */
  | {
      readonly type: 'helper-sites'
      readonly helper: string
      readonly near: readonly { readonly site: PeerId; readonly cost: number }[]
    }
  /** A connection being made wants this carried to the other side. */
  | { readonly type: 'signal-out'; readonly to: PeerId; readonly payload: string }
  | { readonly type: 'signal-in'; readonly helper: string; readonly from: PeerId; readonly payload: string }
  | { readonly type: 'signal-unreachable'; readonly helper: string; readonly to: PeerId }
  /** The device's clock was set by this much while running. */
  | { readonly type: 'clock-jumped'; readonly byMs: number }
  | { readonly type: 'tick' }

export type Effect =
  | { readonly type: 'sign'; readonly token: number; readonly message: Uint8Array }
  | { readonly type: 'store'; readonly token: number; readonly write: StoreWrite }
  | ({ readonly type: 'load'; readonly token: number; readonly room: RoomId; readonly feed: FeedId } & Range)
  | { readonly type: 'send'; readonly link: LinkId; readonly frame: Frame }
  | { readonly type: 'hang-up'; readonly link: LinkId; readonly reason: HangUpReason }
  | { readonly type: 'dial'; readonly peer: PeerId }
  | { readonly type: 'signal-helper'; readonly helper: string; readonly to: PeerId; readonly payload: string }
  | { readonly type: 'signal-deliver'; readonly from: PeerId; readonly payload: string }
  /** No way to reach that peer now. */
  | { readonly type: 'signal-lost'; readonly to: PeerId }
  | { readonly type: 'schedule'; readonly delayMs: number }
  /** C6: all links that stand, when they are others than before. */
  | { readonly type: 'links'; readonly links: readonly LinkFact[] }
  | { readonly type: 'emit'; readonly event: MeshEvent }

/** What files have to know of a link. */
export interface LinkFact {
  readonly link: LinkId
  readonly peer: PeerId
  /** It stays inside one's own site. */
  readonly isNear: boolean
}

/** Events of a feed that are not held, below one that is. */
export interface Gap extends Range {
  readonly feed: FeedId
}

/** What is held of a room. */
export interface RoomSize {
  readonly room: RoomId
  readonly events: number
  /** About. */
  readonly bytes: number
}

export interface Person {
  readonly peer: PeerId
  readonly name: string
  /** P11 */
  readonly profile: Profile | undefined
  readonly node: string
  readonly status: Status
  /** When the status began, ms on this device's clock. */
  readonly sinceMs: number
  /** Linked to this device without anybody between. */
  readonly direct: boolean
  /** The node whose box passes on what comes from this person, where that is the way. */
  readonly through: string | undefined
  readonly inReach: boolean
  /** Last heard to be there, at a site that nothing reaches now: the mesh is split, as far as this device can tell. */
  readonly isCutOff: boolean
  readonly box: boolean
  readonly rooms: readonly RoomId[]
}

export interface Reach {
  /** People other than oneself, by the rule of "Presence" on the design page. */
  readonly people: number
  readonly links: number
  /** Names of the helpers that answer now. */
  readonly nodes: readonly string[]
  /** By how much this device's clock is ahead of what its neighbours agree on, in whole minutes, ms; 0 while they do not. */
  readonly clockAheadMs: number
  /** Rooms that somebody linked has too. */
  readonly rooms: readonly RoomId[]
}

export type MeshEvent =
  | { readonly type: 'started'; readonly self: PeerId; readonly name: string; readonly fresh: boolean }
  | { readonly type: 'posted'; readonly token: string; readonly room: RoomId; readonly id: EventId }
  | {
      readonly type: 'post-failed'
      readonly token: string
      readonly cause: StoreFailure | BodyFault | 'busy' | 'no-room'
    }
  | {
      readonly type: 'messages'
      readonly room: RoomId
      readonly added: readonly PlacedEvent[]
      readonly moved: readonly PlacedEvent[]
    }
  | { readonly type: 'rooms'; readonly rooms: readonly RoomRecord[] }
  | { readonly type: 'people'; readonly people: readonly Person[]; readonly reach: Reach }
  /** Who durably holds what of this device's own feeds in a room. */
  | { readonly type: 'holders'; readonly room: RoomId; readonly holders: readonly Holder[] }
  /** How far others have read, as they say. */
  | {
      readonly type: 'readers'
      readonly room: RoomId
      readonly readers: readonly (ReadPosition & { readonly peer: PeerId })[]
    }
  /** Of rooms that were left, too. */
  | { readonly type: 'sizes'; readonly rooms: readonly RoomSize[] }
  | { readonly type: 'gaps'; readonly room: RoomId; readonly gaps: readonly Gap[] }
  /** P10: said just now. */
  | { readonly type: 'typing'; readonly room: RoomId; readonly peer: PeerId }
  /** M11: a room that was asked for. */
  | { readonly type: 'room-card'; readonly card: RoomCard }
  /** Events that peers have and this device still lacks. */
  | { readonly type: 'catching-up'; readonly missing: number }
  | { readonly type: 'storage'; readonly failure: StoreFailure | undefined }
  /** A device has written two versions of its history, mostly because an old backup was restored; both are kept. */
  | { readonly type: 'fork'; readonly room: RoomId; readonly author: PeerId }

/** Stops the engine at a bug of our own. Never used for what arrives from outside. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`bug: ${message}`)
}

/** Marks a `switch` as complete: a union member without a case does not compile. */
export function unreachable(value: never): never {
  throw new Error(`bug: unhandled ${JSON.stringify(value)}`)
}
