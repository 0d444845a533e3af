import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Person, root, Scene } from './harness.ts'

const shots = process.env['SCREENSHOTS']

describe('npm run demo', () => {
  let scene: Scene
  afterEach(() => scene.close())

  it(
    'shows people who talk, lose a node, are cut off and come together again',
    { timeout: 240_000 },
    async () => {
      scene = new Scene()
      const child = spawn(process.execPath, [join(root, 'signal/dist/demo.mjs')], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, MESHCHAT_APP: join(root, 'build'), MESHCHAT_PORT: '0' },
      })
      scene.onClose(async () => {
        child.kill('SIGTERM')
        if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
      })
      const url = await new Promise<string>((resolve) =>
        child.stdout.on('data', (chunk: Buffer) => {
          const found = / ready at (\S+)/.exec(chunk.toString())?.[1]
          if (found !== undefined) resolve(found)
        }),
      )
      const visitor = await Person.arrive(await scene.browser(), url, 'Visitor')
      await visitor.reaches(5)
      const { page } = visitor
      const row = (name: string, status: RegExp) =>
        page.getByRole('listitem', { name: new RegExp(`^${name} .*${status.source}`) })
      await page.getByRole('button', { name: /Shelter is open/ }).waitFor()
      const picture = page.getByRole('group', { name: 'roads.png' }).locator('img')
      await picture.waitFor({ timeout: 60_000 })
      expect(await picture.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(480)
      await page
        .getByText('Hilltop is dark, I am on the EOC node now. Nothing is lost.')
        .waitFor({ timeout: 90_000 })
      await row('Lena', /(left|out of reach)/).waitFor({ timeout: 90_000 })
      await page.getByText('The truck has left.').waitFor({ timeout: 90_000 })
      await row('Lena', /here/).waitFor({ timeout: 90_000 })
      await page
        .getByRole('feed')
        .getByText('Everything you wrote has just come in.')
        .waitFor({ timeout: 90_000 })
      if (shots !== undefined) await page.screenshot({ path: join(shots, 'demo-laptop.png') })
    },
  )
})
