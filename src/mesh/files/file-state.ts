/** What one peer knows of files: those that it holds or wants, who can give what, what is under way. No rules here. */
import type { LinkId } from '../effects.ts'
import type { PeerId } from '../ids.ts'
import { Bitmap } from './bitmap.ts'
import { createArrivals, createCongestion, type Arrivals, type Congestion } from './congestion.ts'
import type { FileFrame, FileName } from './file-frame.ts'
import type { Content } from './content.ts'
import { blockCount, chunkCount, type Block, type FileId } from './hash-tree.ts'
import { fileLimits } from './limits.ts'

/** What the store keeps of a file beside its bytes. */
export interface FileRecord {
  readonly content: Content
  readonly held: Bitmap
  /** Blocks whose hashes are kept. */
  readonly blocks: Bitmap
  readonly wish: Wish
}

/** `paused`: wanted, and not fetched now. `carried`: kept for others. `kept`: as somebody has asked (C19). */
export type Wish = 'wanted' | 'paused' | 'carried' | 'kept'

/** `damaged`: the bytes are not what the block's hashes say. `unknown`: its hashes are not there, or not any more. */
export type WriteResult = 'stored' | 'damaged' | 'unknown' | 'full' | 'failed'

export type FileCommand =
  /** All of it is in the store, with the hashes of its blocks. */
  | { readonly type: 'hold'; readonly content: Content }
  | { readonly type: 'get'; readonly content: Content }
  | { readonly type: 'pause'; readonly file: FileId }
  /** It is not in the store any more, and not wanted. */
  | { readonly type: 'drop'; readonly file: FileId }
  /** C19: somebody whom this device is linked to, and who carries for others, is to keep it. */
  | { readonly type: 'ask-to-keep'; readonly content: Content; readonly peer: PeerId }

export type FileInput =
  /** @param isNear at one's own site: what is asked for there costs nobody else anything */
  | { readonly type: 'link-up'; readonly link: LinkId; readonly peer: PeerId; readonly isNear: boolean }
  | { readonly type: 'link-down'; readonly link: LinkId }
  | { readonly type: 'received'; readonly link: LinkId; readonly frame: FileFrame }
  /** The last frame that was given to the bulk lane has left; `isFull`: the next one waits for `drained`. */
  | { readonly type: 'sent'; readonly link: LinkId; readonly isFull: boolean }
  | { readonly type: 'drained'; readonly link: LinkId }
  | { readonly type: 'chunk-read'; readonly token: number; readonly bytes: Uint8Array | undefined }
  | { readonly type: 'block-read'; readonly token: number; readonly block: Block | undefined }
  | { readonly type: 'chunk-written'; readonly token: number; readonly result: WriteResult }
  | { readonly type: 'command'; readonly command: FileCommand }
  | { readonly type: 'tick' }

export type FileEffect =
  | { readonly type: 'send'; readonly link: LinkId; readonly frame: FileFrame }
  | { readonly type: 'read-chunk'; readonly token: number; readonly file: FileId; readonly chunk: number }
  | { readonly type: 'read-block'; readonly token: number; readonly file: FileId; readonly block: number }
  /** The store checks it against the hashes that it keeps. */
  | {
      readonly type: 'write-chunk'
      readonly token: number
      readonly file: FileId
      readonly chunk: number
      readonly bytes: Uint8Array
    }
  | { readonly type: 'keep-block'; readonly file: FileId; readonly block: number; readonly proof: Block }
  | { readonly type: 'keep-file'; readonly content: Content; readonly wish: Wish }
  /** C14: it makes room for another one. */
  | { readonly type: 'forget-file'; readonly file: FileId }
  /** It has sent what is not the file. */
  | { readonly type: 'hang-up'; readonly link: LinkId; readonly reason: 'bad-chunk' | 'bad-hashes' }
  | { readonly type: 'schedule'; readonly delayMs: number }
  | { readonly type: 'emit'; readonly event: FileEvent }

/** `waiting`: nobody in reach has what is missing. */
export type Progress = 'complete' | 'fetching' | 'waiting' | 'paused' | 'full'

