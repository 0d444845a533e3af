/** Notices of the system, where the browser has them for this page; it has them on secure pages only. */
export type NoticeState = 'impossible' | 'granted' | 'denied' | 'not-asked'

export function noticeState(): NoticeState {
  if (!isSecureContext || !('Notification' in globalThis)) return 'impossible'
  if (Notification.permission === 'default') return 'not-asked'
  return Notification.permission
}

export async function askForNotices(): Promise<NoticeState> {
  if (noticeState() === 'not-asked') await Notification.requestPermission()
  return noticeState()
}

/** One per room: a newer one takes the place of the older. */
export async function notify(title: string, body: string): Promise<void> {
  if (noticeState() !== 'granted') return
  const options = { body, tag: title, icon: 'icon-192.png' }
  // Android knows only those of a service worker.
  const worker = 'serviceWorker' in navigator ? await navigator.serviceWorker.getRegistration() : undefined
  if (worker !== undefined) return worker.showNotification(title, options)
  const notice = new Notification(title, options)
  notice.onclick = () => {
    focus()
    notice.close()
  }
}

/** The number on the app's icon, where the system shows one. */
export function setBadge(unread: number): void {
  if (!('setAppBadge' in navigator)) return
  const done = unread === 0 ? navigator.clearAppBadge() : navigator.setAppBadge(unread)
  // It is an ornament: where the system refuses, the title still says it.
  done.catch(() => undefined)
}
