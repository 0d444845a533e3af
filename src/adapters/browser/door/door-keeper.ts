/** Whether the guest door is open, across reloads and nodes; fetches what it needs only then. */
import type { Command, MeshEvent } from '#mesh/effects.ts'
import { readIsOpen, writeIsOpen } from './door-switch.ts'
import type { DoorPass, DoorView, GuestDoor } from './guest-door.ts'

/** guess: a node that did not let the door be opened is asked again. */
const retryMs = 15_000

export interface DoorState {
  readonly isOpen: boolean
  /** Under which programs find it; undefined until the node has said so. */
  readonly name: string | undefined
  readonly guests: number
}

export interface DoorKeeperParts {
  /** Asks the node that this page speaks through for a pass; it comes to `pass`. */
  readonly ask: () => void
  readonly stunUrls: () => readonly string[]
  readonly command: (command: Command) => void
  readonly changed: (state: DoorState) => void
}

export class DoorKeeper {
  private readonly parts: DoorKeeperParts
  private door: GuestDoor | undefined
  private state: DoorState
  private view: DoorView = { person: '', rooms: [], people: [], self: '' }
  private timer: ReturnType<typeof setTimeout> | undefined
  private openings = 0

  constructor(parts: DoorKeeperParts) {
    this.parts = parts
    this.state = { isOpen: readIsOpen(), name: undefined, guests: 0 }
  }

  /** This tab leads now: what another one has switched meanwhile counts. */
  begin(): void {
    this.change({ isOpen: readIsOpen(), name: undefined, guests: 0 })
  }

  get isOpen(): boolean {
    return this.state.isOpen
  }

  set(isOpen: boolean): void {
    writeIsOpen(isOpen)
    this.shut()
    this.change({ isOpen, name: undefined, guests: 0 })
    if (isOpen) this.parts.ask()
  }

  /** The node has given one; another node gives another one. */
  async pass(pass: DoorPass): Promise<void> {
    if (!this.state.isOpen) return
    this.shut()
    const opening = this.openings
    const { GuestDoor } = await import('./guest-door.ts')
    if (opening !== this.openings) return
    this.door = new GuestDoor(
      {
        pass,
        stunUrls: this.parts.stunUrls(),
        command: this.parts.command,
        changed: (guests) => this.change({ ...this.state, guests }),
        failed: () => this.again(),
      },
      this.view,
    )
    this.change({ isOpen: true, name: pass.name, guests: 0 })
  }

  take(event: MeshEvent): void {
    if (event.type === 'started') this.view = { ...this.view, person: event.name, self: event.self }
    else if (event.type === 'rooms') this.view = { ...this.view, rooms: event.rooms }
    else if (event.type === 'people') this.view = { ...this.view, people: event.people }
    this.door?.setView(this.view)
    this.door?.take(event)
  }

  /** Said once more, to a tab that came later. */
  tell(): void {
    this.change(this.state)
  }

  setPerson(person: string): void {
    this.view = { ...this.view, person }
    this.door?.setView(this.view)
  }

  private again(): void {
    this.shut()
    this.change({ ...this.state, name: undefined, guests: 0 })
    this.timer = setTimeout(() => this.parts.ask(), retryMs)
  }

  private shut(): void {
    this.openings += 1
    clearTimeout(this.timer)
    this.door?.close()
    this.door = undefined
  }

  close(): void {
    this.shut()
  }

  private change(state: DoorState): void {
    this.state = state
    this.parts.changed(state)
  }
}
