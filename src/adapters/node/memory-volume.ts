/** A volume that forgets everything when the process ends: for helpers that keep nothing, and for tests. */
import { VolumeFault, type Volume } from './volume.ts'

interface Segment {
  bytes: Uint8Array
  length: number
  /** What a power cut would leave. */
  synced: number
}

const firstBytes = 65_536

export class MemoryVolume implements Volume {
  private readonly files = new Map<number, Segment>()
  /** What fits, bytes; beyond it the volume is full. */
  private readonly bytesMax: number

  constructor(bytesMax = Number.POSITIVE_INFINITY) {
    this.bytesMax = bytesMax
  }

  /** Everything as a crash would leave it: whole up to the last sync, then as many bytes as are given. */
  crashed(tailBytes: number): MemoryVolume {
    const after = new MemoryVolume(this.bytesMax)
    for (const [number, { bytes, length, synced }] of this.files) {
      const kept = Math.min(length, synced + tailBytes)
      after.files.set(number, { bytes: bytes.slice(0, Math.max(kept, 1)), length: kept, synced: kept })
    }
    return after
  }

  segments(): Promise<number[]> {
    return Promise.resolve([...this.files.keys()].sort((a, b) => a - b))
  }

  private file(segment: number): Segment {
    const file = this.files.get(segment)
    if (file === undefined) throw new VolumeFault('closed')
    return file
  }

  lengthOf(segment: number): Promise<number> {
    return Promise.resolve(this.file(segment).length)
  }

  create(segment: number): Promise<void> {
    this.files.set(segment, { bytes: new Uint8Array(firstBytes), length: 0, synced: 0 })
    return Promise.resolve()
  }

  append(segment: number, bytes: Uint8Array): Promise<void> {
    const file = this.file(segment)
    const used = [...this.files.values()].reduce((sum, one) => sum + one.length, 0)
    if (used + bytes.length > this.bytesMax) return Promise.reject(new VolumeFault('full'))
    if (file.length + bytes.length > file.bytes.length) {
      const larger = new Uint8Array(Math.max(file.length + bytes.length, file.bytes.length * 2))
      larger.set(file.bytes.subarray(0, file.length))
      file.bytes = larger
    }
    file.bytes.set(bytes, file.length)
    file.length += bytes.length
    return Promise.resolve()
  }

  truncate(segment: number, length: number): Promise<void> {
    const file = this.file(segment)
    file.length = Math.min(file.length, length)
    file.synced = Math.min(file.synced, length)
    return Promise.resolve()
  }

  sync(segment: number): Promise<void> {
    const file = this.file(segment)
    file.synced = file.length
    return Promise.resolve()
  }

  read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    return Promise.resolve(this.readNow(segment, offset, length))
  }

  readInto(segment: number, offset: number, into: Uint8Array): Promise<void> {
    into.set(this.readNow(segment, offset, into.length))
    return Promise.resolve()
  }

  readNow(segment: number, offset: number, length: number): Uint8Array {
    const file = this.file(segment)
    if (offset + length > file.length) throw new VolumeFault('closed')
    return file.bytes.slice(offset, offset + length)
  }

  remove(segment: number): Promise<void> {
    this.files.delete(segment)
    return Promise.resolve()
  }

  setAside(): Promise<string> {
    this.files.clear()
    return Promise.resolve('nowhere')
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
