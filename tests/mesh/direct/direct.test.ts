import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makePrekey, open } from '../../../src/adapters/sealing.ts'
import { Malformed } from '../../../src/mesh/bytes.ts'
import {
  confirmedName,
  conversationOf,
  decodeLetter,
  encodeLetter,
  letterIdOf,
} from '../../../src/mesh/direct/letter.ts'
import { directLimits } from '../../../src/mesh/direct/limits.ts'
import { decodeSealed, encodePrekey } from '../../../src/mesh/direct/sealed-body.ts'
import { bytesToHex, feedAuthor, type EventId } from '../../../src/mesh/ids.ts'
import { encodeBody, eventKinds, readBody } from '../../../src/mesh/timeline/body.ts'
import { keyOf } from '../make.ts'
import { Device, Office } from './post-office.ts'

const dayMs = 86_400_000

function two(): { readonly office: Office; readonly ana: Device; readonly bill: Device } {
  const office = new Office()
  const [ana, bill] = [new Device(office, 1), new Device(office, 2)]
  return { office, ana, bill }
}

/** Until nothing is said any more. */
function settle(...devices: readonly Device[]): void {
  for (let i = 0; i < 6; i++) {
    for (const device of devices) {
      device.hearAll()
      device.sleep(directLimits.confirmDelayMs)
    }
  }
}

describe('letters', () => {
  const [ana, bill] = [keyOf(1).peer, keyOf(2).peer]

  const said = (text: string, fill = 9) => {
    const { kind, bytes: body } = encodeBody({ type: 'message', text })
    return { type: 'said', kind, chance: new Uint8Array(6).fill(fill), body } as const
  }

  it('[Q6, Q7] say something or confirm; whatever else they are is malformed', () => {
    expect(decodeLetter(encodeLetter(3, said('hello')))).toEqual({ generation: 3, content: said('hello') })
    const confirm = { type: 'confirm', state: 'read', letters: ['ab'.repeat(16)] } as const
    expect(decodeLetter(encodeLetter(300, confirm))).toEqual({ generation: 300, content: confirm })
    expect(() => decodeLetter(Uint8Array.of(128, 0, 2, 0))).toThrow(Malformed)
    expect(() => decodeLetter(Uint8Array.of(129, 0))).toThrow(Malformed)
    expect(() => decodeLetter(Uint8Array.of(128, 0, 0, 15))).toThrow(Malformed)
    expect(() => decodeLetter(Uint8Array.of(1, 0, 1, 2, 3))).toThrow(Malformed)
  })

  it('[Q6] have an id of both people, chance and what they say; a conversation one of both people, in either order', () => {
    const id = letterIdOf(ana, bill, said('x'))
    expect(id).toBe('3f19e68b08baee1e418c300960b0a9d2a09f3f04e538fa21a1acd70eb1cfcb06')
    const others = [
      letterIdOf(bill, ana, said('x')),
      letterIdOf(ana, bill, said('y')),
      letterIdOf(ana, bill, said('x', 8)),
    ]
    expect(new Set([id, ...others]).size).toBe(4)
    expect(confirmedName(id)).toHaveLength(32)
    expect(conversationOf(ana, bill)).toBe('5fc6991ef94e6ffcdf82d76c6ae9d4bc')
    expect(conversationOf(bill, ana)).toBe(conversationOf(ana, bill))
  })

  it('[Q3] in a room their events are nothing that can be shown', () => {
    expect(readBody({ kind: eventKinds.sealed, body: new Uint8Array(400), epoch: 0 })).toBeUndefined()
    expect(readBody({ kind: eventKinds.prekey, body: new Uint8Array(33), epoch: 0 })).toBeUndefined()
  })
})

