import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createAuthority, issue, NotPermitted, type Certified } from '../../signal/tls/authority.ts'
import { runAuthority } from '../../signal/tls/authority-command.ts'
import { openCertificate, TlsFault } from '../../signal/tls/certificates.ts'
import { cidrToBytes } from '../../signal/tls/cidr-bytes.ts'
import { readAuthority, writeAuthority } from '../../signal/tls/files.ts'
import { meshPermits, parsePermits, permits, permitsText } from '../../signal/tls/permits.ts'
import { trustPage } from '../../signal/tls/trust-page.ts'
import { BadOption, parseOptions } from '../../signal/options.ts'
import { NodeRig } from './node-rig.ts'

const rig = new NodeRig()
afterEach(() => rig.closeHelpers())
afterAll(() => rig.close())

const nowMs = Date.now()

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: Buffer
}

/** Asks 127.0.0.1 by that name, trusting only that authority. OpenSSL decides. */
function ask(url: string, port: number, authority: string): Promise<Answer> {
  const { hostname, pathname } = new URL(url)
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path: pathname,
      servername: hostname,
      ca: authority,
      headers: { host: `${hostname}:${port}` },
      agent: false,
    }
    get(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          body: Buffer.concat(chunks),
        }),
      )
    }).on('error', reject)
  })
}

