/** What every store of direct messages guarantees (ports.ts `DirectStore`). */
import type { Letter } from '../../src/mesh/direct/direct-state.ts'
import { confirmedName, letterIdOf, type Said } from '../../src/mesh/direct/letter.ts'
import { encodeBody } from '../../src/mesh/timeline/body.ts'
import type { DirectStore, KeptPrekey } from '../../src/runtime/ports.ts'
import { keyOf } from '../mesh/make.ts'
import { equal, type ContractCase } from './check.ts'

export const self = keyOf(1).peer
const other = keyOf(2).peer
const third = keyOf(3).peer

function letter(text: string, more: Partial<Letter> = {}): Letter {
  const { kind, bytes } = encodeBody({ type: 'message', text })
  const said: Said = { type: 'said', kind, chance: new Uint8Array(6), body: bytes }
  const { author = self, to = other } = more
  return {
    ...{ id: letterIdOf(author, to, said), author, to, said, atMs: 1_700_000_000_000, state: 'written' },
    ...{ sealedTo: undefined, sealedAs: undefined, sealings: 0, sealedMs: 0, event: undefined },
    ...more,
  }
}

function prekey(generation: number): KeptPrekey {
  const bytes = new Uint8Array(32).fill(generation)
  return { generation, madeMs: 1_000 * generation, isPublished: false, publicKey: bytes, secret: bytes }
}

const nothing = { letters: [], confirmed: undefined, looked: undefined } as const

export const directStoreContract: readonly ContractCase<DirectStore>[] = [
  {
    name: 'opens empty, and with what was kept: own open letters, unconfirmed ones of others, all ids, what was looked at',
    run: async (store) => {
      equal(
        await store.open(),
        { unconfirmed: [], received: [], kept: [], looked: [], prekeys: [] },
        'at first',
      )
      const own = letter('own')
      const theirs = letter('theirs', { author: other, to: self, state: 'received' })
      const told = letter('told', { author: other, to: self, state: 'confirmed' })
      await store.keep({ ...nothing, letters: [own] })
      await store.keep({ ...nothing, letters: [theirs, told], looked: own.id })
      await store.keep({ ...nothing, looked: theirs.id })
      const { unconfirmed, received, kept, looked } = await store.open()
      equal(
        unconfirmed.map(({ id }) => id),
        [own.id],
        'own',
      )
      equal(unconfirmed[0]?.said.body, own.said.body, 'what it says')
      equal(
        received.map(({ id }) => id),
        [theirs.id],
        'to be confirmed',
      )
      equal([...kept].sort(), [own.id, theirs.id, told.id].sort(), 'all')
      equal([...looked].sort(), [own.id, theirs.id].sort(), 'looked at')
    },
  },
  {
    name: 'no state of a letter goes back, and confirmations reach those that they name, of who confirms, only',
    run: async (store) => {
      await store.open()
      const [first, second] = [letter('first'), letter('second')]
      const elsewhere = letter('first', { to: third })
      await store.keep({ ...nothing, letters: [first, second, elsewhere] })
      const confirmed = {
        type: 'confirm',
        state: 'read',
        letters: [confirmedName(first.id)],
        by: other,
      } as const
      await store.keep({ ...nothing, confirmed })
      await store.keep({ ...nothing, letters: [{ ...first, state: 'sealed' }] })
      const forged = { ...confirmed, letters: [confirmedName(elsewhere.id)] }
      await store.keep({ ...nothing, confirmed: forged })
      const { unconfirmed } = await store.open()
      equal(unconfirmed.map(({ id }) => id).sort(), [second.id, elsewhere.id].sort(), 'still open')
      // What others have told is not told again.
      const theirs = letter('theirs', { author: other, to: self, state: 'confirmed' })
      await store.keep({ ...nothing, letters: [theirs] })
      await store.keep({ ...nothing, letters: [{ ...theirs, state: 'received' }] })
      equal((await store.open()).received, [], 'to be confirmed')
    },
  },
  {
    name: 'no prekey takes the place of another of its generation',
    run: async (store) => {
      await store.open()
      await store.addPrekey(prekey(1))
      const other = { ...prekey(1), publicKey: new Uint8Array(32).fill(9) }
      const answer = await store.addPrekey(other).then(
        () => 'taken',
        () => 'refused',
      )
      equal(answer, 'refused', 'the second')
      equal((await store.open()).prekeys, [prekey(1)], 'the first')
    },
  },
  {
    name: 'prekeys come back with their secrets, the newest last, know that they were published, and are destroyed by age',
    run: async (store) => {
      await store.open()
      for (const generation of [1, 2, 3]) await store.addPrekey(prekey(generation))
      await store.notePublished(prekey(2).publicKey)
      await store.destroyPrekeys(2_000)
      const { prekeys } = await store.open()
      equal(prekeys, [{ ...prekey(2), isPublished: true }, prekey(3)], 'prekeys')
    },
  },
]
