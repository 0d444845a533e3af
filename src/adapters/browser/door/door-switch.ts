/** Whether the guest door was left open: all that a page needs to know of it while it is closed. */
const storageName = 'meshchat:door'

export function readIsOpen(): boolean {
  try {
    return localStorage.getItem(storageName) === 'open'
  } catch (error) {
    // Forbidden: closed, as it is for everybody at first.
    if (!(error instanceof DOMException)) throw error
    return false
  }
}

export function writeIsOpen(isOpen: boolean): void {
  try {
    localStorage.setItem(storageName, isOpen ? 'open' : 'closed')
  } catch (error) {
    // Full or forbidden: it holds for the life of the page.
    if (!(error instanceof DOMException)) throw error
  }
}
