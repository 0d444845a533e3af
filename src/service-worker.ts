/// <reference no-default-lib="true"/>
/// <reference lib="esnext" />
/// <reference lib="webworker" />
/// <reference types="@sveltejs/kit" />
/**
 * Keeps the app, so that it opens with every node gone; hands out files that this device holds. Knows nothing of the mesh.
 * What an update replaces is kept until the new app has started once: one that does not start is taken back.
 */
import { build, files, prerendered, version } from '$service-worker'
import { cleanupOutdatedCaches, PrecacheController, PrecacheRoute } from 'workbox-precaching'
import { NavigationRoute, registerRoute } from 'workbox-routing'
import { answerHeld, isHeldAddress } from '#adapters/browser/files/held-answers.ts'

declare const self: ServiceWorkerGlobalScope

const shell = './index.html'
/** What is remembered between two lives of a worker, also of the one after it. */
const notes = 'meshchat-notes'
/** The page of the app that has started last. */
const started = './started'
/** Since when the app before is shown instead of this worker's, ms. */
const takenBack = './taken-back'
/** guess: after a day it is tried once more, in case it was the device that was slow. */
const tryAgainMs = 24 * 3_600_000

const app = new PrecacheController()
app.addToCacheList([
  // Their names carry a hash of their content.
  ...build.map((url) => ({ url, revision: null })),
  ...[...files, ...prerendered].map((url) => ({ url, revision: version })),
  { url: shell, revision: version },
])
cleanupOutdatedCaches()
const openShell = app.createHandlerBoundToURL(shell)
// Before the page, which is shown for every other address.
registerRoute(
  ({ url }) => isHeldAddress(url, self.registration.scope),
  ({ request }) => answerHeld(request),
)
registerRoute(
  new NavigationRoute(
    async (options) => ((await isTakenBack()) ? await shellBefore() : undefined) ?? openShell(options),
    { denylist: [/\/(signal|link|api|metrics|healthz|peerjs|trust)\b/] },
  ),
)

// After the page itself, which it would serve too.
registerRoute(new PrecacheRoute(app, { cleanURLs: false }))
// What only the app before had is on no node any more.
registerRoute(
  ({ url, sameOrigin }) => sameOrigin && url.pathname.includes('/_app/immutable/'),
  async ({ request }) =>
    (await caches.match(request, { cacheName: app.strategy.cacheName })) ?? fetch(request),
)

async function note(name: string): Promise<string | undefined> {
  return (await (await caches.open(notes)).match(name))?.text()
}

async function isTakenBack(): Promise<boolean> {
  const [sinceMs = '', by] = ((await note(takenBack)) ?? '').split(' ')
  return by === version && Date.now() - Number(sinceMs) < tryAgainMs
}

/** @returns the page of the app that started last before this worker's, while it is kept */
async function shellBefore(): Promise<Response | undefined> {
  const key = await note(started)
  if (key === undefined || key === app.getCacheKeyForURL(shell)) return undefined
  return caches.match(key, { cacheName: app.strategy.cacheName })
}

/** The app that was shown does not start. Answers whether another one is shown from now on. */
async function takeBack(event: ExtendableMessageEvent): Promise<void> {
  const hasBefore = (await shellBefore()) !== undefined
  const cache = await caches.open(notes)
  // Neither does the one before: then rather the new one.
  if (await isTakenBack()) await cache.delete(takenBack)
  else if (hasBefore) await cache.put(takenBack, new Response(`${Date.now()} ${version}`))
  event.source?.postMessage({ type: 'TAKEN-BACK', hasBefore })
}

/** The app of this worker runs: what was before it is not needed any more, what comes next is. */
async function noteStarted(event: ExtendableMessageEvent): Promise<void> {
  const cache = await caches.open(notes)
  await cache.put(started, new Response(app.getCacheKeyForURL(shell)))
  const { installing, waiting } = self.registration
  if (installing === null && waiting === null) await app.activate(event)
}

self.addEventListener('message', (event: ExtendableMessageEvent) => {
  const data = event.data as { readonly type?: unknown; readonly version?: unknown } | null
  if (data?.type === 'SKIP_WAITING') void self.skipWaiting()
  if (data?.type === 'DID-NOT-START') event.waitUntil(takeBack(event))
  if (data?.type === 'STARTED' && data.version === version) event.waitUntil(noteStarted(event))
})
self.addEventListener('install', (event) => {
  void app.install(event)
  // The very first one may start at once; a later one waits until the person says so.
  if (self.registration.active === null) void self.skipWaiting()
})
self.addEventListener('activate', (event) => {
  event.waitUntil(self.clients.claim())
})
/** A notice leads back to the page that it came from, or to a new one. */
self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  const lead = async () => {
    const [page] = await self.clients.matchAll({ type: 'window', includeUncontrolled: true })
    if (page === undefined) await self.clients.openWindow('./')
    else await page.focus()
  }
  event.waitUntil(lead())
})
