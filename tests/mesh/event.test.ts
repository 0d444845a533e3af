import { describe, expect, it } from 'vitest'
import { verifyPlainly } from '../../src/adapters/signature.ts'
import { Reader, Writer } from '../../src/mesh/bytes.ts'
import { cutRuns, decodeRun, encodeRun, eventIdOf, runClaim } from '../../src/mesh/event.ts'
import { checkText, messageText } from '../../src/mesh/timeline/body.ts'
import {
  canonicalRoomName,
  cleanName,
  openRoomId,
  parsePeerId,
  peerIdFromBytes,
  peerIdToBytes,
} from '../../src/mesh/ids.ts'
import { limits } from '../../src/mesh/limits.ts'
import { keyOf, runOf } from './make.ts'

describe('event', () => {
  it('[E1] a run counts from its first sequence number and chains each event to the one before', () => {
    const { events } = runOf({ count: 3 })
    expect(events.map((event) => event.seq)).toEqual([0, 1, 2])
    expect(events.map((event) => event.prev)).toEqual([undefined, events[0]?.id, events[1]?.id])
  })

  it('[E2] every field changes the id', () => {
    const [event] = runOf({ count: 1 }).events
    if (event === undefined) throw new Error('no event')
    const changes = [
      { seq: 1 },
      { hlc: event.hlc + 1 },
      { kind: 2 },
      { flags: 1 },
      { epoch: 1 },
      { body: new Uint8Array([1]) },
      { deps: [event.id] },
      { prev: event.id },
      { room: openRoomId('other') },
    ]
    const ids = changes.map((change) => eventIdOf({ ...event, ...change }))
    expect(new Set([event.id, ...ids]).size).toBe(changes.length + 1)
  })

  it('[E3] [E5] one signature covers the run: a changed event in it breaks the proof', () => {
    const run = runOf({ count: 3 })
    expect(verifyPlainly(runClaim(run))).toBe(true)
    const writer = new Writer()
    encodeRun(writer, run)
    const bytes = writer.finish()
    const at = bytes.length - 64 - 3
    bytes[at] = (bytes[at] ?? 0) ^ 1
    expect(verifyPlainly(runClaim(decodeRun(new Reader(bytes))))).toBe(false)
  })

  it('[E4] a text has 1 to 4,000 characters as people count them', () => {
    expect(checkText('  \n ')).toBe('empty')
    expect(checkText('😀'.repeat(limits.messageCharactersMax))).toBeUndefined()
    expect(checkText('x'.repeat(limits.messageCharactersMax + 1))).toBe('too-long')
  })

  it('[E6] stored events are cut at signatures, at 64 events, and at holes', () => {
    const long = runOf({ count: 130 }).events.map((event) => ({ ...event, signature: new Uint8Array(64) }))
    expect(cutRuns(long).map((run) => run.events.length)).toEqual([64, 64, 2])
    const holed = [...long.slice(0, 3), ...long.slice(5, 7)]
    expect(cutRuns(holed).map((run) => run.events.map((event) => event.seq))).toEqual([
      [0, 1, 2],
      [5, 6],
    ])
    expect(cutRuns(long.slice(0, 3).map((event) => ({ ...event, signature: undefined })))).toEqual([])
  })

  it('[E7] a run survives the wire', () => {
    const run = runOf({ first: 5, count: 2 })
    const writer = new Writer()
    encodeRun(writer, run)
    expect(decodeRun(new Reader(writer.finish()))).toEqual(run)
  })

  it('[E10] a run whose stamps do not rise is malformed', () => {
    const run = runOf({ count: 3 })
    const events = run.events.map((event) => ({ ...event, hlc: 5 }))
    const writer = new Writer()
    encodeRun(writer, { ...run, events })
    expect(() => decodeRun(new Reader(writer.finish()))).toThrow('stamps')
  })

  it('[E8] an unknown kind has no text to show', () => {
    const [event] = runOf({ count: 1 }).events
    if (event === undefined) throw new Error('no event')
    expect(messageText(event)).toBe('text 0')
    expect(messageText({ ...event, kind: 200 })).toBeUndefined()
    expect(messageText({ ...event, body: new Uint8Array([0xff]) })).toBeUndefined()
  })

  it('[E9] spellings of one name are one room', () => {
    expect(openRoomId('#Shelter')).toBe(openRoomId('shelter'))
    expect(openRoomId('ＳＨＥＬＴＥＲ')).toBe(openRoomId('shelter'))
    expect(canonicalRoomName(' # Shelter Ops ')).toBe('shelter-ops')
    expect(openRoomId('shelter')).not.toBe(openRoomId('shelter2'))
  })

  it('[F5] names lose what must not be shown', () => {
    expect(cleanName('A\u202en\u0000a  B', 32)).toBe('A n a B')
    expect(Array.from(cleanName('😀'.repeat(40), 32))).toHaveLength(32)
  })

  it('peer ids have one spelling', () => {
    const { peer } = keyOf(3)
    expect(peerIdFromBytes(peerIdToBytes(peer))).toBe(peer)
    expect(parsePeerId(peer)).toBe(peer)
    expect(parsePeerId(peer.toUpperCase())).toBeUndefined()
    expect(parsePeerId(`${peer.slice(0, 51)}b`)).toBeUndefined()
  })
})
