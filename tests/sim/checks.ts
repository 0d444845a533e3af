/**
 * What must hold when the faults have stopped and the mesh has had time (`reliability.md` §3: D1, D2, C1, O1).
 * Each returns what is wrong, in words; an empty list is the pass.
 */
import { feedIdFrom, openRoomId, type RoomId } from '../../src/mesh/ids.ts'
import { parentsOf, type PlacedEvent } from '../../src/mesh/clock.ts'
import { targetOf } from '../../src/mesh/timeline/body.ts'
import { fold } from '../../src/mesh/timeline/fold.ts'
import { covers } from '../../src/mesh/sync/held.ts'
import { digestsFor } from '../../src/mesh/overlay/liveness.ts'
import type { SimPeer } from './peer.ts'
import type { World } from './world.ts'

export const general: RoomId = openRoomId('general')

export function transcript(peer: SimPeer): string {
  return peer.tables
    .inOrder(general)
    .map((event) => event.id)
    .join('\n')
}

/** What a screen would show: the messages in their order, each as it is after all that was said about it. */
export function shown(peer: SimPeer): string {
  const events = peer.tables.inOrder(general)
  const about = new Map<string, PlacedEvent[]>()
  for (const event of events) {
    const target = targetOf(event)
    if (target !== undefined) about.set(target, [...(about.get(target) ?? []), event])
  }
  return events
    .filter((event) => targetOf(event) === undefined)
    .map((event) => {
      const { text, versions, reactions } = fold(event, about.get(event.id) ?? [])
      return JSON.stringify([text, versions.length, [...reactions]])
    })
    .join('\n')
}

/**
 * N1: what somebody has let go of: who is linked to nobody else need not have it. In a simulated world that is minutes
 * old, in a real one days.
 */
function isOver(world: World, event: PlacedEvent): boolean {
  return world.peers.some((peer) => {
    const record = peer.tables.feeds.get(`${event.room}/${event.feed}`)
    return event.seq < (record?.floor ?? 0)
  })
}

function isForgetful(world: World): boolean {
  return world.peers.some((peer) => peer.retention !== undefined)
}

/** M6: what is shown is the same everywhere. */
export function checkShown(world: World): string[] {
  if (isForgetful(world)) return []
  const [first, ...rest] = world.honest
  const expected = first === undefined ? '' : shown(first)
  return rest
    .filter((peer) => shown(peer) !== expected)
    .map((peer) => `M6: peer ${peer.index} shows something else than peer 0`)
}

/** C1: equal sets in equal order everywhere. */
export function checkConvergence(world: World): string[] {
  const [first, ...rest] = world.honest
  if (first === undefined) return ['no peers']
  const linesOf = (peer: SimPeer) =>
    isForgetful(world)
      ? peer.tables.inOrder(general).flatMap((event) => (isOver(world, event) ? [] : [event.id]))
      : [transcript(peer)]
  const expected = linesOf(first).join('\n')
  return rest
    .filter((peer) => linesOf(peer).join('\n') !== expected)
    .map((peer) => {
      const sizes = `${peer.tables.events.size} against ${first.tables.events.size} events`
      return `C1: peer ${peer.index} differs from peer ${first.index} (${sizes})`
    })
}

/** D2: what was acknowledged is there, unless the only disk that had it was wiped. */
export function checkNothingLost(world: World): string[] {
  const problems: string[] = []
  const everywhere = world.honest[0]?.tables.byId
  for (const peer of world.honest) {
    for (const posted of peer.posted) {
      const wiped = posted.life !== peer.disk
      // Where some keep little, who is linked only to them need not have it; here it is, or a reader has had it.
      const isSafe = isForgetful(world)
        ? peer.retention !== undefined || peer.tables.byId.has(posted.id)
        : everywhere?.has(posted.id) === true
      if (!wiped && !isSafe) {
        problems.push(`D2: a message that peer ${peer.index} had stored is missing`)
      }
    }
  }
  return problems
}

/** O1: an event stands after its feed's previous one and after its ancestors; a feed has no holes while its disk lives. */
export function checkOrder(world: World): string[] {
  const problems: string[] = []
  const whole = isForgetful(world) ? [] : world.peers
  const alive = new Set(whole.map((one) => feedIdFrom(one.self, one.incarnation)))
  for (const peer of world.honest) {
    const events = peer.tables.inOrder(general)
    const places = new Map(events.map((event, place) => [event.id, place]))
    events.forEach((event, place) => {
      for (const parent of parentsOf(event)) {
        if ((places.get(parent) ?? -1) > place)
          problems.push(`O1: peer ${peer.index} shows an event before its ancestor`)
      }
      const orphan = event.prev !== undefined && !places.has(event.prev)
      if (orphan && alive.has(event.feed))
        problems.push(`O1: peer ${peer.index} has a hole before ${event.seq}`)
    })
  }
  return problems
}

