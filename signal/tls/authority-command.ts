/** `meshchat ca …`: makes the mesh's authority and certificates for its nodes, as files to carry to them. */
import { isIP } from 'node:net'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseCidr } from '../guards.ts'
import { BadOption, dataDirOf } from '../options.ts'
import { createAuthority, issue, NotPermitted, type Authority } from './authority.ts'
import { authorityFolder, fingerprintOf } from './certificates.ts'
import { readAuthority, writeAuthority, writeCertified } from './files.ts'
import { meshPermits, permitsText, type Permits } from './permits.ts'

export const authorityHelp = `Usage: npm run meshchat -- ca init [--name "MESH"] [--permit NAME|CIDR]... [--dir DIR]
       npm run meshchat -- ca issue NAME|ADDRESS... [--out DIR] [--dir DIR]
       npm run meshchat -- ca show [--dir DIR]

  init   makes the certificate authority of your mesh. It may vouch for names below local.mesh and local and
         for private addresses, and for what --permit adds; for no other web site, also if its key is stolen.
  issue  makes a certificate and a key for a node, to be given to it with --tls-cert and --tls-key.
  show   prints the fingerprint that people compare before they trust it.

  --dir DIR   where the authority is kept (ca in the data directory). Keep ca.key on as few machines as you can.
`

type Env = Readonly<Record<string, string | undefined>>

/** @returns what to print @throws BadOption */
export async function runAuthority(args: readonly string[], env: Env, wallMs: number): Promise<string> {
  const { values, positionals } = read(args)
  const [verb, ...names] = positionals
  const folder = values.dir ?? authorityFolder(dataDirOf(env))
  if (values.help === true || verb === undefined) return authorityHelp
  if (verb === 'init') return init(folder, values.name ?? 'meshchat mesh', values.permit ?? [], wallMs)
  const authority = readAuthority(folder)
  if (authority === undefined) {
    throw new BadOption(`There is no authority in ${folder} yet; make one with “ca init”.`)
  }
  if (verb === 'show') return describe(folder, authority)
  if (verb === 'issue') return issueFor(authority, names, values.out ?? join(folder, 'nodes'), wallMs)
  throw new BadOption(`“ca ${verb}” is nothing; there are init, issue and show.`)
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        dir: { type: 'string' },
        name: { type: 'string' },
        out: { type: 'string' },
        permit: { type: 'string', multiple: true },
        help: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new BadOption(error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'Bad option.')
  }
}

async function init(
  folder: string,
  name: string,
  permit: readonly string[],
  wallMs: number,
): Promise<string> {
  if (readAuthority(folder) !== undefined) {
    throw new BadOption(`There is an authority in ${folder} already; devices trust that one.`)
  }
  if (!/^[\x20-\x7e]{1,64}$/.test(name)) throw new BadOption('--name must be 1 to 64 plain characters.')
  const authority = await createAuthority(name, permitsWith(permit), wallMs)
  writeAuthority(folder, authority)
  return describe(folder, authority)
}

function permitsWith(extra: readonly string[]): Permits {
  const names = [...meshPermits.names]
  const prefixes = [...meshPermits.prefixes]
  for (const one of extra) {
    const prefix = parseCidr(isIP(one) === 0 ? one : `${one}/${isIP(one) === 4 ? 32 : 128}`)
    if (prefix !== undefined) prefixes.push(prefix)
    else if (/^([a-z0-9-]+\.)+[a-z0-9-]+$/.test(one)) names.push(one)
    else
      throw new BadOption(
        `--permit must be a name like mesh.example.org or a network like 44.0.0.0/9, not “${one}”.`,
      )
  }
  return { names, prefixes }
}

function describe(folder: string, { certificate, permits }: Authority): string {
  return [
    `Authority in ${folder}`,
    `  fingerprint (SHA-256): ${fingerprintOf(certificate)}`,
    `  may vouch for: ${permitsText(permits).trim()}`,
    '',
  ].join('\n')
}

async function issueFor(
  authority: Authority,
  names: readonly string[],
  out: string,
  wallMs: number,
): Promise<string> {
  try {
    const wanted = names.map((name) => name.toLowerCase())
    const certified = await issue(authority, wanted, wallMs)
    const [certificate = '', key = ''] = writeCertified(out, wanted[0] ?? '', certified)
    return `${[`--tls-cert ${certificate}`, `--tls-key ${key}`].join('\n')}\n`
  } catch (error) {
    if (error instanceof NotPermitted) throw new BadOption(error.message)
    throw error
  }
}
