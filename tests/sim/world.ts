/**
 * A mesh in virtual time that runs the shipped engine: sites with helpers, peers with clocks, disks and crashes,
 * links that lose, repeat and reorder, partitions, and helpers that die. One seed gives one run, to the byte.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { MemoryTables } from '../../src/adapters/memory/memory-store.ts'
import { encodeUtf8 } from '../../src/mesh/bytes.ts'
import { unclearFrame } from '../../src/mesh/gossip/complete.ts'
import type { Effect, Input, LinkId, MeshEvent, StoreWrite } from '../../src/mesh/effects.ts'
import { encodeFrame, frameClaims, laneOf, type Frame, type Lane } from '../../src/mesh/frame.ts'
import { keepAll } from '../../src/mesh/sync/retention.ts'
import { directRoom } from '../../src/mesh/direct/sealed-body.ts'
import type { Body } from '../../src/mesh/timeline/body.ts'
import { peerIdFromBytes, type PeerId, type RoomId } from '../../src/mesh/ids.ts'
import { Disk } from '../mesh/files/disk.ts'
import { Counters } from './counters.ts'
import { Mixer } from './mixing.ts'
import { DirectDisk, type SimDirect } from './direct.ts'
import type { SimFiles } from './files.ts'
import { SimPeer, type Backup, type Conduit, type SimSite } from './peer.ts'
import { Prng } from './prng.ts'
import { Schedule } from './schedule.ts'
import { Wire, bulkBytes, type WireFaults } from './wire.ts'

export interface Faults extends WireFaults {
  readonly diskMaxMs: number
  /** A write is refused as `full`. */
  readonly diskFull: number
  readonly clockErrorMaxMs: number
}

/** What a world is made of. One site with some people is the simple form. */
export interface Layout {
  /** By site: the indexes of its neighbours. */
  readonly near: readonly (readonly number[])[]
  /** By site: how many people. */
  readonly people: readonly number[]
  /** Every site has a resident. */
  readonly boxes: boolean
}

/** A stand-in for Ed25519: anybody could forge it, nobody here does. Checks that both sides sign the same bytes. */
export function fakeSignature(signer: string, message: Uint8Array): Uint8Array {
  return new Mixer().add(encodeUtf8(signer)).add(message).signature()
}

/** For worlds that check no signatures: different every time, and as hard to pack as a real one. */
function cheapSignature(count: number): Uint8Array {
  return new Prng(count).bytes(64)
}

/** A resident keeps what others say, and is in no room. */
const carriesAll = { carriedRoomsMax: 64, carriedBytesMax: Number.POSITIVE_INFINITY }

export class World {
  readonly random: Prng
  readonly schedule = new Schedule()
  readonly peers: SimPeer[] = []
  readonly faults: Faults
  readonly trace = new Mixer()
  readonly problems: string[] = []
  /** Neighbours that held different things when it was last looked at, and at how many looks in a row. */
  readonly disagreed = new Map<string, number>()
  readonly sites: SimSite[] = []
  readonly byId = new Map<PeerId, SimPeer>()
  readonly counters = new Counters()
  /** Told of each event that becomes durable somewhere. */
  onStored: ((peer: SimPeer, write: StoreWrite) => void) | undefined
  /** Radio: what a hop adds to a frame's way, ms. */
  radioMinMs = 10
  radioMaxMs = 50
  /** Whether the bulk lane is packed, as in the app; only its size changes by it. */
  packs = false
  private readonly isFast: boolean
  /** Seen by anybody. */
  forks = 0
  /** Where files are exchanged, too. */
  files: SimFiles | undefined
  /** Where direct messages are written, too. */
  direct: SimDirect | undefined
  private lastLink = 0
  private readonly cuts = new Set<string>()
  private readonly siteCuts = new Set<string>()

