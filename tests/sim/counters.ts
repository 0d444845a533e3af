import { encodeFrame, laneOf, type Frame } from '../../src/mesh/frame.ts'
import { noteSize } from '../../src/mesh/gossip/note.ts'

/** Exact counts of everything that was sent, for the benchmarks. */
export class Counters {
  frames = 0
  bytes = 0
  items = 0
  itemBytes = 0
  /** ihave, graft, prune, offer, fetch and acknowledgements, without the packets around them. */
  controlBytes = 0
  /** Copies of runs, by radio hops crossed. */
  radioItems = 0
  chatFrames = 0
  chatBytes = 0
  controlFrames = 0
  controlLaneBytes = 0
  bulkFrames = 0
  bulkBytes = 0
  radioFrames = 0
  radioBytes = 0
  /** Of it: who has what, receipts and tallies, without the packets around them. */
  radioConfirmBytes = 0
  dials = 0
  asks = 0
  readonly byType = new Map<string, number>()

  /** @param encodedBytes where the frame was encoded anyway */
  count(hops: number, frame: Frame, encodedBytes: number | undefined): void {
    const size = encodedBytes ?? (frame.type === 'packet' ? packetSize(frame) : encodeFrame(frame).length)
    this.frames += 1
    this.bytes += size
    this.countLane(frame, size)
    this.radioFrames += hops
    this.radioBytes += hops * (size + packetOverheadBytes)
    this.add(frame.type, 1)
    if (frame.type !== 'packet') return
    let control = size
    for (const note of frame.notes) {
      if (note.type !== 'item') {
        this.add(`note ${note.type}`, note.type === 'ihave' ? note.announcements.length : 1)
        continue
      }
      const { content, size: itemBytes } = note.item
      this.add(`item ${content.type}`, 1)
      control -= noteSize(note)
      if (content.type === 'receipt' || content.type === 'tally')
        this.radioConfirmBytes += hops * noteSize(note)
      if (content.type !== 'run') continue
      this.items += 1
      this.itemBytes += itemBytes
      this.radioItems += hops
    }
    this.controlBytes += control
  }

  private countLane(frame: Frame, size: number): void {
    switch (laneOf(frame)) {
      case 'chat':
        this.chatFrames += 1
        this.chatBytes += size
        return
      case 'control':
        this.controlFrames += 1
        this.controlLaneBytes += size
        return
      case 'bulk':
        this.bulkFrames += 1
        this.bulkBytes += size
    }
  }

  private add(type: string, count: number): void {
    this.byType.set(type, (this.byType.get(type) ?? 0) + count)
  }

  copy(): Counters {
    const copy = Object.assign(new Counters(), this, { byType: new Map<string, number>() })
    for (const [type, count] of this.byType) copy.byType.set(type, count)
    return copy
  }

  /** What came since. */
  since(before: Counters): Counters {
    const result = new Counters()
    for (const name of numbers) result[name] = this[name] - before[name]
    for (const [type, count] of this.byType) result.byType.set(type, count - (before.byType.get(type) ?? 0))
    return result
  }
}

const numbers = [
  'frames',
  'bytes',
  'items',
  'itemBytes',
  'controlBytes',
  'radioItems',
  'chatFrames',
  'chatBytes',
  'controlFrames',
  'controlLaneBytes',
  'bulkFrames',
  'bulkBytes',
  'radioFrames',
  'radioBytes',
  'radioConfirmBytes',
  'dials',
  'asks',
] as const

/**
 * measured (tests/bench/realism, Chromium 156, two routed LANs): what keeps an idle WebRTC link alive, IP bytes a
 * second, both ways together. `gossip.md` §1.2 has 242 B/s, measured within one machine.
 */
export const rtcIdleBytesPerSecond = 166

/** measured (gossip.md §5): what a paced packet costs beside its payload: headers, and its share of SACKs. */
const packetOverheadBytes = 105

function packetSize(packet: Extract<Frame, { type: 'packet' }>): number {
  let size = 2 + (packet.seq === undefined ? 0 : 2)
  if (packet.ack !== undefined) size += packet.ack.bits === 0 ? 2 : 6
  for (const note of packet.notes) size += noteSize(note)
  return size
}
