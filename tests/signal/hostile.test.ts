import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Helper } from '../../signal/server.ts'
import { TestPeer } from './client.ts'
import { hostilities } from './hostile.ts'
import { metric, NodeRig, url } from './node-rig.ts'

describe('[H2] [T2] hostile frames at /signal', () => {
  const rig = new NodeRig()
  let helper: Helper
  let calm: TestPeer
  beforeAll(async () => {
    helper = await rig.open()
    calm = new TestPeer(url(helper), 5_000)
    await calm.enter()
  })
  afterAll(() => rig.close())

  it('are at least twenty kinds', () => {
    expect(hostilities.length).toBeGreaterThanOrEqual(20)
  })

  it.each(hostilities.map((one, i) => [one.name, one.reason, one, i] as const))(
    '%s: %s',
    async (_name, reason, one, i) => {
      const client = new TestPeer(url(helper), 6_000 + i)
      if (one.isInside) await client.enter()
      else await client.frame('challenge')
      await one.attack(client)
      expect(await client.refusal()).toBe(reason)
      const before = calm.frames.filter((frame) => frame.type === 'pong').length
      calm.send({ type: 'ping' })
      await calm.until(() =>
        calm.frames.filter((frame) => frame.type === 'pong').length > before ? true : undefined,
      )
      expect(await metric(helper, `meshchat_refused_total{reason="${reason}"}`)).toBeGreaterThan(0)
    },
  )
})