  /** @param isFast frames pass as they are, without bytes, signatures and trace: for large worlds */
  constructor(seed: number, layout: number | Layout, faults: Faults, isFast = false) {
    this.random = new Prng(seed)
    this.faults = faults
    this.isFast = isFast
    const plan = typeof layout === 'number' ? { near: [[]], people: [layout], boxes: false } : layout
    plan.near.forEach((near, index) => {
      this.sites.push({
        index,
        key: peerIdFromBytes(sha256(encodeUtf8(`site ${index}`))),
        near: near.map((site) => ({ site, cost: 10 })),
        hops: hopsFrom(plan.near, index),
        helperAlive: true,
        peers: [],
      })
    })
    for (const site of this.sites) {
      if (plan.boxes) this.add(site, true)
      for (let i = 0; i < (plan.people[site.index] ?? 0); i++) this.add(site, false)
    }
  }

  private add(site: SimSite, box: boolean): void {
    const peer = new SimPeer(this.peers.length, site, box, this.random)
    this.peers.push(peer)
    site.peers.push(peer)
    this.byId.set(peer.self, peer)
  }

  /** An old backup comes back: the disk, and the incarnation with it. What was written since is gone here. */
  restore(peer: SimPeer, backup: Backup): void {
    peer.tables = backup.tables.copy()
    peer.incarnation = backup.incarnation
    peer.disk += 1
    peer.isRestored = true
    if (backup.files !== undefined) this.files?.setDisk(peer, backup.files.copy())
    if (backup.direct !== undefined) this.direct?.setDisk(peer, backup.direct.copy())
    // What the backup has is still to be there in the end.
    for (const [i, posted] of peer.posted.entries()) {
      if (peer.tables.byId.has(posted.id)) peer.posted[i] = { ...posted, life: peer.disk }
    }
  }

  start(peer: SimPeer): void {
    peer.life += 1
    // A new page shows nothing of the last one, which may have been somebody else's.
    peer.lastHolders = undefined
    peer.startErrorMs = peer.clockErrorMs
    const input: Input = {
      type: 'start',
      self: peer.self,
      incarnation: peer.incarnation,
      box: peer.box,
      isWatched: !this.isFast && !peer.box,
      seed: this.random.uint32(),
      stored: peer.tables.state(),
    }
    peer.engine = peer.code.createEngine(input, this.clock(peer))
    this.files?.start(peer)
    this.input(peer, input)
    this.input(peer, { type: 'command', command: { type: 'rename', name: `peer ${peer.index}` } })
    if (!peer.box) this.input(peer, { type: 'command', command: { type: 'join', name: 'general' } })
    const retention = peer.box ? { ...(peer.retention ?? keepAll), ...carriesAll } : peer.retention
    if (retention !== undefined) {
      const command = { type: 'set-retention', retention } as const
      this.input(peer, { type: 'command', command })
    }
    this.direct?.start(peer)
    if (peer.site.helperAlive) this.meetHelper(peer)
  }

  /** The process is gone: what was not on disk is lost, links die without a word. */
  crash(peer: SimPeer): void {
    peer.engine = undefined
    this.files?.crash(peer)
    this.direct?.crash(peer)
    peer.life += 1
    for (const conduit of [...peer.conduits.values()]) this.closeConduit(conduit, true)
    const { life } = peer
    this.schedule.after(this.random.between(1_000, 10_000), () => {
      if (peer.life === life) this.tellGone(peer)
    })
  }

  /** Its helper has noticed that the socket is gone; helpers tell everybody whom they have told of it. */
  private tellGone(peer: SimPeer): void {
    const { site } = peer
    if (!site.helperAlive) return
    const rest = site.peers.filter((one) => one.engine !== undefined)
    for (const there of this.helpersFrom(site)) {
      for (const other of there.peers) {
        if (other === peer || !other.told.delete(peer.self)) continue
        const next = rest.find((one) => one !== other && !other.told.has(one.self))
        const up = next === undefined ? [] : [{ peer: next.self, site: site.key }]
        if (next !== undefined) other.told.add(next.self)
        this.input(other, { type: 'helper-peers', helper: 'h', up, down: [peer.self] })
      }
    }
  }

  private tellCame(other: SimPeer, placed: { readonly peer: PeerId; readonly site: PeerId }): void {
    other.told.add(placed.peer)
    this.input(other, { type: 'helper-peers', helper: 'h', up: [placed], down: [] })
  }

