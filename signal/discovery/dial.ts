/** A WebSocket to another helper, and only where this one may dial: the address that was checked is the one dialled. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { WebSocket } from 'ws'
import { allowsTarget, type Guard } from '../guards.ts'

const handshakeTimeoutMs = 4_000

/** @param url of the other helper's page @returns undefined where it may not be dialled, or has no address now */
export async function resolveTarget(
  guard: Guard,
  url: string,
  refused: () => void,
): Promise<string | undefined> {
  const host = hostOf(url)
  try {
    const { address } = await lookup(host)
    if (allowsTarget(guard, address, url)) return address
    refused()
    return undefined
  } catch (error) {
    // The name does not resolve now; it may later.
    if (error instanceof Error && 'code' in error) return undefined
    throw error
  }
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '')
}

/** @param target what `resolveTarget` gave: a name cannot flip in between */
export function openTo(url: string, path: 'signal' | 'link', target: string, bytesMax: number): WebSocket {
  const { hostname, port, protocol, pathname } = new URL(url)
  const scheme = protocol === 'https:' ? 'wss:' : 'ws:'
  const authority = `${hostname}${port === '' ? '' : `:${port}`}`
  return new WebSocket(`${scheme}//${authority}${pathname}${path}`, {
    handshakeTimeout: handshakeTimeoutMs,
    maxPayload: bytesMax,
    perMessageDeflate: false,
    followRedirects: false,
    lookup: (_name, options, callback) => {
      const family = isIP(target)
      if (options.all === true) callback(null, [{ address: target, family }])
      else callback(null, target, family)
    },
  })
}
