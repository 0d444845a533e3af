/** Files in a world that fails: every peer's engine of files, the disk under it, and what somebody who lies does to them. */
import { bytesEqual } from '../../src/mesh/bytes.ts'
import type { LinkFact, LinkId } from '../../src/mesh/effects.ts'
import { isLooseFrame } from '../../src/mesh/files/file-codes.ts'
import { handleFiles, remember } from '../../src/mesh/files/file-engine.ts'
import {
  decodeFileFrame,
  encodeFileFrame,
  fileLaneOf,
  type FileFrame,
} from '../../src/mesh/files/file-frame.ts'
import {
  createFileEngine,
  type FileCommand,
  type FileEffect,
  type FileEngine,
  type FileInput,
} from '../../src/mesh/files/file-state.ts'
import { chunkCount, type FileId } from '../../src/mesh/files/hash-tree.ts'
import { fileLimits } from '../../src/mesh/files/limits.ts'
import { Disk } from '../mesh/files/disk.ts'
import { fileOf, type Made } from '../mesh/files/make-file.ts'
import type { Attack } from './attackers.ts'
import type { SimPeer } from './peer.ts'
import { Prng } from './prng.ts'
import type { World } from './world.ts'

/** What one peer has of files. */
interface Side {
  disk: Disk
  engine: FileEngine | undefined
  readonly facts: Map<LinkId, LinkFact>
  /** Came before the link was known to both. */
  readonly early: Map<LinkId, FileFrame[]>
  readonly queue: FileInput[]
  isHandling: boolean
  alarm: number
}

const earlyMax = 16
/** A slow radio shall have time for all of it: what it carries in so long, at most. */
const shareMs = 15_000
const bytesMax = 400_000

export class SimFiles {
  readonly made: Made[] = []
  /** Chunks that were written anywhere. */
  written = 0
  private readonly world: World
  private readonly random: Prng
  private readonly sides = new Map<SimPeer, Side>()

  constructor(world: World, seed: number) {
    this.world = world
    this.random = new Prng(seed ^ 0xf11e5)
  }

  /** Draws who shares what, who asks for it, and what becomes of that. @param untilMs trouble ends then */
  plan(untilMs: number): void {
    const { random, world } = this
    const radioBytes = ((world.faults.radioKbps ?? Number.POSITIVE_INFINITY) * shareMs) / 8
    const most = Math.min(bytesMax, radioBytes)
    for (let i = random.between(1, 3); i > 0; i--) {
      const made = fileOf(random.uint32(), random.between(1, random.chance(0.3) ? 20_000 : most))
      this.made.push(made)
      world.schedule.after(random.between(1_000, untilMs / 2), () => this.share(made))
      for (let wishes = random.between(1, 8); wishes > 0; wishes--)
        world.schedule.after(random.between(2_000, untilMs), () => this.wish(made))
    }
  }

  private share(made: Made): void {
    const peer = this.random.pick(this.people())
    if (peer === undefined) return
    this.side(peer).disk.put(made)
    this.command(peer, { type: 'hold', content: made.content })
  }

  /** Somebody asks for it, or lets it rest. */
  private wish({ id, content }: Made): void {
    const peer = this.random.pick(this.people())
    if (peer === undefined) return
    const isPause = this.random.chance(0.2)
    this.command(peer, isPause ? { type: 'pause', file: id } : { type: 'get', content })
  }

  private people(): SimPeer[] {
    return this.world.peers.filter((peer) => !peer.box && peer.engine !== undefined)
  }

  /** The disk has room again, and everybody goes on with what they wanted. */
  settle(): void {
    for (const [peer, { disk }] of this.sides)
      for (const { content, wish } of disk.values())
        if (wish !== 'carried') this.command(peer, { type: 'get', content })
  }

  start(peer: SimPeer): void {
    const side = this.side(peer)
    Object.assign(side, { engine: createFileEngine(peer.self), queue: [], isHandling: false })
    side.facts.clear()
    side.early.clear()
    if (side.engine !== undefined) remember(side.engine, side.disk.records())
    this.feed(peer, { type: 'tick' })
  }

