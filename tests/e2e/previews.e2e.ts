import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'
import { bothSizes } from './picture.ts'
import { attach, card, get, isWhole, makeFile, savedBytes } from './sharing.ts'

/** Sound, moving pictures and photos, as they are sent, shown and played. */
describe('previews', () => {
  let scene: Scene
  afterEach(() => scene.close())

  const args = ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1']

  async function two(host = 'localhost') {
    scene = new Scene()
    const helper = await scene.helper({ args })
    const url = helper.url.replace(/localhost|127\.0\.0\.1/, host)
    const mesh = { args: ['--host-resolver-rules=MAP *.local.mesh 127.0.0.1'] }
    const ana = await Person.arrive(await scene.browser(mesh), url, 'Ana')
    const bill = await Person.arrive(await scene.browser(mesh), url, 'Bill')
    await ana.reaches(1)
    return { ana, bill }
  }

  function put(name: string, bytes: Uint8Array) {
    const path = join(scene.folder, name)
    writeFileSync(path, bytes)
    return { path, name }
  }

  it.each([
    ['localhost', 'localhost'],
    ['plain http', 'node1.local.mesh'],
  ])('%s: sound and moving pictures play, and go on from where one jumps to', async (_tier, host) => {
    const { ana, bill } = await two(host)
    const sound = put('siren.wav', waveOf(60))
    const moving = put('bridge.webm', Buffer.from(await ana.page.evaluate(film, 3_000), 'base64'))
    for (const [made, tag, toSeconds] of [
      [sound, 'audio', 50],
      [moving, 'video', 2],
    ] as const) {
      await attach(ana, [made.path])
      await card(bill, made).waitFor()
      if ((await card(bill, made).getByRole('button', { name: 'Get' }).count()) > 0) await get(bill, made)
      await isWhole(bill, made)
      const player = card(bill, made).locator(tag)
      await player.waitFor()
      const at = await player.evaluate(jump, toSeconds)
      expect(at).toBeGreaterThanOrEqual(toSeconds)
      expect(at).toBeLessThan(toSeconds + 10)
    }
    await bothSizes(bill, `file-played-${host === 'localhost' ? 'secure' : 'plain'}`)
  })

  it('held files have an address of their own, which answers ranges and runs nothing', async () => {
    const { ana, bill } = await two()
    await bill.page.waitForFunction(() => navigator.serviceWorker.controller !== null, undefined, {
      timeout: 60_000,
    })
    const moving = put('bridge.webm', Buffer.from(await ana.page.evaluate(film, 2_000), 'base64'))
    const page = put('page.html', Buffer.from('<script>alert(1)</script>'))
    await attach(ana, [moving.path])
    await attach(ana, [page.path])
    for (const made of [moving, page]) {
      await get(bill, made)
      await isWhole(bill, made)
    }
    const player = card(bill, moving).locator('video')
    const address = await player.evaluate((video: HTMLVideoElement) => video.src)
    expect(address).toContain('/held/')
    expect(await player.evaluate(jump, 1)).toBeGreaterThanOrEqual(1)
    const bytes = Buffer.from(await savedBytes(bill, moving))
    const part = await bill.page.evaluate(ask, { address, range: 'bytes=100-199' })
    expect(part).toMatchObject({ status: 206, range: `bytes 100-199/${bytes.length}`, type: 'video/webm' })
    expect(Buffer.from(part.bytes, 'base64').equals(bytes.subarray(100, 200))).toBe(true)
    // After a reload it is the same one.
    await bill.page.reload()
    await player.waitFor()
    await expect.poll(() => player.evaluate((video: HTMLVideoElement) => video.src)).toBe(address)
    // What could run is bytes, whatever the address says that it is; what is not held is not there.
    const { id } = /held\/(?<id>[0-9a-f]{64})/.exec(address)?.groups ?? {}
    const other = await bill.page.evaluate(async () => {
      const top = await navigator.storage.getDirectory()
      const folder = await top.getDirectoryHandle('meshchat-files')
      const names: string[] = []
      for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys())
        names.push(name)
      return names
    })
    const html = other.find((name) => name !== id) ?? ''
    const asPage = await bill.page.evaluate(ask, { address: `held/${html}?type=text/html`, range: '' })
    expect(asPage).toMatchObject({ status: 200, type: 'application/octet-stream' })
    expect(asPage.policy).toContain('sandbox')
    const nothing = await bill.page.evaluate(ask, {
      address: `held/${'0'.repeat(64)}?type=image/png`,
      range: '',
    })
    expect(nothing.status).toBe(404)
    await bothSizes(bill, 'file-at-its-address')
  })

  it('a photo goes smaller where its sender says so', async () => {
    const { ana, bill } = await two()
    const photo = put('IMG 0042.jpeg', Buffer.from(await ana.page.evaluate(photograph), 'base64'))
    await ana.page.getByLabel('File', { exact: true }).setInputFiles([photo.path])
    const sheet = ana.page.getByRole('dialog')
    const size = sheet.getByRole('combobox', { name: 'Size of IMG 0042.jpeg' })
    await size.waitFor()
    await bothSizes(ana, 'file-photo-size')
    await size.selectOption('smaller')
    await sheet.getByRole('button', { name: 'Send' }).click()
    const small = { name: 'IMG 0042.jpg' }
    await card(bill, small).waitFor()
    if ((await card(bill, small).getByRole('button', { name: 'Get' }).count()) > 0) await get(bill, small)
    await isWhole(bill, small)
    const picture = card(bill, small).locator('img')
    await picture.waitFor()
    await expect.poll(() => picture.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBe(1600)
    const [before, after] = [await ana.page.evaluate(photograph), await savedBytes(bill, small)]
    expect(after.length).toBeLessThan(0.8 * Buffer.from(before, 'base64').length)
  })

  it('what is called off while it is prepared is sent to nobody, and leaves nothing', async () => {
    const { ana, bill } = await two()
    const map = makeFile(scene, 'region.mbtiles', 300_000_000)
    await attach(ana, [map.path])
    const cancel = ana.page.getByRole('button', { name: 'Cancel region.mbtiles' })
    await cancel.click()
    await cancel.waitFor({ state: 'detached' })
    await ana.say('Not that one')
    await bill.sees('Not that one')
    expect(await card(bill, map).count()).toBe(0)
    await expect.poll(() => stored(ana.page), { timeout: 20_000 }).toBeLessThan(20_000_000)
  })
})

