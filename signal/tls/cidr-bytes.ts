/** An address prefix as a certificate writes it: the address, then its mask. */
import { isIP } from 'node:net'
import type { Cidr } from '../guards.ts'

export function cidrToBytes({ address, bits }: Cidr): Uint8Array {
  const bytes = addressToBytes(address)
  const mask = bytes.map((_, i) => 0xff & (0xff00 >> Math.max(0, Math.min(8, bits - i * 8))))
  return Uint8Array.from([...bytes.map((byte, i) => byte & (mask[i] ?? 0)), ...mask])
}

function addressToBytes(address: string): number[] {
  if (isIP(address) === 4) return address.split('.').map(Number)
  const [head = '', tail] = address.split('::')
  const words = (part: string) => (part === '' ? [] : part.split(':'))
  const before = words(head)
  const after = tail === undefined ? [] : words(tail)
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return [...before, ...zeros, ...after].flatMap((word) => {
    const value = Number.parseInt(word, 16)
    return [value >> 8, value & 0xff]
  })
}
