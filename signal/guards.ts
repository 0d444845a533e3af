/**
 * Who may talk to this helper from where, and whom it may dial. Pure. Source: the contract on the design page;
 * `reliability.md` T15 (rebinding, cross-site sockets) and T17 (dialling where somebody else wants).
 */
import { BlockList, isIP } from 'node:net'

export interface Guard {
  /** Names of this node: `--name`, `--host-name`, the machine's own. */
  readonly names: readonly string[]
  /** `--origin` and the neighbours that are known. */
  readonly origins: readonly string[]
  /** `--allow-prefix` */
  readonly prefixes: readonly Cidr[]
  /** Loopback may be dialled only where one's own flags name it. */
  readonly ownTargets: readonly string[]
}

export interface Cidr {
  readonly address: string
  readonly bits: number
}

/** @returns undefined for anything that is no CIDR prefix. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', bitsText = ''] = text.split('/')
  const family = isIP(address)
  const bits = /^\d+$/.test(bitsText) ? Number(bitsText) : Number.NaN
  if (family === 0 || !(bits <= (family === 4 ? 32 : 128))) return undefined
  return { address, bits }
}

export const privatePrefixes: readonly Cidr[] = [
  { address: '10.0.0.0', bits: 8 },
  { address: '172.16.0.0', bits: 12 },
  { address: '192.168.0.0', bits: 16 },
  { address: '169.254.0.0', bits: 16 },
  { address: '44.0.0.0', bits: 8 },
  { address: 'fc00::', bits: 7 },
  { address: 'fe80::', bits: 10 },
]

export function isWithin(prefixes: readonly Cidr[], address: string): boolean {
  const list = new BlockList()
  for (const prefix of prefixes) {
    list.addSubnet(prefix.address, prefix.bits, isIP(prefix.address) === 4 ? 'ipv4' : 'ipv6')
  }
  const plain = plainAddress(address)
  return list.check(plain, isIP(plain) === 4 ? 'ipv4' : 'ipv6')
}

/** `::ffff:10.0.0.1` is 10.0.0.1, and a zone is dropped. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, '')
  return bare.startsWith('::ffff:') && isIP(bare.slice(7)) === 4 ? bare.slice(7) : bare
}

function isLoopback(address: string): boolean {
  const plain = plainAddress(address)
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'))
}

function hostOf(authority: string): string {
  const host = authority.replace(/:\d+$/, '').toLowerCase()
  return host.startsWith('[') ? host.slice(1, -1) : host
}

function isMeshName(host: string): boolean {
  return host.endsWith('.local') || host.endsWith('.local.mesh')
}

/** Any other Host header is answered 421. */
export function allowsHost(guard: Guard, header: string | undefined): boolean {
  if (header === undefined || header === '') return false
  const host = hostOf(header)
  return isIP(host) !== 0 || host === 'localhost' || isMeshName(host) || guard.names.includes(host)
}

/** Any other Origin is answered 403. */
export function allowsOrigin(guard: Guard, header: string | undefined): boolean {
  // A file: Chromium's sockets name its scheme where its requests say `null`.
  if (header === undefined || header === 'null' || header === 'file://') return true
  if (guard.origins.includes(header.toLowerCase())) return true
  let host: string
  try {
    host = hostOf(new URL(header).host)
  } catch {
    // `URL` throws for what is no URL: no origin that could be allowed.
    return false
  }
  if (host === 'localhost' || isMeshName(host) || guard.names.includes(host)) return true
  if (isIP(host) === 0) return false
  return isLoopback(host) || isWithin([...privatePrefixes, ...guard.prefixes], host)
}

/** @param address what a neighbour's name resolved to */
export function allowsTarget(guard: Guard, address: string, url: string): boolean {
  if (isIP(plainAddress(address)) === 0) return false
  if (isLoopback(address)) return guard.ownTargets.includes(url)
  return isWithin([...privatePrefixes, ...guard.prefixes], address)
}
