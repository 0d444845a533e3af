/** How much the browser lets this page keep, and whether it may take it away; it says so on secure pages only. */
export interface Space {
  readonly usedBytes: number
  /** Undefined where the browser makes one up. */
  readonly quotaBytes: number | undefined
}

/** measured: Chromium 156 says that there are 10 GiB left, whatever the disk has. */
const madeUpBytes = 10 * 2 ** 30

/** `may-go`: the browser may delete it when the device runs out of space. */
export type Kept = 'kept' | 'may-go' | 'refused' | 'unknown'

/** Absent on plain http, whatever the type says. */
function manager(): StorageManager | undefined {
  return 'storage' in navigator ? navigator.storage : undefined
}

/** @returns undefined where the browser does not say */
export async function space(): Promise<Space | undefined> {
  const found = await manager()?.estimate()
  if (found?.usage === undefined || found.quota === undefined) return undefined
  const isMadeUp = found.quota - found.usage === madeUpBytes
  return { usedBytes: found.usage, quotaBytes: isMadeUp ? undefined : found.quota }
}

export async function kept(): Promise<Kept> {
  const storage = manager()
  if (storage === undefined) return 'unknown'
  return (await storage.persisted()) ? 'kept' : 'may-go'
}

/** Some browsers ask their person, others decide by themselves. */
export async function askToKeep(): Promise<Kept> {
  const storage = manager()
  if (storage === undefined) return 'unknown'
  return (await storage.persist()) ? 'kept' : 'refused'
}