/** @returns a tone, 8 kHz, 16 bits (RIFF WAVE) */
function waveOf(seconds: number): Uint8Array {
  const rate = 8_000
  const bytes = Buffer.alloc(44 + seconds * rate * 2)
  bytes.write('RIFF', 0)
  bytes.writeUInt32LE(bytes.length - 8, 4)
  bytes.write('WAVEfmt ', 8)
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(1, 22)
  bytes.writeUInt32LE(rate, 24)
  bytes.writeUInt32LE(rate * 2, 28)
  bytes.writeUInt16LE(2, 32)
  bytes.writeUInt16LE(16, 34)
  bytes.write('data', 36)
  bytes.writeUInt32LE(bytes.length - 44, 40)
  for (let i = 0; i < seconds * rate; i++)
    bytes.writeInt16LE(Math.round(8_000 * Math.sin((2 * Math.PI * 440 * i) / rate)), 44 + 2 * i)
  return bytes
}

/** In the page: what a camera would give. @returns base64 */
async function film(forMs: number): Promise<string> {
  const canvas = document.createElement('canvas')
  canvas.width = 320
  canvas.height = 180
  const context = canvas.getContext('2d')
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: 'video/webm' })
  const parts: Blob[] = []
  recorder.ondataavailable = ({ data }) => parts.push(data)
  recorder.start()
  const startMs = performance.now()
  await new Promise<void>((done) => {
    const draw = () => {
      const atMs = performance.now() - startMs
      if (context !== null) context.fillStyle = `hsl(${atMs / 10} 80% 50%)`
      context?.fillRect((atMs / 10) % 300, 0, 20, 180)
      if (atMs < forMs) requestAnimationFrame(draw)
      else done()
    }
    draw()
  })
  await new Promise((done) => {
    recorder.onstop = done
    recorder.stop()
  })
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer())
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}

/** In the page: a photo of 12 megapixels, the same each time. @returns base64 */
async function photograph(): Promise<string> {
  const canvas = document.createElement('canvas')
  canvas.width = 4_000
  canvas.height = 3_000
  const context = canvas.getContext('2d')
  for (let i = 0; i < 3_000 && context !== null; i++) {
    context.fillStyle = `hsl(${(i * 37) % 360} 60% ${20 + ((i * 13) % 60)}%)`
    context.fillRect((i * 97) % 4_000, (i * 61) % 3_000, 40 + (i % 90), 30 + (i % 70))
  }
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/jpeg', 0.95))
  const bytes = new Uint8Array((await blob?.arrayBuffer()) ?? new ArrayBuffer())
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}

/** In the page: plays, jumps, and plays on. @returns where it plays, s */
async function jump(player: HTMLElement, toSeconds: number): Promise<number> {
  const media = player as HTMLMediaElement
  media.muted = true
  await media.play()
  media.currentTime = toSeconds
  await new Promise((done) => media.addEventListener('seeked', done, { once: true }))
  return media.currentTime
}

/** In the page. @returns what is answered, its bytes as base64 */
async function ask({ address, range }: { readonly address: string; readonly range: string }) {
  const answer = await fetch(address, range === '' ? {} : { headers: { range } })
  const bytes = new Uint8Array(await answer.arrayBuffer())
  return {
    status: answer.status,
    range: answer.headers.get('content-range'),
    type: answer.headers.get('content-type'),
    policy: answer.headers.get('content-security-policy'),
    bytes: btoa(String.fromCharCode(...bytes.subarray(0, 10_000))),
  }
}

/** @returns what the page's origin keeps, bytes */
function stored(page: Page): Promise<number> {
  return page.evaluate(async () => (await navigator.storage.estimate()).usage ?? 0)
}
