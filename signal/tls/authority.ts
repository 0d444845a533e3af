/**
 * A mesh's own certificate authority (ECDSA P-256, RFC 5280). What it may vouch for is written into its certificate as
 * critical name constraints: names of the mesh and private addresses only, so that whoever trusts it on a phone trusts
 * it for nothing on the internet.
 */
import 'reflect-metadata'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { cidrToBytes } from './cidr-bytes.ts'
import { certificateLimits, permits, type Permits } from './permits.ts'

/** A certificate, or a chain of them, and its key, as PEM. */
export interface Certified {
  readonly certificate: string
  readonly key: string
}

export interface Authority extends Certified {
  readonly permits: Permits
}

/** A name that this authority may not vouch for, or that is none. */
export class NotPermitted extends Error {}

const curve = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
/** RFC 5280 §4.2.1.10 */
const nameConstraintsId = '2.5.29.30'

/** @param name what a phone's list of authorities will show */
export async function createAuthority(name: string, permits: Permits, wallMs: number): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(curve, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    keys,
    notBefore: new Date(wallMs - certificateLimits.backdatedMs),
    notAfter: new Date(wallMs + certificateLimits.authorityMs),
    signingAlgorithm: curve,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      // Most systems let an authority vouch for no more than it says here (CA/Browser Forum BR §7.1.2.5).
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      new Extension(nameConstraintsId, true, nameConstraints(permits)),
    ],
  })
  return { certificate: certificate.toString('pem'), key: await keyToPem(keys.privateKey), permits }
}

/**
 * @param names host names and addresses, the first one is the subject
 * @returns the certificate followed by the authority's
 * @throws NotPermitted
 */
export async function issue(
  authority: Authority,
  names: readonly string[],
  wallMs: number,
): Promise<Certified> {
  const [subject] = names
  if (subject === undefined) throw new NotPermitted('A certificate needs at least one name.')
  if (names.length > certificateLimits.namesMax) {
    throw new NotPermitted(`A certificate may have ${certificateLimits.namesMax} names.`)
  }
  for (const name of names) {
    if (permits(authority.permits, name)) continue
    throw new NotPermitted(`“${name}” is none of the names and networks that this authority may vouch for.`)
  }
  const issuer = new X509Certificate(authority.certificate)
  const keys = await crypto.subtle.generateKey(curve, true, ['sign', 'verify'])
  const notAfterMs = Math.min(wallMs + certificateLimits.certificateMs, issuer.notAfter.getTime())
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [subject.slice(0, 64)] }],
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey: await keyFromPem(authority.key),
    notBefore: new Date(wallMs - certificateLimits.backdatedMs),
    notAfter: new Date(notAfterMs),
    signingAlgorithm: curve,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name })),
      ),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const chain = `${certificate.toString('pem')}\n${authority.certificate}`
  return { certificate: chain, key: await keyToPem(keys.privateKey) }
}

async function keyToPem(key: CryptoKey): Promise<string> {
  return `${PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

function keyFromPem(pem: string): Promise<CryptoKey> {
  const [raw = new ArrayBuffer(0)] = PemConverter.decode(pem)
  return crypto.subtle.importKey('pkcs8', raw, curve, false, ['sign'])
}

/** DER of RFC 5280 §4.2.1.10 with permitted subtrees only: dNSName is tag 2, iPAddress with its mask tag 7. */
function nameConstraints({ names, prefixes }: Permits): Uint8Array<ArrayBuffer> {
  const subtrees = [
    ...names.map((name) => der(0x30, der(0x82, Buffer.from(name, 'ascii')))),
    ...prefixes.map((prefix) => der(0x30, der(0x87, cidrToBytes(prefix)))),
  ]
  return new Uint8Array(der(0x30, der(0xa0, Buffer.concat(subtrees))))
}

function der(tag: number, content: Uint8Array): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
