/** The guest door of a page that mostly keeps it shut: what it takes is fetched when it is opened. */
import type { MeshEvent } from '#mesh/effects.ts'
import type { DoorKeeper, DoorKeeperParts } from './door-keeper.ts'
import { readIsOpen, writeIsOpen } from './door-switch.ts'
import type { DoorPass } from './guest-door.ts'

export class LateDoor {
  private readonly parts: DoorKeeperParts
  private keeper: DoorKeeper | undefined
  /** Another tab leads. */
  private isClosed = false
  private coming: Promise<DoorKeeper> | undefined

  constructor(parts: DoorKeeperParts) {
    this.parts = parts
  }

  /** This tab leads now: what another one has switched meanwhile counts. */
  async begin(): Promise<void> {
    this.isClosed = false
    if (this.keeper !== undefined || readIsOpen()) (await this.fetched()).begin()
  }

  get isOpen(): boolean {
    return this.keeper?.isOpen ?? readIsOpen()
  }

  async set(isOpen: boolean): Promise<void> {
    writeIsOpen(isOpen)
    ;(await this.fetched()).set(isOpen)
  }

  async pass(pass: DoorPass): Promise<void> {
    const keeper = await this.fetched()
    if (!this.isClosed) await keeper.pass(pass)
  }

  /** Before it has come it needs nothing: it is told everything once more then. */
  private async fetched(): Promise<DoorKeeper> {
    this.coming ??= import('./door-keeper.ts').then(({ DoorKeeper }) => {
      this.keeper = new DoorKeeper(this.parts)
      this.parts.command({ type: 'announce' })
      return this.keeper
    })
    try {
      return await this.coming
    } catch (error) {
      this.coming = undefined
      throw error
    }
  }

  take(event: MeshEvent): void {
    this.keeper?.take(event)
  }

  tell(): void {
    if (this.keeper === undefined) this.parts.changed({ isOpen: readIsOpen(), name: undefined, guests: 0 })
    else this.keeper.tell()
  }

  setPerson(person: string): void {
    this.keeper?.setPerson(person)
  }

  close(): void {
    this.isClosed = true
    this.keeper?.close()
  }
}
