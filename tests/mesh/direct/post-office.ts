/** Devices with engines of direct messages, real sealing, and a room between them that brings what they post in any order. */
import { makePrekey, drawChance, open, seal, type KeyPair } from '../../../src/adapters/sealing.ts'
import { handleDirect } from '../../../src/mesh/direct/direct-engine.ts'
import {
  createDirect,
  type DirectEffect,
  type DirectEngine,
  type DirectEvent,
  type DirectInput,
  type DirectNews,
  type Letter,
  type OwnPrekey,
  type StoredDirect,
} from '../../../src/mesh/direct/direct-state.ts'
import { keepLetters } from '../../../src/mesh/direct/keeping.ts'
import { bytesToHex, feedAuthor, feedIdFrom, type EventId, type PeerId } from '../../../src/mesh/ids.ts'
import { encodeBody, eventKinds } from '../../../src/mesh/timeline/body.ts'
import { decodeUtf8 } from '../../../src/mesh/bytes.ts'
import { keyOf } from '../make.ts'

/** Everything that was ever posted, by all: what a carrier holds. */
export class Office {
  readonly events: DirectEvent[] = []

  post(device: Device, body: { readonly type: 'prekey' | 'sealed'; readonly bytes: Uint8Array }): EventId {
    const id = this.events.length.toString(16).padStart(64, '0') as EventId
    const { kind, bytes } = encodeBody(body)
    const atMs = device.nowMs + device.clockMs
    this.events.push({ id, feed: device.feed, kind, body: bytes, atMs })
    return id
  }

  /** @returns bodies of all letters, as a thief of a carrier's disk has them */
  letters(): DirectEvent[] {
    return this.events.filter(({ kind }) => kind === eventKinds.sealed)
  }
}

/** Which steps are to fail. */
export type Faults = (effect: DirectEffect) => boolean

export class Device {
  readonly self: PeerId
  readonly news: DirectNews[] = []
  /** What the disk has. */
  letters = new Map<EventId, Letter>()
  looked = new Set<EventId>()
  secrets: (KeyPair & { readonly madeMs: number })[] = []
  prekeys: OwnPrekey[] = []
  /** Events that have come, and stay while it is the same life. */
  stood = new Set<EventId>()
  nowMs = 1_700_000_000_000
  /** When it wishes to be woken, ms. */
  dueMs = Number.POSITIVE_INFINITY
  /** How far this device's clock is off. */
  clockMs = 0
  faults: Faults = () => false
  engine: DirectEngine
  private life = 0
  private drawn = 0
  private readonly office: Office
  private readonly seed: number

  constructor(office: Office, seed: number) {
    this.office = office
    this.seed = seed
    this.self = keyOf(seed).peer
    this.engine = createDirect(this.self, this.stored())
  }

  get feed() {
    return feedIdFrom(this.self, new Uint8Array(16).fill(this.life + 1))
  }

  private stored(): StoredDirect {
    const letters = [...this.letters.values()]
    const own = letters.filter(({ author }) => author === this.self)
    return {
      prekeys: this.prekeys,
      unconfirmed: own.filter(({ state }) => state === 'written' || state === 'sealed'),
      received: letters.filter(({ state }) => state === 'received'),
      kept: letters.map(({ id }) => id),
    }
  }

  /** The page is opened again: what was not durable is gone. */
  restart(): void {
    this.engine = createDirect(this.self, this.stored())
    const came = [...this.stood]
    this.stood = new Set()
    this.hear(came)
    this.tell({ type: 'loaded' })
  }

  /** Everything on it is lost but its key. */
  wipe(): void {
    this.life += 1
    this.letters = new Map()
    this.looked = new Set()
    this.secrets = []
    this.prekeys = []
    this.stood = new Set()
    this.restart()
  }

  /** @returns everything that is on the disk: a backup */
  backup(): Pick<Device, 'letters' | 'looked' | 'secrets' | 'prekeys'> {
    const { letters, looked, secrets, prekeys } = this
    return {
      letters: new Map(letters),
      looked: new Set(looked),
      secrets: [...secrets],
      prekeys: [...prekeys],
    }
  }