  /** Everything that the browser stored is gone; a new incarnation, and on secure pages a new key. */
  wipe(peer: SimPeer, keepKey: boolean): void {
    peer.tables = new MemoryTables()
    this.files?.setDisk(peer, new Disk())
    this.direct?.setDisk(peer, new DirectDisk())
    peer.disk += 1
    peer.incarnation = this.random.bytes(16)
    if (keepKey || peer.box) return
    peer.backup = undefined
    this.byId.delete(peer.self)
    peer.key = this.random.bytes(32)
    peer.self = peerIdFromBytes(peer.key)
    this.byId.set(peer.self, peer)
  }

  setHelper(alive: boolean, site: SimSite): void {
    site.helperAlive = alive
    // A resident lives in its helper.
    for (const peer of site.peers) {
      if (peer.box && alive && peer.engine === undefined) this.start(peer)
      else if (peer.box && !alive && peer.engine !== undefined) this.crash(peer)
    }
    for (const peer of site.peers) {
      if (peer.engine === undefined) continue
      if (alive) this.meetHelper(peer)
      else this.input(peer, { type: 'helper-down', helper: 'h' })
    }
    for (const { site: near } of site.near) this.tellSites(this.sites[near])
  }

  /** A helper says which of its neighbours it is linked to now. */
  private tellSites(site: SimSite | undefined): void {
    if (site?.helperAlive !== true) return
    const near = site.near.filter((one) => this.sites[one.site]?.helperAlive === true)
    const costs = near.map((one) => ({ site: this.keyOf(one.site), cost: one.cost }))
    for (const peer of site.peers) this.input(peer, { type: 'helper-sites', helper: 'h', near: costs })
  }

  private meetHelper(peer: SimPeer): void {
    const { site } = peer
    this.input(peer, { type: 'helper-up', helper: 'h', site: site.key, node: `node ${site.index}` })
    const near = site.near.filter((one) => this.sites[one.site]?.helperAlive === true)
    this.input(peer, {
      type: 'helper-sites',
      helper: 'h',
      near: near.map((one) => ({ site: this.keyOf(one.site), cost: one.cost })),
    })
    const up = this.listedFor(site).filter((one) => one.peer !== peer.self)
    peer.told = new Set(up.map((one) => one.peer))
    this.input(peer, { type: 'helper-peers', helper: 'h', up, down: [] })
    const placed = { peer: peer.self, site: site.key }
    for (const other of site.peers) {
      if (other !== peer) this.tellCame(other, placed)
    }
    for (const one of near) {
      const there = this.sites[one.site]
      if (there === undefined || site.peers.filter((other) => other.engine).length > sampleMax) continue
      for (const other of there.peers) this.tellCame(other, placed)
    }
  }

  private keyOf(site: number): PeerId {
    const key = this.sites[site]?.key
    if (key === undefined) throw new Error(`no site ${site}`)
    return key
  }

  /** A bounded sample, as a helper gives it: its own site, and some of every other one that it reaches. */
  private listedFor(site: SimSite): { peer: PeerId; site: PeerId }[] {
    const list: { peer: PeerId; site: PeerId }[] = []
    for (const other of this.helpersFrom(site)) {
      const there = other.peers.filter((peer) => peer.engine !== undefined)
      const some = other === site ? there : there.slice(0, sampleMax)
      list.push(...some.map((peer) => ({ peer: peer.self, site: other.key })))
      if (list.length >= 512) break
    }
    return list
  }

  /** Sites whose helpers are alive and linked, nearest first. */
  private helpersFrom(site: SimSite): SimSite[] {
    const found = new Set([site])
    for (const one of found) {
      for (const { site: next } of one.near) {
        const there = this.sites[next]
        if (there?.helperAlive === true && !this.siteCuts.has(sitePair(one, there))) found.add(there)
      }
    }
    return [...found]
  }

  /** The radio path between two sites is gone. */
  cutSites(a: SimSite, b: SimSite): void {
    this.siteCuts.add(sitePair(a, b))
    for (const peer of a.peers) {
      for (const conduit of [...peer.conduits.values()]) {
        if (conduit.a.site === b || conduit.b.site === b) this.closeConduit(conduit, true)
      }
    }
  }

  cut(a: SimPeer, b: SimPeer): void {
    this.cuts.add(pair(a, b))
    for (const conduit of [...a.conduits.values()]) {
      if (conduit.a === b || conduit.b === b) this.closeConduit(conduit, false)
    }
  }

