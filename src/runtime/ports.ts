/**
 * What a platform must do for an engine. Small, in the engine's words; each method says the guarantee that the
 * engine relies on. Contract suites in tests/contract run over every adapter.
 */
import type { PlacedEvent, Placement } from '#mesh/clock.ts'
import type { LinkId, StoreFailure, StoredState, StoreWrite, HangUpReason } from '#mesh/effects.ts'
import type { Keeping, OwnPrekey, StoredDirect } from '#mesh/direct/direct-state.ts'
import type { FileRecord, Wish, WriteResult } from '#mesh/files/file-state.ts'
import type { Content } from '#mesh/files/content.ts'
import type { Block, FileId } from '#mesh/files/hash-tree.ts'
import type { Claim, Event } from '#mesh/event.ts'
import type { FrameFault, Lane } from '#mesh/frame.ts'
import type { EventId, FeedId, PeerId, RoomId } from '#mesh/ids.ts'

export interface LinkEvents {
  /** The other side has proven its key. @param version what both speak */
  up(link: LinkId, peer: PeerId, version: number): void
  /** Said once per link, and never for one that was hung up here. */
  down(link: LinkId): void
  /** A whole frame, in the order of its lane. */
  frame(link: LinkId, lane: Lane, bytes: Uint8Array): void
  /** The bulk lane takes more again, after `send` said that it was full. */
  drained(link: LinkId): void
  dialFailed(peer: PeerId): void
  /** A connection being made wants this carried to the peer. */
  signal(to: PeerId, payload: string): void
  /** Said before `down` when the other side was cut off by name. */
  refused(peer: PeerId | undefined, reason: HangUpReason | FrameFault | LinkRefusal): void
}

/** Why a connection never became a link. */
export type LinkRefusal = 'bad-proof' | 'wrong-peer' | 'old-version' | 'timeout' | 'self'

export interface Links {
  start(events: LinkEvents): void
  dial(peer: PeerId): void
  /** Something that `LinkEvents.signal` of the other side gave out has arrived. */
  signal(from: PeerId, payload: string): void
  signalLost(to: PeerId): void
  /** @returns false when the lane is full for now: the frame was taken, the next one should wait for `drained` */
  send(link: LinkId, lane: Lane, bytes: Uint8Array): boolean
  hangUp(link: LinkId, reason: HangUpReason | FrameFault): void
  /** Ends every link; safe twice. */
  close(): void
}

export interface Position {
  readonly effective: number
  readonly id: string
}

export interface HistoryQuery {
  readonly room: RoomId
  /** Only what sorts before this; absent: from the end. */
  readonly before?: Position
  /** Only what sorts after this; absent: from the end. */
  readonly after?: Position
  readonly limit: number
}

export interface OpenedStore {
  readonly stored: StoredState
  /** The incarnation to write under: kept, or new when the store starts empty or was rolled back. 16 bytes. */
  readonly incarnation: Uint8Array
}

export interface Store {
  open(): Promise<OpenedStore>
  /**
   * One durable transaction: when it resolves with a placement, everything in it survives a kill and a power cut.
   * The same event again changes nothing; another event under a taken (room, feed, seq) is `conflict`, and nothing
   * of the write is kept.
   */
  write(write: StoreWrite): Promise<Placement | StoreFailure>
  /** Events first..last that are held, ascending, and on through the next signed one. */
  load(room: RoomId, feed: FeedId, first: number, last: number): Promise<readonly Event[]>
  /** What stands in the room by itself, ascending by (effective, id). */
  history(query: HistoryQuery): Promise<readonly PlacedEvent[]>
  /** Those of these events that are held. In no order. */
  find(ids: readonly EventId[]): Promise<readonly PlacedEvent[]>
  /** Every held event about one of these messages: edits, deletions, reactions. In no order. */
  about(targets: readonly EventId[]): Promise<readonly PlacedEvent[]>
  /** M7–M9: what one device has said about a room itself. In no order. */
  rulings(room: RoomId, author: PeerId): Promise<readonly PlacedEvent[]>
  /** How many messages sort after this place, not counting those of `except`. Counts to `limit` at most. */
  countAfter(room: RoomId, after: Position | undefined, except: PeerId, limit: number): Promise<number>
  draft(room: RoomId): Promise<string>
  /** Not durable before the next write; a draft is worth less than a message. */
  saveDraft(room: RoomId, text: string): Promise<void>
  readMark(room: RoomId): Promise<Position | undefined>
  saveReadMark(room: RoomId, position: Position): Promise<void>
  close(): void
}

