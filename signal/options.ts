/** The command line and the environment of the helper. A flag wins over its `MESHCHAT_…` variable. */
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isTurnUrl } from '#runtime/signal-frame.ts'
import { parseCidr, type Cidr } from './guards.ts'
import { authorityFolder, type TlsOptions } from './tls/certificates.ts'
import type { TurnServer } from './ice/turn.ts'

export interface Options {
  readonly port: number
  readonly host: string
  readonly name: string
  readonly neighbors: readonly string[]
  /** Whether other helpers are looked for on the LAN and in the list of an AREDN node. */
  readonly discovers: boolean
  /** Where an AREDN node tells of services, if not at its usual address: `MESHCHAT_SYSINFO`. */
  readonly sysinfoUrl: string | undefined
  readonly stunPort: number
  /** Starts and ends with a slash. */
  readonly base: string
  /** Undefined: keep nothing. */
  readonly dataDir: string | undefined
  /** Whether this node takes part as a box that keeps what people said. */
  readonly isResident: boolean
  /** Older messages are let go of; undefined: never for their age. */
  readonly keepDays: number | undefined
  /** About how much of messages is kept. */
  readonly keepBytes: number
  /** Of files, for others; 0: none are carried beyond what passes. */
  readonly keepFilesBytes: number
  readonly maxPeers: number
  /** An existing TURN server that browsers are told of. */
  readonly turn: TurnServer | undefined
  readonly origins: readonly string[]
  readonly hostNames: readonly string[]
  readonly prefixes: readonly Cidr[]
  readonly tlsPort: number
  /** Undefined: plain http only. */
  readonly tls: TlsOptions | undefined
}

/** One plain sentence for the person at the terminal; the process ends with 2. */
export class BadOption extends Error {}

const flags = {
  port: { type: 'string' },
  host: { type: 'string' },
  name: { type: 'string' },
  neighbor: { type: 'string', multiple: true },
  'stun-port': { type: 'string' },
  base: { type: 'string' },
  data: { type: 'string' },
  memory: { type: 'boolean' },
  'no-resident': { type: 'boolean' },
  'max-peers': { type: 'string' },
  origin: { type: 'string', multiple: true },
  'host-name': { type: 'string', multiple: true },
  'allow-prefix': { type: 'string', multiple: true },
  profile: { type: 'string' },
  'keep-days': { type: 'string' },
  'keep-mb': { type: 'string' },
  'keep-files-mb': { type: 'string' },
  'no-discovery': { type: 'boolean' },
  'turn-url': { type: 'string' },
  'turn-secret': { type: 'string' },
  'tls-port': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  tls: { type: 'string' },
  help: { type: 'boolean' },
} as const

type Flag = keyof typeof flags

/** Accepted by the contract, refused until the feature exists, so that nobody believes in something absent. */
const notBuilt: readonly Flag[] = []

export const helpText = `Usage: meshchat [options]            run a node (in a clone: npm start -- [options])
       meshchat doctor [options]     look whether everything that it needs is there
       meshchat ca init|issue|show   the mesh's own certificate authority

  --port N             port of the page (8080; 0 takes a free one)
  --host ADDRESS       address to listen on (0.0.0.0)
  --name NODE          this node's name on the screen (the machine's name)
  --neighbor URL       another node's page; may be repeated
  --no-discovery       do not look for other nodes on the LAN or in an AREDN node's list
  --stun-port N        UDP port that tells browsers their address (3478)
  --base PATH          serve the page under this path (/)
  --data DIR           where this node keeps its key and what people said (~/.local/share/meshchat)
  --memory             keep nothing after the end: a new key at each start
  --no-resident        do not keep what people said; only introduce browsers to each other
  --keep-days N        let go of messages that are older (never for their age)
  --keep-mb N          keep about so much of messages (512; with --memory 32)
  --keep-files-mb N    keep about so much of files that people fetch through this node (1024; with --memory 32)
  --max-peers N        browsers at once (1000)
  --turn-url URL       an existing TURN server (coturn) for browsers, turn:HOST:PORT
  --turn-secret S      its shared secret (use-auth-secret)
  --tls auto           also serve https, with a certificate of this mesh's own authority (see docs/operators.md)
  --tls-cert FILE      also serve https with this certificate, its chain included (PEM)
  --tls-key FILE       the certificate's key (PEM)
  --tls-port N         port of the secure page (8443)
  --origin ORIGIN      also accept pages from here; may be repeated
  --host-name NAME     also answer to this name; may be repeated
  --allow-prefix CIDR  also a network of ours; may be repeated
  --profile open       the only profile so far
  --help               this text

Each option also as a variable: MESHCHAT_PORT, MESHCHAT_NEIGHBOR (comma separated), …
`

