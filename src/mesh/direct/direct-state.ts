/** What an engine of direct messages knows, what can happen to it and what it decides. Rules Q1–Q8 in PROTOCOL.md. */
import type { EventId, FeedId, PeerId } from '../ids.ts'
import type { PrekeyBody } from './sealed-body.ts'
import { directLimits } from './limits.ts'
import type { Confirm, Said } from './letter.ts'

/** A prekey of this device; its secret part stays where keys are kept. */
export interface OwnPrekey {
  /** 32 bytes */
  readonly publicKey: Uint8Array
  readonly generation: number
  readonly madeMs: number
  /** Its event is durable here, and goes around. */
  readonly isPublished: boolean
}

/** Q2: of a device's prekeys the one with the largest generation; of two of one generation the one whose event has the larger id. */
export interface KnownPrekey extends PrekeyBody {
  readonly device: PeerId
  readonly id: EventId
}

/**
 * Own ones: `written`: durable here. `sealed`: handed to the mesh. `delivered`, `read`: its addressee says so.
 * Those of others: `received`: durable here. `confirmed`: its author has been told.
 */
export type LetterState = 'written' | 'sealed' | 'delivered' | 'read' | 'received' | 'confirmed'

/** A letter in the clear, as it is kept on the devices of both people. */
export interface Letter {
  readonly id: EventId
  readonly author: PeerId
  readonly to: PeerId
  readonly said: Said
  /** When it was written; of others' letters what their event's stamp says, ms. */
  readonly atMs: number
  readonly state: LetterState
  /** Q8: own ones: the generation of the addressee's prekey that it was sealed to last. */
  readonly sealedTo: number | undefined
  /** Q8: and the newest generation of its author then, which it is confirmed to. */
  readonly sealedAs: number | undefined
  /** Q8: own ones: how often it was sealed, and when last, ms. */
  readonly sealings: number
  readonly sealedMs: number
  /** The event that carried it last. */
  readonly event: EventId | undefined
}

/** An event of the direct room that may be a letter for this device. */
export interface Unopened {
  readonly event: EventId
  readonly author: PeerId
  readonly atMs: number
}

/** One durable transaction. */
export interface Keeping {
  /** As they are now; the state of one that is kept goes forward only, from `written` over `sealed` and `delivered` to `read`. */
  readonly letters: readonly Letter[]
  /** Q7: states of own letters to this person, named as confirmations name them. */
  readonly confirmed: (Confirm & { readonly by: PeerId }) | undefined
  /** An event that need not be looked at again. */
  readonly looked: EventId | undefined
}

/** What is being done; each step waits for the one before. */
export type Step =
  | ({ readonly type: 'keep'; readonly source: Unopened | undefined } & Keeping)
  | { readonly type: 'open'; readonly of: Unopened }
  /** `as`: the own generation that it says. */
  | { readonly type: 'seal' | 'post'; readonly of: Outgoing; readonly to: KnownPrekey; readonly as: number }
  | { readonly type: 'make-prekey'; readonly generation: number }
  | { readonly type: 'post-prekey'; readonly publicKey: Uint8Array }

/** What is sealed: what a person wrote, or what confirms letters of somebody. */
export type Outgoing =
  | { readonly type: 'letter'; readonly letter: Letter }
  | {
      readonly type: 'confirm'
      readonly to: PeerId
      readonly confirm: Confirm
      readonly of: ReadonlyMap<EventId, Confirmable>
    }

/** Q7: what is said of a letter, sealed to this generation of its author or a later one: earlier ones may be lost. */
export interface Confirmable {
  readonly state: Confirm['state']
  readonly generation: number
}

/** Letters that are to be confirmed to their author. */
export interface Confirming {
  readonly letters: Map<EventId, Confirmable>
  /** They wait for company until then, ms. */
  readonly dueMs: number
}

export interface DirectEngine {
  readonly self: PeerId
  /** The newest last. */
  prekeys: OwnPrekey[]
  /** Q2: the largest generation of this device that was met in the room and is not here: of a life that it forgot, or destroyed. */
  metGeneration: number
  /** The largest one that was made here, also when its secret is destroyed. */
  madeGeneration: number
  /** How often a later prekey was made in this life since one was met that is not here. */
  outdone: number
  /** Everything that stood in the direct room at the start has been told: before that, older prekeys look like the newest. */
  isLoaded: boolean
  /** Letters that came again, and to which generation they were confirmed again. */
  readonly answered: Map<EventId, number>
  readonly known: Map<PeerId, KnownPrekey>
  /** Letters of this device that nobody has confirmed. */
  readonly unconfirmed: Map<EventId, Letter>
  /** Letters that are kept here: the same one may come again, sealed anew. */
  readonly kept: Set<EventId>
  /** Being written, and not durable yet, with what the composer knows them by. */
  readonly writing: Map<EventId, string>
  readonly unopened: Map<EventId, Unopened>
  /** By whose letters they are. */
  readonly confirms: Map<PeerId, Confirming>
  /** Q7: letters of others that are kept and not confirmed. */
  readonly received: Map<EventId, Letter>
  readonly steps: Map<number, Step>
  lastToken: number
  /** After a failure nothing new is begun before this, ms. */
  retryAtMs: number
}

export interface StoredDirect {
  readonly prekeys: readonly OwnPrekey[]
  /** All own letters that are not confirmed, and the ids of all others that are kept. */
  readonly unconfirmed: readonly Letter[]
  /** Letters of others that are not confirmed. */
  readonly received: readonly Letter[]
  readonly kept: readonly EventId[]
}

/** Something that stands in the direct room. */
export interface DirectEvent {
  readonly id: EventId
  readonly feed: FeedId
  readonly kind: number
  readonly body: Uint8Array
  readonly atMs: number
}

