/** A server in a process of its own, and what the kernel counts for it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeFlags } from '../../signal/flags.mjs'
import { root } from '../root.ts'

const ticksPerSecond = 100

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}

export class NodeProcess {
  readonly url: string
  readonly startedInMs: number
  readonly port: number
  private readonly child: ChildProcess

  private constructor(child: ChildProcess, port: number, startedInMs: number) {
    this.child = child
    this.port = port
    this.url = `http://127.0.0.1:${port}/`
    this.startedInMs = startedInMs
  }

  /** @param script a program that prints a line when it is ready @param args with `PORT` for its port */
  static async start(
    script: string,
    args: readonly string[],
    env: Record<string, string> = {},
    flags: readonly string[] = [],
  ): Promise<NodeProcess> {
    const port = await freePort()
    const startMs = performance.now()
    const given = args.map((one) => one.replace('PORT', String(port)))
    const child = spawn(process.execPath, [...flags, script, ...given], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve())
      child.once('exit', (code) => reject(new Error(`ended with ${code}`)))
    })
    return new NodeProcess(child, port, performance.now() - startMs)
  }

  /** The shipped file of the helper. */
  static helper(args: readonly string[], appFolder: string): Promise<NodeProcess> {
    const base = [
      '--port',
      'PORT',
      '--stun-port',
      '0',
      '--host',
      '127.0.0.1',
      '--no-discovery',
      '--name',
      'bench',
    ]
    const env = { MESHCHAT_APP: appFolder, MESHCHAT_LOG: 'error' }
    return NodeProcess.start(join(root, 'signal/dist/signal.mjs'), [...base, ...args], env, nodeFlags)
  }

  private proc(name: string): string {
    return readFileSync(`/proc/${this.child.pid}/${name}`, 'utf8')
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Resident set, MB of 10^6 bytes. */
  get rssMb(): number {
    return (Number(/VmRSS:\s+(\d+) kB/.exec(this.proc('status'))?.[1]) * 1_024) / 1e6
  }

  /** User and system time so far. */
  get cpuMs(): number {
    const fields = this.proc('stat')
      .replace(/^.*\) /, '')
      .split(' ')
    return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1_000
  }

  /** Bytes that it gave to `write`, sockets included, and those that were to reach a disk. */
  get written(): { readonly calls: number; readonly disk: number } {
    const io = this.proc('io')
    const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(io)?.[1])
    return { calls: field('wchar'), disk: field('write_bytes') }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.isAlive) return
    await new Promise<void>((resolve) => {
      this.child.once('exit', () => resolve())
      this.child.kill(signal)
    })
  }
}

/** A folder for one measurement, with an app of one line. */
export class Workplace {
  readonly folder = mkdtempSync(join(tmpdir(), 'meshchat-bench-'))

  constructor() {
    writeFileSync(join(this.folder, 'index.html'), '<p>the app</p>')
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
