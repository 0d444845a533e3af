/**
 * Other helpers of an AREDN mesh, from the service list of the node that this machine is plugged into (`sysinfo`;
 * `field.md` §3.2). Asked seldom; a node that does not answer is asked less and less.
 */
import { get } from 'node:http'
import { isHelperUrl } from '#runtime/signal-frame.ts'
import { resolveTarget } from './dial.ts'
import type { Guard } from '../guards.ts'

export const arednLimits = {
  /** What the node tells of itself and its services; the one address that is asked. */
  url: 'http://localnode.local.mesh/a/sysinfo?services=1&link_info=1',
  /** design: no more than one request a minute. */
  intervalMs: 300_000,
  intervalMaxMs: 3_600_000,
  timeoutMs: 5_000,
  /** guess: a list of a thousand services. */
  bytesMax: 524_288,
  helpersMax: 32,
} as const

/** What a hop costs, by the kind of link that AREDN names; a cable between two routers on one mast is nearly free. */
const linkCosts: Readonly<Record<string, number>> = { DTD: 2, TUN: 6, WIREGUARD: 6, BB: 5, RF: 10 }
/** `field.md` §3.3: the name under which a helper is advertised. */
const serviceName = /^meshchat-net\b/i

export interface ArednHelper {
  readonly url: string
  /** Undefined where the way there is no single link. */
  readonly cost: number | undefined
}

/** @param text the answer, a stranger's bytes @returns the helpers that it names, or undefined when it is no sysinfo */
export function parseSysinfo(text: string): ArednHelper[] | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Whatever the parser dislikes: it is no sysinfo.
    return undefined
  }
  const info = record(value)
  if (info === undefined || typeof info['node'] !== 'string') return undefined
  const links = record(info['link_info']) ?? {}
  const services = Array.isArray(info['services']) ? (info['services'] as unknown[]) : []
  const helpers: ArednHelper[] = []
  for (const one of services) {
    const service = record(one)
    const [name, link, ip] = [service?.['name'], service?.['link'], service?.['ip']]
    if (typeof name !== 'string' || typeof link !== 'string' || !serviceName.test(name)) continue
    const url = link.endsWith('/') ? link : `${link}/`
    if (!isHelperUrl(url) || helpers.length >= arednLimits.helpersMax) continue
    const kind = typeof ip === 'string' ? record(links[ip])?.['linkType'] : undefined
    const cost = typeof kind === 'string' ? linkCosts[kind.toUpperCase()] : undefined
    helpers.push({ url: new URL(url).href, cost })
  }
  return helpers
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

export interface ArednParts {
  readonly guard: Guard
  readonly url?: string
  /** The whole list, each time that it has been read. */
  readonly found: (helpers: readonly ArednHelper[]) => void
  readonly failed: () => void
}

export class Aredn {
  private readonly parts: ArednParts
  private timer: NodeJS.Timeout | undefined
  private failures = 0
  private isClosed = false

  constructor(parts: ArednParts) {
    this.parts = parts
    void this.ask()
  }

  private async ask(): Promise<void> {
    const { guard, url = arednLimits.url, found, failed } = this.parts
    const target = await resolveTarget(guard, url, failed)
    const text = target === undefined ? undefined : await fetchText(url, target)
    const helpers = text === undefined ? undefined : parseSysinfo(text)
    if (this.isClosed) return
    if (helpers === undefined) {
      this.failures += 1
      if (target !== undefined) failed()
    } else {
      this.failures = 0
      found(helpers)
    }
    const waitMs = Math.min(
      arednLimits.intervalMaxMs,
      arednLimits.intervalMs * 2 ** Math.min(this.failures, 10),
    )
    this.timer = setTimeout(() => void this.ask(), waitMs)
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.timer)
  }
}

/** @param target the address that was checked; no other one is asked, and nothing is followed */
function fetchText(url: string, target: string): Promise<string | undefined> {
  const { hostname, port, pathname, search } = new URL(url)
  const headers = { Host: `${hostname}${port === '' ? '' : `:${port}`}` }
  const options = {
    host: target,
    port: port === '' ? 80 : Number(port),
    path: `${pathname}${search}`,
    headers,
  }
  return new Promise((resolve) => {
    const request = get({ ...options, agent: false }, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      const isFine = response.statusCode === 200
      if (!isFine) request.destroy()
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > arednLimits.bytesMax) request.destroy()
        else chunks.push(chunk)
      })
      response.on('end', () => resolve(isFine ? Buffer.concat(chunks).toString('utf8') : undefined))
      response.on('close', () => resolve(undefined))
    })
    const timer = setTimeout(() => request.destroy(), arednLimits.timeoutMs)
    request.on('error', () => resolve(undefined))
    request.on('close', () => {
      clearTimeout(timer)
      resolve(undefined)
    })
  })
}