type Values = Partial<Record<Flag, string | boolean | string[]>>

/** @throws BadOption @returns undefined when help is asked for */
export function parseOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Options | undefined {
  const values = readFlags(args, env)
  if (values.help === true) return undefined
  for (const flag of notBuilt) {
    if (values[flag] !== undefined) throw new BadOption(`--${flag} is not built yet.`)
  }
  const profile = text(values, 'profile') ?? 'open'
  if (profile !== 'open') throw new BadOption(`--profile ${profile} is not built yet; there is only open.`)
  if (values.memory === true && values.data !== undefined) {
    throw new BadOption('--data and --memory exclude each other.')
  }
  const dataDir = values.memory === true ? undefined : (text(values, 'data') ?? dataDirOf(env))
  const name = nodeName(text(values, 'name') ?? (hostname().slice(0, 32) || 'node'))
  return {
    port: whole(values, 'port', 8080, 65_535),
    host: text(values, 'host') ?? '0.0.0.0',
    name,
    neighbors: many(values, 'neighbor').map(neighborUrl),
    discovers: values['no-discovery'] !== true,
    sysinfoUrl: env['MESHCHAT_SYSINFO'],
    stunPort: whole(values, 'stun-port', 3478, 65_535),
    base: basePath(text(values, 'base') ?? '/'),
    dataDir,
    isResident: values['no-resident'] !== true,
    keepDays: values['keep-days'] === undefined ? undefined : whole(values, 'keep-days', 0, 36_500, 1),
    keepBytes: whole(values, 'keep-mb', values.memory === true ? 32 : 512, 1_000_000, 1) * 1_000_000,
    keepFilesBytes:
      whole(values, 'keep-files-mb', values.memory === true ? 32 : 1_024, 1_000_000, 1) * 1_000_000,
    maxPeers: whole(values, 'max-peers', 1_000, 100_000),
    turn: turnServer(text(values, 'turn-url'), text(values, 'turn-secret')),
    origins: many(values, 'origin').map((origin) => origin.toLowerCase().replace(/\/$/, '')),
    hostNames: many(values, 'host-name').map((name) => name.toLowerCase()),
    prefixes: many(values, 'allow-prefix').map(prefix),
    tlsPort: whole(values, 'tls-port', 8443, 65_535),
    tls: tlsOptions(values, name, dataDir),
  }
}

