/**
 * `meshchat doctor`: looks at what a node needs and says in words what is wrong and what to do. Asks only this machine,
 * the neighbours that its flags name, and the AREDN node that it is plugged into.
 */
import { createSocket } from 'node:dgram'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Counters } from '../metrics.ts'
import { resolveTarget } from '../discovery/dial.ts'
import type { Guard } from '../guards.ts'
import type { Options } from '../options.ts'
import { readAuthority } from '../tls/files.ts'
import { askNode, type NodeReport } from './ask-node.ts'

export interface Finding {
  readonly verdict: 'fine' | 'note' | 'bad'
  readonly sentence: string
}

export const doctorLimits = {
  waitMs: 3_000,
  /** guess: a node whose disk has less left will be full within days. */
  freeBytesMin: 200_000_000,
  /** guess: order and expiry of messages bear more; people are confused by less. */
  clockErrorMaxMs: 60_000,
  renewMs: 30 * 86_400_000,
  /** When this was written: no right clock shows an earlier time. */
  earliestMs: Date.UTC(2026, 10, 1),
} as const

const fine = (sentence: string): Finding => ({ verdict: 'fine', sentence })
const note = (sentence: string): Finding => ({ verdict: 'note', sentence })
const bad = (sentence: string): Finding => ({ verdict: 'bad', sentence })

/** @returns what was found, in the order in which a person would look */
export async function examine(options: Options, guard: Guard, wallMs: number): Promise<Finding[]> {
  const own = await askNode(ownUrl(options), ownAddress(options), doctorLimits.waitMs)
  const neighbors = await Promise.all(options.neighbors.map((url) => askNeighbor(guard, url)))
  return [
    await examinePort(options, own),
    await examineStun(options, typeof own === 'object'),
    ...examineClock(neighbors, wallMs),
    await examineDisk(options),
    ...examineCertificate(options, wallMs),
    ...neighbors.flatMap(({ url, report }) => examineNeighbor(url, report, own)),
    ...(options.neighbors.length > 0 || options.discovers
      ? []
      : [note('No neighbour is named and none is looked for: this node will stay alone.')]),
  ]
}

function ownAddress({ host }: Options): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
}

function ownUrl(options: Options): string {
  const address = ownAddress(options)
  return `http://${address.includes(':') ? `[${address}]` : address}:${options.port}${options.base}`
}

async function examinePort({ port, host }: Options, own: NodeReport | string): Promise<Finding> {
  if (typeof own === 'object') return fine(`A meshchat node, ${own.name}, answers on port ${port}.`)
  if (own === 'no-node')
    return bad(`Port ${port} is taken by another program. Stop it, or choose another with --port.`)
  const free = await isTcpFree(port, host)
  if (free) return note(`No node runs on port ${port} now; the port is free.`)
  return bad(
    `Port ${port} is taken, and what has it does not answer. Stop it, or choose another with --port.`,
  )
}

function isTcpFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}

/** RFC 8489 §6: a Binding request to this machine. */
async function examineStun(options: Options, isRunning: boolean): Promise<Finding> {
  const { stunPort } = options
  if (stunPort === 0) return note('STUN takes a free UDP port at the start.')
  const answers = await new Promise<boolean>((resolve) => {
    const socket = createSocket(ownAddress(options).includes(':') ? 'udp6' : 'udp4')
    const end = (found: boolean) => {
      clearTimeout(timer)
      socket.close()
      resolve(found)
    }
    const timer = setTimeout(() => end(false), doctorLimits.waitMs / 3)
    socket.on('error', () => end(false))
    socket.on('message', (answer) => end(answer.length >= 2 && answer.readUInt16BE(0) === 0x0101))
    const request = Buffer.alloc(20)
    request.writeUInt16BE(1, 0)
    request.writeUInt32BE(0x2112a442, 4)
    request.write('meshchatdoct', 8)
    socket.send(request, stunPort, ownAddress(options))
  })
  if (answers) return fine(`STUN answers on UDP port ${stunPort}.`)
  if (!isRunning) return note(`STUN is not running on UDP port ${stunPort}; it starts with the node.`)
  return bad(
    `STUN does not answer on UDP port ${stunPort}: browsers on different networks will not find each other. Does a firewall block UDP?`,
  )
}

