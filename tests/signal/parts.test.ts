import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { costOfRtt } from '../../signal/discovery/link-cost.ts'
import { allowsHost, allowsOrigin, allowsTarget, parseCidr, type Guard } from '../../signal/guards.ts'
import { BadOption, parseOptions } from '../../signal/options.ts'
import { answerStun } from '../../signal/ice/stun.ts'
import { TokenBuckets } from '../../signal/token-bucket.ts'
import { parseSignalFrame } from '../../src/runtime/signal-frame.ts'
import { keyOf } from '../mesh/make.ts'

function request(attributes: Uint8Array = new Uint8Array(0)): Buffer {
  const message = Buffer.alloc(20 + attributes.length)
  message.writeUInt16BE(1, 0)
  message.writeUInt16BE(attributes.length, 2)
  message.writeUInt32BE(0x2112a442, 4)
  message.write('abcdefghijkl', 8)
  message.set(attributes, 20)
  return message
}

describe('STUN', () => {
  it('answers a Binding request with the mapped address (RFC 8489 §14.2)', () => {
    const answer = answerStun(request(), '10.1.2.3', 40_000)
    expect(answer?.length).toBe(32)
    expect(answer?.subarray(8, 20).toString()).toBe('abcdefghijkl')
    expect((answer?.readUInt16BE(26) ?? 0) ^ 0x2112).toBe(40_000)
    expect(((answer?.readUInt32BE(28) ?? 0) ^ 0x2112a442) >>> 0).toBe(0x0a010203)
    expect(answerStun(request(), '::ffff:10.1.2.3', 1)?.length).toBe(32)
    expect(answerStun(request(), 'fd00::1', 1)?.length).toBe(44)
  })

  it('ignores everything else, and never answers with more than 2.2 times the bytes', () => {
    const wrongCookie = request()
    wrongCookie.writeUInt32BE(1, 4)
    const wrongType = request()
    wrongType.writeUInt16BE(0x0101, 0)
    const wrongLength = request()
    wrongLength.writeUInt16BE(4, 2)
    for (const bad of [wrongCookie, wrongType, wrongLength, Buffer.alloc(19), request(new Uint8Array(600))]) {
      expect(answerStun(bad, '10.1.2.3', 1)).toBeUndefined()
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, isShaped) => {
        const message = isShaped
          ? request(bytes.slice(0, bytes.length - (bytes.length % 4)))
          : Buffer.from(bytes)
        const answer = answerStun(message, 'fd00::1', 9)
        expect((answer?.length ?? 0) / Math.max(1, message.length)).toBeLessThanOrEqual(2.2)
      }),
      { seed: 3 },
    )
  })
})

describe('the cost of a way', () => {
  it('is what a radio hop costs unless answers are slow, and never less', () => {
    const costs = [0.3, 49, 50, 149, 150, 399, 400, 5_000].map((rttMs) => costOfRtt(rttMs))
    expect(costs).toEqual([undefined, undefined, 15, 15, 20, 20, 30, 30])
  })
})

describe('token buckets', () => {
  it('let a burst pass, then so many per second, and remember a bounded number of keys', () => {
    const buckets = new TokenBuckets({ perSecond: 2, burst: 3, keysMax: 2 })
    const take = (nowMs: number) => buckets.take('a', nowMs)
    expect([take(0), take(0), take(0), take(0)]).toEqual([true, true, true, false])
    expect([take(500), take(500)]).toEqual([true, false])
    buckets.take('b', 500)
    buckets.take('c', 500)
    expect(take(500)).toBe(true)
  })
})

const guard: Guard = {
  names: ['localhost', 'k7fpv-east'],
  origins: ['https://club.example'],
  prefixes: [{ address: '192.0.2.0', bits: 24 }],
  ownTargets: ['http://127.0.0.1:9000/'],
}

