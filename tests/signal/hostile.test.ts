import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseOptions } from '../../signal/options.ts'
import { serve, type Helper } from '../../signal/server.ts'
import { plainKey } from '../../src/adapters/signature.ts'
import { TestPeer } from './client.ts'
import { hostilities } from './hostile.ts'

describe('[H2] hostile frames at /signal', () => {
  const folder = mkdtempSync(join(tmpdir(), 'meshchat-hostile-'))
  let helper: Helper
  let calm: TestPeer
  beforeAll(async () => {
    writeFileSync(join(folder, 'index.html'), '')
    const args = [
      '--port',
      '0',
      '--stun-port',
      '0',
      '--host',
      '127.0.0.1',
      '--no-discovery',
      '--memory',
      '--name',
      'n',
    ]
    const options = parseOptions(args, {})
    if (options === undefined) throw new Error('no options')
    helper = await serve(options, plainKey(new Uint8Array(32).fill(200)), folder, () => undefined)
    calm = new TestPeer(helper.urls[0] ?? '', 5_000)
    await calm.enter()
  })
  afterAll(async () => {
    await helper.close()
    rmSync(folder, { recursive: true })
  })

  it('are at least twenty kinds', () => {
    expect(hostilities.length).toBeGreaterThanOrEqual(20)
  })

  it.each(hostilities.map((one, i) => [one.name, one.reason, one, i] as const))(
    '%s: %s',
    async (_name, reason, one, i) => {
      const client = new TestPeer(helper.urls[0] ?? '', 6_000 + i)
      if (one.isInside) await client.enter()
      else await client.frame('challenge')
      await one.attack(client)
      expect(await client.refusal()).toBe(reason)
      const before = calm.frames.filter((frame) => frame.type === 'pong').length
      calm.send({ type: 'ping' })
      await calm.until(() =>
        calm.frames.filter((frame) => frame.type === 'pong').length > before ? true : undefined,
      )
      const text = await (await fetch(`http://127.0.0.1:${helper.port}/metrics`)).text()
      expect(text).toContain(`meshchat_refused_total{reason="${reason}"}`)
    },
  )
})
