/** What it costs that only one person can read a message: bytes on the wire, and time to seal and to open. */
import { describe, it } from 'vitest'
import { drawChance, makePrekey, open, seal } from '../../src/adapters/sealing.ts'
import { Writer } from '../../src/mesh/bytes.ts'
import { encodeLetter } from '../../src/mesh/direct/letter.ts'
import { directRoom } from '../../src/mesh/direct/sealed-body.ts'
import { encodeRun, eventIdOf, type EventFields } from '../../src/mesh/event.ts'
import { openRoomId, type RoomId } from '../../src/mesh/ids.ts'
import { encodeBody, eventKinds } from '../../src/mesh/timeline/body.ts'
import { keyOf, runOf } from '../mesh/make.ts'
import { ms, percentile, printTable } from './table.ts'

const text = 'x'.repeat(58)
const count = 1_000
const [ana, bill] = [keyOf(1).peer, keyOf(2).peer]

/** @returns how long a run of one event is, bytes */
function runBytes(room: RoomId, kind: number, body: Uint8Array): number {
  const { events, ...run } = runOf({ count: 1 })
  const [event] = events
  if (event === undefined) throw new Error('no event')
  const fields: EventFields = { ...event, room, kind, body }
  const writer = new Writer()
  encodeRun(writer, { ...run, room, events: [{ ...event, ...fields, id: eventIdOf(fields) }] })
  return writer.finish().length
}

function sealed(letter: Uint8Array, keys: readonly Uint8Array[]): Uint8Array {
  const sealees = keys.map((publicKey) => ({ device: bill, publicKey }))
  const body = seal(letter, ana, sealees, drawChance())
  if (typeof body === 'string') throw new Error(body)
  return body
}

describe('privacy', () => {
  it('a direct message beside a public one, and sealing', () => {
    const { kind, bytes } = encodeBody({ type: 'message', text })
    const letter = encodeLetter(40, { type: 'said', kind, chance: new Uint8Array(6), body: bytes })
    const own = runBytes(openRoomId('general'), kind, bytes)
    const [phone, laptop] = [makePrekey(), makePrekey()]
    const one = runBytes(directRoom, eventKinds.sealed, sealed(letter, [phone.publicKey]))
    const two = runBytes(directRoom, eventKinds.sealed, sealed(letter, [phone.publicKey, laptop.publicKey]))
    const zeros = 256 - 1 - letter.length
    const sealMs: number[] = []
    const openMs: number[] = []
    const otherMs: number[] = []
    for (let i = 0; i < count; i++) {
      const atMs = performance.now()
      const body = sealed(letter, [phone.publicKey])
      const sealedMs = performance.now()
      open(body, ana, bill, [phone])
      const openedMs = performance.now()
      open(body, ana, bill, [laptop])
      sealMs.push(sealedMs - atMs)
      openMs.push(openedMs - sealedMs)
      otherMs.push(performance.now() - openedMs)
    }
    const row = (what: string, values: readonly number[], against: string) => ({
      what,
      value: `${ms(percentile(values, 0.5))}, longest ${ms(Math.max(...values))}`,
      against,
    })
    printTable(`a text of ${text.length} characters, one device each side`, [
      {
        what: 'direct message, over a public one, without zeros',
        value: `${one - zeros - own} B`,
        against: 'goal 140 B',
      },
      { what: 'with them', value: `${one - own} B`, against: 'goal 340 B' },
      { what: 'for each further device', value: `${two - one} B`, against: 'no goal' },
      row(`sealing, p50 of ${count}`, sealMs, 'goal: no task above 50 ms'),
      row('opening, with the newest prekey', openMs, 'no goal'),
      row('finding that it is for somebody else, for each prekey', otherMs, 'no goal'),
    ])
  })
})
