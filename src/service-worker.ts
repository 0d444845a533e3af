/// <reference no-default-lib="true"/>
/// <reference lib="esnext" />
/// <reference lib="webworker" />
/// <reference types="@sveltejs/kit" />
/**
 * Keeps the app, so that it opens with every node gone. Knows nothing of the mesh. What an update replaces is kept until
 * the new app has started once: one that does not start is taken back.
 */
import { build, files, prerendered, version } from '$service-worker'
import { cleanupOutdatedCaches, PrecacheController, PrecacheRoute } from 'workbox-precaching'
import { NavigationRoute, registerRoute } from 'workbox-routing'

declare const self: ServiceWorkerGlobalScope

const shell = './index.html'
/** What is remembered between two lives of this worker, as the names of empty entries. */
const notes = 'meshchat-notes'
const takenBack = './taken-back'

const app = new PrecacheController()
app.addToCacheList([
  // Their names carry a hash of their content.
  ...build.map((url) => ({ url, revision: null })),
  ...[...files, ...prerendered].map((url) => ({ url, revision: version })),
  { url: shell, revision: version },
])
cleanupOutdatedCaches()
const openShell = app.createHandlerBoundToURL(shell)
registerRoute(
  new NavigationRoute(
    async (options) => {
      const isTakenBack = (await (await caches.open(notes)).match(takenBack)) !== undefined
      return (isTakenBack ? await shellBefore() : undefined) ?? openShell(options)
    },
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

/** @returns the page of the app that this one replaced, while it is kept */
async function shellBefore(): Promise<Response | undefined> {
  const cache = await caches.open(app.strategy.cacheName)
  const own = app.getCacheKeyForURL(shell)
  const path = new URL(shell, self.location.href).pathname
  const all = await cache.keys()
  const before = all.find(({ url }) => new URL(url).pathname === path && url !== own)
  return before === undefined ? undefined : cache.match(before)
}

/** The app that this worker brought does not start. Answers whether there is another one to go back to. */
async function takeBack(event: ExtendableMessageEvent): Promise<void> {
  const hasBefore = (await shellBefore()) !== undefined
  if (hasBefore) await (await caches.open(notes)).put(takenBack, new Response())
  event.source?.postMessage({ type: 'TAKEN-BACK', hasBefore })
}

self.addEventListener('message', (event: ExtendableMessageEvent) => {
  const data = event.data as { readonly type?: unknown; readonly version?: unknown } | null
  if (data?.type === 'SKIP_WAITING') void self.skipWaiting()
  if (data?.type === 'DID-NOT-START') event.waitUntil(takeBack(event))
  // What was before is not needed any more; what comes next is.
  const { installing, waiting } = self.registration
  const isNewest = installing === null && waiting === null
  if (data?.type === 'STARTED' && data.version === version && isNewest) void app.activate(event)
})
self.addEventListener('install', (event) => {
  void app.install(event)
  // The very first one may start at once; a later one waits until the person says so.
  if (self.registration.active === null) void self.skipWaiting()
})
self.addEventListener('activate', (event) => {
  event.waitUntil(Promise.all([self.clients.claim(), caches.delete(notes)]))
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
