/** What lies over the page: sheets that anything may open. */
import type { PeerId } from '#mesh/ids.ts'
import type { PageSheet } from '../sheets.ts'
import type { RoomState } from './room.svelte.ts'

export class Over {
  /** What the search begins with. */
  searchFor = $state('')
  /** Somebody whose sheet is open. */
  shownPerson = $state.raw<PeerId | undefined>()
  /** A channel whose sheet is open. */
  shownRoom = $state.raw<RoomState | undefined>()
  /** What lies over the whole page. */
  sheet = $state.raw<PageSheet | undefined>()
  /** Another one with each sheet that opens: the same one again is a new one. */
  turn = $state(0)
  /** Opens when that one has closed. */
  #nextSheet: PageSheet | undefined

  get isOpen(): boolean {
    return [this.sheet, this.shownPerson, this.shownRoom].some((one) => one !== undefined)
  }

  /** Now, or when the one that is open has closed. */
  open(sheet: PageSheet): void {
    if (this.sheet === undefined) this.sheet = sheet
    else this.#nextSheet = sheet
  }

  /** A browser says so a moment after it has closed; somebody may have asked for the next one meanwhile. */
  sheetClosed(): void {
    this.sheet = this.#nextSheet
    this.#nextSheet = undefined
    this.turn += 1
  }

  close(): void {
    this.sheet = undefined
    this.shownPerson = undefined
    this.shownRoom = undefined
  }
}
