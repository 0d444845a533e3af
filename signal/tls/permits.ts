/** What a mesh's authority may vouch for, and for how long. */
import { isIP } from 'node:net'
import { isWithin, parseCidr, privatePrefixes, type Cidr } from '../guards.ts'

export const certificateLimits = {
  /** A device's clock may be slow, a node's too. */
  backdatedMs: 86_400_000,
  authorityMs: 10 * 365 * 86_400_000,
  /** Apple takes no certificate that is valid for more than 825 days, also from an authority that the user trusts. */
  certificateMs: 820 * 86_400_000,
  /** guess: a certificate that runs out sooner is issued anew. */
  renewMs: 60 * 86_400_000,
  namesMax: 64,
} as const

/** What an authority may vouch for. */
export interface Permits {
  /** Each with everything below it. */
  readonly names: readonly string[]
  readonly prefixes: readonly Cidr[]
}

/** Names and addresses that cannot exist on the internet; of 44.0.0.0/8 a part does. */
export const meshPermits: Permits = {
  names: ['local.mesh', 'local'],
  prefixes: privatePrefixes.filter(({ address }) => address !== '44.0.0.0'),
}

/** @returns whether a name is one, and below what is permitted */
export function permits({ names, prefixes }: Permits, name: string): boolean {
  if (isIP(name) !== 0) return isWithin(prefixes, name)
  const isName = /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+$/.test(name)
  return isName && names.some((suffix) => name === suffix || name.endsWith(`.${suffix}`))
}

/** @returns what `text` says, or undefined when it says nothing that can be read */
export function parsePermits(text: string): Permits | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Whatever the parser dislikes: it says nothing.
    return undefined
  }
  if (typeof value !== 'object' || value === null || !('names' in value) || !('prefixes' in value)) return
  const { names, prefixes } = value
  if (!Array.isArray(names) || !Array.isArray(prefixes)) return undefined
  const cidrs = prefixes.map((prefix: unknown) => parseCidr(String(prefix)))
  return cidrs.every((cidr) => cidr !== undefined) ? { names: names.map(String), prefixes: cidrs } : undefined
}

export function permitsText({ names, prefixes }: Permits): string {
  return `${JSON.stringify({ names, prefixes: prefixes.map(({ address, bits }) => `${address}/${bits}`) })}\n`
}
