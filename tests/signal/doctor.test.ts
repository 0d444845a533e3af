import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { parseReport } from '../../signal/doctor/ask-node.ts'
import { examine } from '../../signal/doctor/doctor.ts'
import { createLog } from '../../signal/log.ts'
import { parseOptions } from '../../signal/options.ts'
import { guardFor } from '../../signal/server.ts'
import { NodeRig, url } from './node-rig.ts'

const rig = new NodeRig()
const closers: (() => void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) close()
  await rig.closeHelpers()
})
afterAll(() => rig.close())

async function look(args: readonly string[], wallMs = Date.now()): Promise<string[]> {
  const options = parseOptions(['--host', '127.0.0.1', '--no-discovery', '--name', 'n', ...args], {})
  if (options === undefined) throw new Error('no options')
  return (await examine(options, guardFor(options), wallMs)).map(
    ({ verdict, sentence }) => `${verdict}: ${sentence}`,
  )
}

/** A web server of somebody else. */
async function stranger(date?: string): Promise<number> {
  const server = createServer((_, response) => {
    if (date !== undefined) response.setHeader('Date', date)
    response.end('<h1>hello</h1>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => void server.close())
  return (server.address() as AddressInfo).port
}

describe('meshchat doctor', () => {
  it('finds a running node, its STUN, its neighbour and its disk in order', async () => {
    const other = await rig.open()
    const node = await rig.open('--neighbor', url(other))
    const data = ['--data', join(rig.folder, 'doctor')]
    const ports = ['--port', String(node.port), '--stun-port', String(node.stunPort)]
    await expect
      .poll(async () => (await look([...ports, ...data, '--neighbor', url(other)])).join('\n'), {
        timeout: 10_000,
      })
      .toContain('the two are linked')
    const found = await look([...ports, ...data, '--neighbor', url(other)])
    expect(found.filter((line) => line.startsWith('bad'))).toEqual([])
    expect(found.join('\n')).toMatch(
      /fine: A meshchat node, n2, answers[\s\S]*fine: STUN[\s\S]*clock agrees[\s\S]*can be written/,
    )
  })

  it('says in words what is wrong', async () => {
    const port = await stranger()
    const silent = ['--neighbor', 'http://127.0.0.1:9/', '--neighbor', `http://127.0.0.1:${port}/`]
    const far = ['--neighbor', 'http://203.0.113.9/']
    const found = (
      await look(['--port', String(port), '--stun-port', '0', '--memory', ...silent, ...far])
    ).join('\n')
    expect(found).toContain('is taken by another program')
    expect(found).toContain('http://127.0.0.1:9/ does not answer')
    expect(found).toContain('something answers that is no meshchat node')
    expect(found).toContain('lies outside the mesh’s networks')
    expect((await look(['--memory', '--port', '0'], 0)).join('\n')).toContain('clock says 1970-01-01')
    expect((await look(['--port', '0', '--data', join(rig.folder, 'index.html', 'x')])).join('\n')).toMatch(
      /bad: .* cannot be written/,
    )
    expect((await look(['--port', '0', '--memory'])).join('\n')).toContain('will stay alone')
    const files = ['--tls-cert', join(rig.folder, 'none'), '--tls-key', join(rig.folder, 'none')]
    expect((await look(['--port', '0', '--memory', ...files])).join('\n')).toContain('cannot be read')
  })

  it('notices a clock that differs from the neighbours’', async () => {
    const other = await rig.open()
    const args = ['--port', '0', '--memory', '--neighbor', url(other)]
    expect((await look(args, Date.now() + 600_000)).join('\n')).toContain('10 min ahead of the neighbours’')
    expect((await look(args, Date.now() - 600_000)).join('\n')).toContain('10 min behind the neighbours’')
  })

  it('believes no nonsense', () => {
    for (const text of ['', 'null', '[]', '{"name":1,"neighbors":[]}', '{"name":"a"}']) {
      expect(parseReport(text, 1, undefined)).toBeUndefined()
    }
    expect(
      parseReport('{"name":"a","neighbors":[null,{"name":"b","state":"up"},{"name":"c"}]}', 1, 'x'),
    ).toEqual({
      name: 'a',
      rttMs: 1,
      wallMs: undefined,
      linkedTo: ['b'],
    })
  })
})

describe('the log of a node', () => {
  it('is one line of JSON per event, from its level on', () => {
    const lines: string[] = []
    const log = createLog({ level: 'warn', write: (line) => lines.push(line), wallMs: () => 0 })
    log.info('neighbor-up')
    log.warn('disk', { text: 'two\nlines', code: 7 })
    expect(lines).toHaveLength(1)
    expect(lines[0]).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","level":"warn","event":"disk","text":"two\\nlines","code":7}',
    )
  })

  it('tells of neighbours that come and go', async () => {
    const first = await rig.open()
    await rig.open('--neighbor', url(first))
    await expect.poll(() => rig.lines.join('\n'), { timeout: 10_000 }).toContain('"event":"neighbor-up"')
    await rig.helpers.splice(1, 1)[0]?.close()
    await expect.poll(() => rig.lines.join('\n'), { timeout: 10_000 }).toContain('"event":"neighbor-down"')
  })
})
