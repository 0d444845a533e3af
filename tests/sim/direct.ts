/**
 * Direct messages in a world that fails: every peer's engine of them, the disk under it, and sealing as it is meant to be:
 * only whom something is sealed to opens it. (The real one is tested against vectors; here it would take most of the time.)
 */
import type { PlacedEvent } from '../../src/mesh/clock.ts'
import { stampToMs } from '../../src/mesh/clock.ts'
import { handleDirect } from '../../src/mesh/direct/direct-engine.ts'
import {
  createDirect,
  type DirectEffect,
  type DirectEngine,
  type DirectInput,
  type Letter,
  type OwnPrekey,
} from '../../src/mesh/direct/direct-state.ts'
import { directLimits } from '../../src/mesh/direct/limits.ts'
import { keepLetters } from '../../src/mesh/direct/keeping.ts'
import { decodeSealed, directRoom, encodeSealed } from '../../src/mesh/direct/sealed-body.ts'
import type { MeshEvent } from '../../src/mesh/effects.ts'
import { bytesToHex, feedAuthor, type EventId, type PeerId } from '../../src/mesh/ids.ts'
import { decodeUtf8, encodeUtf8 } from '../../src/mesh/bytes.ts'
import { encodeBody } from '../../src/mesh/timeline/body.ts'
import type { SimPeer } from './peer.ts'
import { Prng } from './prng.ts'
import type { World } from './world.ts'

/** What one peer's disk has of direct messages. */
export class DirectDisk {
  readonly letters = new Map<EventId, Letter>()
  readonly looked = new Set<EventId>()
  readonly prekeys: OwnPrekey[] = []

  copy(): DirectDisk {
    const other = new DirectDisk()
    for (const [id, letter] of this.letters) other.letters.set(id, letter)
    for (const id of this.looked) other.looked.add(id)
    other.prekeys.push(...this.prekeys)
    return other
  }
}

interface Side {
  disk: DirectDisk
  engine: DirectEngine | undefined
  alarm: number
}

/** Something that a person wrote, and saw leave the composer. */
interface Written {
  readonly text: string
  readonly by: SimPeer
  readonly to: SimPeer
  readonly byKey: PeerId
  /** Whose disks they were then. */
  readonly byDisk: number
  readonly toDisk: number
  readonly toKey: PeerId
}

interface Sealing {
  readonly sender: PeerId
  readonly recipients: ReadonlySet<string>
  readonly devices: ReadonlySet<PeerId>
  readonly letter: Uint8Array
}

const postPrefix = 'direct '

export class SimDirect {
  readonly written: Written[] = []
  private readonly world: World
  private readonly random: Prng
  private readonly sides = new Map<SimPeer, Side>()
  /** By the ephemeral key of each, which is of chance. */
  private readonly sealings = new Map<string, Sealing>()
  readonly drafts = new Map<string, Omit<Written, 'byDisk'>>()

  constructor(world: World, seed: number) {
    this.world = world
    this.random = new Prng(seed ^ 0xd1ec7)
  }

  /** Draws who writes to whom. @param untilMs trouble ends then */
  plan(untilMs: number): void {
    const { random, world } = this
    for (let i = random.between(3, 25); i > 0; i--)
      world.schedule.after(random.between(1_000, untilMs), () => this.write(`letter ${i}`))
  }

  private write(text: string): void {
    const by = this.random.pick(this.world.peers.filter((peer) => !peer.box && peer.engine !== undefined))
    const to = this.random.pick(this.world.peers.filter((peer) => !peer.box && peer !== by))
    if (by === undefined || to === undefined || by.attacker !== undefined) return
    const token = `${by.index} ${text}`
    this.drafts.set(token, { text, by, to, byKey: by.self, toDisk: to.disk, toKey: to.self })
    const { kind, bytes: body } = encodeBody({ type: 'message', text })
    const said = { type: 'said', kind, chance: this.random.bytes(6), body } as const
    this.feed(by, { type: 'write', token, to: to.self, said })
  }

  diskOf(peer: SimPeer): DirectDisk {
    return this.side(peer).disk
  }

  setDisk(peer: SimPeer, disk: DirectDisk): void {
    this.side(peer).disk = disk
  }

