/** Copies text on every tier: a plain http page has no clipboard of its own, but may still use the old command. */
export async function copyText(text: string): Promise<boolean> {
  if (isSecureContext) {
    try {
      await navigator.clipboard.writeText(text)
      return true
    } catch (error) {
      // Not allowed here, or not in front: the old way is tried.
      if (!(error instanceof DOMException)) throw error
    }
  }
  const box = document.createElement('textarea')
  box.value = text
  box.setAttribute('readonly', '')
  box.style.position = 'fixed'
  box.style.opacity = '0'
  // Within a dialog, since nothing outside of one can have the focus.
  const place = document.querySelector('dialog[open]') ?? document.body
  const before = document.activeElement
  place.append(box)
  box.select()
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way on plain http
  const isDone = document.execCommand('copy')
  box.remove()
  if (before instanceof HTMLElement) before.focus()
  return isDone
}
