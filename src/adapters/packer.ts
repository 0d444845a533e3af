/**
 * One direction of a link's bulk lane, packed: each frame is deflated with what went before it as the dictionary, so
 * that small frames, which let chat pass between them, pack as well as large ones. Rule F7 in PROTOCOL.md.
 *
 * Source: DEFLATE (RFC 1951); a window that outlasts the message as in RFC 7692 §7.1.1. Deviation: no stream with
 * flushes: each frame stands alone behind a dictionary (RFC 1950 §2.2) that both sides have.
 */
import { Inflate, deflateSync } from 'fflate'
import { limits } from '#mesh/limits.ts'
import { isLooseFrame } from '#mesh/files/file-codes.ts'
import type { FrameFault } from '#mesh/frame.ts'

/** No frame begins with it. */
const mark = 0xff
const headBytes = 3
/** What is unpacked at a time before it is looked at how much came out. */
const sliceBytes = 1_024
/** Below, there is nothing to be won. */
const leastBytes = 64

export class Packer {
  private window: Uint8Array = new Uint8Array(0)

  /** @param frame whole, at most `limits.frameBytesMax` bytes; every frame of the lane, in its order */
  pack(frame: Uint8Array): Uint8Array {
    if (isLooseFrame(frame)) return frame
    const dictionary = this.window
    this.remember(frame)
    if (frame.length < leastBytes) return frame
    const packed = deflateSync(frame, { dictionary })
    if (packed.length + headBytes >= frame.length) return frame
    const bytes = new Uint8Array(packed.length + headBytes)
    // One less: the largest frame has as many bytes as two bytes can count, and one.
    bytes.set([mark, (frame.length - 1) >>> 8, (frame.length - 1) & 255])
    bytes.set(packed, headBytes)
    return bytes
  }

  /** @param bytes everything that came on the lane, in its order @returns the frame, or why it is none */
  unpack(bytes: Uint8Array): Uint8Array | FrameFault {
    if (isLooseFrame(bytes)) return bytes
    const frame = bytes[0] === mark ? inflate(bytes, this.window) : bytes
    if (typeof frame !== 'string') this.remember(frame)
    return frame
  }

  private remember(frame: Uint8Array): void {
    const kept = this.window.subarray(Math.max(0, this.window.length + frame.length - limits.packWindowBytes))
    const window = new Uint8Array(Math.min(limits.packWindowBytes, kept.length + frame.length))
    const added = frame.subarray(Math.max(0, frame.length - window.length))
    window.set(kept.subarray(0, window.length - added.length))
    window.set(added, window.length - added.length)
    this.window = window
  }
}

/** Never makes more than what was said, however little was sent. */
function inflate(bytes: Uint8Array, dictionary: Uint8Array): Uint8Array | FrameFault {
  const [, high, low] = bytes
  if (high === undefined || low === undefined) return 'malformed'
  const frame = new Uint8Array(high * 256 + low + 1)
  const made = { bytes: 0, isWhole: false }
  const stream = new Inflate({ dictionary }, (chunk, isLast) => {
    if (made.bytes + chunk.length <= frame.length) frame.set(chunk, made.bytes)
    made.bytes += chunk.length
    made.isWhole ||= isLast
  })
  try {
    for (let at = headBytes; at < bytes.length && made.bytes <= frame.length; at += sliceBytes) {
      stream.push(bytes.subarray(at, at + sliceBytes), at + sliceBytes >= bytes.length)
    }
  } catch {
    // The library throws at what is no deflated data, as it does at an end that is missing.
    return 'malformed'
  }
  if (made.bytes > frame.length) return 'too-large'
  return made.isWhole && made.bytes === frame.length ? frame : 'malformed'
}
