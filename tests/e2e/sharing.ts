/** What scenes with files do, by the accessible names that the design page fixes. */
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Locator } from 'playwright-core'
import type { Person, Scene } from './harness.ts'

export interface MadeFile {
  readonly path: string
  readonly name: string
  readonly bytes: number
  /** SHA-256, hex. */
  readonly hash: string
}

type Named = Pick<MadeFile, 'name'>

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A file of bytes that nobody can guess or pack. */
export function makeFile(scene: Scene, name: string, bytes: number): MadeFile {
  const content = randomBytes(bytes)
  const path = join(scene.folder, name)
  writeFileSync(path, content)
  return { path, name, bytes, hash: hashOf(content) }
}

export async function attach({ page }: Person, paths: readonly string[], text = ''): Promise<void> {
  await page.getByLabel('File', { exact: true }).setInputFiles([...paths])
  const sheet = page.getByRole('dialog')
  if (text !== '') await sheet.getByRole('textbox', { name: 'Add a message' }).fill(text)
  await sheet.getByRole('button', { name: 'Send' }).click()
  await sheet.waitFor({ state: 'detached' })
}

export function card({ page }: Person, { name }: Named): Locator {
  return page.getByRole('group', { name, exact: true })
}

export async function get(person: Person, file: Named): Promise<void> {
  await card(person, file).getByRole('button', { name: 'Get' }).click()
}

export async function isWhole(person: Person, file: Named): Promise<void> {
  await card(person, file).getByText('complete and checked').waitFor({ timeout: 180_000 })
}

/** @returns how much of it is there, 0 to 1 */
export async function shareOf(person: Person, file: Named): Promise<number> {
  const bar = card(person, file).getByRole('progressbar')
  if ((await bar.count()) === 0)
    return (await card(person, file).getByRole('button', { name: 'Get' }).count()) > 0 ? 0 : 1
  return Number(await bar.getAttribute('value'))
}

/** Waits until so much of it is there. */
export async function reachesShare(person: Person, file: Named, share: number): Promise<void> {
  await expect
    .poll(() => shareOf(person, file), { timeout: 120_000, interval: 100 })
    .toBeGreaterThanOrEqual(share)
}

/** Saves it by its button. */
export async function savedBytes(person: Person, file: Named): Promise<Uint8Array> {
  const download = person.page.waitForEvent('download')
  await card(person, file).getByRole('button', { name: 'Save' }).click()
  return readFileSync(await (await download).path())
}

/** @returns SHA-256, hex */
export async function savedHash(person: Person, file: Named): Promise<string> {
  return hashOf(await savedBytes(person, file))
}

/** So many people are linked directly: what goes through nodes meanwhile may cross once more. */
export async function isLinkedTo({ page }: Person, people: number): Promise<void> {
  const list = page.getByRole('complementary', { name: 'People' }).getByRole('listitem')
  await expect.poll(() => list.filter({ hasText: 'direct' }).count(), { timeout: 60_000 }).toBe(people)
}
