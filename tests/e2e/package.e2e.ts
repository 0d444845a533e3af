import { createHash } from 'node:crypto'
import { execFileSync, spawn, type ExecFileSyncOptions } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { filesBelow } from '../root.ts'
import { Person, root, Scene } from './harness.ts'

describe('what is shipped', () => {
  it('[T22] two builds of the same files are the same bytes', { timeout: 180_000 }, () => {
    const shipped = () =>
      [...filesBelow('build'), 'signal/dist/signal.mjs'].sort().map(
        (file) =>
          `${file} ${createHash('sha256')
            .update(readFileSync(join(root, file)))
            .digest('hex')}`,
      )
    const build = () => execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'ignore' })
    build()
    const first = shipped()
    build()
    expect(shipped()).toEqual(first)
  })
})

describe('the npm package', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it('installs without a network, and its command runs a node', async () => {
    scene = new Scene()
    const { folder } = scene
    const quiet: ExecFileSyncOptions = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }
    const before = readFileSync(join(root, 'package.json'), 'utf8')
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], quiet)
    expect(readFileSync(join(root, 'package.json'), 'utf8')).toBe(before)
    const file = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? ''
    execFileSync('npm', ['install', '--silent', '--offline', '--prefix', folder, join(folder, file)], quiet)
    expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      'meshchat',
    ])
    const args = ['--memory', '--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--no-discovery']
    const child = spawn(join(folder, 'node_modules/.bin/meshchat'), args, {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    scene.onClose(() => void child.kill('SIGKILL'))
    const line = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data: Buffer) => resolve(data.toString())),
    )
    const ana = await Person.arrive(await scene.browser(), line.trim().split(' ').at(-1) ?? '', 'Ana')
    await ana.say('from a package')
    await ana.sees('from a package')
  })
})