  crash(peer: SimPeer): void {
    this.side(peer).engine = undefined
  }

  diskOf(peer: SimPeer): Disk {
    return this.side(peer).disk
  }

  setDisk(peer: SimPeer, disk: Disk): void {
    this.side(peer).disk = disk
  }

  /** C6: a link that has moved to another site is another one. */
  links(peer: SimPeer, facts: readonly LinkFact[]): void {
    const side = this.side(peer)
    const now = new Map(facts.map((fact) => [fact.link, fact]))
    for (const [link, { isNear }] of [...side.facts])
      if (now.get(link)?.isNear !== isNear) this.down(peer, link)
    for (const fact of facts) {
      if (side.facts.has(fact.link)) continue
      side.facts.set(fact.link, fact)
      this.feed(peer, { type: 'link-up', ...fact })
      const waiting = side.early.get(fact.link) ?? []
      side.early.delete(fact.link)
      for (const frame of waiting) this.feed(peer, { type: 'received', link: fact.link, frame })
    }
  }

  down(peer: SimPeer, link: LinkId): void {
    const side = this.side(peer)
    side.early.delete(link)
    if (side.facts.delete(link)) this.feed(peer, { type: 'link-down', link })
  }

  drained(peer: SimPeer, link: LinkId): void {
    this.feed(peer, { type: 'drained', link })
  }

  /** @returns whether an honest peer could have sent it */
  arrive(peer: SimPeer, link: LinkId, bytes: Uint8Array): boolean {
    const frame = decodeFileFrame(bytes)
    if (typeof frame === 'string') return false
    const side = this.side(peer)
    if (side.facts.has(link)) this.feed(peer, { type: 'received', link, frame })
    else {
      const waiting = side.early.get(link) ?? []
      if (waiting.length < earlyMax) side.early.set(link, [...waiting, frame])
    }
    return true
  }

  private command(peer: SimPeer, command: FileCommand): void {
    this.feed(peer, { type: 'command', command })
  }

  private side(peer: SimPeer): Side {
    const side = this.sides.get(peer) ?? {
      ...{ disk: new Disk(), engine: undefined, facts: new Map(), early: new Map() },
      ...{ queue: [], isHandling: false, alarm: 0 },
    }
    this.sides.set(peer, side)
    return side
  }

  private feed(peer: SimPeer, input: FileInput): void {
    const side = this.side(peer)
    side.queue.push(input)
    if (side.isHandling) return
    side.isHandling = true
    for (let next = side.queue.shift(); next !== undefined; next = side.queue.shift()) {
      if (side.engine === undefined) continue
      for (const effect of handleFiles(side.engine, next, this.world.clock(peer)))
        this.execute(peer, side, effect)
    }
    side.isHandling = false
  }

  private execute(peer: SimPeer, side: Side, effect: FileEffect): void {
    const { disk } = side
    const soon = (run: () => FileInput) => this.world.later(peer, 1, () => this.feed(peer, run()))
    switch (effect.type) {
      case 'send':
        return this.send(peer, effect.link, effect.frame)
      case 'read-chunk': {
        const bytes = disk.get(effect.file)?.chunks.get(effect.chunk)
        return soon(() => ({ type: 'chunk-read', token: effect.token, bytes }))
      }
      case 'read-block': {
        const block = disk.get(effect.file)?.blocks.get(effect.block)
        return soon(() => ({ type: 'block-read', token: effect.token, block }))
      }
      case 'write-chunk':
        return this.write(peer, disk, effect)
      case 'keep-block':
        disk.get(effect.file)?.blocks.set(effect.block, effect.proof)
        return
      case 'keep-file':
        return disk.keep(effect.content, effect.wish)
      case 'forget-file':
        disk.delete(effect.file)
        return
      case 'hang-up':
        this.noteHangUp(peer, effect.link)
        return this.world.hangUp(peer, effect.link)
      case 'schedule': {
        const alarm = ++side.alarm
        return this.world.later(peer, effect.delayMs, () => {
          if (side.alarm === alarm) this.feed(peer, { type: 'tick' })
        })
      }
      case 'emit':
    }
  }

