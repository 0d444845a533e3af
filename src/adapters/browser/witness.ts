/**
 * What is remembered outside IndexedDB, so that a wiped or rolled-back history is noticed: the incarnation, how
 * many own events it has written, and whether the last end was clean. A witness that is itself lost costs nothing.
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

  isDirty(): boolean {
    return localStorage.getItem(`${this.name}:dirty`) === '1'
  }

  setDirty(isDirty: boolean): void {
    this.write(`${this.name}:dirty`, isDirty ? '1' : '0')
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
