/** Registers the service worker after the first load has settled, and tells when a newer app waits. */
import { dev } from '$app/environment'

/** design: the first 5 s belong to the first load; the precache comes after. */
const settleMs = 6_000
const checkIntervalMs = 3_600_000

/** @param base where the app stands @param ready is given what restarts into the update @returns what ends it */
export function watchUpdates(base: string, ready: (restart: () => void) => void): () => void {
  if (dev || !('serviceWorker' in navigator)) return () => undefined
  let interval: ReturnType<typeof setInterval> | undefined
  const start = async () => {
    const { Workbox } = await import('workbox-window')
    const workbox = new Workbox(`${base}service-worker.js`, { type: 'classic' })
    workbox.addEventListener('waiting', () => {
      ready(() => {
        workbox.addEventListener('controlling', () => location.reload())
        workbox.messageSkipWaiting()
      })
    })
    try {
      await workbox.register({ immediate: true })
      interval = setInterval(() => void workbox.update(), checkIntervalMs)
    } catch (error) {
      // An untrusted certificate: the page works, the worker is refused. The tier notice says so.
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error
    }
  }
  const timer = setTimeout(() => void start(), settleMs)
  return () => {
    clearTimeout(timer)
    clearInterval(interval)
  }
}
