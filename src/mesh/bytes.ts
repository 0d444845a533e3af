/**
 * A writer and a reader of bytes that cannot run past the end. Numbers are big-endian; varints are LEB128
 * of at most 53 bits and must be minimal, so that each value has exactly one encoding.
 */

/** Why bytes could not be read. Thrown by `Reader` only, caught where a frame is decoded, never further. */
export class Malformed extends Error {}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class Writer {
  private bytes: Uint8Array
  private length = 0

  /** @param expectedBytes guess of the writer's user: no more room is made while it is enough */
  constructor(expectedBytes = 256) {
    this.bytes = new Uint8Array(expectedBytes)
  }

  private reserve(count: number): number {
    const at = this.length
    this.length += count
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.length, this.bytes.length * 2))
      larger.set(this.bytes)
      this.bytes = larger
    }
    return at
  }

  u8(value: number): this {
    const at = this.reserve(1)
    this.bytes[at] = value
    return this
  }

  u16(value: number): this {
    return this.u8(value >>> 8).u8(value)
  }

  u32(value: number): this {
    return this.u16(value >>> 16).u16(value)
  }

  /** A safe integer ≥ 0 in eight bytes. */
  u64(value: number): this {
    const at = this.reserve(8)
    const view = new DataView(this.bytes.buffer)
    view.setUint32(at, Math.floor(value / 0x1_0000_0000))
    view.setUint32(at + 4, value >>> 0)
    return this
  }

  varint(value: number): this {
    let rest = value
    while (rest >= 128) {
      this.u8((rest % 128) | 128)
      rest = Math.floor(rest / 128)
    }
    return this.u8(rest)
  }

  /** Bytes whose length both sides know. */
  fixed(bytes: Uint8Array): this {
    const at = this.reserve(bytes.length)
    this.bytes.set(bytes, at)
    return this
  }

  /** Bytes behind their own length. */
  block(bytes: Uint8Array): this {
    return this.varint(bytes.length).fixed(bytes)
  }

  text(value: string): this {
    return this.block(encoder.encode(value))
  }

  get size(): number {
    return this.length
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }
}

export class Reader {
  private at = 0
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** How many bytes have been read. */
  get position(): number {
    return this.at
  }

  private take(count: number): number {
    const at = this.at
    if (count > this.bytes.length - at) throw new Malformed('too short')
    this.at += count
    return at
  }

  u8(): number {
    const value = this.bytes[this.take(1)]
    if (value === undefined) throw new Malformed('too short')
    return value
  }

  u16(): number {
    return this.u8() * 256 + this.u8()
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16()
  }

  u64(): number {
    const at = this.take(8)
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset)
    const value = view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4)
    if (!Number.isSafeInteger(value)) throw new Malformed('number above 2^53')
    return value
  }

  /** @param max the largest value that makes sense here */
  varint(max: number): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < 8; count++) {
      const byte = this.u8()
      value += (byte & 127) * scale
      if (byte < 128) {
        if (byte === 0 && count > 0) throw new Malformed('varint is not minimal')
        if (value > max) throw new Malformed('number out of range')
        return value
      }
      scale *= 128
    }
    throw new Malformed('varint too long')
  }

  fixed(length: number): Uint8Array {
    const at = this.take(length)
    return this.bytes.slice(at, at + length)
  }

  block(lengthMax: number): Uint8Array {
    return this.fixed(this.varint(lengthMax))
  }

  text(bytesMax: number): string {
    return decodeUtf8(this.block(bytesMax))
  }

  /** @param countMax the bound of the list @param read reads one item */
  list<T>(countMax: number, read: () => T): T[] {
    const count = this.varint(countMax)
    const items: T[] = []
    for (let i = 0; i < count; i++) items.push(read())
    return items
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length
  }

  /** Everything up to the end. */
  rest(): Uint8Array {
    return this.fixed(this.bytes.length - this.at)
  }

  /** Every frame ends exactly where its bytes end. */
  end(): void {
    if (this.at !== this.bytes.length) throw new Malformed('trailing bytes')
  }
}

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** @throws Malformed when the bytes are no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    // The only thing that `decode` reports: the bytes are no UTF-8.
    throw new Malformed('not UTF-8')
  }
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const writer = new Writer()
  for (const part of parts) writer.fixed(part)
  return writer.finish()
}
