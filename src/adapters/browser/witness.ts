/**
 * What is remembered outside IndexedDB, so that a wiped or rolled-back history is noticed: the incarnation, how
 * many own events it has written, and which session ended cleanly last. A witness that is itself lost costs nothing.
 */
interface Testimony {
  readonly incarnation: string
  readonly ownWrites: number
}

export class Witness {
  private readonly name: string
  private testimony: Testimony = { incarnation: '', ownWrites: 0 }

  constructor(name: string) {
    this.name = name
  }

  /**
   * A mark “in use” would not do: localStorage is written seconds later, and a kill takes it along (measured). So
   * only the clean end is noted, by the name of the session that ended; a note that is lost costs a needless repair.
   */
  endedCleanly(session: string): boolean {
    return localStorage.getItem(`${this.name}:ended`) === session
  }

  noteEnd(session: string): void {
    this.write(`${this.name}:ended`, session)
  }

  /** @returns whether more was written under this incarnation than the database remembers. */
  isAheadOf(incarnation: string, ownWrites: number): boolean {
    const [seen, count] = (localStorage.getItem(`${this.name}:witness`) ?? '').split(' ')
    return seen === incarnation && Number(count) > ownWrites
  }

  note(incarnation: string, ownWrites: number): void {
    this.testimony = { incarnation, ownWrites }
    this.write(`${this.name}:witness`, `${incarnation} ${ownWrites}`)
  }

  advance(ownWrites: number): void {
    if (ownWrites !== this.testimony.ownWrites) this.note(this.testimony.incarnation, ownWrites)
  }

  private write(key: string, value: string): void {
    try {
      localStorage.setItem(key, value)
    } catch (error) {
      // Full or forbidden: then a roll-back is noticed only when the store starts empty.
      if (!(error instanceof DOMException)) throw error
    }
  }
}