async function verdict(authority: Certified, names: readonly string[]): Promise<string> {
  const lax = {
    ...authority,
    permits: { names: ['local.mesh', 'example.org'], prefixes: meshPermits.prefixes },
  }
  const { certificate, key } = await issue(lax, names, nowMs)
  const server = createServer({ cert: certificate, key }, (_, response) => response.end('in'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    return (await ask(`https://${names[0]}/`, port, authority.certificate)).body.toString()
  } catch (error) {
    return error instanceof Error ? error.message : 'unknown'
  } finally {
    server.close()
  }
}

describe('the authority of a mesh', () => {
  it('vouches for names of the mesh and for nothing else, whatever is signed with its key', async () => {
    const authority = await createAuthority('Test mesh', meshPermits, nowMs)
    expect(await verdict(authority, ['node-a.local.mesh', '10.1.2.3'])).toBe('in')
    expect(await verdict(authority, ['www.example.org'])).toBe('permitted subtree violation')
    expect(await verdict(authority, ['node-a.local.mesh', 'www.example.org'])).toBe(
      'permitted subtree violation',
    )
  })

  it('issues only what it may, for at most what Apple takes, and never longer than itself', async () => {
    const authority = await createAuthority('Test mesh', meshPermits, nowMs)
    for (const name of [
      'www.example.org',
      '8.8.8.8',
      '127.0.0.1',
      'mesh',
      'a b.local.mesh',
      'Node.local.mesh',
      '',
    ]) {
      await expect(issue(authority, [name], nowMs)).rejects.toThrow(NotPermitted)
    }
    await expect(issue(authority, [], nowMs)).rejects.toThrow(NotPermitted)
    const issued = await issue(authority, ['a.local.mesh', 'fd00::5', '192.168.1.9'], nowMs)
    const leaf = new X509Certificate(issued.certificate)
    expect(leaf.subjectAltName).toBe(
      'DNS:a.local.mesh, IP Address:FD00:0:0:0:0:0:0:5, IP Address:192.168.1.9',
    )
    const days = (new Date(leaf.validTo).getTime() - new Date(leaf.validFrom).getTime()) / 86_400_000
    expect(days).toBeLessThanOrEqual(825)
    const late = await issue(authority, ['a.local.mesh'], nowMs + 9.9 * 365 * 86_400_000)
    const root = new X509Certificate(authority.certificate)
    expect(new X509Certificate(late.certificate).validTo).toBe(root.validTo)
  })

  it('is kept with what it may vouch for, and its key is for its owner only', async () => {
    const folder = join(rig.folder, 'kept')
    const authority = await createAuthority('Test mesh', { names: ['mesh.example'], prefixes: [] }, nowMs)
    writeAuthority(folder, authority)
    expect(readAuthority(folder)).toEqual(authority)
    expect(statSync(join(folder, 'ca.key')).mode & 0o077).toBe(0)
    expect(readAuthority(join(rig.folder, 'nowhere'))).toBeUndefined()
  })

  it('writes prefixes as RFC 5280 does', () => {
    const hex = (address: string, bits: number) => Buffer.from(cidrToBytes({ address, bits })).toString('hex')
    expect(hex('10.1.2.3', 8)).toBe('0a000000ff000000')
    expect(hex('172.16.0.0', 12)).toBe('ac100000fff00000')
    expect(hex('fc00::', 7)).toBe(`fc${'00'.repeat(15)}fe${'00'.repeat(15)}`)
    expect(hex('fe80::1:2', 10)).toBe(`fe80${'00'.repeat(14)}ffc0${'00'.repeat(14)}`)
  })

  it('reads what it may vouch for, and nothing from nonsense', () => {
    expect(parsePermits(permitsText(meshPermits))).toEqual(meshPermits)
    for (const bad of ['', '[]', 'null', '{"names":[]}', '{"names":[],"prefixes":["10.0.0.0"]}']) {
      expect(parsePermits(bad)).toBeUndefined()
    }
    expect(permits(meshPermits, 'evil.local.mesh.example.org')).toBe(false)
    expect(permits(meshPermits, 'evillocal.mesh')).toBe(false)
  })
})

describe('meshchat ca', () => {
  const run = (...args: string[]) => runAuthority(args, { MESHCHAT_DATA: join(rig.folder, 'command') }, nowMs)

  it('makes an authority once, issues files for a node, and shows the fingerprint', async () => {
    await expect(run('issue', 'a.local.mesh')).rejects.toThrow(BadOption)
    const made = await run('init', '--name', 'North mesh', '--permit', '44.0.0.0/9')
    const fingerprint = /([0-9A-F]{2}:){31}[0-9A-F]{2}/.exec(made)?.[0] ?? 'none'
    expect(await run('show')).toContain(fingerprint)
    await expect(run('init')).rejects.toThrow(BadOption)
    const files = await run('issue', 'A.local.mesh', '44.1.2.3')
    const [certificate = '', key = ''] = files
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
    expect(new X509Certificate(readFileSync(certificate)).subject).toBe('CN=a.local.mesh')
    expect(statSync(key).mode & 0o077).toBe(0)
  })

  it.each([[['issue', 'www.example.org']], [['init', '--permit', 'x']], [['sell']], [['show', '--loud']]])(
    'refuses %j in one sentence',
    async (args) => {
      await expect(run(...args)).rejects.toThrow(BadOption)
    },
  )
})

describe('https beside http', () => {
  it('answers the same on both, with a certificate of its own authority, which it keeps', async () => {
    const data = join(rig.folder, 'auto')
    const open = () => rig.open('--data', data, '--tls', 'auto', '--tls-port', '0', '--no-resident')
    const helper = await open()
    const secure = new URL(helper.urls.find((one) => one.startsWith('https:')) ?? '')
    const port = Number(secure.port)
    const authority = readFileSync(join(data, 'ca', 'ca.crt'), 'utf8')
    const name = `${rig.lastName}.local.mesh`
    const page = await ask(`https://${name}/`, port, authority)
    expect([page.status, page.body.toString()]).toEqual([200, '<p>the app</p>'])
    const trusting = { ca: authority, servername: name, headers: { host: `${name}:${port}` } }
    const socket = new WebSocket(`wss://127.0.0.1:${port}/signal`, trusting)
    const challenge = await new Promise<string>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('message', (data: Buffer) => resolve(data.toString()))
    })
    expect(challenge).toContain('"challenge"')
    socket.terminate()
    const trust = (await ask(`https://${name}/trust`, port, authority)).body.toString()
    const [print = ''] = new X509Certificate(authority).fingerprint256.match(/^(..:){3}../) ?? []
    expect(trust).toContain(print.replaceAll(':', ' '))
    expect(trust).toContain('<svg')
    const file = await ask(`https://${name}/trust/meshchat-ca.crt`, port, authority)
    expect(file.type).toBe('application/x-x509-ca-cert')
    expect(file.body.equals(new X509Certificate(authority).raw)).toBe(true)
    await rig.closeHelpers()
    await open()
    expect(readFileSync(join(data, 'ca', 'ca.crt'), 'utf8')).toBe(authority)
  })

  it('says on plain http where trust comes from, or that there is nothing to trust', async () => {
    const helper = await rig.open()
    const answer = await fetch(`http://127.0.0.1:${helper.port}/trust`)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await answer.text()).toContain('has no secure address')
    expect((await fetch(`http://127.0.0.1:${helper.port}/trust/meshchat-ca.crt`)).status).toBe(404)
  })

  it('refuses to start with a certificate that cannot be used, and names why', async () => {
    const files = [join(rig.folder, 'x.crt'), join(rig.folder, 'x.key')] as const
    const tls = { type: 'files', certificateFile: files[0], keyFile: files[1] } as const
    await expect(openCertificate(tls, [], nowMs)).rejects.toThrow(TlsFault)
    writeFileSync(files[0], 'no certificate')
    writeFileSync(files[1], 'no key')
    await expect(openCertificate(tls, [], nowMs)).rejects.toThrow('holds no certificate')
    const args = ['--tls-port', '0', '--tls-cert', files[0], '--tls-key', files[1]]
    await expect(rig.open(...args)).rejects.toThrow(TlsFault)
  })

  it.each([
    [['--tls', 'yes']],
    [['--tls', 'auto', '--memory']],
    [['--tls-cert', 'a']],
    [['--tls-port', '8443']],
    [['--tls', 'auto', '--tls-cert', 'a', '--tls-key', 'b']],
  ])('refuses %j', (args) => {
    expect(() => parseOptions(args, {})).toThrow(BadOption)
  })
})

describe('the page about trust', () => {
  it('escapes what a node is called', () => {
    const authority = { name: '<i>', fingerprint: 'AA:BB', permits: meshPermits }
    const page = trustPage({ node: '<b>', url: 'http://10.1.2.3/', secureUrls: ['https://x/'], authority })
    expect(page).not.toMatch(/<b>|<i>/)
    expect(page).toContain('.local.mesh')
  })
})
