/** Handing a file to another app of this device; secure pages only, and not in every browser. */
export function canShareFiles(): boolean {
  return 'share' in navigator && 'canShare' in navigator
}

/** @returns whether the device takes it; what the person then does with it is theirs */
export async function shareFile(file: File): Promise<boolean> {
  if (!navigator.canShare({ files: [file] })) return false
  try {
    await navigator.share({ files: [file] })
  } catch (error) {
    // Thought better of it.
    if (!(error instanceof DOMException) || error.name !== 'AbortError') return false
  }
  return true
}
