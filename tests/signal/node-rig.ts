/** Helpers in this process, on loopback, with an app of one line. Whoever opens a rig closes it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createLog } from '../../signal/log.ts'
import { parseOptions } from '../../signal/options.ts'
import { serve, type Helper } from '../../signal/server.ts'
import { plainKey } from '../../src/adapters/signature.ts'

const app = '<p>the app</p>'
const base = ['--port', '0', '--stun-port', '0', '--host', '127.0.0.1', '--no-discovery']

export class NodeRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'meshchat-signal-'))
  readonly helpers: Helper[] = []
  /** Lines of the helpers' log. */
  readonly lines: string[] = []
  private readonly log = createLog({
    level: 'debug',
    write: (line) => this.lines.push(line),
    wallMs: () => Date.now(),
  })
  private made = 0

  constructor() {
    writeFileSync(join(this.folder, 'index.html'), app)
    writeFileSync(join(this.folder, 'index.html.gz'), gzipSync(app))
  }

  /** The name of the helper that was opened last. */
  get lastName(): string {
    return `n${this.made}`
  }

  /** @param args without `--data` nothing is kept */
  async open(...args: string[]): Promise<Helper> {
    this.made += 1
    const kept = args.includes('--data') ? [] : ['--memory']
    const options = parseOptions([...base, ...kept, '--name', this.lastName, ...args], {})
    if (options === undefined) throw new Error('no options')
    const key = plainKey(new Uint8Array(32).fill(this.made))
    const helper = await serve(options, key, this.folder, this.log)
    this.helpers.push(helper)
    return helper
  }

  async closeHelpers(): Promise<void> {
    for (const helper of this.helpers.splice(0)) await helper.close()
  }

  async close(): Promise<void> {
    await this.closeHelpers()
    rmSync(this.folder, { recursive: true })
  }
}

export function url(helper: Helper): string {
  return helper.urls[0] ?? ''
}

/** @param line how the line of the metric begins */
export async function metric(helper: Helper, line: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${helper.port}/metrics`)).text()
  const found = text.split('\n').find((one) => one.startsWith(line))
  return Number(found?.split(' ').at(-1) ?? 0)
}
