/** Twenty kinds of frames that nobody decent sends, and the name that each is cut off with (H2). */
import type { SignalRefusal } from '../../src/runtime/signal-frame.ts'
import { keyOf } from '../mesh/make.ts'
import type { TestPeer } from './client.ts'

const peer = keyOf(1).peer
const nonce = '00'.repeat(32)
const signature = '00'.repeat(64)

export interface Hostility {
  readonly name: string
  readonly reason: SignalRefusal
  /** After the proof rather than instead of it. */
  readonly isInside: boolean
  readonly attack: (client: TestPeer) => void | Promise<void>
}

function text(name: string, reason: SignalRefusal, content: string, isInside = true): Hostility {
  return { name, reason, isInside, attack: (client) => client.socket.send(content) }
}

export const hostilities: readonly Hostility[] = [
  text('no JSON', 'not-json', 'hello'),
  text('an array', 'bad-field', '[]'),
  text('null', 'bad-field', 'null'),
  text('a number', 'bad-field', '7'),
  text('no type', 'unknown-type', '{}'),
  text('a type that is no text', 'unknown-type', '{"type":{}}'),
  text('the prototype as type', 'unknown-type', '{"type":"__proto__"}'),
  text('a constructor as type', 'unknown-type', '{"type":"constructor"}'),
  text('deep nesting', 'bad-field', '['.repeat(20_000) + ']'.repeat(20_000)),
  text('a signal to nobody', 'bad-field', '{"type":"signal","peer":"","payload":""}'),
  text(
    'a signal whose payload is an object',
    'bad-field',
    JSON.stringify({ type: 'signal', peer, payload: {} }),
  ),
  text(
    'a payload over its size',
    'bad-field',
    JSON.stringify({ type: 'signal', peer, payload: 'x'.repeat(20_000) }),
  ),
  text('a frame over its size', 'too-large', 'x'.repeat(66_000)),
  text('a helper’s frame from a peer', 'unexpected', JSON.stringify({ type: 'ask-site', site: peer })),
  text('a second proof', 'unexpected', JSON.stringify({ type: 'prove', version: 1, peer, nonce, signature })),
  text(
    'duplicated keys that end wrong',
    'bad-field',
    `{"type":"signal","peer":"${peer}","payload":"x","payload":1}`,
  ),
  {
    name: 'bytes',
    reason: 'not-text',
    isInside: true,
    attack: (client) => client.socket.send(Buffer.alloc(9)),
  },
  {
    name: 'a flood',
    reason: 'too-fast',
    isInside: true,
    attack: (client) => {
      for (let i = 0; i < 1_500; i++) client.send({ type: 'ping' })
    },
  },
  {
    name: 'a wrong signature',
    reason: 'bad-proof',
    isInside: false,
    attack: (client) => client.prove({ signature }),
  },
  {
    name: 'somebody else’s key',
    reason: 'bad-proof',
    isInside: false,
    attack: (client) => client.prove({ peer }),
  },
  {
    name: 'another version',
    reason: 'old-version',
    isInside: false,
    attack: (client) => client.prove({ version: 9 }),
  },
  text(
    'a signal before the proof',
    'unexpected',
    JSON.stringify({ type: 'signal', peer, payload: 'x' }),
    false,
  ),
]
