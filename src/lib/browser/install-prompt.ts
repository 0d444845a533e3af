/** The browser offers to install the app once, early; the offer is kept for when somebody wants it. */

/** Chromium's; no standard has it. */
interface InstallPrompt extends Event {
  prompt(): Promise<{ readonly outcome: 'accepted' | 'dismissed' }>
}

export const installPrompt: { kept: InstallPrompt | undefined } = { kept: undefined }

addEventListener('beforeinstallprompt', (event) => {
  event.preventDefault()
  installPrompt.kept = event as InstallPrompt
})