  /** An old backup comes back. */
  restore(backup: ReturnType<Device['backup']>): void {
    Object.assign(this, backup)
    this.stood = new Set()
    this.restart()
  }

  /** Events come to this device, in this order. */
  hear(ids: Iterable<EventId>): void {
    for (const id of ids) {
      const event = this.office.events.find((one) => one.id === id)
      if (event === undefined || this.stood.has(id)) continue
      this.stood.add(id)
      this.tell({ type: 'stood', event, isSeen: this.looked.has(id) })
    }
  }

  hearAll(): void {
    this.hear(this.office.events.map(({ id }) => id))
  }

  write(to: Device, text: string): string {
    const token = `${this.seed}-${++this.drawn}`
    const chance = new Uint8Array(6)
    new DataView(chance.buffer).setUint32(0, this.life * 1_000_000 + this.drawn)
    const { kind, bytes: body } = encodeBody({ type: 'message', text })
    this.tell({ type: 'write', token, to: to.self, said: { type: 'said', kind, chance, body } })
    return token
  }

  /** @returns what was received of somebody, in the order of writing */
  textsOf(author: Device): string[] {
    return [...this.letters.values()]
      .filter((letter) => letter.author === author.self && letter.author !== this.self)
      .map(({ said }) => decodeUtf8(said.body))
  }

  states(): string[] {
    return [...this.letters.values()].filter(({ author }) => author === this.self).map(({ state }) => state)
  }

  sleep(ms: number): void {
    this.nowMs += ms
    this.tell({ type: this.engine.isLoaded ? 'tick' : 'loaded' })
  }

  tell(input: DirectInput): void {
    const inputs = [input]
    for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
      for (const effect of handleDirect(this.engine, next, this.nowMs)) {
        if ('token' in effect && this.faults(effect)) inputs.push({ type: 'failed', token: effect.token })
        else inputs.push(...this.run(effect))
      }
    }
  }

  private run(effect: DirectEffect): DirectInput[] {
    switch (effect.type) {
      case 'make-prekey': {
        const pair = makePrekey()
        this.secrets.push({ ...pair, madeMs: this.nowMs })
        const { generation } = effect
        this.prekeys.push({ publicKey: pair.publicKey, generation, madeMs: this.nowMs, isPublished: false })
        return [{ type: 'prekey-made', token: effect.token, publicKey: pair.publicKey }]
      }
      case 'destroy-prekeys':
        this.secrets = this.secrets.filter(({ madeMs }) => madeMs >= effect.madeBeforeMs)
        this.prekeys = this.prekeys.filter(({ madeMs }) => madeMs >= effect.madeBeforeMs)
        return []
      case 'published':
        this.prekeys = this.prekeys.map((one) =>
          bytesToHex(one.publicKey) === bytesToHex(effect.publicKey) ? { ...one, isPublished: true } : one,
        )
        return []
      case 'seal': {
        const body = seal(effect.letter, this.self, effect.recipients, drawChance())
        return [{ type: 'sealed', token: effect.token, body }]
      }
      case 'open': {
        const event = this.office.events.find(({ id }) => id === effect.event)
        if (event === undefined) return [{ type: 'opened', token: effect.token, letter: 'gone' }]
        const letter = open(event.body, feedAuthor(event.feed), this.self, [...this.secrets].reverse())
        return [{ type: 'opened', token: effect.token, letter }]
      }
      case 'post':
        return [{ type: 'posted', token: effect.token, event: this.office.post(this, effect.body) }]
      case 'keep':
        keepLetters(this.self, this.letters, effect)
        if (effect.looked !== undefined) this.looked.add(effect.looked)
        return [{ type: 'kept', token: effect.token }]
      case 'schedule':
        this.dueMs = this.nowMs + effect.delayMs
        return []
      case 'emit':
        this.news.push(effect.event)
        return []
    }
  }
}
