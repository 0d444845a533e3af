/** Seeded chance: xoshiro128** (Blackman, Vigna 2018), seeded by splitmix32. The same seed, the same run. */
export class Prng {
  private state: [number, number, number, number]

  constructor(seed: number) {
    let z = seed >>> 0
    const next = () => {
      z = (z + 0x9e3779b9) >>> 0
      let t = z ^ (z >>> 16)
      t = Math.imul(t, 0x21f0aaad)
      t ^= t >>> 15
      t = Math.imul(t, 0x735a2d97)
      return (t ^ (t >>> 15)) >>> 0
    }
    this.state = [next(), next(), next(), next()]
  }

  uint32(): number {
    const s = this.state
    const rotl = (x: number, k: number) => ((x << k) | (x >>> (32 - k))) >>> 0
    const result = Math.imul(rotl(Math.imul(s[1], 5) >>> 0, 7), 9) >>> 0
    const t = (s[1] << 9) >>> 0
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = rotl(s[3] >>> 0, 11)
    return result
  }

  /** 0 ≤ x < 1 */
  unit(): number {
    return this.uint32() / 0x1_0000_0000
  }

  /** An integer, both ends included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.unit() * items.length)]
  }

  /** The same things in another order. */
  shuffled<T>(things: readonly T[]): T[] {
    const result = [...things]
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.between(0, i)
      ;[result[i], result[j]] = [result[j] as T, result[i] as T]
    }
    return result
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) bytes[i] = this.uint32() & 255
    return bytes
  }
}
