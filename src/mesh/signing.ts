/** What is being signed, and counters that outdo every earlier record of this device. Rules P1 and D2. */
import { nextStamp } from './clock.ts'
import type { Effect } from './effects.ts'
import type { Engine } from './state.ts'
import type { SiteWordFields } from './overlay/site-word.ts'
import type { ReadMarkFields } from './timeline/read-marks.ts'
import type { PresenceFields, ReceiptFields, TallyFields } from './record.ts'

export type Signing =
  | { readonly type: 'batch' }
  | { readonly type: 'presence'; readonly fields: PresenceFields }
  | { readonly type: 'farewell'; readonly fields: PresenceFields }
  | { readonly type: 'receipt'; readonly fields: ReceiptFields }
  | { readonly type: 'tally'; readonly fields: TallyFields }
  | { readonly type: 'read-mark'; readonly fields: ReadMarkFields }
  | { readonly type: 'site'; readonly fields: SiteWordFields }

export function sign(engine: Engine, purpose: Signing, message: Uint8Array, out: Effect[]): void {
  engine.lastToken += 1
  engine.signing.set(engine.lastToken, purpose)
  out.push({ type: 'sign', token: engine.lastToken, message })
}

/** P1, D2: later than every record of this device that is known anywhere, whatever its clock says now. */
export function nextCounter(engine: Engine, nowMs: number): number {
  engine.recordCounter = Math.max(nextStamp(engine.clock, nowMs), engine.recordCounter + 1)
  return engine.recordCounter
}
