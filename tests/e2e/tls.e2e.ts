import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { launch } from 'puppeteer-core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAuthority, issue, type Authority } from '../../signal/tls/authority.ts'
import { readAuthority, writeAuthority } from '../../signal/tls/files.ts'
import { meshPermits } from '../../signal/tls/permits.ts'
import { Person, Scene } from './harness.ts'

const hasCertutil = existsSync('/usr/bin/certutil')
const firefoxPath = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr'
const inside = 'node-a.local.mesh'
/** Nobody asks the internet: every name is this machine. */
const outside = 'www.example.org'
const args = ['--host-resolver-rules=MAP * 127.0.0.1']

/** A device that was told to trust an authority, as `/trust` says for Linux. @param folder of the browser's certificates */
function trust(folder: string, certificate: string): void {
  mkdirSync(folder, { recursive: true })
  execFileSync('certutil', ['-N', '-d', `sql:${folder}`, '--empty-password'])
  execFileSync('certutil', ['-A', '-d', `sql:${folder}`, '-n', 'mesh', '-t', 'C,,', '-i', certificate])
}

describe.skipIf(!hasCertutil)('a mesh authority that a device trusts', () => {
  let scene: Scene
  beforeEach(() => {
    scene = new Scene()
  })
  afterEach(() => scene.close())

  /** A server that shows a certificate for these names, whatever the authority may vouch for. */
  async function serveAs(authority: Authority, names: readonly string[]): Promise<number> {
    const lax = { names: ['local.mesh', 'example.org'], prefixes: [{ address: '127.0.0.0', bits: 8 }] }
    const { certificate, key } = await issue({ ...authority, permits: lax }, names, Date.now())
    const server: Server = createServer({ cert: certificate, key }, (_, response) =>
      response.end('<h1>in</h1>'),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    scene.onClose(() => void server.close())
    return (server.address() as AddressInfo).port
  }

  /** @returns addresses of one that the authority may vouch for, and of two that it may not */
  async function addresses(authority: Authority): Promise<[string, string, string]> {
    return [
      `https://${inside}:${await serveAs(authority, [inside])}/`,
      `https://${outside}:${await serveAs(authority, [outside])}/`,
      `https://127.0.0.1:${await serveAs(authority, ['127.0.0.1'])}/`,
    ]
  }

  async function ownAuthority(): Promise<{ authority: Authority; file: string }> {
    const authority = await createAuthority('Test mesh', meshPermits, Date.now())
    writeAuthority(scene.folder, authority)
    return { authority, file: join(scene.folder, 'ca.crt') }
  }

  it('Chromium: counts for names of the mesh only', async () => {
    const { authority, file } = await ownAuthority()
    trust(join(scene.folder, '.pki', 'nssdb'), file)
    const { context } = await scene.browser({ args, env: { HOME: scene.folder } })
    const page = await context.newPage()
    const [good, bad, badAddress] = await addresses(authority)
    await page.goto(good)
    expect(await page.textContent('h1')).toBe('in')
    await expect(page.goto(bad)).rejects.toThrow('ERR_CERT')
    await expect(page.goto(badAddress)).rejects.toThrow('ERR_CERT')
  })

  it.skipIf(!existsSync(firefoxPath))('Firefox: counts for names of the mesh only', async () => {
    const { authority, file } = await ownAuthority()
    const profile = join(scene.folder, 'firefox')
    trust(profile, file)
    const browser = await launch({
      browser: 'firefox',
      executablePath: firefoxPath,
      userDataDir: profile,
      headless: true,
      env: { ...process.env, HOME: scene.folder },
      extraPrefsFirefox: { 'network.dns.localDomains': `${inside},${outside}` },
    })
    scene.onClose(() => browser.close())
    const page = await browser.newPage()
    const [good, bad, badAddress] = await addresses(authority)
    await page.goto(good)
    expect(await page.$eval('h1', (one) => one.textContent)).toBe('in')
    for (const url of [bad, badAddress]) {
      // A tab each: the page that tells of the error is still loading when the error is known.
      const tab = await browser.newPage()
      await expect(tab.goto(url)).rejects.toThrow('SEC_ERROR_CERT_NOT_IN_NAME_SPACE')
    }
  })

  it('installs the app from https, and opens it again without any node', async () => {
    const data = join(scene.folder, 'data')
    const options = ['--tls', 'auto', '--tls-port', '0', '--port', '0', '--stun-port', '0']
    const helper = await scene.helper({ args: [...options, '--data', data, '--name', 'node-a'] })
    expect(readAuthority(join(data, 'ca'))).toBeDefined()
    trust(join(scene.folder, '.pki', 'nssdb'), join(data, 'ca', 'ca.crt'))
    const port = new URL(helper.urls.find((one) => one.startsWith('https:')) ?? '').port
    const url = `https://${inside}:${port}/`
    const browser = await scene.browser({ args, env: { HOME: scene.folder } })
    const ana = await Person.arrive(browser, url, 'Ana')
    expect(await ana.page.evaluate(() => isSecureContext)).toBe(true)
    await ana.say('written over https')
    await ana.page.evaluate(async () => {
      await navigator.serviceWorker.ready
      while (!navigator.serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 100))
    })
    await helper.kill('SIGKILL')
    await ana.page.reload()
    await ana.sees('written over https')
    await ana.say('written without a node')
    await ana.seesState('written without a node', 'waiting')
  })

  it('is explained at /trust, without a script, with the fingerprint', async () => {
    const data = join(scene.folder, 'data')
    const options = ['--tls', 'auto', '--tls-port', '0', '--port', '0', '--stun-port', '0']
    const helper = await scene.helper({ args: [...options, '--data', data, '--name', 'node-a'] })
    const certificate = readFileSync(join(data, 'ca', 'ca.crt'))
    expect(certificate.length).toBeGreaterThan(0)
    for (const viewport of [
      { width: 390, height: 844 },
      { width: 1280, height: 800 },
    ]) {
      const { context } = await scene.browser({ viewport })
      const page = await context.newPage()
      await page.goto(`${helper.url}trust`)
      await page.getByRole('heading', { name: 'Make this device trust node-a' }).waitFor()
      await page.getByText('Android', { exact: true }).click()
      await page.getByText('Install anyway').waitFor()
      const folder = process.env['SCREENSHOTS']
      if (folder !== undefined) {
        await page.screenshot({ path: join(folder, `trust-${viewport.width}.png`), fullPage: true })
      }
    }
  })
})