  private side(peer: SimPeer): Side {
    const known = this.sides.get(peer)
    if (known !== undefined) return known
    const made = { disk: new DirectDisk(), engine: undefined, alarm: 0 }
    this.sides.set(peer, made)
    return made
  }

  /** The engine of the chat has begun, too. */
  start(peer: SimPeer): void {
    if (peer.box) return
    const side = this.side(peer)
    const letters = [...side.disk.letters.values()]
    side.engine = createDirect(peer.self, {
      prekeys: side.disk.prekeys,
      unconfirmed: letters.filter(({ author, state }) => author === peer.self && isOpen(state)),
      received: letters.filter(({ state }) => state === 'received'),
      kept: letters.map(({ id }) => id),
    })
    this.world.input(peer, { type: 'command', command: { type: 'join-direct' } })
    for (const event of peer.tables.inOrder(directRoom)) this.stood(peer, event)
    this.feed(peer, { type: 'loaded' })
  }

  crash(peer: SimPeer): void {
    this.side(peer).engine = undefined
  }

  private stood(peer: SimPeer, { id, feed, kind, body, hlc }: PlacedEvent): void {
    const event = { id, feed, kind, body, atMs: stampToMs(hlc) }
    this.feed(peer, { type: 'stood', event, isSeen: this.side(peer).disk.looked.has(id) })
  }

  /** What the engine of the chat tells. */
  hear(peer: SimPeer, event: MeshEvent): void {
    if (event.type === 'messages' && event.room === directRoom)
      for (const added of event.added) this.stood(peer, added)
    if (event.type === 'posted' && event.token.startsWith(postPrefix))
      this.feed(peer, { type: 'posted', token: tokenOf(event.token), event: event.id })
    if (event.type === 'post-failed' && event.token.startsWith(postPrefix))
      this.feed(peer, { type: 'failed', token: tokenOf(event.token) })
  }

  private feed(peer: SimPeer, input: DirectInput): void {
    const { engine } = this.side(peer)
    if (engine === undefined) return
    for (const effect of handleDirect(engine, input, this.world.clock(peer))) this.execute(peer, effect)
  }

  private execute(peer: SimPeer, effect: DirectEffect): void {
    const { world, random } = this
    const answer = (input: DirectInput) => world.later(peer, 1, () => this.feed(peer, input))
    const { disk } = this.side(peer)
    switch (effect.type) {
      case 'make-prekey': {
        const publicKey = random.bytes(32)
        const { token, generation } = effect
        const madeMs = world.clock(peer)
        disk.prekeys.push({ publicKey, generation, madeMs, isPublished: false })
        return answer({ type: 'prekey-made', token, publicKey })
      }
      case 'destroy-prekeys':
      case 'published': {
        const all = disk.prekeys.splice(0).map((one): OwnPrekey => {
          const isIt =
            effect.type === 'published' && bytesToHex(one.publicKey) === bytesToHex(effect.publicKey)
          return isIt ? { ...one, isPublished: true } : one
        })
        const left =
          effect.type === 'published' ? all : all.filter((one) => one.madeMs >= effect.madeBeforeMs)
        disk.prekeys.push(...left)
        return
      }
      case 'seal':
        return answer({ type: 'sealed', token: effect.token, body: this.seal(peer, effect) })
      case 'open':
        return answer({ type: 'opened', token: effect.token, letter: this.open(peer, effect) })
      case 'post':
        return world.say(peer, directRoom, `${postPrefix}${effect.token} ${peer.life}`, effect.body)
      case 'keep':
        return this.keep(peer, effect)
      case 'schedule': {
        const side = this.side(peer)
        const alarm = ++side.alarm
        return world.later(peer, effect.delayMs, () => {
          if (side.alarm === alarm) this.feed(peer, { type: 'tick' })
        })
      }
      case 'emit': {
        const draft = effect.event.type === 'written' ? this.drafts.get(effect.event.token) : undefined
        if (draft !== undefined) this.written.push({ ...draft, byDisk: peer.disk })
      }
    }
  }