  heal(): void {
    this.cuts.clear()
    this.siteCuts.clear()
  }

  private connected(a: SimPeer, b: SimPeer): boolean {
    return !this.cuts.has(pair(a, b)) && !this.siteCuts.has(sitePair(a.site, b.site))
  }

  setClock(peer: SimPeer, byMs: number): void {
    peer.clockErrorMs += byMs
    this.input(peer, { type: 'clock-jumped', byMs })
  }

  clock(peer: SimPeer): number {
    return epochMs + this.schedule.nowMs + peer.startErrorMs
  }

  post(peer: SimPeer, room: RoomId, text: string): void {
    this.say(peer, room, text, { type: 'message', text })
  }

  say(peer: SimPeer, room: RoomId, token: string, body: Body): void {
    this.input(peer, { type: 'command', command: { type: 'post', token, room, body } })
  }

  input(peer: SimPeer, input: Input): void {
    if (peer.engine === undefined) return
    const effects = peer.code.handle(peer.engine, input, this.clock(peer))
    for (const effect of effects) this.execute(peer, effect)
  }

  /** Later, if this life of the peer still lasts. */
  later(peer: SimPeer, delayMs: number, run: () => void): void {
    const { life } = peer
    this.schedule.after(delayMs, () => {
      if (peer.life === life) run()
    })
  }

  private execute(peer: SimPeer, effect: Effect): void {
    switch (effect.type) {
      case 'sign': {
        const signature = this.isFast
          ? cheapSignature(++this.lastLink)
          : fakeSignature(peer.self, effect.message)
        return this.later(peer, 1, () => this.input(peer, { type: 'signed', token: effect.token, signature }))
      }
      case 'store':
        return this.store(peer, effect.token, effect.write)
      case 'load':
        return this.later(peer, 1, () => {
          const events = peer.tables.load(effect.room, effect.feed, effect.first, effect.last)
          this.input(peer, { type: 'loaded', token: effect.token, events })
        })
      case 'send':
        return this.send(peer, effect.link, effect.frame)
      case 'hang-up':
        return this.hangUp(peer, effect.link)
      case 'dial':
        this.noteDial(peer)
        return this.later(peer, 1, () =>
          this.input(peer, { type: 'signal-out', to: effect.peer, payload: 'offer' }),
        )
      case 'signal-helper':
        return this.signalByHelper(peer, effect.to, effect.payload)
      case 'signal-deliver':
        return this.signalArrived(peer, effect.from, effect.payload)
      case 'signal-lost':
        return this.later(peer, 1, () => this.input(peer, { type: 'dial-failed', peer: effect.to }))
      case 'schedule':
        return this.wake(peer, effect.delayMs)
      case 'links':
        return this.files?.links(peer, effect.links)
      case 'emit':
        return this.emitted(peer, effect.event)
    }
  }

  private noteDial(peer: SimPeer): void {
    this.counters.dials += 1
    const { nowMs } = this.schedule
    peer.dialsMs.push(nowMs)
    while ((peer.dialsMs[0] ?? nowMs) <= nowMs - 60_000) peer.dialsMs.shift()
    peer.mostDials = Math.max(peer.mostDials, peer.dialsMs.length)
  }

  /** One timer per peer: a later wish replaces it. */
  private wake(peer: SimPeer, delayMs: number): void {
    const alarm = ++peer.alarm
    this.later(peer, delayMs, () => {
      if (peer.alarm === alarm) this.input(peer, { type: 'tick' })
    })
  }

  private emitted(peer: SimPeer, event: MeshEvent): void {
    if (event.type === 'posted') peer.posted.push({ id: event.id, by: peer.index, life: peer.disk })
    if (event.type === 'post-failed') peer.failedPosts.push(event.cause)
    if (event.type === 'holders' && event.room !== directRoom) peer.lastHolders = event
    if (event.type === 'people') peer.lastPeople = event
    if (event.type === 'fork') this.noteFork(peer, event.author)
    this.direct?.hear(peer, event)
  }

