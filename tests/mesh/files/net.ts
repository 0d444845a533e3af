/** Peers that exchange files in virtual time: real engines, stores in memory, links with a rate and a delay. */
import type { LinkId } from '../../../src/mesh/effects.ts'
import { isLooseFrame } from '../../../src/mesh/files/file-codes.ts'
import { encodeFileFrame, decodeFileFrame, fileLaneOf } from '../../../src/mesh/files/file-frame.ts'
import { handleFiles, remember } from '../../../src/mesh/files/file-engine.ts'
import {
  createFileEngine,
  type FileCommand,
  type FileEffect,
  type FileEngine,
  type FileEvent,
  type FileInput,
} from '../../../src/mesh/files/file-state.ts'
import { chunkCount } from '../../../src/mesh/files/hash-tree.ts'
import { fileLimits } from '../../../src/mesh/files/limits.ts'
import { Disk } from './disk.ts'
import type { Made } from './make-file.ts'
import { mix32, peerIdFromBytes, type PeerId } from '../../../src/mesh/ids.ts'

interface Way {
  readonly link: LinkId
  readonly from: Node
  readonly to: Node
  readonly back: LinkId
  readonly bytesPerSecond: number
  readonly delayMs: number
  readonly control: Uint8Array[]
  readonly bulk: Uint8Array[]
  bulkBytes: number
  /** What is sent waits in a queue that nobody sees, as in a router; so much of what may be lost is lost. */
  readonly isDeep: boolean
  readonly loss: number
  /** The longest that its queue has been of late, bytes. */
  deepest: number
  isBusy: boolean
  isFull: boolean
  /** What went over it. */
  carried: number
  isUp: boolean
}

export interface Node {
  readonly name: string
  readonly peer: PeerId
  readonly site: string
  engine: FileEngine
  readonly store: Disk
  readonly events: FileEvent[]
  readonly ways: Map<LinkId, Way>
  /** What it does to content and hashes that it would send. */
  spoil?: (bytes: Uint8Array) => Uint8Array | undefined
  isStoreFull: boolean
  /** So often its store has not the hashes that it was given. */
  blocksToLose: number
  /** What all its links together send. */
  cardBytesPerSecond: number
  /** When what it is sending has left its card. */
  cardFreeAtMs: number
}

interface Due {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

/** design: what waits in the bulk lane of a slow link. */
const bulkBytesMax = 4_640
/** So much at one moment is an engine that runs in a circle: a timer that is due at once, for ever. */
const atOnceMax = 20_000
/** What browsers of ours let wait below (rtc-connection.ts). */
const deepBytesMax = 65_536

export class Net {
  nowMs = 0
  private readonly due: Due[] = []
  private order = 0
  private lastLink = 0
  private made = 0
  private pumped = 0
  readonly nodes = new Map<string, Node>()
  private readonly pairs: Way[] = []
  /** Of content that arrived, and of content that was new and right. */
  partBytes = 0
  storedBytes = 0

  node(name: string, site: string, keptBytesMax = 0): Node {
    this.made += 1
    const peer = peerIdFromBytes(Uint8Array.from({ length: 32 }, (_, i) => (this.made * 37 + i * 11) & 255))
    const node: Node = {
      name,
      peer,
      site,
      engine: createFileEngine(peer, keptBytesMax),
      store: new Disk(),
      events: [],
      ways: new Map(),
      isStoreFull: false,
      blocksToLose: 0,
      cardBytesPerSecond: Number.POSITIVE_INFINITY,
      cardFreeAtMs: 0,
    }
    this.nodes.set(name, node)
    return node
  }

  link(a: Node, b: Node, bytesPerSecond = 12_500_000, delayMs = 1, hidden?: { loss: number }): void {
    const [there, back] = [++this.lastLink, ++this.lastLink]
    const way = (from: Node, to: Node, link: LinkId, other: LinkId): Way => ({
      ...{ link, from, to, back: other, bytesPerSecond, delayMs },
      ...{ control: [], bulk: [], bulkBytes: 0, isBusy: false, isFull: false, carried: 0, isUp: true },
      ...{ isDeep: hidden !== undefined, loss: hidden?.loss ?? 0, deepest: 0 },
    })
    for (const one of [way(a, b, there, back), way(b, a, back, there)]) {
      one.from.ways.set(one.link, one)
      this.pairs.push(one)
      const isNear = a.site === b.site
      this.feed(one.from, { type: 'link-up', link: one.link, peer: one.to.peer, isNear })
    }
  }

