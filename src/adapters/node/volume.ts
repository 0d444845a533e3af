/**
 * Numbered append-only files, as the journal store needs them: on a disk or in memory. Knows nothing of what stands
 * in them.
 */
export interface Volume {
  /** Numbers of the segments that are there, ascending. */
  segments(): Promise<number[]>
  /** Of a segment, in bytes. */
  lengthOf(segment: number): Promise<number>
  /** Begins a new segment, which exists after a crash too. */
  create(segment: number): Promise<void>
  /**
   * At the end of a segment; what could not be written whole is cut off again.
   * @throws VolumeFault
   */
  append(segment: number, bytes: Uint8Array): Promise<void>
  /** Cuts off what is behind `length`. */
  truncate(segment: number, length: number): Promise<void>
  /** When it resolves, all that was appended to this segment survives a power cut. @throws VolumeFault */
  sync(segment: number): Promise<void>
  read(segment: number, offset: number, length: number): Promise<Uint8Array>
  /** Fills what is given. */
  readInto(segment: number, offset: number, into: Uint8Array): Promise<void>
  /** The same at once, for the few bytes that a decision waits for. */
  readNow(segment: number, offset: number, length: number): Uint8Array
  remove(segment: number): Promise<void>
  /** Moves everything out of the way, and keeps it. @returns where it is now, for people to read */
  setAside(): Promise<string>
  close(): Promise<void>
}

/** Why a volume did not take something; nothing of it is there. */
export class VolumeFault extends Error {
  readonly failure: 'full' | 'closed'
  constructor(failure: 'full' | 'closed', options?: ErrorOptions) {
    super(failure, options)
    this.failure = failure
  }
}