export type FileEvent =
  | {
      readonly type: 'progress'
      readonly file: FileId
      readonly progress: Progress
      readonly heldBytes: number
      /** Who sends now. */
      readonly sources: readonly PeerId[]
      /** Who holds all of it, of those who have said so. */
      readonly holders: readonly PeerId[]
      /** Who wants it from here, for itself or for somebody behind it. */
      readonly takers: readonly PeerId[]
    }
  | { readonly type: 'damaged'; readonly file: FileId; readonly peer: PeerId }
  /** C19: somebody was asked to keep it, and does; has no room for it; or cannot be asked, or did not answer. */
  | {
      readonly type: 'kept'
      readonly file: FileId
      readonly peer: PeerId
      readonly answer: 'kept' | 'refused' | 'unreached'
    }

/** What a peer has said that can be had from it. */
export interface Source {
  readonly held: Bitmap
  readonly reach: Bitmap
  readonly hops: number
  /** C18: what others of its site hold, and over how many of them; what they reach, and over how many, all the way. */
  readonly siteHeld: Bitmap
  readonly siteHops: number
  readonly siteReach: Bitmap
  readonly siteReachHops: number
}

/** What was said last of a file that is wanted: when, ms, over how many others it may go, and over how many of a site. */
export interface Want {
  readonly atMs: number
  readonly hops: number
  readonly siteHops: number
}

/** C11: how somebody has answered of late about one file: another file is nothing to the point. */
export interface Standing {
  /** When something of it came last, or was asked for where nothing was due, ms. */
  heardMs: number
  /** It is not asked for it, and what it offers is not offered to others. */
  isSilent: boolean
  silentUntilMs: number
  /** How often nothing came, since something came. */
  silences: number
  /** Of what it had offered, since something came. */
  refusals: number
}

export interface FileState {
  readonly id: FileId
  readonly name: FileName
  readonly content: Content
  readonly held: Bitmap
  readonly blocks: Bitmap
  /** For this device; otherwise it is carried between others. */
  isWanted: boolean
  isPaused: boolean
  /** C19: wanted since somebody has asked for it, and not for whoever looks at this device. */
  isKept: boolean
  /** Who has asked so in this life, and since when nothing of it has come, ms; undefined until it is looked at. */
  keptFor: PeerId | undefined
  keptSinceMs: number | undefined
  /** How often the store had not the hashes that it was given. */
  unknowns: number
  /** The store has refused: nothing is asked for until somebody says so. */
  isFull: boolean
  /** Who wants it from here. */
  readonly wantedBy: Map<LinkId, Want>
  /** Who was told that it is wanted. */
  readonly askedFor: Map<LinkId, Want>
  /** C18: since when not all of it can be had of those whom this device is linked to, ms; looked at next at. */
  uncoveredMs: number | undefined
  lookAtMs: number
  isSearched: boolean
  readonly sources: Map<LinkId, Source>
  /** Of whom something was asked. */
  readonly standings: Map<LinkId, Standing>
  /** What was told to whom: as it was written, and when, ms. */
  readonly offered: Map<LinkId, { readonly key: string; readonly atMs: number; readonly isEmpty: boolean }>
  /** When somebody was given something of it last, or something of it came, ms. */
  touchedMs: number
  /** C9: over how many others it is had from elsewhere, as those near were told. */
  toldHops: number
  /** Something that offers say may have changed. */
  isOfferStale: boolean
  /** Chunks asked for, of whom, since when, ms. */
  readonly asked: Map<number, Map<LinkId, number>>
  readonly askedBlocks: Map<number, { readonly link: LinkId; readonly atMs: number }>
  /** Chunks that are being stored. */
  readonly writing: Set<number>
  /** What others wait for that is not held yet. */
  readonly pending: Map<number, Set<LinkId>>
  readonly pendingBlocks: Map<number, Set<LinkId>>
  /** When the screen was told last, ms, and what. */
  toldMs: number
  toldKey: string
}