  /** Only who came back from a backup, or says different things to different people, forks. */
  private noteFork(peer: SimPeer, author: PeerId): void {
    const writer = this.byId.get(author)
    const isDue = writer === undefined || writer.isRestored || writer.attacker?.attack === 'equivocate'
    if (!isDue) this.problems.push(`peer ${peer.index} sees a fork of ${writer.index}`)
    this.forks += 1
  }

  /** A write happens at a moment between asking and answering; a crash before that loses it, after it does not. */
  private store(peer: SimPeer, token: number, write: StoreWrite): void {
    const delayMs = this.random.between(1, this.faults.diskMaxMs)
    if (this.random.chance(this.faults.diskFull)) {
      this.later(peer, delayMs, () => this.input(peer, { type: 'store-failed', token, cause: 'full' }))
      return
    }
    const { tables, life } = peer
    this.schedule.after(Math.floor(delayMs / 2), () => {
      // The tail of a crashed life: kept or lost, as chance has it. The next life's term fences it out (J4).
      const isTail = peer.life !== life
      if (isTail && (peer.engine !== undefined || peer.tables !== tables || !this.random.chance(0.5))) return
      const placement = tables.apply(write, this.clock(peer))
      if (isTail && typeof placement !== 'string') peer.incarnation = write.incarnation ?? peer.incarnation
      if (typeof placement === 'string') {
        this.problems.push(`peer ${peer.index}: store says ${placement}`)
        return
      }
      if (peer.life !== life) return
      peer.incarnation = write.incarnation ?? peer.incarnation
      this.onStored?.(peer, write)
      this.later(peer, delayMs - Math.floor(delayMs / 2), () =>
        this.input(peer, { type: 'stored', token, ...placement }),
      )
    })
  }

  private signalByHelper(peer: SimPeer, to: PeerId, payload: string): void {
    const target = this.byId.get(to)
    const from = peer.self
    if (payload.startsWith('?ask')) this.counters.asks += 1
    const reaches = target?.engine !== undefined && this.helpersFrom(peer.site).includes(target.site)
    if (!peer.site.helperAlive || target === undefined || !reaches) {
      this.later(peer, 20, () => this.input(peer, { type: 'signal-unreachable', helper: 'h', to }))
      return
    }
    const delayMs = 20 + this.radioDelayMs(peer.site.hops[target.site.index] ?? 0)
    this.later(target, delayMs, () => this.input(target, { type: 'signal-in', helper: 'h', from, payload }))
  }

  private radioDelayMs(hops: number): number {
    let sum = 0
    for (let i = 0; i < hops; i++) sum += this.random.between(this.radioMinMs, this.radioMaxMs)
    return sum
  }

  /** An offer is answered; when the answer is back, the link stands on both sides, or does not. */
  private signalArrived(peer: SimPeer, from: PeerId, payload: string): void {
    if (payload === 'offer') {
      this.later(peer, 5, () => this.input(peer, { type: 'signal-out', to: from, payload: 'answer' }))
      return
    }
    const other = this.byId.get(from)
    if (other?.engine === undefined || peer.engine === undefined || !this.connected(peer, other)) {
      this.later(peer, 3_000, () => this.input(peer, { type: 'dial-failed', peer: from }))
      return
    }
    this.openConduit(peer, other)
  }

  private openConduit(a: SimPeer, b: SimPeer): void {
    const conduit: Conduit = {
      a,
      b,
      hops: a.site.hops[b.site.index] ?? 1,
      idAtA: ++this.lastLink,
      idAtB: ++this.lastLink,
      open: true,
      fromA: new Wire(),
      fromB: new Wire(),
    }
    a.conduits.set(conduit.idAtA, conduit)
    b.conduits.set(conduit.idAtB, conduit)
    for (const peer of [a, b]) peer.mostLinks = Math.max(peer.mostLinks, peer.conduits.size)
    const version = Math.min(a.code.version, b.code.version)
    this.input(a, { type: 'link-up', link: conduit.idAtA, peer: b.self, version })
    if (conduit.open) this.input(b, { type: 'link-up', link: conduit.idAtB, peer: a.self, version })
  }

  /** Where a peer's links lead, and what a frame takes there now, ms. */
  neighborsOf(peer: SimPeer): { readonly peer: SimPeer; readonly delayMs: number }[] {
    return [...peer.conduits.values()].map((conduit) => ({
      peer: conduit.a === peer ? conduit.b : conduit.a,
      delayMs:
        this.random.between(this.faults.latencyMinMs, this.faults.latencyMaxMs) +
        this.radioDelayMs(conduit.hops),
    }))
  }