/** `wasKnown`: it was here before, or was to come: it is not there for this time alone. */
export interface Added extends Content {
  readonly wasKnown: boolean
}

/** Where the content of files is kept. Each chunk is checked before it counts. What is said counts in its order, awaited or not. */
export interface FileStore {
  /** What is held, as far as it survived. */
  open(): Promise<readonly FileRecord[]>
  /** From now on chunks of it may come; said again, only the wish changes. */
  keepFile(content: Content, wish: Wish): Promise<void>
  /** Its hashes have been checked. */
  keepBlock(file: FileId, block: number, proof: Block): Promise<void>
  readBlock(file: FileId, block: number): Promise<Block | undefined>
  /**
   * `stored`: the bytes are those that the block says, and found again after the next start; at most the last seconds are
   * lost with a kill, and nothing else with them. `damaged`: they are others.
   * `unknown`: the hashes of their block are not there, so nobody can say.
   */
  write(file: FileId, chunk: number, bytes: Uint8Array): Promise<WriteResult>
  /** @returns undefined for what is not held, or cannot be read any more */
  read(file: FileId, chunk: number): Promise<Uint8Array | undefined>
  /**
   * Takes in what this device has whole. The same content is kept once.
   * @param size of all of it, bytes @param bytes in order, in pieces of any length
   * @returns what it is, and whether the store knew of it before; or why it could not be kept: nothing of it is left then. `changed`: it had another size
   */
  add(size: number, bytes: AsyncIterable<Uint8Array>): Promise<Added | 'full' | 'failed' | 'changed'>
  forget(file: FileId): Promise<void>
  close(): void
}

/** A prekey of this device with its secret part: X25519, 32 bytes. */
export interface KeptPrekey extends OwnPrekey {
  readonly secret: Uint8Array
}

export interface OpenedDirect extends StoredDirect {
  /** The newest last. */
  readonly prekeys: readonly KeptPrekey[]
  /** Events of the direct room that need not be looked at again. */
  readonly looked: readonly EventId[]
}

/** Where direct messages are kept in the clear, and what opens others. */
export interface DirectStore {
  open(): Promise<OpenedDirect>
  /** One durable transaction. No state goes back (`keepLetters`). */
  keep(keeping: Keeping): Promise<void>
  /** Durable when it resolves: nobody is told of a prekey whose secret could be lost with a kill. */
  addPrekey(prekey: KeptPrekey): Promise<void>
  notePublished(publicKey: Uint8Array): Promise<void>
  /** P2: they are overwritten by nothing that a page reaches; as far as the platform lets go of them they are gone. */
  destroyPrekeys(madeBeforeMs: number): Promise<void>
  close(): void
}

export interface Keys {
  readonly self: PeerId
  sign(message: Uint8Array): Promise<Uint8Array>
  /** One verdict on every platform (design decision 11). */
  verify(claim: Claim): Promise<boolean>
}

/** A way to introduce oneself to others: one helper, at one address. */
/** A peer, and the site that it is at. */
export interface Placed {
  readonly peer: PeerId
  readonly site: PeerId
}

export interface HelperEvents {
  /** @param at the helper's own site, where it stands in for the one of this device's */
  up(helper: string, site: PeerId, node: string, at: PeerId): void
  down(helper: string): void
  peers(helper: string, up: readonly Placed[], down: readonly PeerId[]): void
  /** The sites beside this one, and what the way there costs. */
  sites(helper: string, near: readonly { readonly site: PeerId; readonly cost: number }[]): void
  signal(helper: string, from: PeerId, payload: string): void
  unreachable(helper: string, to: PeerId): void
}

export interface Helpers {
  start(events: HelperEvents): void
  signal(helper: string, to: PeerId, payload: string): void
  /** Try again now rather than when the back-off says. */
  retry(): void
  close(): void
}

export interface Timers {
  /** Milliseconds since 1970 as they were at the start, running on without jumps. */
  nowMs(): number
  /** The device's clock as it is set now. */
  wallMs(): number
  /** One timer; a later call replaces it. */
  wake(delayMs: number, run: () => void): void
  cancel(): void
}