function examineClock(neighbors: readonly Asked[], wallMs: number): Finding[] {
  if (wallMs < doctorLimits.earliestMs) {
    const day = new Date(wallMs).toISOString().slice(0, 10)
    return [bad(`This machine’s clock says ${day}. Set it: messages would be stamped years too early.`)]
  }
  const errors = neighbors.flatMap(({ report }) =>
    typeof report === 'object' && report.wallMs !== undefined ? [wallMs - report.wallMs] : [],
  )
  if (errors.length === 0)
    return [note('The clock looks plausible; no neighbour could be asked for the time.')]
  const middle = errors.sort((a, b) => a - b)[Math.floor(errors.length / 2)] ?? 0
  if (Math.abs(middle) <= doctorLimits.clockErrorMaxMs)
    return [fine('The clock agrees with the neighbours’.')]
  const minutes = Math.round(Math.abs(middle) / 60_000)
  return [
    bad(
      `The clock is ${minutes} min ${middle > 0 ? 'ahead of' : 'behind'} the neighbours’. Set the one that is wrong.`,
    ),
  ]
}

async function examineDisk({ dataDir, keepBytes }: Options): Promise<Finding> {
  if (dataDir === undefined) return note('With --memory this node forgets everything when it ends.')
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    const probe = join(dataDir, 'doctor.probe')
    await writeFile(probe, 'x', { flush: true })
    await rm(probe)
    const { bavail, bsize } = await statfs(dataDir)
    const free = bavail * bsize
    const mb = Math.round(free / 1_000_000)
    if (free < doctorLimits.freeBytesMin) {
      return bad(`Only ${mb} MB are free for ${dataDir}. Make room, or keep less with --keep-mb.`)
    }
    if (free < keepBytes)
      return note(`${mb} MB are free, less than --keep-mb allows; the oldest messages go first.`)
    return fine(`${dataDir} can be written, ${mb} MB are free.`)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    return bad(
      `${dataDir} cannot be written (${String(error.code)}). Give the node’s user the right to, or choose another with --data.`,
    )
  }
}

function examineCertificate({ tls }: Options, wallMs: number): Finding[] {
  if (tls === undefined)
    return [note('No https: people can chat, but not install the app or call. See --tls auto.')]
  try {
    const text =
      tls.type === 'files'
        ? readFileSync(tls.certificateFile, 'utf8')
        : readAuthority(tls.folder)?.certificate
    if (text === undefined) return [note('--tls auto will make an authority at the first start.')]
    const { validTo } = new X509Certificate(text)
    const leftMs = new Date(validTo).getTime() - wallMs
    const days = Math.floor(leftMs / 86_400_000)
    if (leftMs < 0) return [bad(`The certificate ran out on ${validTo}. Issue another with “ca issue”.`)]
    if (leftMs < doctorLimits.renewMs)
      return [bad(`The certificate runs out in ${days} days. Issue another with “ca issue”.`)]
    return [fine(`The certificate is good for ${days} days.`)]
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown'
    return [bad(`The certificate cannot be read: ${why}`)]
  }
}

interface Asked {
  readonly url: string
  readonly report: NodeReport | 'silent' | 'no-node' | 'forbidden'
}

async function askNeighbor(guard: Guard, url: string): Promise<Asked> {
  const counters = new Counters()
  const target = await resolveTarget(guard, url, () => counters.refuse('neighbor-address'))
  if (target !== undefined) return { url, report: await askNode(url, target, doctorLimits.waitMs) }
  return { url, report: counters.refusedFor('neighbor-address') > 0 ? 'forbidden' : 'silent' }
}

function examineNeighbor(url: string, report: Asked['report'], own: NodeReport | string): Finding[] {
  switch (report) {
    case 'silent':
      return [bad(`Neighbour ${url} does not answer. Is it on, is its name right, is there a way to it?`)]
    case 'no-node':
      return [bad(`At ${url} something answers that is no meshchat node.`)]
    case 'forbidden':
      return [bad(`Neighbour ${url} lies outside the mesh’s networks; allow it with --allow-prefix.`)]
    default: {
      const isLinked = typeof own === 'object' && own.linkedTo.includes(report.name)
      const words = `Neighbour ${report.name} answers in ${report.rttMs} ms`
      if (typeof own !== 'object') return [fine(`${words}.`)]
      return [
        isLinked
          ? fine(`${words}, and the two are linked.`)
          : bad(`${words}, but the two are not linked yet.`),
      ]
    }
  }
}
