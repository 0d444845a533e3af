/** Where a saved copy looks for nodes. */

/** guess: what an administrator of a mesh can give to a node, and the design asks for. */
const lastResort = 'http://meshchat.local.mesh/'

/**
 * @param page the copy; whoever saved it had the nodes written into it that were known then
 * @returns at least one
 */
export function homesOf(page: Document): readonly [string, ...string[]] {
  const [first = lastResort, ...others] = urlsIn(page.getElementById('nodes')?.textContent ?? '')
  return [first, ...others]
}

function urlsIn(text: string): string[] {
  try {
    const found: unknown = JSON.parse(text)
    return Array.isArray(found) ? found.filter((one): one is string => typeof one === 'string') : []
  } catch (error) {
    // Somebody has changed the file: it starts without them.
    if (!(error instanceof SyntaxError)) throw error
    return []
  }
}
