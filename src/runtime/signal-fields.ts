/** The fields of a signal frame, and their bounds: each comes from a stranger, and is what it should be or nothing. */
import { limits } from '#mesh/limits.ts'

export const signalLimits = {
  /** design: larger frames close the socket. */
  frameBytesMax: 65_536,
  /** design: peers named in one frame; a whole site with its guests and its signature stays within one frame. */
  peersPerFrameMax: 1_010,
  /** guess: programs at one node that speak PeerJS, and how long their names may be. */
  guestsMax: 64,
  guestNameCharactersMax: 64,
  neighborsMax: 64,
  stunPortsMax: 8,
  urlCharactersMax: 200,
  /** 32 bytes in hex */
  nonceCharacters: 64,
  signatureCharacters: 128,
  /** design: 2^48, so that a word can always be outdone. */
  sequenceMax: 2 ** 48,
} as const

export type Fields = Readonly<Record<string, unknown>>

export function text(value: unknown, charactersMax: number): string | undefined {
  return typeof value === 'string' && value.length <= charactersMax ? value : undefined
}

export function hex(value: unknown, characters: number): string | undefined {
  return typeof value === 'string' && value.length === characters && /^[0-9a-f]*$/.test(value)
    ? value
    : undefined
}

export function integer(value: unknown, max: number): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max
    ? value
    : undefined
}

export function list<T>(
  value: unknown,
  max: number,
  parse: (item: unknown) => T | undefined,
): T[] | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined
  const items: T[] = []
  for (const item of value as unknown[]) {
    const parsed = parse(item)
    if (parsed === undefined) return undefined
    items.push(parsed)
  }
  return items
}

export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

/** @returns whether this can be the address of a helper: scheme, host, perhaps a port, and a folder. */
export function isHelperUrl(address: string): boolean {
  return /^https?:\/\/[A-Za-z0-9.\-_[\]:]+(\/[A-Za-z0-9._~-]+)*\/$/.test(address) && URL.canParse(address)
}

/** An address that a browser or a helper may dial, or the empty string. */
export function url(value: unknown): string | undefined {
  const address = text(value, signalLimits.urlCharactersMax)
  if (address === undefined || (address !== '' && !isHelperUrl(address))) return undefined
  return address
}

/** @returns whether this can be the address of a TURN server (RFC 7065), for UDP, TCP or TLS */
export function isTurnUrl(address: string): boolean {
  return /^turns?:[A-Za-z0-9.\-_[\]:]+(\?transport=(udp|tcp))?$/.test(address)
}

/** An offer or a candidate as JSON is printable ASCII, so its bytes in a frame are bounded too. */
export function payloadOf(value: unknown): string | undefined {
  const payload = text(value, limits.signalBytesMax)
  return payload !== undefined && /^[\x20-\x7e]*$/.test(payload) ? payload : undefined
}

/** @returns a name as PeerJS allows it, and no longer than ours */
export function guestName(value: unknown): string | undefined {
  const name = text(value, signalLimits.guestNameCharactersMax)
  return name !== undefined && /^[A-Za-z0-9]+([ _-][A-Za-z0-9]+)*$/.test(name) ? name : undefined
}
