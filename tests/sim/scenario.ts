/** One seeded life of a small mesh: what goes wrong is drawn from the seed; then everything heals. */
import {
  checkAllConfirmed,
  checkAgreement,
  checkBounds,
  checkConvergence,
  checkNothingLost,
  checkOrder,
  checkPostsTaken,
  checkPresence,
  checkReceiptsTrue,
  checkShown,
  general,
  transcript,
} from './checks.ts'
import type { Body } from '../../src/mesh/timeline/body.ts'
import { checkDirect, SimDirect } from './direct.ts'
import { checkFiles, SimFiles } from './files.ts'
import { keepAll } from '../../src/mesh/sync/retention.ts'
import { Attacker, attacks, type Attack } from './attackers.ts'
import type { EngineCode, SimPeer } from './peer.ts'
import { Prng } from './prng.ts'
import { World, fakeSignature, type Faults, type Layout } from './world.ts'

const stepsMax = 400_000
/** With fewer, everything may hang on the attacker. */
const attackedFrom = 5
const troubleMs = 60_000
const quietMs = 180_000
/** Where a gateway keeps little, or not to the protocol, history goes another way, which waits before it is used (R14). */
const quietDetourMs = 420_000
const lookEveryMs = 20_000
/** A word gets everywhere within it. */
const wordMs = 10_000
/** Every so many seeds the quiet lasts to its end although all is well. */
const fullQuietEvery = 8

export interface Outcome {
  readonly problems: readonly string[]
  readonly posted: number
  /** Chunks of files that were stored by those who fetched them. */
  readonly fetched: number
  /** Direct messages that left a composer. */
  readonly letters: number
  readonly frames: number
  readonly bytes: number
  readonly steps: number
  readonly trace: string
  readonly transcript: string
  readonly byType: Record<string, number>
}

export interface ScenarioOptions {
  /** What each peer runs, by its index; the shipped engine without it. */
  readonly codeFor?: (index: number) => EngineCode
  /** One peer does this, wherever another one could stand in for it; without it a fifth of the larger worlds has some attacker. */
  readonly attack?: Attack
  /** Files are shared and fetched meanwhile. */
  readonly hasFiles?: boolean
  /** Direct messages are written meanwhile. */
  readonly hasDirect?: boolean
  /** Gets the world before it begins. */
  readonly seen?: (world: World) => void
}

export function runScenario(seed: number, options: ScenarioOptions = {}): Outcome {
  const world = new World(seed, 0, quiet)
  const { random } = world
  const faults: Faults = {
    loss: random.chance(0.5) ? random.unit() * 0.5 : 0,
    duplication: random.chance(0.5) ? random.unit() * 0.5 : 0,
    latencyMinMs: 1,
    latencyMaxMs: random.between(5, random.chance(0.3) ? 2_000 : 100),
    diskMaxMs: random.between(2, 50),
    diskFull: random.chance(0.2) ? random.unit() * 0.2 : 0,
    clockErrorMaxMs: random.chance(0.5) ? random.between(0, 10 * 365 * 86_400_000) : 0,
  }
  const mesh = new World(seed, layoutFor(random), { ...faults, ...radioFor(seed) })
  const { codeFor, seen } = options
  if (codeFor !== undefined) for (const peer of mesh.peers) peer.code = codeFor(peer.index)
  if (options.hasFiles === true) {
    mesh.files = new SimFiles(mesh, seed)
    mesh.files.plan(troubleMs)
  }
  if (options.hasDirect === true) {
    mesh.direct = new SimDirect(mesh, seed)
    mesh.direct.plan(troubleMs)
  }
  seen?.(mesh)
  return play(mesh, seed, options.attack)
}

const quiet: Faults = {
  loss: 0,
  duplication: 0,
  latencyMinMs: 1,
  latencyMaxMs: 10,
  diskMaxMs: 5,
  diskFull: 0,
  clockErrorMaxMs: 0,
}

/** Slow radio in a quarter of the worlds, bursts of loss in another. Drawn apart: other seeds stay as they were. */
function radioFor(seed: number): Pick<Faults, 'radioKbps' | 'burst'> {
  const random = new Prng(seed ^ 0x4ad10)
  const radioKbps = random.chance(0.25) ? 2 ** random.between(5, 11) : undefined
  const burst = random.chance(0.25) ? { begins: random.unit() * 0.05, ends: 0.1 + random.unit() } : undefined
  return { ...(radioKbps === undefined ? {} : { radioKbps }), ...(burst === undefined ? {} : { burst }) }
}

