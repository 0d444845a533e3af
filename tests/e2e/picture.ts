/** Pictures of what a scene shows, where a folder is asked for: SCREENSHOTS=FOLDER. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'

/** Where pictures go, or undefined where nobody wants any. */
export const shots = process.env['SCREENSHOTS']

export async function picture({ page }: { readonly page: Page }, name: string): Promise<void> {
  if (shots === undefined) return
  mkdirSync(shots, { recursive: true })
  await page.screenshot({ path: join(shots, `${name}.png`) })
}

/** One of a laptop and one of a phone, as docs/screens has them. */
export async function bothSizes({ page }: { readonly page: Page }, name: string): Promise<void> {
  if (shots === undefined) return
  await picture({ page }, `${name}-laptop`)
  await page.setViewportSize({ width: 390, height: 844 })
  await picture({ page }, `${name}-phone`)
  await page.setViewportSize({ width: 1280, height: 800 })
}