describe('guards', () => {
  it.each([
    [undefined, true],
    ['null', true],
    ['file://', true],
    ['file://evil.example', false],
    ['http://localhost:8080', true],
    ['http://k7fpv-east', true],
    ['http://any.local', true],
    ['http://any.local.mesh', true],
    ['http://10.1.2.3:8080', true],
    ['http://44.1.2.3', true],
    ['http://192.0.2.9', true],
    ['http://[fd00::1]:8080', true],
    ['https://club.example', true],
    ['http://evil.example', false],
    ['http://8.8.8.8', false],
    ['http://evil.local.mesh.example', false],
    ['nonsense', false],
  ])('origin %s: %s', (origin, expected) => {
    expect(allowsOrigin(guard, origin)).toBe(expected)
  })

  it.each([
    ['localhost:8080', true],
    ['10.1.2.3', true],
    ['[fd00::1]:8080', true],
    ['K7FPV-East', true],
    ['x.local.mesh:80', true],
    ['evil.example', false],
    [undefined, false],
  ])('host %s: %s', (host, expected) => {
    expect(allowsHost(guard, host)).toBe(expected)
  })

  it('dials private and own networks; loopback only where a flag names it', () => {
    const url = 'http://x/'
    expect(allowsTarget(guard, '10.0.0.1', url)).toBe(true)
    expect(allowsTarget(guard, '192.0.2.1', url)).toBe(true)
    expect(allowsTarget(guard, '8.8.8.8', url)).toBe(false)
    expect(allowsTarget(guard, '127.0.0.1', url)).toBe(false)
    expect(allowsTarget(guard, '::ffff:127.0.0.1', url)).toBe(false)
    expect(allowsTarget(guard, '127.0.0.1', 'http://127.0.0.1:9000/')).toBe(true)
    expect(parseCidr('10.0.0.0/33')).toBeUndefined()
  })
})

describe('options', () => {
  it('a flag wins over its variable, lists are split at commas', () => {
    const env = { MESHCHAT_PORT: '1', MESHCHAT_NEIGHBOR: 'http://10.0.0.1, http://10.0.0.2:8080/mc' }
    const options = parseOptions(['--port', '2', '--name', 'n', '--memory', '--base', '/mc'], env)
    expect(options).toMatchObject({
      port: 2,
      base: '/mc/',
      dataDir: undefined,
      neighbors: ['http://10.0.0.1/', 'http://10.0.0.2:8080/mc/'],
    })
    expect(parseOptions(['--help'], {})).toBeUndefined()
  })

  it.each([
    [['--port', 'x'], 'whole number'],
    [['--nonsense'], 'nonsense'],
    [['--profile', 'ham'], 'not built yet'],
    [['--turn-url', 'turn:10.1.2.3:3478'], 'belong together'],
    [['--turn-url', 'http://10.1.2.3', '--turn-secret', 's'], 'must be like turn:'],
    [['--keep-days', '0'], 'whole number from 1'],
    [['--memory', '--data', '/x'], 'exclude'],
    [['--neighbor', 'ftp://x'], '--neighbor'],
    [['--allow-prefix', '10'], '--allow-prefix'],
    [['--base', 'mc'], '--base'],
  ])('%j is refused in one sentence', (args, words) => {
    const attempt = () => parseOptions([...args, '--name', 'n'], {})
    expect(attempt).toThrow(BadOption)
    expect(attempt).toThrow(words)
  })
})

describe('signal frames', () => {
  it('[T2] parsing is total, and unknown fields do not get through', () => {
    expect(parseSignalFrame('{')).toBe('not-json')
    expect(parseSignalFrame('[]')).toBe('bad-field')
    expect(parseSignalFrame('{"type":"__proto__"}')).toBe('unknown-type')
    expect(parseSignalFrame('{"type":"signal","peer":"x","payload":""}')).toBe('bad-field')
    expect(parseSignalFrame('x'.repeat(70_000))).toBe('too-large')
    const frame = { type: 'signal', peer: keyOf(1).peer, payload: 'x', extra: 1 }
    expect(parseSignalFrame(JSON.stringify(frame))).toEqual({
      type: 'signal',
      peer: keyOf(1).peer,
      payload: 'x',
    })
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(typeof parseSignalFrame(text)).toMatch(/string|object/)
      }),
      { seed: 9, numRuns: 500 },
    )
  })
})
