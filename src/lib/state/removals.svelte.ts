/**
 * Messages that this device does not want to show any more (“delete for me”). They stay in its history, since others may
 * need them from here; kept beside the settings, so that all tabs agree.
 */
import type { EventId } from '#mesh/ids.ts'

const key = 'meshchat-removed'
/** As much of an id as tells it from all others here. */
const lettersKept = 16
/** guess: more than anybody takes away by hand. */
const removedMax = 2_000

class Removals {
  #ids = $state.raw<ReadonlySet<string>>(read())

  constructor() {
    addEventListener('storage', (event) => {
      if (event.key === key) this.#ids = read()
    })
  }

  has(id: EventId): boolean {
    return this.#ids.has(id.slice(0, lettersKept))
  }

  /** @returns false when there is no room for so many, or none at all: nothing is changed then */
  add(ids: readonly EventId[]): boolean {
    return this.#keep([...new Set([...read(), ...ids.map((id) => id.slice(0, lettersKept))])])
  }

  delete(ids: readonly EventId[]): void {
    const back = new Set(ids.map((id) => id.slice(0, lettersKept)))
    this.#keep([...read()].filter((id) => !back.has(id)))
  }

  #keep(ids: readonly string[]): boolean {
    if (ids.length > removedMax) return false
    try {
      localStorage.setItem(key, ids.join(''))
    } catch (error) {
      // Blocked or full.
      if (!(error instanceof DOMException)) throw error
      return false
    }
    this.#ids = new Set(ids)
    return true
  }
}

function read(): Set<string> {
  try {
    return new Set(localStorage.getItem(key)?.match(/[0-9a-f]{16}/g))
  } catch (error) {
    if (!(error instanceof DOMException)) throw error
    return new Set()
  }
}

export const removals = new Removals()