/** One site, or two to four in a row or a ring. */
function layoutFor(random: World['random']): number | Layout {
  if (random.chance(0.5)) return random.between(2, 9)
  const sites = random.between(2, 4)
  const isRing = sites > 2 && random.chance(0.5)
  const near = Array.from({ length: sites }, (_, i) =>
    [i - 1, i + 1].map((j) => (isRing ? (j + sites) % sites : j)).filter((j) => j >= 0 && j < sites),
  )
  const people = near.map(() => random.between(1, 3))
  return { near, people, boxes: random.chance(0.3) }
}

/** One peer of a fifth of the larger worlds does not keep to the protocol. Drawn apart: other seeds stay as they were. */
function appointAttacker(world: World, seed: number, wanted: Attack | undefined): void {
  const random = new Prng(seed ^ 0x5eed)
  const isDrawn = random.chance(0.2)
  if (world.peers.length < attackedFrom || (wanted === undefined && !isDrawn)) return
  // Never the only one, or one of two, of a place: whoever lies behind it has no other way.
  const replaceable = world.peers.filter(
    (peer) => peer.site.peers.filter((other) => other !== peer && !other.box).length >= 2,
  )
  const peer = random.pick(replaceable)
  const attack = wanted ?? random.pick(attacks)
  if (peer === undefined || attack === undefined) return
  const key = { self: peer.self, sign: (message: Uint8Array) => fakeSignature(peer.self, message) }
  peer.attacker = new Attacker(attack, random, key)
}

/**
 * In a fifth of the worlds some keep little, and soon let go of it. Drawn apart, like attackers. Where clocks are
 * years off or histories fork, who has let go of an ancestor rightly shows another order.
 */
function appointForgetful(world: World, seed: number): boolean {
  const random = new Prng(seed ^ 0xf0e6)
  const isPlain = world.honest.length === world.peers.length && world.faults.clockErrorMaxMs === 0
  // Letters that are let go of are sealed anew (Q8), and two rooms share what may be kept: nothing comes to rest there.
  if (!isPlain || !random.chance(0.4) || world.direct !== undefined) return false
  // The first one keeps everything: the others are compared with it.
  for (const peer of world.peers.slice(1)) {
    if (!random.chance(0.4)) continue
    const maxAgeMs = random.chance(0.5) ? random.between(5_000, 120_000) : Number.POSITIVE_INFINITY
    const maxBytes = random.chance(0.5) ? random.between(500, 5_000) : Number.POSITIVE_INFINITY
    peer.retention = { ...keepAll, maxAgeMs, maxBytes }
  }
  return true
}

function play(world: World, seed: number, attack: Attack | undefined): Outcome {
  const { random, schedule } = world
  appointAttacker(world, seed, attack)
  const isForgetful = appointForgetful(world, seed)
  for (const peer of world.peers) {
    if (world.faults.clockErrorMaxMs > 0 && random.chance(0.4)) {
      peer.clockErrorMs = random.between(-1, 1) * random.between(0, world.faults.clockErrorMaxMs)
    }
    schedule.after(random.between(0, 5_000), () => world.start(peer))
  }
  const troubles = random.between(3, 30)
  for (let i = 0; i < troubles; i++)
    schedule.after(random.between(1_000, troubleMs), () => trouble(world, !isForgetful))
  const posts = random.between(5, 60)
  for (let i = 0; i < posts; i++) {
    schedule.after(random.between(2_000, troubleMs), () => {
      const peer = random.pick(world.peers.filter((one) => !one.box))
      if (peer !== undefined) say(world, peer, `${i} of seed ${seed}`)
    })
  }
  const problems: string[] = []
  if (!schedule.run(troubleMs, stepsMax)) problems.push(`storm at ${schedule.nowMs} ms`)
  settle(world)
  problems.push(
    ...problemsAfterQuiet(world, {
      quietMs: isForgetful || world.honest.length < world.peers.length ? quietDetourMs : quietMs,
      isWhole: seed % fullQuietEvery === 0,
    }),
  )
  return {
    problems,
    posted: world.peers.reduce((sum, peer) => sum + peer.posted.length, 0),
    fetched: world.files?.written ?? 0,
    letters: world.direct?.written.length ?? 0,
    frames: world.counters.frames,
    bytes: world.counters.bytes,
    steps: schedule.steps,
    trace: world.trace.hex,
    byType: Object.fromEntries(world.counters.byType),
    transcript: world.peers[0] === undefined ? '' : transcript(world.peers[0]),
  }
}