/** D4: who is said to hold a message holds it. */
export function checkReceiptsTrue(world: World): string[] {
  const problems: string[] = []
  for (const peer of world.honest) {
    for (const holder of peer.lastHolders?.holders ?? []) {
      const device = world.peers.find((other) => other.self === holder.device)
      // What an attacker says of itself is its own.
      if (device === undefined || device.disk > 0 || device.attacker !== undefined) continue
      const record = device.tables.feeds.get(`${general}/${holder.feed}`)
      const held = record?.ranges ?? []
      for (const { first, last } of holder.ranges) {
        // A reader has had what it let go of since.
        const isHad = (seq: number) =>
          covers(held, seq) || (holder.role === 'reader' && seq < (record?.floor ?? 0))
        if (!isHad(first) || !isHad(last)) {
          problems.push(`D4: peer ${device.index} is said to hold ${first}-${last} and does not`)
        }
      }
    }
  }
  return problems
}

/** D6: after healing everybody's own messages are confirmed by everybody who has them. */
export function checkAllConfirmed(world: World): string[] {
  const problems: string[] = []
  const honest = new Set(world.honest.map((peer) => peer.self))
  for (const peer of world.honest) {
    const own = [...peer.tables.feeds.values()].filter(
      (record) => record.room === general && record.feed.startsWith(peer.self),
    )
    for (const record of own) {
      const last = record.ranges.at(-1)?.last
      if (last === undefined) continue
      const holders = (peer.lastHolders?.holders ?? []).filter(
        (holder) => honest.has(holder.device) && holder.feed === record.feed && covers(holder.ranges, last),
      )
      const others = honest.size - 1
      if (holders.length < others) {
        problems.push(
          `D6: peer ${peer.index} knows of ${holders.length} of ${others} who have its last message`,
        )
      }
    }
  }
  return problems
}

/** P: everybody is shown as here. */
export function checkPresence(world: World): string[] {
  // Whether an attacker counts as here depends on what it does.
  if (world.honest.length < world.peers.length) return []
  const people = world.peers.filter((peer) => !peer.box).length
  return world.peers
    .filter((peer) => !peer.box && (peer.lastPeople?.reach.people ?? 0) !== people - 1)
    .map((peer) => `P: peer ${peer.index} sees ${peer.lastPeople?.reach.people ?? 0} people in reach`)
}

/** W: a post fails because the disk is full, or because own history of an earlier disk came back meanwhile. */
export function checkPostsTaken(world: World): string[] {
  return world.honest.flatMap((peer) =>
    peer.failedPosts
      .filter((cause) => cause !== 'full' && !(cause === 'conflict' && peer.disk > 0))
      .map((cause) => `W: a post of peer ${peer.index} failed as ${cause}`),
  )
}

export function checkBounds(world: World): string[] {
  return world.honest
    .filter((peer) => (peer.engine?.overlay.links.size ?? 0) > 16)
    .map((peer) => `O2: peer ${peer.index} holds too many links`)
}

/** Two heartbeats between sites, and what is said then, take longer than from one look to the next. */
const disagreeingLooks = 3

/** R8, N2: neighbours agree on what they hold, so that nobody goes on comparing. For a moment they may differ. */
export function checkAgreement(world: World): string[] {
  const problems: string[] = []
  const before = new Map(world.disagreed)
  world.disagreed.clear()
  for (const peer of world.honest) {
    const { engine } = peer
    if (engine === undefined) continue
    for (const link of engine.overlay.links.values()) {
      const other = world.byId.get(link.peer)
      const back = other?.engine?.overlay.linksByPeer.get(peer.self)
      if (other?.engine === undefined || other.attacker !== undefined || back === undefined) continue
      if (other.index < peer.index) continue
      // R14: these wait.
      const isSpare = [engine.tree.branches.get(link.id), other.engine.tree.branches.get(back.id)]
      if (isSpare.some((branch) => branch?.isSpare === true)) continue
      const [one, two] = [digestsFor(engine, link).log, digestsFor(other.engine, back).log]
      if (one === two) continue
      const pair = `${peer.index} and ${other.index}`
      // Where one lets go of things it is another difference each time.
      const difference = `${pair}: ${one} ${two}`
      const looks = (before.get(difference) ?? 0) + 1
      world.disagreed.set(difference, looks)
      if (looks >= disagreeingLooks) problems.push(`R8: peers ${pair} hold different things`)
    }
  }
  return problems
}
