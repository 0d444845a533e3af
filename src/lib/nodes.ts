/** Asks a node how it is, and makes an address of what somebody typed. */
export interface NodeAnswer {
  readonly name: string
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
    const { name, peers, url: own } = answer as { name?: unknown; peers?: unknown; url?: unknown }
    if (typeof name !== 'string' || typeof peers !== 'number' || typeof own !== 'string') return 'no-node'
    const path = URL.canParse(own) ? new URL(own).pathname : '/'
    return { name: name.slice(0, 64), path, people: peers, rttMs }
  } catch (error) {
    // Not there, refused, too slow, or no JSON.
    if (error instanceof SyntaxError) return 'no-node'
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error
    return 'silent'
  }
}
