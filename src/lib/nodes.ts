/** Asks a node how it is, and makes an address of what somebody typed. */
import type { NodesEvent } from './start.ts'

type Nodes = Extract<NodesEvent, { type: 'nodes' }>

export interface NodeAnswer {
  readonly name: string
  readonly version: string
  /** Of its page, as it says itself: somebody may have typed another path. */
  readonly path: string
  readonly people: number
  readonly rttMs: number
}

/** Why a node cannot be used. */
export type NodeFault = 'no-address' | 'insecure' | 'silent' | 'no-node'

const answerMs = 5_000

/**
 * @param text a name or an address: `EOC-pi`, `10.1.2.3`, `https://eoc.local.mesh:8443/`
 * @param isSecure whether this page came by https, and so may only speak to secure nodes
 */
export function nodeUrl(text: string, isSecure: boolean): URL | NodeFault {
  const typed = text.trim()
  if (typed === '' || /\s/.test(typed)) return 'no-address'
  const scheme = isSecure ? 'https' : 'http'
  const hasScheme = /^https?:\/\//i.test(typed)
  if (!hasScheme && typed.includes('://')) return 'no-address'
  const whole = hasScheme ? typed : `${scheme}://${typed}`
  if (!URL.canParse(whole)) return 'no-address'
  const url = new URL(whole)
  if (isSecure && url.protocol === 'http:') return 'insecure'
  // A bare name is one of the mesh's.
  if (!url.hostname.includes('.') && url.hostname !== 'localhost') url.hostname = `${url.hostname}.local.mesh`
  if (!hasScheme && !/:\d+(\/|$)/.test(typed)) url.port = isSecure ? '8443' : '8080'
  return new URL(url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`, url.origin)
}

/** @param url of its page */
export async function askNode(url: string): Promise<NodeAnswer | NodeFault> {
  const startedMs = performance.now()
  try {
    const response = await fetch(new URL('/api/node', url), { signal: AbortSignal.timeout(answerMs) })
    if (!response.ok) return 'no-node'
    const rttMs = Math.round(performance.now() - startedMs)
    const answer: unknown = await response.json()
    if (typeof answer !== 'object' || answer === null) return 'no-node'
    const { name, peers, url: own, version } = answer as Readonly<Record<string, unknown>>
    if (typeof name !== 'string' || typeof peers !== 'number' || typeof own !== 'string') return 'no-node'
    const path = URL.canParse(own) ? new URL(own).pathname : '/'
    const said = typeof version === 'string' ? version.slice(0, 32) : ''
    return { name: name.slice(0, 64), version: said, path, people: peers, rttMs }
  } catch (error) {
    // Not there, refused, too slow, or no JSON.
    if (error instanceof SyntaxError) return 'no-node'
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error
    return 'silent'
  }
}

/**
 * Compares releases, `1.2.0` and the like; what stands behind a `-` names a build.
 * @returns above 0: the first is newer; 0 also for what is no version
 */
export function compareVersions(first: string, second: string): number {
  const [one, other] = [numbersOf(first), numbersOf(second)]
  if (one === undefined || other === undefined) return 0
  const differs = one.findIndex((number, index) => number !== other[index])
  return differs < 0 ? 0 : (one[differs] ?? 0) - (other[differs] ?? 0)
}

function numbersOf(version: string): readonly number[] | undefined {
  const found = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:-|$)/.exec(version)
  return found === null ? undefined : found.slice(1).map(Number)
}

/** @returns where others find this app: of a saved copy, a node that it knows */
export function appUrl(nodes: Pick<Nodes, 'known' | 'current'>): string {
  if (location.protocol !== 'file:') return location.href.split('#')[0] ?? ''
  return nodes.current ?? nodes.known[0]?.url ?? ''
}
