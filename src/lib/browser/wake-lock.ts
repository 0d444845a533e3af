/** The screen stays on while somebody waits for something; secure pages only, and not in every browser. */
export function canKeepScreenOn(): boolean {
  return 'wakeLock' in navigator
}

/** @returns what lets it go off again */
export function keepScreenOn(): () => void {
  let lock: WakeLockSentinel | undefined
  let isOver = false
  const ask = () => {
    // A page that is not looked at has none, and loses the one that it had.
    if (isOver || document.visibilityState !== 'visible') return
    navigator.wakeLock.request('screen').then(
      (got) => {
        if (isOver) void got.release()
        else lock = got
      },
      // The battery is low, or the person has forbidden it: then it goes off as ever.
      () => undefined,
    )
  }
  ask()
  document.addEventListener('visibilitychange', ask)
  return () => {
    isOver = true
    document.removeEventListener('visibilitychange', ask)
    void lock?.release()
  }
}
