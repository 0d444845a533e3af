/**
 * Numbers of a table that grows, in arrays of 4,096: so it takes what it needs, and growing copies nothing. (One array
 * that doubles leaves holes behind that the system gets back late or never.)
 */
type Numbers = Uint8Array | Uint32Array | Int32Array | Float64Array

const chunkBits = 12
const chunkSize = 2 ** chunkBits
const within = chunkSize - 1

export class Column {
  private readonly chunks: Numbers[] = []
  private readonly make: (length: number) => Numbers

  constructor(make: (length: number) => Numbers) {
    this.make = make
  }

  /** @returns 0 for what was never set */
  get(index: number): number {
    return this.chunks[index >>> chunkBits]?.[index & within] ?? 0
  }

  set(index: number, value: number): void {
    const number = index >>> chunkBits
    while (this.chunks.length <= number) this.chunks.push(this.make(chunkSize))
    const chunk = this.chunks[number]
    if (chunk !== undefined) chunk[index & within] = value
  }
}

/** Bytes of one length each. */
export class BytesColumn {
  private readonly chunks: Uint8Array[] = []
  private readonly width: number

  constructor(width: number) {
    this.width = width
  }

  get(index: number): Uint8Array {
    const at = (index & within) * this.width
    return this.chunks[index >>> chunkBits]?.subarray(at, at + this.width) ?? new Uint8Array(this.width)
  }

  set(index: number, bytes: Uint8Array): void {
    const number = index >>> chunkBits
    while (this.chunks.length <= number) this.chunks.push(new Uint8Array(chunkSize * this.width))
    this.chunks[number]?.set(bytes, (index & within) * this.width)
  }
}

export const bytes8 = () => new Column((length) => new Uint8Array(length))
export const unsigned32 = () => new Column((length) => new Uint32Array(length))
export const float64 = () => new Column((length) => new Float64Array(length))
