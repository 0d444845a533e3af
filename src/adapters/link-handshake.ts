/**
 * Both ends of a new connection prove their keys before it becomes a link (design decision 3): each signs both
 * DTLS fingerprints (none on a WebSocket), both peer ids and both nonces, so that nobody who carried the signals
 * can sit in the middle. Rules K1–K4 in PROTOCOL.md.
 */
import { Malformed, Reader, Writer, encodeUtf8 } from '#mesh/bytes.ts'
import { signatureBytesLength } from '#mesh/event.ts'
import { peerIdBytesLength, peerIdFromBytes, peerIdToBytes, type PeerId } from '#mesh/ids.ts'
import type { Keys, LinkRefusal } from '#runtime/ports.ts'

/** The newest version that this software speaks; it speaks the one before, too. */
export const linkVersion = 1
const nonceBytesLength = 32
const domain = encodeUtf8('meshchat/1/sign/link')
const helloCode = 0
const proofCode = 1

export interface Binding {
  /** What the lower layer is known by at this end and at the other: DTLS fingerprints; empty without one. */
  readonly own: string
  readonly other: string
}

export interface HandshakeParts {
  readonly keys: Keys
  readonly binding: Binding
  /** 32 random bytes. */
  readonly nonce: Uint8Array
  /** The newest version that this side speaks. */
  readonly version?: number
  /** Whom we meant to reach; undefined when anybody may come. */
  readonly expected: PeerId | undefined
  readonly send: (bytes: Uint8Array) => void
  /** @param version what both sides speak */
  readonly done: (peer: PeerId, version: number) => void
  readonly failed: (reason: LinkRefusal) => void
}

interface Hello {
  readonly version: number
  readonly peer: PeerId
  readonly nonce: Uint8Array
}

/** Bytes that `signer` signs. Order makes the two directions different. */
export function linkProofBytes(binding: Binding, signer: Hello, other: Hello): Uint8Array {
  const writer = new Writer().fixed(domain).text(binding.own).text(binding.other)
  writer.fixed(peerIdToBytes(signer.peer)).fixed(peerIdToBytes(other.peer))
  // Nobody in between can make two new ones speak an old version.
  return writer.fixed(signer.nonce).fixed(other.nonce).u8(signer.version).u8(other.version).finish()
}

export class LinkHandshake {
  private other: Hello | undefined
  private isOver = false
  private readonly parts: HandshakeParts
  private readonly own: Hello

  constructor(parts: HandshakeParts) {
    this.parts = parts
    const { keys, nonce, version = linkVersion } = parts
    this.own = { version, peer: keys.self, nonce }
    parts.send(new Writer().u8(helloCode).u8(version).fixed(peerIdToBytes(keys.self)).fixed(nonce).finish())
  }

  /** Takes the other side's messages, in order. Never throws. */
  receive(bytes: Uint8Array): void {
    if (this.isOver) return
    try {
      const reader = new Reader(bytes)
      const code = reader.u8()
      if (code === helloCode && this.other === undefined) this.hello(reader)
      else if (code === proofCode && this.other !== undefined) this.proof(reader, this.other)
      else this.fail('bad-proof')
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      this.fail('bad-proof')
    }
  }

  private hello(reader: Reader): void {
    const { keys, binding, expected } = this.parts
    const version = reader.u8()
    if (version < Math.max(1, this.own.version - 1)) return this.fail('old-version')
    const peer = peerIdFromBytes(reader.fixed(peerIdBytesLength))
    const other = { version, peer, nonce: reader.fixed(nonceBytesLength) }
    reader.end()
    if (peer === keys.self) return this.fail('self')
    if (expected !== undefined && peer !== expected) return this.fail('wrong-peer')
    this.other = other
    void keys.sign(linkProofBytes(binding, this.own, other)).then((signature) => {
      if (!this.isOver) this.parts.send(new Writer().u8(proofCode).fixed(signature).finish())
    })
  }

  private proof(reader: Reader, other: Hello): void {
    const { keys, binding } = this.parts
    const signature = reader.fixed(signatureBytesLength)
    reader.end()
    const mirrored = { own: binding.other, other: binding.own }
    const message = linkProofBytes(mirrored, other, this.own)
    void keys.verify({ signer: other.peer, message, signature }).then((isGenuine) => {
      if (this.isOver) return
      this.isOver = true
      if (isGenuine) this.parts.done(other.peer, Math.min(this.own.version, other.version))
      else this.parts.failed('bad-proof')
    })
  }

  private fail(reason: LinkRefusal): void {
    this.isOver = true
    this.parts.failed(reason)
  }

  /** The connection is gone; nothing more is reported. */
  cancel(): void {
    this.isOver = true
  }
}
