/**
 * Somebody whose app has been changed: the shipped engine on real links, made to say whatever a test wants, past every
 * check that a screen makes.
 */
import type { MeshEvent } from '../../src/mesh/effects.ts'
import type { EventId, PeerId, RoomId } from '../../src/mesh/ids.ts'
import { eventKinds, messageText, type Body } from '../../src/mesh/timeline/body.ts'
import { startPerson } from '../../signal/demo/demo-person.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'

export class Stranger {
  private readonly runtime: Runtime
  private readonly heard = new Map<string, EventId>()
  creation: EventId | undefined
  self: PeerId | undefined
  private said = 0
  private readonly waiting = new Map<string, (result: string) => void>()

  private constructor(runtime: Runtime) {
    this.runtime = runtime
  }

  static async arrive(name: string, url: string): Promise<Stranger> {
    const told: { stranger?: Stranger; early: MeshEvent[] } = { early: [] }
    const { runtime } = await startPerson([url], (event) => {
      if (told.stranger === undefined) told.early.push(event)
      else told.stranger.hear(event)
    })
    const stranger = new Stranger(runtime)
    told.stranger = stranger
    for (const event of told.early) stranger.hear(event)
    runtime.command({ type: 'rename', name })
    runtime.command({ type: 'join', name: 'general' })
    return stranger
  }

  private hear(event: MeshEvent): void {
    if (event.type === 'started') this.self = event.self
    if (event.type === 'posted') this.waiting.get(event.token)?.('posted')
    if (event.type === 'post-failed') this.waiting.get(event.token)?.(event.cause)
    if (event.type !== 'messages') return
    for (const one of event.added) {
      if (one.kind === eventKinds.create) this.creation = one.id
      const text = messageText(one)
      if (text !== undefined) this.heard.set(text, one.id)
    }
  }

  /** @returns whether it was said, and why not */
  say(room: RoomId, body: Body): Promise<string> {
    const token = `${++this.said}`
    const done = new Promise<string>((resolve) => this.waiting.set(token, resolve))
    this.runtime.command({ type: 'post', token, room, body })
    return done
  }

  says(room: RoomId, text: string): Promise<string> {
    return this.say(room, { type: 'message', text })
  }

  join(name: string): void {
    this.runtime.command({ type: 'join', name })
  }

  idOf(text: string): EventId | undefined {
    return this.heard.get(text)
  }

  enter(room: RoomId, name: string, owner: PeerId, nonce: string): void {
    this.runtime.command({ type: 'enter', room, name, owner, nonce })
  }

  leave(): void {
    this.runtime.command({ type: 'depart' })
    this.runtime.close()
  }
}