  /** Only who lies is hung up on. */
  private noteHangUp(peer: SimPeer, link: LinkId): void {
    const other = this.world.peerAt(peer, link)
    if (other !== undefined && other.attacker === undefined)
      this.world.problems.push(`C2: peer ${peer.index} takes peer ${other.index} for a liar`)
  }

  /** A crash before it is on the disk loses it. */
  private write(peer: SimPeer, disk: Disk, effect: Extract<FileEffect, { type: 'write-chunk' }>): void {
    const { token, file, chunk, bytes } = effect
    const { faults } = this.world
    const isFull = this.random.chance(faults.diskFull / 10)
    this.world.later(peer, this.random.between(1, faults.diskMaxMs), () => {
      const result = isFull ? 'full' : disk.write(file, chunk, bytes)
      if (result === 'stored') this.written += 1
      this.feed(peer, { type: 'chunk-written', token, result })
    })
  }

  private send(peer: SimPeer, link: LinkId, frame: FileFrame): void {
    const { attacker } = peer
    const frames = attacker === undefined ? [encodeFileFrame(frame)] : this.bent(attacker.attack, frame)
    let isFree = true
    for (const bytes of frames)
      isFree = this.world.putFile(peer, link, fileLaneOf(frame), bytes, isLooseFrame(bytes))
    if (frame.type === 'part') this.feed(peer, { type: 'sent', link, isFull: !isFree })
  }

  /** What somebody who does not keep to the protocol sends in place of a frame about files. */
  private bent(attack: Attack, frame: FileFrame): Uint8Array[] {
    const { random } = this
    const bytes = encodeFileFrame(frame)
    switch (attack) {
      case 'withhold':
        return frame.type === 'part' || frame.type === 'hashes' ? [] : [bytes]
      case 'lie':
      case 'inflate': {
        if (frame.type !== 'offer') return [bytes]
        // Says that it has all of everything.
        const whole = this.made.find(({ id }) => id.startsWith(frame.file))
        const held = whole === undefined ? frame.held : [0, chunkCount(whole.content.size)]
        return [encodeFileFrame({ ...frame, held })]
      }
      case 'flood':
      case 'replay':
        return [bytes, bytes, bytes]
      case 'garbage':
        return random.chance(0.02)
          ? [bytes, Uint8Array.from([32 + random.between(0, 8), ...random.bytes(random.between(0, 200))])]
          : [bytes]
      case 'forge':
      case 'equivocate': {
        if (!random.chance(0.05)) return [bytes]
        const wrong = bytes.slice()
        wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ random.between(1, 255)
        return [wrong]
      }
    }
  }
}

/** C11: whoever wants a file has all of it in the end, where those whom it is linked to, and so on, have all of it together. */
export function checkFiles(world: World): string[] {
  const { files } = world
  if (files === undefined) return []
  const problems: string[] = []
  for (const made of files.made) {
    const chunks = chunkCount(made.content.size)
    for (const peer of world.honest) {
      const held = files.diskOf(peer).get(made.id)
      for (const [chunk, bytes] of held?.chunks ?? []) {
        const at = chunk * fileLimits.chunkBytes
        if (!bytesEqual(bytes, made.bytes.subarray(at, at + bytes.length)))
          problems.push(`C2: peer ${peer.index} keeps a wrong chunk`)
      }
      if (held?.wish !== 'wanted' || held.chunks.size === chunks) continue
      const there = chunksAround(world, peer, made.id)
      if (there === chunks)
        problems.push(`C11: peer ${peer.index} has ${held.chunks.size} of ${chunks} chunks of what it wants`)
    }
  }
  return problems
}

/** How many chunks the honest have together who are linked to somebody, through honest ones. */
function chunksAround(world: World, from: SimPeer, file: FileId): number {
  const found = new Set([from])
  const chunks = new Set<number>()
  for (const peer of found) {
    for (const chunk of world.files?.diskOf(peer).get(file)?.chunks.keys() ?? []) chunks.add(chunk)
    for (const { peer: other } of world.neighborsOf(peer)) if (other.attacker === undefined) found.add(other)
  }
  return chunks.size
}
