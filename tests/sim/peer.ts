/** A peer of the simulator: its disk, its clock, what it runs and what became of it; its site; its links. */
import { linkVersion } from '../../src/adapters/link-handshake.ts'
import { MemoryTables } from '../../src/adapters/memory/memory-store.ts'
import { completeFrame } from '../../src/mesh/gossip/complete.ts'
import type { LinkId, MeshEvent, Retention } from '../../src/mesh/effects.ts'
import { handle } from '../../src/mesh/engine.ts'
import { decodeFrame, encodeFrame } from '../../src/mesh/frame.ts'
import { peerIdFromBytes, type EventId, type PeerId } from '../../src/mesh/ids.ts'
import { createEngine, type Engine } from '../../src/mesh/state.ts'
import type { Disk } from '../mesh/files/disk.ts'
import type { Attacker } from './attackers.ts'
import type { DirectDisk } from './direct.ts'
import type { Prng } from './prng.ts'
import type { Wire } from './wire.ts'

/** A place: its helper, its neighbours, and how many radio hops every other place is away. */
export interface SimSite {
  readonly index: number
  readonly key: PeerId
  readonly near: readonly { readonly site: number; readonly cost: number }[]
  /** Radio hops to each site, by index. */
  readonly hops: readonly number[]
  helperAlive: boolean
  readonly peers: SimPeer[]
}

export interface Posted {
  readonly id: EventId
  readonly by: number
  readonly life: number
}

/** An engine of some version: what a peer runs. */
export interface EngineCode {
  readonly version: number
  readonly createEngine: typeof createEngine
  readonly handle: typeof handle
  readonly encodeFrame: typeof encodeFrame
  readonly decodeFrame: typeof decodeFrame
  readonly completeFrame: typeof completeFrame
}

export const shippedCode: EngineCode = {
  version: linkVersion,
  createEngine,
  handle,
  encodeFrame,
  decodeFrame,
  completeFrame,
}

export interface Backup {
  readonly tables: MemoryTables
  readonly incarnation: Uint8Array
  readonly files: Disk | undefined
  readonly direct: DirectDisk | undefined
}

/** A link between two peers, as both ends know it. */
export interface Conduit {
  readonly hops: number
  readonly a: SimPeer
  readonly b: SimPeer
  readonly idAtA: LinkId
  readonly idAtB: LinkId
  open: boolean
  readonly fromA: Wire
  readonly fromB: Wire
}

export class SimPeer {
  readonly index: number
  readonly site: SimSite
  readonly box: boolean
  attacker: Attacker | undefined
  /** What it runs. */
  code: EngineCode = shippedCode
  /** Dials of the last minute, ms, to check the bound from outside. */
  readonly dialsMs: number[] = []
  mostLinks = 0
  mostDials = 0
  key: Uint8Array
  self: PeerId
  incarnation: Uint8Array
  tables = new MemoryTables()
  backup: Backup | undefined
  /** What it keeps; undefined: everything, and nothing of others. */
  retention: Retention | undefined
  /** Whether it ever came back from a backup: then its feeds fork. */
  isRestored = false
  engine: Engine | undefined
  /** Counts starts; whatever belongs to an earlier life is dropped. */
  life = 0
  /** Counts wipes: what an earlier disk held is gone. */
  disk = 0
  /** What its wall clock is off by at the next start, ms. */
  clockErrorMs = 0
  /** What it was off by at the start of this life: a running engine's time never jumps. */
  startErrorMs = 0
  readonly conduits = new Map<LinkId, Conduit>()
  /** Whom its helper has told it of. */
  told = new Set<PeerId>()
  readonly posted: Posted[] = []
  readonly failedPosts: string[] = []
  alarm = 0
  lastHolders: Extract<MeshEvent, { type: 'holders' }> | undefined
  lastPeople: Extract<MeshEvent, { type: 'people' }> | undefined

  constructor(index: number, site: SimSite, box: boolean, random: Prng) {
    this.index = index
    this.site = site
    this.box = box
    this.key = random.bytes(32)
    // B1: a resident carries the name of its site.
    this.self = box ? site.key : peerIdFromBytes(this.key)
    this.incarnation = random.bytes(16)
  }
}
