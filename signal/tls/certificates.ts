/**
 * What this node shows on https: the operator's certificate, or (`--tls auto`) one that the mesh's authority in the data
 * directory issues for this node's names and addresses at each start; where there is no authority, the node makes one.
 */
import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Authority, Certified } from './authority.ts'
import { certificateLimits, meshPermits, permits, type Permits } from './permits.ts'
import { readAuthority, writeAuthority } from './files.ts'

export type TlsOptions =
  | { readonly type: 'files'; readonly certificateFile: string; readonly keyFile: string }
  | { readonly type: 'auto'; readonly folder: string; readonly meshName: string }

export interface Shown extends Certified {
  /** Names and addresses that it is for. */
  readonly names: readonly string[]
  /** PEM of the authority that has to be trusted; undefined when devices know it anyway. */
  readonly authority: string | undefined
  /** What that authority may vouch for, where it is known. */
  readonly permits: Permits | undefined
}

/** The certificate cannot be used; the sentence is for whoever runs the node. */
export class TlsFault extends Error {}

export const authorityFolder = (dataDir: string): string => join(dataDir, 'ca')

/**
 * @param own names and addresses of this machine
 * @throws TlsFault
 */
export async function openCertificate(
  options: TlsOptions,
  own: readonly string[],
  wallMs: number,
): Promise<Shown> {
  try {
    const certified =
      options.type === 'files'
        ? readFiles(options)
        : await issueOwn(await authorityFor(options, wallMs), own, wallMs)
    const [leaf, ...others] = splitChain(certified.certificate).map((pem) => new X509Certificate(pem))
    if (leaf === undefined) throw new TlsFault('The certificate file holds no certificate.')
    const root = others.find((one) => one.ca && one.verify(one.publicKey))
    // That the two fit is found out here, and not when a page comes.
    createSecureContext({ cert: certified.certificate, key: certified.key })
    const known = options.type === 'auto' ? readAuthority(options.folder)?.permits : undefined
    return { ...certified, names: namesOf(leaf), authority: root?.toString(), permits: known }
  } catch (error) {
    if (error instanceof TlsFault) throw error
    const why = error instanceof Error ? error.message : 'unknown'
    throw new TlsFault(`The certificate for https cannot be used: ${why}`)
  }
}

function readFiles({ certificateFile, keyFile }: Extract<TlsOptions, { type: 'files' }>): Certified {
  return { certificate: readFileSync(certificateFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
}

async function authorityFor(
  { folder, meshName }: Extract<TlsOptions, { type: 'auto' }>,
  wallMs: number,
): Promise<Authority> {
  const known = readAuthority(folder)
  if (known !== undefined) return known
  const { createAuthority } = await loadIssuing()
  const authority = await createAuthority(meshName, meshPermits, wallMs)
  writeAuthority(folder, authority)
  return authority
}

/** Four fifths of the helper's code, which a node without `--tls auto` never runs. */
function loadIssuing() {
  return import('./authority.ts')
}

async function issueOwn(authority: Authority, own: readonly string[], wallMs: number): Promise<Certified> {
  const names = [...new Set(own)].filter((name) => permits(authority.permits, name))
  const { issue } = await loadIssuing()
  return issue(authority, names.slice(0, certificateLimits.namesMax), wallMs)
}

export function splitChain(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
}

/** `DNS:a.local.mesh, IP Address:10.1.2.3` as Node tells it. */
function namesOf(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? '')
    .split(', ')
    .flatMap((part) => part.match(/^(?:DNS|IP Address):(.+)$/)?.[1] ?? [])
}

/** @returns whether it should be issued or read anew. */
export function isDue({ certificate }: Certified, wallMs: number): boolean {
  const [leaf] = splitChain(certificate)
  if (leaf === undefined) return true
  return new Date(new X509Certificate(leaf).validTo).getTime() - wallMs < certificateLimits.renewMs
}

/** @returns SHA-256 over the certificate, in pairs, as phones and browsers show it */
export function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256
}

/** @returns what the authority is called */
export function nameOf(pem: string): string {
  return new X509Certificate(pem).subject.replace(/^CN=/, '')
}

export function toDer(pem: string): Buffer {
  return new X509Certificate(pem).raw
}
