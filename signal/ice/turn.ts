/**
 * Credentials for an existing TURN server, as coturn's `use-auth-secret` wants them: the name is when they expire, the
 * password its HMAC. Source: "A REST API For Access To TURN Services", draft-uberti-behave-turn-rest-00 §2.2.
 */
import { createHmac } from 'node:crypto'
import type { PeerId } from '#mesh/ids.ts'
import type { SignalFrame } from '#runtime/signal-frame.ts'

export interface TurnServer {
  readonly url: string
  readonly secret: string
}

export const turnLimits = {
  /** guess: a day's duty; who stays longer is given new ones. */
  validMs: 43_200_000,
  renewMs: 21_600_000,
} as const

/** @param nowMs since 1970 */
export function turnFrame(
  { url, secret }: TurnServer,
  peer: PeerId,
  nowMs: number,
): Extract<SignalFrame, { type: 'turn' }> {
  const username = `${Math.floor((nowMs + turnLimits.validMs) / 1_000)}:${peer.slice(0, 12)}`
  const credential = createHmac('sha1', secret).update(username).digest('base64')
  return { type: 'turn', url, username, credential }
}