export type DirectInput =
  /** @param isSeen it was looked at in an earlier life: only prekeys in it count */
  | { readonly type: 'stood'; readonly event: DirectEvent; readonly isSeen: boolean }
  | {
      readonly type: 'write'
      readonly token: string
      readonly to: PeerId
      readonly said: Said
    }
  /** A person has read these letters of another one, and lets it be known. */
  | { readonly type: 'read'; readonly letters: readonly Pick<Letter, 'id' | 'author' | 'sealedAs'>[] }
  | { readonly type: 'prekey-made'; readonly token: number; readonly publicKey: Uint8Array }
  | { readonly type: 'sealed'; readonly token: number; readonly body: Uint8Array | 'too-long' | 'bad-key' }
  | {
      readonly type: 'opened'
      readonly token: number
      /** What it says; or it is for others, or damaged; `gone`: the store has let go of it. */
      readonly letter: Uint8Array | 'other' | 'damaged' | 'gone'
    }
  /** The event is durable, and goes around. */
  | { readonly type: 'posted'; readonly token: number; readonly event: EventId }
  | { readonly type: 'kept'; readonly token: number }
  | { readonly type: 'failed'; readonly token: number }
  /** Everything that is stored of the direct room has stood. */
  | { readonly type: 'loaded' }
  | { readonly type: 'tick' }

export type DirectEffect =
  /** Make a prekey; its secret is durable before it is answered. */
  | { readonly type: 'make-prekey'; readonly token: number; readonly generation: number }
  /** P2: secrets of prekeys that are as old are destroyed. */
  | { readonly type: 'destroy-prekeys'; readonly madeBeforeMs: number }
  | {
      readonly type: 'seal'
      readonly token: number
      readonly letter: Uint8Array
      readonly recipients: readonly Pick<KnownPrekey, 'device' | 'publicKey'>[]
    }
  | { readonly type: 'open'; readonly token: number; readonly event: EventId; readonly author: PeerId }
  | {
      readonly type: 'post'
      readonly token: number
      /** In the direct room. */
      readonly body: { readonly type: 'prekey' | 'sealed'; readonly bytes: Uint8Array }
    }
  | ({ readonly type: 'keep'; readonly token: number } & Keeping)
  /** This prekey of one's own goes around: to be kept. */
  | { readonly type: 'published'; readonly publicKey: Uint8Array }
  | { readonly type: 'schedule'; readonly delayMs: number }
  | { readonly type: 'emit'; readonly event: DirectNews }

export type DirectNews =
  /** The composer clears. */
  | { readonly type: 'written'; readonly token: string; readonly id: EventId }
  | {
      readonly type: 'write-failed'
      readonly token: string
      readonly cause: 'too-long' | 'busy' | 'not-stored' | 'self'
    }
  /** New letters, or letters whose state has changed; all of them are kept. */
  | { readonly type: 'letters'; readonly letters: readonly Letter[] }
  /** Q7 */
  | ({ readonly type: 'confirmed'; readonly by: PeerId } & Pick<Confirm, 'state' | 'letters'>)

export function createDirect(self: PeerId, stored: StoredDirect): DirectEngine {
  return {
    self,
    prekeys: [...stored.prekeys],
    metGeneration: 0,
    madeGeneration: stored.prekeys.at(-1)?.generation ?? 0,
    outdone: 0,
    isLoaded: false,
    answered: new Map(),
    known: new Map(),
    // Those that wait are sealed in the order in which they were written.
    unconfirmed: new Map(
      [...stored.unconfirmed].sort((a, b) => a.atMs - b.atMs).map((letter) => [letter.id, letter]),
    ),
    kept: new Set([...stored.kept, ...stored.unconfirmed, ...stored.received].map(idOf)),
    received: new Map(stored.received.map((letter) => [letter.id, letter])),
    writing: new Map(),
    unopened: new Map(),
    confirms: confirmsOf(stored.received),
    steps: new Map(),
    lastToken: 0,
    retryAtMs: Number.NEGATIVE_INFINITY,
  }
}

/** Q7: what was not confirmed in the life before is confirmed in this one. */
function confirmsOf(received: readonly Letter[]): Map<PeerId, Confirming> {
  const confirms = new Map<PeerId, Confirming>()
  for (const { author, id, sealedAs = 0 } of received) {
    const entry = confirms.get(author) ?? { letters: new Map(), dueMs: 0 }
    if (entry.letters.size < directLimits.confirmsMax)
      entry.letters.set(id, { state: 'delivered', generation: sealedAs })
    confirms.set(author, entry)
  }
  return confirms
}

function idOf(letter: EventId | Letter): EventId {
  return typeof letter === 'string' ? letter : letter.id
}

/** Q2: @returns from which generation on this device has the secret of each, without a hole */
export function firstGeneration({ prekeys, metGeneration }: DirectEngine): number {
  let first = prekeys.at(-1)?.generation ?? 0
  for (const { generation } of [...prekeys].reverse())
    if (generation === first - 1 && generation > metGeneration) first = generation
  return first
}

/** Q2: @returns when the next one is due, ms */
export function nextPrekeyMs({ prekeys, metGeneration, outdone }: DirectEngine): number {
  const { prekeyValidMs, prekeyEarlyMs, outdoneMs } = directLimits
  const current = prekeys.at(-1)
  if (current === undefined) return Number.NEGATIVE_INFINITY
  const nextMs = current.madeMs + prekeyValidMs - prekeyEarlyMs
  // A later one of this device is out of which it has nothing: it was wiped, or restored, or there are two of it.
  if (current.generation > metGeneration) return nextMs
  return outdone === 0
    ? Number.NEGATIVE_INFINITY
    : Math.min(nextMs, current.madeMs + outdoneMs * 2 ** (outdone - 1))
}
