/** What this page may do depends on how it was opened (`ux.md` §0.1). `copy`: a file that somebody saved. */
export type Tier = 'full' | 'warned' | 'plain' | 'copy'

export function pageTier(): Tier {
  if (location.protocol === 'file:') return 'copy'
  if (!isSecureContext) return 'plain'
  return 'serviceWorker' in navigator ? 'full' : 'warned'
}