function readFlags(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Values {
  let values: Values
  try {
    values = parseArgs({ args: [...args], options: flags, strict: true }).values
  } catch (error) {
    throw new BadOption(error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'Bad option.')
  }
  const [hasMemory, hasData] = [values.memory === true, values.data !== undefined]
  // Whoever wants nothing kept has nothing kept, also where a unit names a folder.
  const wantsMemory = !hasData && isSet(env['MESHCHAT_MEMORY'])
  for (const flag of Object.keys(flags) as Flag[]) {
    const variable = env[`MESHCHAT_${flag.toUpperCase().replaceAll('-', '_')}`]
    if (variable === undefined || variable === '' || values[flag] !== undefined) continue
    // A flag wins, also over the variable of what it excludes.
    if ((flag === 'data' && (hasMemory || wantsMemory)) || (flag === 'memory' && hasData)) continue
    if (flags[flag].type === 'boolean') {
      if (isSet(variable)) values[flag] = true
    } else
      values[flag] = 'multiple' in flags[flag] ? variable.split(',').map((part) => part.trim()) : variable
  }
  return values
}

function isSet(variable: string | undefined): boolean {
  return variable !== undefined && !['', '0', 'false'].includes(variable)
}

function text(values: Values, flag: Flag): string | undefined {
  const value = values[flag]
  return typeof value === 'string' ? value : undefined
}

function many(values: Values, flag: Flag): string[] {
  const value = values[flag]
  return Array.isArray(value) ? value : []
}

function whole(values: Values, flag: Flag, otherwise: number, max: number, min = 0): number {
  const value = text(values, flag)
  if (value === undefined) return otherwise
  if (!/^\d+$/.test(value) || Number(value) > max || Number(value) < min) {
    throw new BadOption(`--${flag} must be a whole number from ${min} to ${max}, not “${value}”.`)
  }
  return Number(value)
}

function nodeName(value: string): string {
  const name = value.trim()
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(name)) {
    throw new BadOption(`--name must be 1 to 32 letters, digits, dots or dashes, not “${value}”.`)
  }
  return name
}

function turnServer(url: string | undefined, secret: string | undefined): TurnServer | undefined {
  if (url === undefined && secret === undefined) return undefined
  if (url === undefined || secret === undefined || secret === '') {
    throw new BadOption('--turn-url and --turn-secret belong together.')
  }
  if (!isTurnUrl(url)) throw new BadOption(`--turn-url must be like turn:10.1.2.3:3478, not “${url}”.`)
  return { url, secret }
}

function tlsOptions(values: Values, name: string, dataDir: string | undefined): TlsOptions | undefined {
  const auto = text(values, 'tls')
  const [certificateFile, keyFile] = [text(values, 'tls-cert'), text(values, 'tls-key')]
  if (auto !== undefined && auto !== 'auto') throw new BadOption(`--tls can only be auto, not “${auto}”.`)
  if ((certificateFile === undefined) !== (keyFile === undefined)) {
    throw new BadOption('--tls-cert and --tls-key belong together.')
  }
  if (certificateFile !== undefined && keyFile !== undefined) {
    if (auto !== undefined) throw new BadOption('--tls auto and --tls-cert exclude each other.')
    return { type: 'files', certificateFile, keyFile }
  }
  if (auto === undefined) {
    if (values['tls-port'] === undefined) return undefined
    throw new BadOption('--tls-port needs --tls auto, or --tls-cert and --tls-key.')
  }
  if (dataDir === undefined) {
    throw new BadOption('--tls auto needs a data directory: devices trust an authority that stays.')
  }
  return { type: 'auto', folder: authorityFolder(dataDir), meshName: `${name} mesh` }
}

function neighborUrl(value: string): string {
  if (!URL.canParse(value) || !/^https?:/.test(value)) {
    throw new BadOption(`--neighbor must be an address like http://10.1.2.3:8080/, not “${value}”.`)
  }
  const url = new URL(value)
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return `${url.origin}${url.pathname}`
}

function basePath(value: string): string {
  if (!/^\/([A-Za-z0-9._~-]+\/?)*$/.test(value)) {
    throw new BadOption(`--base must be a path like /mc/, not “${value}”.`)
  }
  return value.endsWith('/') ? value : `${value}/`
}

function prefix(value: string): Cidr {
  const cidr = parseCidr(value)
  if (cidr === undefined) throw new BadOption(`--allow-prefix must be like 10.0.0.0/8, not “${value}”.`)
  return cidr
}

/** @returns where a node keeps its things unless a flag says otherwise */
export function dataDirOf(env: Readonly<Record<string, string | undefined>>): string {
  const own = env['MESHCHAT_DATA']
  if (own !== undefined && own !== '') return own
  const base = env['XDG_DATA_HOME']
  return join(base === undefined || base === '' ? join(homedir(), '.local', 'share') : base, 'meshchat')
}