  /** Radio hops of all links that have a browser at an end: each costs WebRTC's keep-alive. */
  radioHopsOfBrowsers(): number {
    let hops = 0
    for (const peer of this.peers) {
      for (const conduit of peer.conduits.values()) {
        if (conduit.a === peer && !(conduit.a.box && conduit.b.box)) hops += conduit.hops
      }
    }
    return hops
  }

  hangUp(peer: SimPeer, link: LinkId): void {
    const conduit = peer.conduits.get(link)
    if (conduit !== undefined) this.closeConduit(conduit, false)
  }

  /** Where a link leads. */
  peerAt(peer: SimPeer, link: LinkId): SimPeer | undefined {
    const conduit = peer.conduits.get(link)
    return conduit?.a === peer ? conduit.b : conduit?.a
  }

  private closeConduit(conduit: Conduit, silently: boolean): void {
    if (!conduit.open) return
    conduit.open = false
    const noticeMs = silently ? this.random.between(5_000, 20_000) : this.random.between(1, 500)
    for (const [peer, link] of [
      [conduit.a, conduit.idAtA],
      [conduit.b, conduit.idAtB],
    ] as const) {
      peer.conduits.delete(link)
      this.later(peer, noticeMs, () => {
        this.files?.down(peer, link)
        this.input(peer, { type: 'link-down', link })
      })
    }
  }

  private send(peer: SimPeer, link: LinkId, frame: Frame): void {
    const { attacker } = peer
    if (attacker === undefined)
      return this.put(peer, link, frame, this.isFast ? undefined : peer.code.encodeFrame(frame))
    for (const bytes of attacker.send(frame, link)) this.put(peer, link, frame, bytes)
  }

  /** @param bytes what goes over the wire; the frame itself in worlds without bytes */
  private put(peer: SimPeer, link: LinkId, frame: Frame, bytes: Uint8Array | undefined): void {
    const conduit = peer.conduits.get(link)
    const wire = conduit?.a === peer ? conduit.fromA : conduit?.fromB
    const lane = laneOf(frame)
    const packed = this.packs && lane === 'bulk' ? wire?.pack(bytes ?? encodeFrame(frame)) : undefined
    this.counters.count(conduit?.hops ?? 0, frame, packed ?? bytes?.length)
    if (bytes !== undefined) this.trace.number(this.schedule.nowMs).number(peer.index).add(bytes)
    const size =
      this.faults.radioKbps === undefined ? 0 : (packed ?? bytes?.length ?? encodeFrame(frame).length)
    this.carry(peer, link, { lane, isLoose: lane === 'chat', size }, (target, there, way) => {
      if (bytes === undefined) this.input(target, { type: 'received', link: there, frame })
      else this.arrive(target, there, bytes, peer.attacker !== undefined ? way : undefined)
    })
  }

  /** @returns whether the bulk lane takes more */
  putFile(peer: SimPeer, link: LinkId, lane: Lane, bytes: Uint8Array, isLoose: boolean): boolean {
    this.trace.number(this.schedule.nowMs).number(peer.index).add(bytes)
    const size = this.faults.radioKbps === undefined ? 0 : bytes.length
    return this.carry(peer, link, { lane, isLoose, size }, (target, there, way) => {
      if (this.files?.arrive(target, there, bytes) !== false) return
      if (peer.attacker !== undefined) this.closeConduit(way, false)
      else this.problems.push('an honest frame about files is malformed')
    })
  }

