import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { Aredn, arednLimits, parseSysinfo, type ArednHelper } from '../../signal/discovery/aredn.ts'
import type { Guard } from '../../signal/guards.ts'

/** Made by hand after the node's own source and its developers' page (`field.md` §3.2), since no node was at hand. */
const sysinfo = readFileSync(new URL('sysinfo.json', import.meta.url), 'utf8')

describe('AREDN', () => {
  let server: Server | undefined
  afterEach(() => server?.close())

  function serve(answer: (count: number) => { status: number; body: string }): Promise<string> {
    let count = 0
    server = createServer((request, response) => {
      const { status, body } = answer(++count)
      response.writeHead(status).end(body)
    })
    return new Promise((resolve) => {
      server?.listen(0, '127.0.0.1', () => {
        const address = server?.address()
        const port = typeof address === 'object' ? address?.port : 0
        resolve(`http://127.0.0.1:${port}/a/sysinfo`)
      })
    })
  }

  function ask(url: string): Promise<readonly ArednHelper[] | 'failed'> {
    const guard: Guard = { names: [], origins: [], prefixes: [], ownTargets: [url] }
    return new Promise((resolve) => {
      const aredn = new Aredn({
        guard,
        url,
        found: (helpers) => {
          aredn.close()
          resolve(helpers)
        },
        failed: () => {
          aredn.close()
          resolve('failed')
        },
      })
    })
  }

  it('names the helpers of a node’s service list, and what the links to them cost', async () => {
    const url = await serve(() => ({ status: 200, body: sysinfo }))
    expect(await ask(url)).toEqual([
      { url: 'http://eoc-pi.local.mesh:8080/mc/', cost: 10 },
      { url: 'http://hill-pi.local.mesh:8080/', cost: 2 },
      { url: 'http://10.40.7.9:8080/', cost: undefined },
    ])
  })

  it('reads what firmware of 2022 answers (API 1.11, AREDN documentation, “Tools for Developers”)', () => {
    const link = 'http:\\/\\/MYCALL-RPI:8080\\/'
    const text = `{"api_version":"1.11","lat":"33.101010","lon":"-101.101010","grid_square":"DM22xx","node":"CALLSIGN-NODE-22",
      "sysinfo":{"uptime":"5 days, 6:22:30","loads":[0.05003,0.05003,0]},
      "services":[{"name":"IperfSpeed","protocol":"tcp","link":"http:\\/\\/MYCALL-NODE-81\\/iperfspeed"},
        {"name":"meshchat-net","protocol":"tcp","link":"${link}"}],
      "link_info":{"10.22.22.22":{"hostname":"CALLSIGN-NODE-22","linkType":"RF","linkQuality":0.9543000000,"signal":-76,"noise":-95}}}`
    expect(parseSysinfo(text)).toEqual([{ url: 'http://mycall-rpi:8080/', cost: undefined }])
  })

  it.each([
    ['no JSON', 200, '<html>'],
    ['another page', 200, '{"status":"ok"}'],
    ['an error', 500, sysinfo],
    ['a redirect', 302, sysinfo],
    [
      'more than a list can be',
      200,
      `{"node":"x","services":[],"pad":"${'x'.repeat(arednLimits.bytesMax)}"}`,
    ],
  ])('%s is no list', async (_what, status, body) => {
    const url = await serve(() => ({ status, body }))
    expect(await ask(url)).toBe('failed')
  })

  it('takes nothing from a list that is no address of a helper, and no more than it can use', () => {
    const service = (link: unknown, name: unknown = 'meshchat-net [chat]') => ({ name, link, ip: '10.1.1.1' })
    const parse = (...services: unknown[]) => parseSysinfo(JSON.stringify({ node: 'x', services }))
    expect(
      parse(
        service('javascript:alert(1)'),
        service('http://user:pass@10.1.1.1/'),
        service('file:///etc/passwd'),
        service(7),
        service('http://10.1.1.1/', ['x']),
        service('http://10.1.1.1/', 'MeshChat [chat]'),
        null,
        'x',
      ),
    ).toEqual([])
    const many = Array.from({ length: 100 }, (_, i) => service(`http://10.1.1.${i}:8080/`))
    expect(parse(...many)?.length).toBe(arednLimits.helpersMax)
  })

  it('asks no other address than it may', async () => {
    const url = await serve(() => ({ status: 200, body: sysinfo }))
    const guard: Guard = { names: [], origins: [], prefixes: [], ownTargets: [] }
    const answer = await new Promise((resolve) => {
      const aredn = new Aredn({ guard, url, found: resolve, failed: () => resolve('refused') })
      setTimeout(() => aredn.close(), 0)
    })
    expect(answer).toBe('refused')
  })
})
