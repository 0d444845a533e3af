/** Whether a run of events goes on as news. Rule G13 in PROTOCOL.md. */
import { presentMs, stampFromMs } from '../clock.ts'
import type { Run } from '../event.ts'
import { feedAuthor } from '../ids.ts'
import { limits } from '../limits.ts'
import { coveredRanges } from '../log.ts'
import type { Engine } from '../state.ts'
import { isKept } from '../sync/carry.ts'
import { subtractRanges } from '../sync/held.ts'
import { spend } from './quota.ts'

/**
 * G13: what is held already costs its author nothing, since anybody can say it again; it goes on only while it is young:
 * the tree may have been behind.
 */
export function isAdmitted(engine: Engine, run: Run, nowMs: number): boolean {
  const { quota, log, clock } = engine
  const author = feedAuthor(run.feed)
  const [first, last] = [run.events[0], run.events.at(-1)]
  if (first === undefined || last === undefined) return false
  if (!isKept(engine, run.room)) return spend(quota, author, run.events.length, nowMs)
  const covered = coveredRanges(log, run.room, run.feed)
  const fresh = subtractRanges([{ first: first.seq, last: last.seq }], covered)
  if (fresh.length === 0) return last.hlc >= stampFromMs(presentMs(clock, nowMs) - limits.recentMs)
  const count = fresh.reduce((sum, range) => sum + range.last - range.first + 1, 0)
  return spend(quota, author, count, nowMs)
}
