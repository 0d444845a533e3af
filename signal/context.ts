/** What the parts of one helper share. */
import type { Assets } from './http/assets.ts'
import type { Neighbors } from './discovery/neighbors.ts'
import type { Guard } from './guards.ts'
import type { Counters } from './metrics.ts'
import type { Options } from './options.ts'
import type { PeerServer } from './peerjs/peer-server.ts'
import type { Relay } from './relay/relay.ts'
import type { Resident } from './resident/resident.ts'
import type { Self } from './session.ts'
import type { Sockets } from './sockets.ts'
import type { Secure } from './tls/secure.ts'
import type { TokenBuckets } from './token-bucket.ts'

export const version = '0.1.0'

export interface Context {
  readonly options: Options
  readonly guard: Guard
  readonly counters: Counters
  readonly relay: Relay
  readonly sockets: Sockets
  readonly neighbors: Neighbors
  readonly self: Self
  readonly assets: Assets
  readonly buckets: TokenBuckets
  /** Undefined with `--no-resident`. */
  readonly resident: Resident | undefined
  readonly peerServer: PeerServer
  /** Undefined where nothing is served over https. */
  readonly secure: Secure | undefined
}
