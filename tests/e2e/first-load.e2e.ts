import { afterEach, describe, expect, it } from 'vitest'
import { Person, Scene } from './harness.ts'

/** The first load as the design page defines it: page, JavaScript and workers, gzip, measured in the browser. */
const untilTypedMax = 100_000
const after5sMax = 180_000

describe('first load', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it.each([
    ['localhost', 'localhost'],
    ['plain http', 'node1.local.mesh'],
  ])('%s: at most 100 kB until one can type, 180 kB five seconds later', async (_tier, host) => {
    scene = new Scene()
    const helper = await scene.helper({
      args: ['--port', '0', '--stun-port', '0', '--memory'],
    })
    await Person.arrive(await scene.browser(), helper.url, 'Somebody')
    const { context } = await scene.browser({ args: ['--host-resolver-rules=MAP *.local.mesh 127.0.0.1'] })
    const page = context.pages()[0] ?? (await context.newPage())
    const client = await context.newCDPSession(page)
    await client.send('Network.enable')
    const fetched: string[] = []
    let everything = 0
    client.on('Network.responseReceived', ({ type, response }) => {
      if (type === 'Document' || type === 'Script') fetched.push(response.url)
    })
    client.on('Network.loadingFinished', ({ encodedDataLength }) => (everything += encodedDataLength))
    const url = new URL(helper.url)
    await page.goto(`http://${host}:${url.port}/`)
    await page.getByRole('button', { name: 'Start chatting' }).click()
    await page.getByRole('textbox', { name: 'Message #general' }).fill('typed')
    const early = fetched.length
    const typedAtMs = performance.now()
    await page.waitForFunction(
      (sinceMs) => performance.now() - sinceMs > 5_000,
      await page.evaluate(() => performance.now()),
    )
    const sizes = await Promise.all(fetched.map((one) => gzipBytes(one.replace(host, '127.0.0.1'))))
    const sum = (list: readonly number[]) => list.reduce((total, size) => total + size, 0)
    const [untilTyped, after5s] = [sum(sizes.slice(0, early)), sum(sizes)]
    const seconds = (performance.now() - typedAtMs) / 1_000
    console.log(
      `first load, ${host}: ${untilTyped} B until typed, ${after5s} B after ${seconds.toFixed(1)} s; ` +
        `${everything} B over the wire with everything`,
    )
    expect(untilTyped).toBeLessThanOrEqual(untilTypedMax)
    expect(after5s).toBeLessThanOrEqual(after5sMax)
  })
})

/** Chromium takes Brotli where it is offered; the budget counts gzip. */
async function gzipBytes(url: string): Promise<number> {
  const response = await fetch(url, { headers: { 'accept-encoding': 'gzip' } })
  expect(response.headers.get('content-encoding'), url).toBe('gzip')
  return Number(response.headers.get('content-length'))
}