  /** @param freight `isLoose`: may be lost and overtaken @returns whether the bulk lane takes more */
  private carry(
    peer: SimPeer,
    link: LinkId,
    freight: { readonly lane: Lane; readonly isLoose: boolean; readonly size: number },
    arrive: (target: SimPeer, linkThere: LinkId, conduit: Conduit) => void,
  ): boolean {
    const conduit = peer.conduits.get(link)
    const wire = conduit?.a === peer ? conduit.fromA : conduit?.fromB
    if (conduit === undefined || wire === undefined) return true
    const target = conduit.a === peer ? conduit.b : conduit.a
    const linkThere = conduit.a === peer ? conduit.idAtB : conduit.idAtA
    const { lane, isLoose, size } = freight
    const { faults, random } = this
    const { nowMs } = this.schedule
    const delayMs = random.between(faults.latencyMinMs, faults.latencyMaxMs) + this.radioDelayMs(conduit.hops)
    const leftMs = wire.leaves(size, faults, conduit.hops > 0, nowMs)
    if (lane === 'bulk' && leftMs > nowMs) this.queueBulk(peer, { link, wire, size, leftMs })
    for (const atMs of wire.arrivals(
      isLoose ? undefined : lane,
      { leftMs, delayMs, nowMs },
      faults,
      random,
    )) {
      this.later(target, atMs - nowMs, () => {
        if (conduit.open) arrive(target, linkThere, conduit)
      })
    }
    return !wire.isCongested
  }

  /** The bulk lane says when it has taken enough for now, and when it takes more. */
  private queueBulk(
    peer: SimPeer,
    parts: { readonly link: LinkId; readonly wire: Wire; readonly size: number; readonly leftMs: number },
  ): void {
    const { link, wire, size, leftMs } = parts
    wire.bulkWaiting += size
    if (wire.bulkWaiting > bulkBytes.most && !wire.isCongested) {
      wire.isCongested = true
      this.later(peer, 0, () => this.input(peer, { type: 'congested', link }))
    }
    this.later(peer, leftMs - this.schedule.nowMs, () => {
      wire.bulkWaiting -= size
      if (!wire.isCongested || wire.bulkWaiting > bulkBytes.low) return
      wire.isCongested = false
      this.input(peer, { type: 'drained', link })
      this.files?.drained(peer, link)
    })
  }

  /** @param suspect the connection, if the sender is an attacker: what the runtime refuses ends it */
  private arrive(peer: SimPeer, link: LinkId, bytes: Uint8Array, suspect: Conduit | undefined): void {
    const { code } = peer
    const read = code.decodeFrame(bytes)
    const frame =
      typeof read === 'string' || peer.engine === undefined ? read : code.completeFrame(peer.engine, read)
    const fault = typeof frame === 'string' ? frame : forgeryIn(frame)
    if (
      typeof frame !== 'string' &&
      frame.type === 'packet' &&
      frame.isShort === true &&
      fault !== undefined
    ) {
      // A name meant another feed here.
      this.input(peer, { type: 'received', link, frame: unclearFrame(frame) })
    } else if (typeof frame !== 'string' && fault === undefined) {
      peer.attacker?.hear(bytes)
      this.input(peer, { type: 'received', link, frame })
    } else if (suspect !== undefined) this.closeConduit(suspect, false)
    else this.problems.push(`an honest frame is ${fault}`)
  }

  /** Everybody who keeps to the protocol. */
  get honest(): SimPeer[] {
    return this.peers.filter((peer) => peer.attacker === undefined)
  }
}

function forgeryIn(frame: Frame): string | undefined {
  for (const claim of frameClaims(frame)) {
    const expected = fakeSignature(claim.signer, claim.message)
    if (expected.some((byte, i) => byte !== claim.signature[i])) return `a forged ${frame.type}`
  }
  return undefined
}

/** 21 November 2026, 12:00 UTC */
const epochMs = 1_795_262_400_000
/** Peers of another site that a helper names. */
const sampleMax = 8
/** Breadth first over the radio: how many hops each site is away. */
function hopsFrom(near: readonly (readonly number[])[], from: number): number[] {
  const hops = near.map(() => Number.POSITIVE_INFINITY)
  hops[from] = 0
  const queue = [from]
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (const next of near[at] ?? []) {
      if ((hops[next] ?? 0) < Number.POSITIVE_INFINITY) continue
      hops[next] = (hops[at] ?? 0) + 1
      queue.push(next)
    }
  }
  return hops
}

function sitePair(a: SimSite, b: SimSite): string {
  return a.index < b.index ? `${a.index}-${b.index}` : `${b.index}-${a.index}`
}

function pair(a: SimPeer, b: SimPeer): string {
  return a.index < b.index ? `${a.index}-${b.index}` : `${b.index}-${a.index}`
}
