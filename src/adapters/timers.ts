/** Time and the one timer of an engine in a page. */
import type { Timers } from '#runtime/ports.ts'

export function createTimers(): Timers {
  // `performance.now` never jumps; the wall clock is read once for where it starts.
  const startMs = Date.now() - performance.now()
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    nowMs: () => startMs + performance.now(),
    wallMs: () => Date.now(),
    wake: (delayMs, run) => {
      clearTimeout(timer)
      timer = setTimeout(run, delayMs)
    },
    cancel: () => clearTimeout(timer),
  }
}
