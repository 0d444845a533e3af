/// <reference no-default-lib="true"/>
/// <reference lib="esnext" />
/// <reference lib="webworker" />
/// <reference types="@sveltejs/kit" />
/** Keeps the app, so that it opens with every node gone. Knows nothing of the mesh. */
import { build, files, prerendered, version } from '$service-worker'
import { cleanupOutdatedCaches, createHandlerBoundToURL, precacheAndRoute } from 'workbox-precaching'
import { NavigationRoute, registerRoute } from 'workbox-routing'

declare const self: ServiceWorkerGlobalScope

const shell = './index.html'

precacheAndRoute(
  [
    // Their names carry a hash of their content.
    ...build.map((url) => ({ url, revision: null })),
    ...[...files, ...prerendered].map((url) => ({ url, revision: version })),
    { url: shell, revision: version },
  ],
  { cleanURLs: false },
)
cleanupOutdatedCaches()
registerRoute(
  new NavigationRoute(createHandlerBoundToURL(shell), {
    denylist: [/\/(signal|link|api|metrics|healthz|peerjs|trust)\b/],
  }),
)

self.addEventListener('message', (event: ExtendableMessageEvent) => {
  const data = event.data as { readonly type?: unknown } | null
  if (data?.type === 'SKIP_WAITING') void self.skipWaiting()
})
self.addEventListener('install', () => {
  // The very first one may start at once; a later one waits until the person says so.
  if (self.registration.active === null) void self.skipWaiting()
})
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
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
