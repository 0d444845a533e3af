/** Events that somebody has said, at a place in the order. */
import type { PlacedEvent } from '../../src/mesh/clock.ts'
import { encodeBody, type Body } from '../../src/mesh/timeline/body.ts'
import { feedOf, runOf } from './make.ts'

let made = 0

/** An event of somebody, at a place in the order. */
export function said(body: Body, parts: { readonly by?: number; readonly at?: number } = {}): PlacedEvent {
  made += 1
  const [event] = runOf({ seed: made, count: 1, text: `${made}` }).events
  if (event === undefined) throw new Error('no event')
  const { kind, bytes } = encodeBody(body)
  const effective = parts.at ?? made
  return {
    ...event,
    feed: feedOf(parts.by ?? 1),
    kind,
    body: bytes,
    effective,
    storedAtMs: 0,
    audience: undefined,
  }
}
