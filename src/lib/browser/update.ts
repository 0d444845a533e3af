/** Registers the service worker and tells when a newer app waits. Comes after the first load, so that the precache does too. */
import { dev } from '$app/environment'

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
  void start()
  return () => clearInterval(interval)
}
