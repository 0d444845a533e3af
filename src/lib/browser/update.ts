/** Registers the service worker and tells when a newer app waits. Comes after the first load, so that the precache does too. */
import { dev, version } from '$app/environment'
import { pageTier } from './tier.ts'

const checkIntervalMs = 3_600_000

/** guess: an update takes over in a few milliseconds, if it does. */
const controllingMaxMs = 2_000

const takenBackKey = 'meshchat-taken-back'

/** @returns whether an update did not start, and this is the app before it; said once */
export function wasTakenBack(): boolean {
  if (sessionStorage.getItem(takenBackKey) !== 'new') return false
  sessionStorage.setItem(takenBackKey, 'told')
  return true
}

/** @param base where the app stands @param ready is given what restarts into the update @returns what ends it */
export function watchUpdates(base: string, ready: (restart: () => void) => void): () => void {
  if (dev || pageTier() === 'copy' || !('serviceWorker' in navigator)) return () => undefined
  let interval: ReturnType<typeof setInterval> | undefined
  // What this app replaced is not needed any more.
  navigator.serviceWorker.controller?.postMessage({ type: 'STARTED', version })
  const start = async () => {
    const { Workbox } = await import('workbox-window')
    const workbox = new Workbox(`${base}service-worker.js`, { type: 'classic' })
    workbox.addEventListener('waiting', () => {
      ready(() => {
        workbox.addEventListener('controlling', () => location.reload())
        workbox.messageSkipWaiting()
        // measured: Chromium lets a worker wait on whose predecessor has something under way, until the page goes.
        setTimeout(() => location.reload(), controllingMaxMs)
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
