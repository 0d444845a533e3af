import { spawn } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { Scene } from './harness.ts'
import { Lans, namespacesMissing } from './lans.ts'

const missing = namespacesMissing()

interface NodeAnswer {
  readonly neighbors: readonly { readonly name: string; readonly url: string; readonly state: string }[]
}

describe.skipIf(missing !== undefined)('helpers that nobody told of each other', () => {
  let scene: Scene
  let lans: Lans
  afterEach(async () => {
    await scene.close()
    lans.remove()
  })

  /** @returns names and addresses of the neighbours that a helper is linked to */
  function neighborsOf(side: string, url: string): string[] {
    const { neighbors } = JSON.parse(lans.fetch(side, `${url}api/node`)) as NodeAnswer
    return neighbors
      .filter(({ state }) => state === 'up')
      .map(({ name, url: at }) => `${name} ${at}`)
      .sort()
  }

  it('find each other on one LAN', async () => {
    scene = new Scene()
    lans = new Lans(['a'])
    for (const name of ['one', 'two']) {
      await scene.helper({ args: ['--memory', '--name', name], namespace: lans.host('a') })
    }
    const [one, two] = [1, 2].map((number) => `http://${lans.hostAddress('a', number)}:8080/`)
    await expect.poll(() => neighborsOf('a', one ?? ''), { timeout: 20_000 }).toEqual([`two ${two}`])
    await expect.poll(() => neighborsOf('a', two ?? ''), { timeout: 20_000 }).toEqual([`one ${one}`])
  })

  /** Node a is told of node b by a list as an AREDN node gives it. */
  async function startWithList(): Promise<string> {
    scene = new Scene()
    lans = new Lans(['a', 'b'])
    const url = (side: string) => `http://${lans.address(side)}:8080/`
    const services = [{ name: 'meshchat-net [chat]', ip: '10.77.2.1', protocol: 'tcp', link: url('b') }]
    const answer = JSON.stringify({ api_version: '2.0', node: 'NODE-a', services, link_info: {} })
    const script = `require('node:http').createServer((_, r) => r.end(${JSON.stringify(answer)})).listen(9000, '${lans.address('a')}')`
    const aredn = spawn('ip', ['netns', 'exec', lans.node('a'), process.execPath, '-e', script])
    scene.onClose(() => void aredn.kill('SIGKILL'))
    await scene.helper({ args: ['--memory', '--name', 'node-b'], namespace: lans.node('b') })
    // Asked again in five minutes: the list has to be there first.
    await expect
      .poll(() => lans.tryFetch('a', `http://${lans.address('a')}:9000/`), { timeout: 10_000 })
      .toBe(answer)
    return url('b')
  }

  async function startListed(): Promise<string> {
    const url = `http://${lans.address('a')}:8080/`
    const env = { MESHCHAT_SYSINFO: `http://${lans.address('a')}:9000/a/sysinfo` }
    await scene.helper({ args: ['--memory', '--name', 'node-a'], namespace: lans.node('a'), env })
    return url
  }

  it('find each other in the list of an AREDN node', async () => {
    const listed = await startWithList()
    // The cable between the two would carry DNS-SD too; here only the list tells.
    lans.blockUdp(lans.node('a'))
    const url = await startListed()
    await expect.poll(() => neighborsOf('a', url), { timeout: 20_000 }).toEqual([`node-b ${listed}`])
  })

  it('are one neighbour when they are found in two ways', async () => {
    await startWithList()
    const url = await startListed()
    const names = () => neighborsOf('a', url).map((line) => line.split(' ')[0])
    await expect.poll(names, { timeout: 20_000 }).toEqual(['node-b'])
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(names()).toEqual(['node-b'])
  })

  it('look for nobody with --no-discovery', async () => {
    scene = new Scene()
    lans = new Lans(['a'])
    for (const name of ['one', 'two']) {
      const args = ['--memory', '--name', name, ...(name === 'two' ? ['--no-discovery'] : [])]
      await scene.helper({ args, namespace: lans.host('a') })
    }
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    expect(neighborsOf('a', `http://${lans.hostAddress('a', 1)}:8080/`)).toEqual([])
  })
})
