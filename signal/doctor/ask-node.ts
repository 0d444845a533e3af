/** Asks one node how it is, at the address that was checked, and follows nothing. */
import { request as requestPlainly } from 'node:http'
import { request as requestSecurely } from 'node:https'

export interface NodeReport {
  readonly name: string
  readonly rttMs: number
  /** Its clock, if it says so. */
  readonly wallMs: number | undefined
  /** Names of the neighbours that it is linked to. */
  readonly linkedTo: readonly string[]
}

const answerBytesMax = 65_536

export function askNode(
  url: string,
  target: string,
  waitMs: number,
): Promise<NodeReport | 'silent' | 'no-node'> {
  const { protocol, hostname, port, host } = new URL(url)
  const isSecure = protocol === 'https:'
  const startedMs = performance.now()
  const options = {
    host: target,
    port: port === '' ? (isSecure ? 443 : 80) : Number(port),
    path: '/api/node',
    headers: { host },
    agent: false as const,
    servername: hostname,
    // It is asked how it is, not who it is.
    rejectUnauthorized: false,
  }
  return new Promise((resolve) => {
    const asked = (isSecure ? requestSecurely : requestPlainly)(options, (response) => {
      const rttMs = Math.round(performance.now() - startedMs)
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
        if (text.length > answerBytesMax) asked.destroy()
      })
      response.on('close', () => resolve('no-node'))
      response.on('end', () => resolve(parseReport(text, rttMs, response.headers.date) ?? 'no-node'))
    })
    const timer = setTimeout(() => asked.destroy(), waitMs)
    asked.on('error', () => resolve('silent'))
    asked.on('close', () => {
      clearTimeout(timer)
      resolve('silent')
    })
    asked.end()
  })
}

export function parseReport(text: string, rttMs: number, date: string | undefined): NodeReport | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Whatever the parser dislikes: it is no node's answer.
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { name, neighbors } = value as { readonly name?: unknown; readonly neighbors?: unknown }
  if (typeof name !== 'string' || !Array.isArray(neighbors)) return undefined
  const linkedTo = neighbors.flatMap((one: unknown) => {
    const { name: other, state } = (one ?? {}) as { readonly name?: unknown; readonly state?: unknown }
    return typeof other === 'string' && state === 'up' ? [other] : []
  })
  const wallMs = date === undefined ? Number.NaN : Date.parse(date)
  return { name, rttMs, wallMs: Number.isNaN(wallMs) ? undefined : wallMs, linkedTo }
}
