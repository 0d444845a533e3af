/** What helpers say, and signals on their way: where this device is, who else is there, what is for whom. */
import { unreachable, type Effect, type Input } from '../effects.ts'
import type { Engine } from '../state.ts'
import type { PeerId } from '../ids.ts'
import { limits } from '../limits.ts'
import { hear } from '../presence.ts'
import { forgiveDial } from './links.ts'
import { deliverSignal, doubt } from './liveness.ts'
import { sayHello } from './reception.ts'
import { notePath, noteUnreachable, routeSignal } from './signalling.ts'
import { changed } from './sites.ts'

type SignalInput = Extract<Input, { type: `helper-${string}` | `signal-${string}` }>

export function routeSignals(engine: Engine, input: SignalInput, nowMs: number, out: Effect[]): void {
  const { signalling, presence } = engine
  switch (input.type) {
    case 'helper-up':
      signalling.helpers.set(input.helper, { peers: new Map(), at: input.at ?? input.site })
      engine.nodes.set(input.helper, input.node)
      presence.own.stale ||= presence.own.site !== input.site || presence.own.node !== input.node
      presence.own.node = input.node
      return moveTo(engine, input.site, out)
    case 'helper-down':
      signalling.helpers.delete(input.helper)
      engine.nodes.delete(input.helper)
      engine.isNearStale = true
      return
    case 'helper-peers':
      return helperPeers(engine, input, nowMs)
    case 'helper-sites':
      engine.sites.near.clear()
      for (const { site, cost } of input.near) engine.sites.near.set(site, cost)
      changed(engine.sites)
      engine.isUpkeepDue = true
      return
    case 'signal-out':
      out.push(routeSignal(signalling, engine, input.to, input.payload, nowMs))
      return
    case 'signal-in':
      notePath(signalling, input.from, { helper: input.helper }, nowMs)
      return deliverSignal(engine, input.from, input.payload, nowMs, out)
    case 'signal-unreachable':
      noteUnreachable(signalling, input.helper, input.to)
      out.push({ type: 'signal-lost', to: input.to })
      return
    default:
      unreachable(input)
  }
}

/** A helper was met: this device's place is its site, until another one is. */
function moveTo(engine: Engine, site: PeerId, out: Effect[]): void {
  const { presence, sites, overlay } = engine
  engine.isNearStale = true
  engine.isUpkeepDue = true
  if (sites.own === site) return
  sites.own = site
  sites.near.clear()
  presence.own.site = site
  presence.aliveDigest = undefined
  changed(sites)
  for (const link of overlay.links.values()) sayHello(engine, link, false, out)
}

function helperPeers(engine: Engine, input: Extract<Input, { type: 'helper-peers' }>, nowMs: number): void {
  const peers = engine.signalling.helpers.get(input.helper)?.peers
  if (peers === undefined) return
  for (const peer of input.down) {
    if (peers.get(peer) === engine.sites.own) doubt(engine, peer, nowMs)
    peers.delete(peer)
  }
  for (const { peer, site } of input.up) {
    if (peers.size >= limits.helperPeersMax) break
    peers.set(peer, site)
    forgiveDial(engine.overlay, peer)
    engine.doubted.delete(peer)
    // P3: the helper has its socket.
    if (site === engine.sites.own) hear(engine.presence, peer)
  }
  engine.isNearStale = true
  // Who has links has time.
  engine.isUpkeepDue ||= engine.overlay.links.size < limits.fullMeshMax
}