  private seal(peer: SimPeer, effect: Extract<DirectEffect, { type: 'seal' }>): Uint8Array {
    const { random } = this
    const ephemeral = random.bytes(32)
    this.sealings.set(bytesToHex(ephemeral), {
      sender: peer.self,
      recipients: new Set(effect.recipients.map(({ publicKey }) => bytesToHex(publicKey))),
      devices: new Set(effect.recipients.map(({ device }) => device)),
      letter: effect.letter,
    })
    const recipients = effect.recipients.map(() => ({ hint: random.bytes(8), wrappedKey: random.bytes(48) }))
    const nonce = random.bytes(24)
    return encodeSealed({ ephemeral, recipients, nonce, ciphertext: random.bytes(256 + 16) })
  }

  private open(
    peer: SimPeer,
    { event, author }: Extract<DirectEffect, { type: 'open' }>,
  ): Extract<DirectInput, { type: 'opened' }>['letter'] {
    const found = peer.tables.byId.get(event)
    if (found === undefined) return 'gone'
    const { ephemeral } = decodeSealed(found.body)
    const sealing = this.sealings.get(bytesToHex(ephemeral))
    if (sealing === undefined || sealing.sender !== author || feedAuthor(found.feed) !== author)
      return 'damaged'
    const isMine = this.side(peer).disk.prekeys.some(({ publicKey }) =>
      sealing.recipients.has(bytesToHex(publicKey)),
    )
    return isMine && sealing.devices.has(peer.self) ? sealing.letter : 'other'
  }

  /** As the store of the world: in between it is on the disk, and its answer may come to nobody. */
  private keep(peer: SimPeer, { token, ...keeping }: Extract<DirectEffect, { type: 'keep' }>): void {
    const { world, random } = this
    const delayMs = random.between(1, Math.max(2, world.faults.diskMaxMs))
    if (random.chance(world.faults.diskFull))
      return world.later(peer, delayMs, () => this.feed(peer, { type: 'failed', token }))
    world.later(peer, Math.floor(delayMs / 2), () => {
      const { disk } = this.side(peer)
      keepLetters(peer.self, disk.letters, keeping)
      if (keeping.looked !== undefined) disk.looked.add(keeping.looked)
      world.later(peer, delayMs - Math.floor(delayMs / 2), () => this.feed(peer, { type: 'kept', token }))
    })
  }
}

function tokenOf(token: string): number {
  return Number(token.split(' ')[1])
}

function isOpen(state: Letter['state']): boolean {
  return state === 'written' || state === 'sealed'
}

/**
 * Q6 to Q8: what left a composer, and whose author's disk lives, is with its addressee, once, and its author knows. A1: nobody
 * has a letter under another name than its author's.
 */
export function checkDirect(world: World): string[] {
  const { direct } = world
  if (direct === undefined) return []
  const problems: string[] = []
  const drafts = [...direct.drafts.values()]
  for (const peer of world.honest) {
    for (const { author, to, said } of direct.diskOf(peer).letters.values()) {
      const text = decodeUtf8(said.body)
      const isWritten = drafts.some((one) => one.text === text && one.byKey === author && one.toKey === to)
      if (!isWritten || (author !== peer.self && to !== peer.self))
        problems.push(`A1: peer ${peer.index} has "${text}"`)
    }
  }
  if (world.peers.some(({ retention }) => retention !== undefined)) return problems
  for (const { text, by, to, byDisk, toDisk, toKey } of direct.written) {
    // Gone with its author's disk, or meant for a key that nobody has any more.
    if (by.disk !== byDisk || to.self !== toKey || to.attacker !== undefined) continue
    const mine = [...direct.diskOf(by).letters.values()].find(
      (one) => isText(one, text) && one.author === by.self,
    )
    // Q8: sealed so often already, for devices that were wiped again and again, that the next time is in an hour.
    if (mine?.state === 'sealed' && mine.sealings >= directLimits.sealingsAtOnce) continue
    if (mine === undefined) problems.push(`Q6: peer ${by.index} has lost "${text}"`)
    else if (isOpen(mine.state))
      problems.push(`Q7: "${text}" of peer ${by.index} to ${to.index} is ${mine.state}`)
    if (to.disk !== toDisk) continue
    const count = [...direct.diskOf(to).letters.values()].filter(
      (one) => isText(one, text) && one.author === by.self,
    ).length
    if (count !== 1) problems.push(`Q6: peer ${to.index} has "${text}" ${count} times`)
  }
  return problems
}

function isText({ said }: Letter, text: string): boolean {
  return bytesToHex(said.body) === bytesToHex(encodeUtf8(text))
}
