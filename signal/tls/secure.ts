/** The node on https, beside plain http: same answers, same sockets; the certificate is renewed while it runs. */
import { createServer, type Server } from 'node:https'
import { isIP } from 'node:net'
import type { Log } from '../log.ts'
import { listen, portOf, serverLimits, setBounds, shut } from '../http/listening.ts'
import type { Options } from '../options.ts'
import { isDue, openCertificate, TlsFault, type Shown, type TlsOptions } from './certificates.ts'

export interface Secure {
  readonly server: Server
  /** Addresses that a browser can open. */
  readonly urls: readonly string[]
  readonly shown: () => Shown
  close(): Promise<void>
}

const lookMs = 12 * 3_600_000

export interface SecureParts {
  readonly tls: TlsOptions
  readonly options: Options
  /** Names of this machine. */
  readonly names: readonly string[]
  readonly addresses: () => readonly string[]
  readonly log: Log
}

/** @throws TlsFault, or when the port is taken */
export async function serveSecurely(parts: SecureParts): Promise<Secure> {
  const { tls, options, names, addresses, log } = parts
  const open = () => openCertificate(tls, [...names, ...addresses()], Date.now())
  let shown = await open()
  const server = createServer({ ...serverLimits, ...credentials(shown), minVersion: 'TLSv1.2' })
  setBounds(server, options.maxPeers)
  await listen(server, options.tlsPort, options.host)
  const renew = async () => {
    if (!isDue(shown, Date.now())) return
    try {
      const renewed = await open()
      server.setSecureContext(credentials(renewed))
      shown = renewed
      log.info('certificate-renewed')
    } catch (error) {
      if (!(error instanceof TlsFault)) throw error
      log.warn('certificate', { why: error.message })
    }
  }
  const timer = setInterval(() => void renew(), lookMs)
  return {
    server,
    urls: secureUrls(shown.names, addresses(), options, portOf(server)),
    shown: () => shown,
    close: () => {
      clearInterval(timer)
      return shut(server)
    },
  }
}

function credentials({ certificate, key }: Shown): { readonly cert: string; readonly key: string } {
  return { cert: certificate, key }
}

/** Own addresses that the certificate is for, and its names where an operator gave them. */
function secureUrls(
  names: readonly string[],
  own: readonly string[],
  { base, hostNames, host }: Options,
  port: number,
): string[] {
  const isOpen = host === '0.0.0.0' || host === '::'
  const usable = names.filter((name) => {
    if (isIP(name) === 0) return hostNames.includes(name)
    return isOpen ? isIP(name) === 4 && own.includes(name) : name === host
  })
  const named = names.filter((name) => isIP(name) === 0 && !name.startsWith('*'))
  const hosts = usable.length > 0 ? usable : named.slice(0, 1)
  return hosts.map((name) => `https://${name}:${port}${base}`)
}