/** One thing that is to be sent. */
export interface Serving {
  readonly file: FileId
  readonly chunk: number
  /** Undefined until it has been read. */
  bytes: Uint8Array | undefined
  isReading: boolean
  /** From here it is to be sent, to its end or to there. */
  at: number
  readonly end: number | undefined
}

/** A chunk of which parts have come: its bytes, and which of them are there, ascending and apart from each other. */
export interface Coming {
  readonly bytes: Uint8Array
  there: readonly Stretch[]
}

export interface Stretch {
  readonly from: number
  readonly end: number
}

export interface FileLink {
  readonly id: LinkId
  readonly peer: PeerId
  readonly isNear: boolean
  /** Chunks asked for and not there yet; how many there may be. */
  outstanding: number
  depth: number
  /** The shortest way of a chunk, ms; what has come since when. */
  leastMs: number
  takenBytes: number
  takenSinceMs: number
  readonly serving: Serving[]
  isFull: boolean
  isSending: boolean
  readonly congestion: Congestion
  readonly arrivals: Arrivals
  readonly coming: Map<string, Coming>
  /** C19: what it was asked to keep, and has not answered. */
  readonly askedToKeep: Set<FileName>
}

export interface FileEngine {
  readonly self: PeerId
  /** C19: so much this device keeps as others ask; none in browsers. */
  readonly keptBytesMax: number
  readonly files: Map<FileId, FileState>
  readonly byName: Map<FileName, FileState>
  readonly links: Map<LinkId, FileLink>
  /** Sent what was no part of a file; nothing is asked of them again in this life. */
  readonly banned: Set<PeerId>
  readonly writes: Map<
    number,
    { readonly file: FileId; readonly chunk: number; readonly bytes: Uint8Array; readonly from: FileLink }
  >
  readonly reads: Map<number, { readonly link: LinkId; readonly serving: Serving }>
  readonly blockReads: Map<number, { readonly link: LinkId; readonly file: FileId; readonly block: number }>
  lastToken: number
  /** What was given to the store before room was made for it, and refused, is only asked for again. */
  roomToken: number
  tickAtMs: number
  /** The screen has been told less than is true. */
  isProgressDue: boolean
}

export function createFileEngine(self: PeerId, keptBytesMax = 0): FileEngine {
  return {
    self,
    keptBytesMax,
    files: new Map(),
    byName: new Map(),
    links: new Map(),
    banned: new Set(),
    writes: new Map(),
    reads: new Map(),
    blockReads: new Map(),
    lastToken: 0,
    roomToken: 0,
    tickAtMs: Number.POSITIVE_INFINITY,
    isProgressDue: false,
  }
}

export function createFile(id: FileId, name: FileName, content: Content): FileState {
  return {
    id,
    name,
    content,
    held: new Bitmap(chunkCount(content.size)),
    blocks: new Bitmap(blockCount(content.size)),
    isWanted: false,
    isPaused: false,
    isKept: false,
    keptFor: undefined,
    keptSinceMs: undefined,
    isFull: false,
    unknowns: 0,
    wantedBy: new Map(),
    askedFor: new Map(),
    uncoveredMs: undefined,
    lookAtMs: Number.NEGATIVE_INFINITY,
    isSearched: false,
    sources: new Map(),
    standings: new Map(),
    offered: new Map(),
    touchedMs: Number.NEGATIVE_INFINITY,
    toldHops: 0,
    isOfferStale: false,
    asked: new Map(),
    askedBlocks: new Map(),
    writing: new Set(),
    pending: new Map(),
    pendingBlocks: new Map(),
    toldMs: Number.NEGATIVE_INFINITY,
    toldKey: '',
  }
}

export function createFileLink(id: LinkId, peer: PeerId, isNear: boolean, nowMs: number): FileLink {
  return {
    id,
    peer,
    isNear,
    outstanding: 0,
    depth: fileLimits.depthMin,
    leastMs: Number.POSITIVE_INFINITY,
    takenBytes: 0,
    takenSinceMs: nowMs,
    serving: [],
    isFull: false,
    isSending: false,
    congestion: createCongestion(nowMs),
    arrivals: createArrivals(),
    coming: new Map(),
    askedToKeep: new Set(),
  }
}