/**
 * Runs until everything holds, and at most so long. @param parts `isWhole`: the whole time, what held must go on holding
 */
function problemsAfterQuiet(
  world: World,
  { quietMs: mostMs, isWhole }: { readonly quietMs: number; readonly isWhole: boolean },
): string[] {
  let found: string[] = []
  for (let ms = troubleMs; ms < troubleMs + mostMs; ms += lookEveryMs) {
    if (!world.schedule.run(ms + lookEveryMs, stepsMax)) return [`storm at ${world.schedule.nowMs} ms`]
    const wasClean = ms > troubleMs && found.length === 0
    found = [...world.problems, ...checks.flatMap((check) => check(world))]
    const isDone = found.length === 0 && world.disagreed.size === 0
    if (isDone && (!isWhole || ms >= troubleMs + quietMs)) return found
    if (found.length === 0 || !wasClean) continue
    // Who lets go of something says so, and others believe the older word until they hear it.
    if (!world.schedule.run(ms + lookEveryMs + wordMs, stepsMax))
      return [`storm at ${world.schedule.nowMs} ms`]
    const lasting = new Set([...world.problems, ...checks.flatMap((check) => check(world))])
    found = found.filter((problem) => lasting.has(problem))
    if (found.length > 0) return found.map((problem) => `after all was well: ${problem}`)
  }
  return found
}

const checks = [
  checkConvergence,
  checkNothingLost,
  checkOrder,
  checkReceiptsTrue,
  checkShown,
  checkAllConfirmed,
  checkPresence,
  checkPostsTaken,
  checkBounds,
  checkAgreement,
  checkFiles,
  checkDirect,
]

/** Half of what is said is a message; the rest is about one that the speaker has. */
function say(world: World, peer: SimPeer, text: string): void {
  const { random } = world
  const about = random.chance(0.5) ? random.pick([...peer.tables.byId.keys()]) : undefined
  if (about === undefined) return world.post(peer, general, `message ${text}`)
  const bodies: readonly Body[] = [
    { type: 'edit', target: about, text: `edit ${text}` },
    { type: 'delete', target: about },
    { type: 'reaction', target: about, emoji: '👍', isOn: random.chance(0.7) },
    { type: 'reaction', target: about, emoji: '❤️', isOn: true },
  ]
  world.say(peer, general, text, random.pick(bodies) ?? { type: 'message', text })
}

function trouble(world: World, mayRestore: boolean): void {
  const { random, schedule } = world
  const peer = random.pick(world.peers)
  const other = random.pick(world.peers)
  if (peer === undefined || other === undefined) return
  const kind = random.between(0, 8)
  if (kind === 0) world.setHelper(!peer.site.helperAlive, peer.site)
  else if (kind === 1) {
    for (const a of world.peers) {
      for (const b of world.peers) if (a.index < b.index && random.chance(0.5)) world.cut(a, b)
    }
  } else if (kind === 2) world.heal()
  else if (kind === 3 && peer.site !== other.site) world.cutSites(peer.site, other.site)
  else if (kind === 3 && peer !== other) world.cut(peer, other)
  else if (kind === 4 && world.faults.clockErrorMaxMs > 0) {
    world.setClock(peer, random.between(-1, 1) * random.between(0, 86_400_000))
  } else if (kind === 8 && peer.backup === undefined && mayRestore) {
    const files = world.files?.diskOf(peer).copy()
    const direct = world.direct?.diskOf(peer).copy()
    peer.backup = { tables: peer.tables.copy(), incarnation: peer.incarnation, files, direct }
  } else {
    world.crash(peer)
    if (kind === 5) world.wipe(peer, random.chance(0.5))
    if (kind === 8 && peer.backup !== undefined) world.restore(peer, peer.backup)
    schedule.after(random.between(100, 10_000), () => {
      if (peer.engine === undefined) world.start(peer)
    })
  }
}

/** The end of all trouble: everybody runs, everything is connected, the helper is back, disks have room. */
function settle(world: World): void {
  Object.assign(world.faults, { ...quiet, clockErrorMaxMs: 0, burst: undefined })
  world.heal()
  for (const peer of world.peers) if (peer.engine === undefined) world.start(peer)
  for (const site of world.sites) world.setHelper(true, site)
  world.files?.settle()
}