  unlink(a: Node, b: Node): void {
    for (const way of this.pairs) {
      if (!way.isUp || !((way.from === a && way.to === b) || (way.from === b && way.to === a))) continue
      way.isUp = false
      way.from.ways.delete(way.link)
      this.feed(way.from, { type: 'link-down', link: way.link })
    }
  }

  /** It is gone, with its links. */
  kill(node: Node): void {
    for (const way of [...node.ways.values()]) this.unlink(node, way.to)
    this.nodes.delete(node.name)
  }

  /** The longest queue towards somebody since this was asked last, bytes of content and hashes. */
  deepest(from: Node, to: Node): number {
    const ways = this.pairs.filter((way) => way.from === from && way.to === to)
    const most = Math.max(...ways.map((way) => way.deepest))
    for (const way of ways) way.deepest = 0
    return most
  }

  /** All that went from one to the other, bytes of frames. */
  carried(from: Node, to: Node): number {
    return this.pairs.reduce((sum, way) => sum + (way.from === from && way.to === to ? way.carried : 0), 0)
  }

  put(node: Node, made: Made): void {
    node.store.put(made)
    this.command(node, { type: 'hold', content: made.content })
  }

  command(node: Node, command: FileCommand): void {
    this.feed(node, { type: 'command', command })
  }

  /** What the store of a node has of a file, whole. */
  bytesOf(node: Node, { id, content }: Made): Uint8Array {
    const bytes = new Uint8Array(content.size)
    for (const [chunk, part] of node.store.get(id)?.chunks ?? [])
      bytes.set(part, chunk * fileLimits.chunkBytes)
    return bytes
  }

  /** The store has checked each of them when it came. */
  has(node: Node, { id, content }: Made): boolean {
    return node.store.get(id)?.chunks.size === chunkCount(content.size)
  }

  /** Forgets what it was doing, keeps what it has stored; its links are gone. */
  restart(node: Node): void {
    for (const way of [...node.ways.values()]) this.unlink(node, way.to)
    node.engine = createFileEngine(node.peer, node.engine.keptBytesMax)
    remember(node.engine, node.store.records())
  }

  feed(node: Node, input: FileInput): void {
    for (const effect of handleFiles(node.engine, input, this.nowMs)) this.execute(node, effect)
  }

  private execute(node: Node, effect: FileEffect): void {
    switch (effect.type) {
      case 'send': {
        const way = node.ways.get(effect.link)
        if (way === undefined) return
        const lane = fileLaneOf(effect.frame)
        const encoded = encodeFileFrame(effect.frame)
        const bytes = lane === 'bulk' && node.spoil !== undefined ? node.spoil(encoded) : encoded
        if (bytes === undefined) return
        if (lane === 'bulk') {
          // A router knows nothing of lanes.
          ;(way.isDeep ? way.control : way.bulk).push(bytes)
          way.bulkBytes += bytes.length
          way.isFull ||= way.bulkBytes > (way.isDeep ? deepBytesMax : bulkBytesMax)
          if (effect.frame.type === 'part')
            this.later(0, () => this.feed(node, { type: 'sent', link: way.link, isFull: way.isFull }))
        } else way.control.push(bytes)
        return this.pump(way)
      }
      case 'read-chunk': {
        const bytes = node.store.get(effect.file)?.chunks.get(effect.chunk)
        return this.later(1, () => this.feed(node, { type: 'chunk-read', token: effect.token, bytes }))
      }
      case 'read-block': {
        const block = node.store.get(effect.file)?.blocks.get(effect.block)
        return this.later(1, () => this.feed(node, { type: 'block-read', token: effect.token, block }))
      }
      case 'write-chunk':
        return this.later(1, () => this.feed(node, this.write(node, effect)))
      case 'keep-block':
        node.store.get(effect.file)?.blocks.set(effect.block, effect.proof)
        return
      case 'keep-file':
        node.store.keep(effect.content, effect.wish)
        return
      case 'forget-file':
        node.store.delete(effect.file)
        return
      case 'hang-up': {
        const way = node.ways.get(effect.link)
        if (way !== undefined) this.later(0, () => this.unlink(node, way.to))
        return
      }
      case 'schedule':
        return this.later(effect.delayMs, () => this.feed(node, { type: 'tick' }))
      case 'emit':
        node.events.push(effect.event)
    }
  }

