/** What this page may do depends on how it was opened (`ux.md` §0.1). */
export type Tier = 'full' | 'warned' | 'plain'

export function pageTier(): Tier {
  if (!isSecureContext) return 'plain'
  return 'serviceWorker' in navigator ? 'full' : 'warned'
}
