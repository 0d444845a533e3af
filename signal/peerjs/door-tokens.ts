/**
 * Names that belong to people: `meshchat-` and the first 12 characters of a peer id. Whoever has proven that key at
 * `/signal` is given a token; without it nobody takes the name at `/peerjs`.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { PeerId } from '#mesh/ids.ts'
import type { SignalFrame } from '#runtime/signal-frame.ts'

const doorMark = 'meshchat-'
const doorCharacters = 12

/** @returns whether a name is one that belongs to a person */
export function isDoor(name: string): boolean {
  return name.toLowerCase().startsWith(doorMark)
}

export class DoorTokens {
  private readonly secret = randomBytes(32)

  issue(peer: PeerId): Extract<SignalFrame, { type: 'door' }> {
    const name = `${doorMark}${peer.slice(0, doorCharacters)}`
    return { type: 'door', name, token: this.tokenFor(name).toString('hex') }
  }

  /** @returns whether who shows this token may have the name; a name that is nobody's is free */
  admits(name: string, token: string): boolean {
    if (!isDoor(name)) return true
    const shown = Buffer.from(token, 'hex')
    const own = this.tokenFor(name)
    return shown.length === own.length && timingSafeEqual(shown, own)
  }

  private tokenFor(name: string): Buffer {
    return createHmac('sha256', this.secret).update(name).digest()
  }
}
