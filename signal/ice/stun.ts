/**
 * STUN Binding responder: tells a browser the address that its packets come from, so that browsers behind
 * routers find each other. RFC 8489; answers Binding requests only, and never anything that is not one.
 *
 * Bounds: an answer is 32 bytes (IPv6: 44) for at least 20 asked (T14), and each source has a budget.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { Counters } from '../metrics.ts'
import { TokenBuckets } from '../token-bucket.ts'

const headerBytes = 20
const magicCookie = 0x2112a442
const bindingRequest = 0x0001
const bindingSuccess = 0x0101
const xorMappedAddress = 0x0020
const messageBytesMax = 548

/** @returns the answer, or undefined for everything that is no Binding request. RFC 8489 §5, §6.3, §14.2. */
export function answerStun(message: Buffer, address: string, port: number): Buffer | undefined {
  // A packet that claims to come from port 0 cannot be answered.
  if (port === 0) return undefined
  if (message.length < headerBytes || message.length > messageBytesMax) return undefined
  if (message.readUInt16BE(0) !== bindingRequest || message.readUInt32BE(4) !== magicCookie) return undefined
  const length = message.readUInt16BE(2)
  if (length % 4 !== 0 || length !== message.length - headerBytes) return undefined
  const ip = parseAddress(address)
  if (ip === undefined) return undefined
  const answer = Buffer.alloc(headerBytes + 8 + ip.length)
  answer.writeUInt16BE(bindingSuccess, 0)
  answer.writeUInt16BE(8 + ip.length, 2)
  message.copy(answer, 4, 4, headerBytes)
  answer.writeUInt16BE(xorMappedAddress, 20)
  answer.writeUInt16BE(4 + ip.length, 22)
  answer.writeUInt8(ip.length === 4 ? 1 : 2, 25)
  answer.writeUInt16BE(port ^ (magicCookie >>> 16), 26)
  // The address is masked with the cookie and the transaction id, which stand at 4..20.
  ip.forEach((byte, i) => answer.writeUInt8(byte ^ message.readUInt8(4 + i), 28 + i))
  return answer
}

/** @returns 4 or 16 bytes */
function parseAddress(address: string): Uint8Array | undefined {
  const v4 = address.startsWith('::ffff:') ? address.slice(7) : address
  if (/^\d+\.\d+\.\d+\.\d+$/.test(v4)) return Uint8Array.from(v4.split('.').map(Number))
  const [head = '', tail] = address.replace(/%.*$/, '').split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  const groups = [...before, ...(tail === undefined ? [] : zeros), ...after].map((g) =>
    Number.parseInt(g, 16),
  )
  if (groups.length !== 8 || groups.some((group) => !(group >= 0 && group <= 0xffff))) return undefined
  return Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 255]))
}

export interface StunServer {
  readonly port: number
  close(): void
}

/** @throws when the port is taken */
export async function serveStun(host: string, port: number, counters: Counters): Promise<StunServer> {
  const buckets = new TokenBuckets({ perSecond: 50, burst: 100, keysMax: 8_192 })
  const socket: Socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' })
  socket.on('message', (message: Buffer, from: RemoteInfo) => {
    const answer = answerStun(message, from.address, from.port)
    if (answer === undefined) return counters.refuse('stun-garbage')
    if (!buckets.take(from.address, performance.now())) return counters.refuse('stun-too-fast')
    counters.stunAnswers += 1
    socket.send(answer, from.port, from.address)
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(port, host, () => {
      socket.off('error', reject)
      socket.on('error', () => counters.refuse('stun-error'))
      resolve()
    })
  })
  return { port: socket.address().port, close: () => socket.close() }
}
