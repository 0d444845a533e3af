/** Putting the app on this device, where the browser offers it (`ux.md` §4.20). */
import { installPrompt } from './install-prompt.ts'
import { pageTier } from './tier.ts'

/**
 * How it can be put on this device now: by a question of the browser's, by hand on an iPhone or iPad, as a file where a
 * computer's browser has nothing better, or not at all.
 */
export type InstallWay = 'asks' | 'by-hand' | 'copy' | undefined

export function installWay(): InstallWay {
  const tier = pageTier()
  if (matchMedia('(display-mode: standalone)').matches || tier === 'copy') return undefined
  if (installPrompt.kept !== undefined) return 'asks'
  if (isSecureContext && /iPhone|iPad/.test(navigator.userAgent)) return 'by-hand'
  // One that can install has not made up its mind yet.
  const mayAsk = tier === 'full' && 'onbeforeinstallprompt' in window
  return !mayAsk && matchMedia('(pointer: fine)').matches ? 'copy' : undefined
}

/** @returns whether it is installed now */
export async function install(): Promise<boolean> {
  const prompt = installPrompt.kept
  installPrompt.kept = undefined
  return (await prompt?.prompt())?.outcome === 'accepted'
}

const key = 'meshchat-install'
/** `ux.md` §4.20 */
const snoozeMs = 14 * 24 * 3_600_000
const visitsMin = 2

interface Habits {
  readonly visits: number
  readonly notBeforeMs: number
}

function habits(): Habits {
  try {
    const [visits = 0, notBeforeMs = 0] = (localStorage.getItem(key) ?? '').split(' ').map(Number)
    return { visits: visits || 0, notBeforeMs: notBeforeMs || 0 }
  } catch (error) {
    // Blocked: nobody is asked.
    if (!(error instanceof DOMException)) throw error
    return { visits: 0, notBeforeMs: Number.POSITIVE_INFINITY }
  }
}

function keep({ visits, notBeforeMs }: Habits): void {
  try {
    localStorage.setItem(key, `${visits} ${notBeforeMs}`)
  } catch (error) {
    if (!(error instanceof DOMException)) throw error
  }
}

/** Counts this visit. @returns whether somebody has been here often enough to be asked */
export function visit(): boolean {
  const before = habits()
  const now = { ...before, visits: Math.min(before.visits + 1, visitsMin) }
  keep(now)
  return now.visits >= visitsMin
}

export function isSnoozed(): boolean {
  return Date.now() < habits().notBeforeMs
}

export function snooze(): void {
  keep({ ...habits(), notBeforeMs: Date.now() + snoozeMs })
}
