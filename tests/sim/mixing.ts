/** Cheap 64-bit mixing, for a trace that is compared and for signatures that nobody here forges. Not cryptography. */
export class Mixer {
  private low = 0x9e3779b9
  private high = 0x85ebca6b

  add(bytes: Uint8Array): this {
    let { low, high } = this
    for (const byte of bytes) {
      low = Math.imul(low ^ byte, 0x01000193)
      high = Math.imul(high ^ byte, 0x5bd1e995) ^ (low >>> 15)
    }
    this.low = low
    this.high = high
    return this
  }

  number(value: number): this {
    this.low = Math.imul(this.low ^ value, 0x01000193)
    this.high = Math.imul(this.high ^ Math.floor(value / 0x1_0000_0000) ^ value, 0x5bd1e995)
    return this
  }

  get hex(): string {
    return [this.low, this.high].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** 64 bytes that depend on all that was added. */
  signature(): Uint8Array {
    const bytes = new Uint8Array(64)
    const view = new DataView(bytes.buffer)
    for (let i = 0; i < 64; i += 8) {
      this.number(i)
      view.setUint32(i, this.low)
      view.setUint32(i + 4, this.high)
    }
    return bytes
  }
}
