/**
 * The resident: a peer that lives in the helper, keeps what people said, and is a box to everybody. Composition only:
 * the engine is the browser's.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { WebSocket } from 'ws'
import { DiskVolume } from '#adapters/node/disk-volume.ts'
import { JournalStore } from '#adapters/node/journal-store.ts'
import { FolderFileStore } from '#adapters/files/folder-file-store.ts'
import { diskGround } from '#adapters/node/files/disk-folders.ts'
import { MemoryFileStore } from '#adapters/files/memory-file-store.ts'
import { createNodeKeys } from '#adapters/node/keys.ts'
import { MemoryVolume } from '#adapters/node/memory-volume.ts'
import { ResidentLinks } from '#adapters/node/resident-links.ts'
import { wrapWebSocket } from '#adapters/node/ws-socket.ts'
import { PackedLinks } from '#adapters/packed-links.ts'
import { createTimers } from '#adapters/timers.ts'
import { WsLinks, type FrameSocket } from '#adapters/ws-links.ts'
import type { Retention } from '#mesh/effects.ts'
import type { PeerId } from '#mesh/ids.ts'
import { limits } from '#mesh/limits.ts'
import type { FileRecord } from '#mesh/files/file-state.ts'
import { fileLimits } from '#mesh/files/limits.ts'
import { startFiles } from '#runtime/files-runtime.ts'
import type { FileStore, OpenedStore, Timers } from '#runtime/ports.ts'
import { startRuntime, type Traffic } from '#runtime/runtime.ts'
import { openTo, resolveTarget } from '../discovery/dial.ts'
import { reachableSites } from '../relay/directory.ts'
import type { Guard } from '../guards.ts'
import type { Counters } from '../metrics.ts'
import type { Log } from '../log.ts'
import type { Options } from '../options.ts'
import type { Relay } from '../relay/relay.ts'
import { ResidentHelpers } from './resident-helpers.ts'
import type { Self } from '../session.ts'
import type { Sockets } from '../sockets.ts'

export interface Resident {
  /** Somebody has connected at `/link`. */
  accept(socket: WebSocket): void
  readonly traffic: Readonly<Traffic>
  readonly eventCount: number
  readonly linkCount: number
  /** Sockets of links and of those that are being made. */
  readonly socketCount: number
  /** Rooms of which something is held. */
  readonly roomCount: number
  close(): Promise<void>
}

export interface ResidentParts {
  readonly options: Options
  readonly self: Self
  readonly sockets: Sockets
  readonly relay: Relay
  readonly guard: Guard
  readonly counters: Counters
}

/** What this node has kept, read back. */
export interface Kept {
  readonly store: JournalStore
  readonly opened: OpenedStore
  readonly timers: Timers
  readonly files: NodeFileStore
  readonly records: readonly FileRecord[]
}

/** One that can be waited for. */
type NodeFileStore = FileStore & { finish(): Promise<void> }

/** The largest message of a link: a frame and its lane. */
export const linkMessageBytesMax = limits.frameBytesMax + 1

export async function openKept({ dataDir, keepFilesBytes }: Options, log: Log): Promise<Kept> {
  const timers = createTimers()
  const volume = dataDir === undefined ? new MemoryVolume() : new DiskVolume(join(dataDir, 'store'))
  const store = new JournalStore(volume, {
    nowMs: () => timers.wallMs(),
    onDamaged: (aside) =>
      log.error('store-damaged', {
        text: `What this node kept could not be read. It is now in ${aside}; the node fetches it again from others.`,
      }),
  })
  const files: NodeFileStore =
    dataDir === undefined
      ? new MemoryFileStore(keepFilesBytes)
      : new FolderFileStore(diskGround(join(dataDir, 'files')), keepFilesBytes)
  return { store, opened: await store.open(), timers, files, records: await files.open() }
}

export function startResident(parts: ResidentParts, kept: Kept): Resident {
  const { store, opened, timers } = kept
  const { options, self, sockets, relay, counters } = parts
  const keys = createNodeKeys(self.key)
  const wsLinks = new WsLinks(
    keys,
    (peer) => dialResident(parts, peer),
    (lane, direction, bytes) => counters.frame(lane, direction, bytes),
  )
  const links = new ResidentLinks(new PackedLinks(wsLinks), (peer) => urlOf(relay, peer) !== undefined)
  const traffic: Traffic = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0, refused: new Map() }
  const helpers = new ResidentHelpers(self, sockets)
  const seed = randomBytes(4).readUInt32BE()
  const isForgetful = options.dataDir === undefined
  const platform = { keys, store, links, helpers, timers, seed, box: true, isForgetful }
  // Nobody looks at it.
  const runtime = startRuntime(platform, opened, () => undefined, traffic)
  const files = startFiles(
    {
      self: self.key.peer,
      store: kept.files,
      timers: createTimers(),
      links,
      keptBytesMax: options.keepFilesBytes * fileLimits.keptShare,
    },
    kept.records,
    () => undefined,
  )
  runtime.attach(files)
  runtime.command({ type: 'rename', name: options.name })
  runtime.command({ type: 'set-retention', retention: retentionOf(options) })
  return {
    traffic,
    get eventCount() {
      return store.eventCount
    },
    get linkCount() {
      return wsLinks.linkCount
    },
    get socketCount() {
      return wsLinks.socketCount
    },
    get roomCount() {
      return store.roomCount
    },
    accept: (socket) => {
      wsLinks.accept(wrapWebSocket(socket))
    },
    close: async () => {
      runtime.command({ type: 'depart' })
      runtime.close()
      files.close()
      await store.finish()
      await kept.files.finish()
    },
  }
}

function retentionOf({ keepDays, keepBytes }: Options): Retention {
  return {
    maxAgeMs: keepDays === undefined ? Number.POSITIVE_INFINITY : keepDays * 86_400_000,
    maxBytes: keepBytes,
    carriedRoomsMax: limits.carriedRoomsMax,
    carriedBytesMax: keepBytes,
  }
}

function urlOf(relay: Relay, peer: PeerId): string | undefined {
  const url = reachableSites(relay.directory).find(({ site }) => site === peer)?.url
  return url === '' ? undefined : url
}

/** A socket to the resident of another helper, once its address has been looked up and may be dialled. */
function dialResident({ relay, guard, counters }: ResidentParts, peer: PeerId): FrameSocket | undefined {
  const url = urlOf(relay, peer)
  if (url === undefined) return undefined
  let inner: FrameSocket | undefined
  let isClosed = false
  const outer: FrameSocket = {
    send: (bytes) => inner?.send(bytes),
    bufferedBytes: () => inner?.bufferedBytes() ?? 0,
    close: () => {
      isClosed = true
      inner?.close()
    },
    onOpen: () => undefined,
    onMessage: () => undefined,
    onClose: () => undefined,
  }
  void resolveTarget(guard, url, () => counters.refuse('neighbor-address')).then((target) => {
    if (target === undefined || isClosed) return outer.onClose()
    inner = wrapWebSocket(openTo(url, 'link', target, linkMessageBytesMax))
    inner.onOpen = () => outer.onOpen()
    inner.onMessage = (bytes) => outer.onMessage(bytes)
    inner.onClose = () => outer.onClose()
  })
  return outer
}