describe('direct messages', () => {
  it('[Q6] arrive, each once, and are confirmed', () => {
    const { office, ana, bill } = two()
    settle(ana, bill)
    const token = ana.write(bill, 'hello')
    expect(ana.news.at(-1)).toMatchObject({ type: 'letters', letters: [{ state: 'sealed' }] })
    expect(ana.news).toContainEqual(expect.objectContaining({ type: 'written', token }))
    settle(ana, bill)
    bill.write(ana, 'hello yourself')
    settle(ana, bill)
    expect(bill.textsOf(ana)).toEqual(['hello'])
    expect(ana.textsOf(bill)).toEqual(['hello yourself'])
    expect([...ana.states(), ...bill.states()]).toEqual(['delivered', 'delivered'])
    // Two letters, and what confirms them: nothing goes round and round.
    expect(office.letters().length).toBe(4)
    settle(ana, bill)
    expect(office.letters().length).toBe(4)
  })

  it('[Q6] wait here until a prekey of their addressee comes, and over a restart', () => {
    const { office, ana, bill } = two()
    settle(ana)
    ana.write(bill, 'are you there?')
    settle(ana)
    expect([ana.states(), office.letters().length]).toEqual([['written'], 0])
    ana.restart()
    settle(ana, bill)
    settle(ana, bill)
    expect(bill.textsOf(ana)).toEqual(['are you there?'])
    expect(ana.states()).toEqual(['delivered'])
  })

  it('[Q6] are sealed in the order in which they were written, whatever order the disk has them in', () => {
    const { ana, bill } = two()
    settle(ana)
    for (const text of ['one', 'two', 'three']) {
      ana.write(bill, text)
      ana.nowMs += 1_000
    }
    ana.letters = new Map([...ana.letters].reverse())
    ana.restart()
    settle(ana, bill)
    settle(ana, bill)
    expect(bill.textsOf(ana)).toEqual(['one', 'two', 'three'])
  })

  it('[Q6] are the same ones when whoever was not answered says them again', () => {
    const { office, ana, bill } = two()
    settle(ana, bill)
    const said = {
      type: 'said',
      kind: 1,
      chance: new Uint8Array(6).fill(3),
      body: new Uint8Array([65]),
    } as const
    ana.tell({ type: 'write', token: 'first', to: bill.self, said })
    ana.tell({ type: 'write', token: 'again', to: bill.self, said })
    settle(ana, bill)
    ana.restart()
    ana.tell({ type: 'write', token: 'later', to: bill.self, said })
    settle(ana, bill)
    // Also when no other one would be taken.
    const [one] = ana.letters.values()
    if (one === undefined) throw new Error('no letter')
    for (let i = 0; i < directLimits.unconfirmedMax; i++)
      ana.engine.unconfirmed.set(i.toString(16).padStart(64, '0') as EventId, one)
    ana.tell({ type: 'write', token: 'busy', to: bill.self, said })
    const written = ana.news.flatMap((news) => (news.type === 'written' ? [news.token] : []))
    expect(written).toEqual(['first', 'again', 'later', 'busy'])
    expect(bill.textsOf(ana)).toEqual(['A'])
    // It, and what confirms it.
    expect(office.letters().length).toBe(2)
  })

  it('[Q6] are never online together with their author: a carrier brings them', () => {
    const { ana, bill } = two()
    settle(bill)
    settle(ana)
    ana.write(bill, 'by mule')
    settle(bill)
    expect(bill.textsOf(ana)).toEqual(['by mule'])
    settle(ana)
    expect(ana.states()).toEqual(['delivered'])
  })

  it('[Q4] nobody else opens them, and nobody passes them off as his own', () => {
    const { office, ana, bill } = two()
    const eve = new Device(office, 3)
    settle(ana, bill, eve)
    ana.write(bill, 'secret')
    const [letter] = office.letters()
    if (letter === undefined) throw new Error('no letter')
    // Eve posts the same bytes under her name.
    office.post(eve, { type: 'sealed', bytes: letter.body })
    settle(ana, bill, eve)
    expect([eve.textsOf(ana), bill.textsOf(eve), bill.textsOf(ana)]).toEqual([[], [], ['secret']])
    expect(open(letter.body, ana.self, eve.self, eve.secrets)).toBe('other')
  })

  it('[Q7] nobody but its addressee confirms a letter, no state goes back, and reading is said', () => {
    const { ana, bill, office } = two()
    const eve = new Device(office, 3)
    settle(ana, bill, eve)
    ana.write(bill, 'x')
    const [letter] = ana.letters.values()
    if (letter === undefined) throw new Error('no letter')
    eve.tell({ type: 'read', letters: [letter] })
    settle(ana, eve)
    expect(ana.states()).toEqual(['sealed'])
    settle(ana, bill)
    expect(ana.states()).toEqual(['delivered'])
    bill.tell({ type: 'read', letters: [letter] })
    settle(ana, bill)
    expect(ana.states()).toEqual(['read'])
  })

  it('[Q7] what somebody else says of a letter does not keep it from being sealed anew', () => {
    const { ana, bill, office } = two()
    const eve = new Device(office, 3)
    settle(ana, bill, eve)
    ana.write(bill, 'x')
    const [letter] = ana.letters.values()
    if (letter === undefined) throw new Error('no letter')
    eve.tell({ type: 'read', letters: [letter] })
    settle(ana, eve)
    bill.wipe()
    settle(ana, bill)
    expect(bill.textsOf(ana)).toEqual(['x'])
  })

  it('[Q7] what is not durable is not confirmed, and opened again', () => {
    const { ana, bill } = two()
    settle(ana, bill)
    ana.write(bill, 'x')
    bill.faults = ({ type }) => type === 'keep'
    settle(ana, bill)
    expect(ana.states()).toEqual(['sealed'])
    bill.faults = () => false
    bill.sleep(directLimits.retryMs)
    settle(ana, bill)
    expect([bill.textsOf(ana), ana.states()]).toEqual([['x'], ['delivered']])
  })

  it('[Q3] one that is sealed to the prekey of somebody else opens for nobody', () => {
    const { ana, bill, office } = two()
    const eve = new Device(office, 3)
    settle(ana, bill, eve)
    // Eve says that Bill's prekey is hers: what Ana writes to her is not for Bill, either.
    const [prekey] = bill.prekeys
    if (prekey === undefined) throw new Error('no prekey')
    const body = encodePrekey({ ...prekey, generation: 9, first: 9 })
    office.post(eve, { type: 'prekey', bytes: body })
    ana.hearAll()
    ana.write(eve, 'for Eve only')
    settle(ana, bill)
    expect(bill.textsOf(ana)).toEqual([])
  })

  it('[Q3] sealed anew, nothing in it shows that it is the same letter', () => {
    const { office, ana, bill } = two()
    settle(ana, bill)
    ana.write(bill, 'x')
    bill.wipe()
    settle(ana, bill)
    const bodies = office
      .letters()
      .flatMap(({ feed, body }) => (feed === ana.feed ? [decodeSealed(body)] : []))
    expect(bodies.length).toBe(2)
    const parts = bodies.flatMap(({ ephemeral, nonce }) => [bytesToHex(ephemeral), bytesToHex(nonce)])
    expect(new Set(parts).size).toBe(4)
  })

  it('[Q7] is confirmed to the prekey that its author had then, once that has come', () => {
    const { office, ana, bill } = two()
    settle(ana, bill)
    // Ana has lost her first prekey, and Bill does not know that yet.
    ana.wipe()
    ana.hearAll()
    settle(ana)
    ana.write(bill, 'x')
    const [letter] = office.letters()
    if (letter === undefined) throw new Error('no letter')
    bill.hear([letter.id])
    bill.sleep(directLimits.confirmDelayMs)
    expect([bill.textsOf(ana), office.letters().length]).toEqual([['x'], 1])
    settle(bill, ana)
    expect(ana.states()).toEqual(['delivered'])
  })

  it('[Q7] many are confirmed together', () => {
    const { office, ana, bill } = two()
    settle(ana, bill)
    for (let i = 0; i < 30; i++) ana.write(bill, `${i}`)
    settle(ana, bill)
    expect(ana.states()).toEqual(Array.from({ length: 30 }, () => 'delivered'))
    expect(office.letters().length).toBeLessThanOrEqual(30 + 4)
  })

  it('[Q8] a device that was wiped gets again what it had not confirmed, without being asked', () => {
    const { ana, bill } = two()
    settle(ana, bill)
    ana.write(bill, 'lost with the phone')
    bill.wipe()
    settle(ana, bill)
    expect(bill.textsOf(ana)).toEqual(['lost with the phone'])
    expect(ana.states()).toEqual(['delivered'])
  })

  it('[Q8] one that was away for longer than its keys are kept does, too; and the letter is the same one', () => {
    const { office, ana, bill } = two()
    settle(ana, bill)
    ana.write(bill, 'after the expedition')
    ana.sleep(40 * dayMs)
    bill.sleep(40 * dayMs)
    expect(bill.secrets.length).toBe(1)
    expect(bill.secrets[0]?.madeMs).toBe(bill.nowMs)
    settle(ana, bill)
    expect(bill.textsOf(ana)).toEqual(['after the expedition'])
    expect(ana.states()).toEqual(['delivered'])
    expect(office.letters().length).toBeLessThanOrEqual(4)
  })

  it('[Q8] whoever publishes prekeys without end makes its author say the same ever more seldom', () => {
    const { office, ana, bill } = two()
    settle(ana, bill)
    ana.write(bill, 'x')
    for (let day = 0; day < 30; day++) {
      const prekey = { generation: 100 + day, first: 100 + day, publicKey: makePrekey().publicKey }
      office.post(bill, { type: 'prekey', bytes: encodePrekey(prekey) })
      ana.hearAll()
      ana.sleep(dayMs / 8)
    }
    expect(office.letters().length).toBeLessThanOrEqual(directLimits.sealingsAtOnce + 7)
  })

  it('[Q8] a start seals nothing anew that can be opened, however the room comes', () => {
    const { office, ana, bill } = two()
    settle(ana, bill)
    for (let i = 0; i < 5; i++) {
      bill.sleep(6 * dayMs)
      ana.hearAll()
    }
    for (let i = 0; i < 5; i++) ana.write(bill, `${i}`)
    settle(ana)
    expect(office.letters().length).toBe(5)
    for (let i = 0; i < 5; i++) {
      ana.restart()
      settle(ana)
    }
    expect(office.letters().length).toBe(5)
  })

  it('[Q2] two devices that run with one key do not make prekeys for ever', () => {
    const office = new Office()
    const [one, other] = [new Device(office, 2), new Device(office, 2)]
    for (let i = 0; i < 200; i++) settle(one, other)
    expect(one.prekeys.length + other.prekeys.length).toBeLessThan(24)
  })

  it('[Q2] a disk that refuses the next prekey is asked again when it is time, and not before', () => {
    const { ana } = two()
    settle(ana)
    ana.faults = ({ type }) => type === 'make-prekey'
    ana.sleep(6 * dayMs)
    expect(ana.dueMs - ana.nowMs).toBe(directLimits.retryMs)
  })

  it('a letter to oneself is refused', () => {
    const { ana } = two()
    const token = ana.write(ana, 'x')
    expect(ana.news.at(-1)).toEqual({ type: 'write-failed', token, cause: 'self' })
  })

  it('[Q2] prekeys follow one another before they end, and their secrets end after 30 days', () => {
    const { ana } = two()
    settle(ana)
    for (let day = 0; day < 60; day++) {
      ana.sleep(dayMs)
      expect(ana.secrets.length).toBeLessThanOrEqual(6)
    }
    expect(ana.secrets.length).toBeGreaterThanOrEqual(5)
    const oldestMs = Math.min(...ana.secrets.map(({ madeMs }) => madeMs))
    expect(ana.nowMs - oldestMs).toBeLessThanOrEqual(directLimits.prekeyKeptMs)
  })

  it('[P2] 31 days later no key of all devices together opens what a carrier has kept', () => {
    const { office, ana, bill } = two()
    settle(ana, bill)
    ana.write(bill, 'old')
    settle(ana, bill)
    const secrets = () => [...ana.secrets, ...bill.secrets]
    const opens = () =>
      office
        .letters()
        .some(({ body, feed }) =>
          [ana, bill].some(({ self }) => typeof open(body, feedAuthor(feed), self, secrets()) !== 'string'),
        )
    expect(opens()).toBe(true)
    for (let day = 0; day < 31; day++) for (const device of [ana, bill]) device.sleep(dayMs)
    expect(opens()).toBe(false)
  })

  it('[Q2] a device whose clock is years behind is written to like any other', () => {
    const { ana, bill } = two()
    bill.clockMs = -3 * 365 * dayMs
    settle(ana, bill)
    ana.write(bill, 'what year is it?')
    settle(ana, bill)
    expect(bill.textsOf(ana)).toEqual(['what year is it?'])
  })

  it('[Q4] a prekey of small order is sealed to by nobody, and the next one is taken', () => {
    const { office, ana, bill } = two()
    settle(ana)
    office.post(bill, { type: 'prekey', bytes: Uint8Array.of(1, 9, 0, ...new Uint8Array(32)) })
    ana.write(bill, 'x')
    settle(ana)
    expect(office.letters()).toEqual([])
    // Bill finds that he has outdone himself, and makes a later one.
    bill.sleep(1_000)
    settle(ana, bill)
    settle(ana, bill)
    expect(bill.textsOf(ana)).toEqual(['x'])
  })

  it('[Q2, Q8] a device that comes back from an old backup has what it lost sealed to a new prekey', () => {
    const { ana, bill } = two()
    settle(ana, bill)
    const backup = bill.backup()
    bill.sleep(7 * dayMs)
    settle(ana, bill)
    ana.write(bill, 'to a key that is in no backup')
    bill.restore(backup)
    settle(ana, bill)
    settle(ana, bill)
    expect(bill.textsOf(ana)).toEqual(['to a key that is in no backup'])
    expect(ana.states()).toEqual(['delivered'])
  })

  it('what the disk refuses goes back to the composer, and nothing is sent of it', () => {
    const { office, ana, bill } = two()
    settle(ana, bill)
    ana.faults = ({ type }) => type === 'keep'
    const token = ana.write(bill, 'x')
    expect(ana.news.at(-1)).toEqual({ type: 'write-failed', token, cause: 'not-stored' })
    expect(office.letters()).toEqual([])
    ana.faults = () => false
    settle(ana, bill)
    expect(office.letters()).toEqual([])
  })

  it('a text that is too long for a letter is refused at once', () => {
    const { ana, bill } = two()
    const token = ana.write(bill, 'x'.repeat(14_000))
    expect(ana.news.at(-1)).toEqual({ type: 'write-failed', token, cause: 'too-long' })
  })

  it('[Q6, Q7, Q8] whatever fails, restarts, is wiped or comes out of order: each letter arrives once', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            who: fc.nat(2),
            what: fc.constantFrom(
              'write',
              'write',
              'write',
              'hear',
              'hear',
              'sleep',
              'restart',
              'wipe',
              'fail',
            ),
            to: fc.nat(2),
            mix: fc.nat(1_000),
          }),
          { minLength: 5, maxLength: 40 },
        ),
        (steps) => {
          const office = new Office()
          const devices = [1, 2, 3].map((seed) => new Device(office, seed))
          const written: { readonly by: Device; readonly to: Device; readonly text: string; life: number }[] =
            []
          const lives = new Map(devices.map((device) => [device, 0]))
          for (const [i, { who, what, to, mix }] of steps.entries()) {
            const [device, other] = [devices[who], devices[to]]
            if (device === undefined || other === undefined) throw new Error('three devices')
            device.nowMs += mix
            if (what === 'write' && device !== other) {
              const token = device.write(other, `${i}`)
              const isKept = device.news.some((news) => news.type === 'written' && news.token === token)
              if (isKept) written.push({ by: device, to: other, text: `${i}`, life: lives.get(device) ?? 0 })
            } else if (what === 'hear') {
              const ids = office.events.map(({ id }) => id)
              device.hear(
                ids.sort((a, b) => ((Number(`0x${a}`) * mix) % 17) - ((Number(`0x${b}`) * mix) % 17)),
              )
            } else if (what === 'sleep') device.sleep(mix * 1_000)
            else if (what === 'restart') device.restart()
            else if (what === 'wipe') {
              device.wipe()
              lives.set(device, (lives.get(device) ?? 0) + 1)
            } else if (what === 'fail') {
              let left = mix % 4
              device.faults = () => left-- > 0
            }
          }
          for (const device of devices) {
            device.faults = () => false
            device.sleep(directLimits.retryMs)
          }
          for (let i = 0; i < 4; i++) {
            settle(...devices)
            for (const device of devices) device.sleep(directLimits.retryMs)
          }
          for (const { by, to, text, life } of written) {
            // What was lost with its author's device before it was sealed, or with its addressee's after it was confirmed, is lost.
            if (lives.get(by) !== life || (lives.get(to) ?? 0) > 0) continue
            const count = to.textsOf(by).filter((one) => one === text).length
            if (count !== 1) throw new Error(`"${text}" came ${count} times`)
            const letter = [...by.letters.values()].find(
              (one) =>
                bytesToHex(one.said.body) === bytesToHex(new TextEncoder().encode(text)) &&
                one.author === by.self,
            )
            if (letter?.state !== 'delivered') throw new Error(`"${text}" is ${letter?.state ?? 'gone'}`)
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