  private write(node: Node, effect: Extract<FileEffect, { type: 'write-chunk' }>): FileInput {
    const { token, file, chunk, bytes } = effect
    if (node.blocksToLose > 0) {
      node.blocksToLose -= 1
      return { type: 'chunk-written', token, result: 'unknown' }
    }
    if (node.isStoreFull) return { type: 'chunk-written', token, result: 'full' }
    const result = node.store.write(file, chunk, bytes)
    if (result === 'stored') this.storedBytes += bytes.length
    return { type: 'chunk-written', token, result }
  }

  /** One frame at a time; control goes first. */
  private pump(way: Way): void {
    const bytes = way.isBusy ? undefined : (way.control.shift() ?? way.bulk.shift())
    if (bytes === undefined || !way.isUp) return
    way.deepest = Math.max(way.deepest, way.bulkBytes)
    way.isBusy = true
    this.later(this.leavingMs(way, bytes.length), () => {
      way.isBusy = false
      way.carried += bytes.length
      const frame = decodeFileFrame(bytes)
      if (typeof frame === 'string') throw new Error(`a peer of ours sent a ${frame} frame`)
      this.pumped += 1
      const isLost = isLooseFrame(bytes) && mix32(this.pumped) / 2 ** 32 < way.loss
      if (fileLaneOf(frame) === 'bulk') {
        way.bulkBytes -= bytes.length
        if (way.isFull && way.bulkBytes <= bulkBytesMax / 2) {
          way.isFull = false
          this.feed(way.from, { type: 'drained', link: way.link })
        }
      }
      this.later(way.delayMs, () => {
        if (!way.isUp || isLost) return
        if (frame.type === 'part') this.partBytes += frame.bytes.length
        this.feed(way.to, { type: 'received', link: way.back, frame })
      })
      this.pump(way)
    })
  }

  /** How long it is until so much has gone over a way: its own pace, and its turn at the card. */
  private leavingMs({ from, bytesPerSecond }: Way, bytes: number): number {
    from.cardFreeAtMs = Math.max(from.cardFreeAtMs, this.nowMs) + (bytes / from.cardBytesPerSecond) * 1_000
    return Math.max((bytes / bytesPerSecond) * 1_000, from.cardFreeAtMs - this.nowMs)
  }

  later(delayMs: number, run: () => void): void {
    this.order += 1
    const due = { atMs: this.nowMs + delayMs, order: this.order, run }
    let at = this.due.length
    while (at > 0 && this.isAfter(this.due[at - 1], due)) at -= 1
    this.due.splice(at, 0, due)
  }

  private isAfter(a: Due | undefined, b: Due): boolean {
    return a !== undefined && (a.atMs > b.atMs || (a.atMs === b.atMs && a.order > b.order))
  }

  /** @returns whether it came true. @param done asked after each thing that happens */
  run(forMs: number, done: () => boolean = () => false): boolean {
    const endMs = this.nowMs + forMs
    let atOnce = 0
    for (let next = this.due[0]; next !== undefined && next.atMs <= endMs; next = this.due[0]) {
      this.due.shift()
      atOnce = next.atMs === this.nowMs ? atOnce + 1 : 0
      if (atOnce > atOnceMax) throw new Error(`nothing comes to rest at ${this.nowMs} ms`)
      this.nowMs = next.atMs
      next.run()
      if (done()) return true
    }
    this.nowMs = endMs
    return done()
  }
}
