/** Files as the screen knows them: what is here, what is coming and how fast, what is being prepared for sending. */
import { SvelteMap, SvelteSet } from 'svelte/reactivity'
import { feedAuthor, type EventId, type PeerId } from '#mesh/ids.ts'
import type { FileEvent } from '#mesh/files/file-state.ts'
import { fileIdOf, type FileId } from '#mesh/files/hash-tree.ts'
import type { PlacedEvent } from '#mesh/clock.ts'
import { readBody } from '#mesh/timeline/body.ts'
import { cleanFileName, cleanMime, type SharedFile } from '#mesh/timeline/file-body.ts'
import type { MeshState } from '../state/mesh.svelte.ts'
import type { RoomState } from '../state/room.svelte.ts'
import { settings } from '../state/settings.svelte.ts'
import { keepScreenOn } from '../browser/wake-lock.ts'
import { declinedFiles, rememberDeclined, rememberName } from './file-memory.ts'
import { lookAt } from './picture.ts'

type Progress = Extract<FileEvent, { type: 'progress' }>

/** design (`ux.md` §4.10): what comes by itself. */
const autoBytes = 262_144
/** design (`ux.md` §4.10): over so long a rate is taken. */
const rateMs = 5_000
/** guess: longer without anything is over. */
const pauseMs = 120_000
/** guess: what comes by itself waits until less is on its way; a stranger may offer thousands. */
const comingMax = 32

export type Keeping = 'asked' | 'kept' | 'refused'

export interface FileFacts extends Progress {
  /** Bytes per second of the last seconds; undefined while nobody can say. */
  readonly rate: number | undefined
  /** Who has sent damage of it last. */
  readonly damagedBy: PeerId | undefined
  /** Everybody who has been heard to have all of it. */
  readonly everHeld: ReadonlySet<PeerId>
  /** Nodes that were asked to keep it, and what they say. */
  readonly keepers: ReadonlyMap<PeerId, Keeping>
}

/** What somebody has chosen to send. */
export interface Chosen {
  readonly name: string
  readonly blob: Blob
  /** What was too long for a message: it leaves the composer when it is kept here. */
  readonly ofText?: string
}

interface Preparing {
  readonly token: string
  readonly chosen: Chosen
  readonly room: RoomState
  readonly text: string
  readonly replyTo: EventId | undefined
  readonly bytes: number
  readonly fault: 'full' | 'failed' | 'changed' | undefined
}

type TakenIn = Extract<
  Parameters<Parameters<MeshState['source']['subscribe']>[0]>[0],
  { type: 'taken-in' }
>['result']

export class FilesState {
  readonly #mesh: MeshState
  readonly facts = new SvelteMap<FileId, FileFacts>()
  readonly #samples = new Map<FileId, { readonly atMs: number; readonly bytes: number }[]>()
  /** Coming by themselves, and not whole yet. */
  readonly #coming = new Set<FileId>()
  /** Called off by hand: they do not come by themselves again. */
  readonly #declined = declinedFiles()
  /** Shared by this page in its life. */
  readonly #shared = new SvelteSet<FileId>()
  /** Called off while they were being taken in, until word of them comes. */
  readonly #calledOff = new Set<string>()
  preparing = $state.raw<readonly Preparing[]>([])
  /** Shared here, and nobody else is known to have all of it: others could not get it any more. */
  readonly onlyHere = $derived(
    [...this.#shared].filter((file) => this.facts.get(file)?.everHeld.size === 0).length +
      this.preparing.length,
  )

  /** Bytes per second, as something came last; undefined until something has. */
  lastRate = $state<number | undefined>()
  #movedMs = $state(Number.NEGATIVE_INFINITY)
  /** Wished for until what is under way now is done. */
  keepsScreenOn = $state(false)
  readonly #isBusy = $derived(
    this.preparing.some(({ fault }) => fault === undefined) ||
      [...this.facts.values()].some(
        ({ progress }) => progress === 'fetching' || (progress === 'waiting' && this.#hasMoved()),
      ),
  )

  /** A radio link that is gone for a moment is no reason to let the phone fall asleep. */
  #hasMoved(): boolean {
    return this.#mesh.nowMs - this.#movedMs < pauseMs
  }

  constructor(mesh: MeshState) {
    this.#mesh = mesh
    $effect(() => {
      if (!this.keepsScreenOn) return
      if (this.#isBusy) return keepScreenOn()
      this.keepsScreenOn = false
      return
    })
    mesh.isOnlyHolder = () => this.onlyHere > 0
    mesh.source.subscribe((event) => {
      switch (event.type) {
        case 'file':
          return this.#hear(event.event)
        case 'file-removed':
          this.facts.delete(event.file)
          this.#coming.delete(event.file)
          this.#samples.delete(event.file)
          return
        case 'taking-in':
          return this.#change(event.token, { bytes: event.bytes })
        case 'taken-in':
          return void this.#takenIn(event.token, event.result)
        case 'messages':
          return this.#fetchByItself(event.added)
        case 'tab':
          // Another engine: it is asked what it has, and nobody answers what the other one has asked.
          for (const [file, { keepers }] of this.facts)
            for (const [peer, said] of keepers)
              if (said === 'asked') this.#noteKeeper(file, peer, 'unreached')
          mesh.source.command({ type: 'tell-files' })
          // What the other one was taking in is gone with it.
          return this.#takeNext()
        default:
          return
      }
    })
    mesh.source.command({ type: 'tell-files' })
  }

  #hear(event: FileEvent): void {
    const before = this.facts.get(event.file)
    if (event.type === 'damaged') {
      if (before !== undefined) this.facts.set(event.file, { ...before, damagedBy: event.peer })
      return
    }
    if (event.type === 'kept') return this.#noteKeeper(event.file, event.peer, event.answer)
    if (event.progress === 'complete') this.#coming.delete(event.file)
    const everHeld = new Set([...(before?.everHeld ?? []), ...event.holders])
    const rate = event.progress === 'fetching' ? this.#rateOf(event) : undefined
    if (rate !== undefined && rate > 0) this.lastRate = rate
    if (event.progress === 'fetching') this.#movedMs = Date.now()
    const { damagedBy, keepers = new Map<PeerId, Keeping>() } = before ?? {}
    this.facts.set(event.file, { ...event, rate, everHeld, damagedBy, keepers })
  }

  #noteKeeper(file: FileId, peer: PeerId, said: Keeping | 'unreached'): void {
    const before = this.facts.get(file)
    if (before === undefined) return
    const others = [...before.keepers].filter(([one]) => one !== peer)
    // Who did not answer can be asked again.
    const keepers = new Map(said === 'unreached' ? others : [...others, [peer, said] as const])
    this.facts.set(file, { ...before, keepers })
  }

  /** A node is to keep it, whoever else goes. */
  askToKeep({ content }: SharedFile, peer: PeerId): void {
    this.#noteKeeper(fileIdOf(content), peer, 'asked')
    this.#mesh.source.command({ type: 'file', command: { type: 'ask-to-keep', content, peer } })
  }

  #rateOf({ file, heldBytes }: Progress): number | undefined {
    const nowMs = performance.now()
    const samples = (this.#samples.get(file) ?? []).filter(({ atMs }) => nowMs - atMs <= rateMs)
    samples.push({ atMs: nowMs, bytes: heldBytes })
    this.#samples.set(file, samples)
    const [first] = samples
    if (first === undefined || nowMs - first.atMs < 1_000) return undefined
    return ((heldBytes - first.bytes) / (nowMs - first.atMs)) * 1_000
  }

  #fetchByItself(events: readonly PlacedEvent[]): void {
    for (const event of events) {
      const body = readBody(event)
      const isHidden = settings.quietOf(feedAuthor(event.feed)) === 'hidden'
      if (body?.type === 'file' && !isHidden) this.consider(body.file)
    }
  }

  /** Small pictures and sounds come by themselves, unless this device is to save. */
  consider(file: SharedFile): void {
    const isSmall = file.content.size <= autoBytes && /^(image|audio)\//.test(file.mime)
    const id = fileIdOf(file.content)
    if (!isSmall || settings.choices.savesBandwidth || this.facts.has(id) || this.#declined.has(id)) return
    // Counted here: another tab says only later what it has begun.
    if (this.#coming.size >= comingMax) return
    this.#coming.add(id)
    this.get(file)
  }

  of(file: SharedFile): FileFacts | undefined {
    return this.facts.get(fileIdOf(file.content))
  }

  get({ content, name }: SharedFile): void {
    rememberName(fileIdOf(content), name)
    this.#decline(fileIdOf(content), false)
    this.#mesh.source.command({ type: 'file', command: { type: 'get', content } })
  }

  pause({ content }: SharedFile): void {
    this.#mesh.source.command({ type: 'file', command: { type: 'pause', file: fileIdOf(content) } })
  }

  /** Neither fetched any more nor kept. */
  remove({ content }: SharedFile): void {
    this.removeHeld(fileIdOf(content))
  }

  removeHeld(file: FileId): void {
    this.#decline(file, true)
    this.#mesh.source.command({ type: 'remove-file', file })
  }

  #decline(file: FileId, isDeclined: boolean): void {
    if (isDeclined) this.#declined.add(file)
    else this.#declined.delete(file)
    rememberDeclined(file, isDeclined)
  }

  /** @returns what is held of it whole, of a type that a page may show; undefined when it is not here */
  async blob({ content, mime }: SharedFile): Promise<Blob | undefined> {
    const { blobOf } = await this.#mesh.source.fileTools()
    return blobOf(fileIdOf(content), content.size, mime)
  }

  /** @returns where it plays from, as far as the browser lets; undefined: its bytes are to be had as a blob */
  async address({ content, mime }: SharedFile): Promise<string | undefined> {
    const { heldAddress } = await this.#mesh.source.fileTools()
    return heldAddress(fileIdOf(content), mime)
  }

  /** Takes them in one after the other, and says each in the room when it is kept here. */
  send(room: RoomState, chosen: readonly Chosen[], text: string): void {
    const replyTo = room.composing.replyTo?.id
    room.composing.replyTo = undefined
    const added = chosen.map((one, i) => ({
      token: Array.from(crypto.getRandomValues(new Uint32Array(2))).join('-'),
      chosen: one,
      room,
      // What is said is said once, with the first.
      text: i === 0 ? text : '',
      replyTo: i === 0 ? replyTo : undefined,
      bytes: 0,
      fault: undefined,
    }))
    const isIdle = this.#active === undefined
    this.preparing = [...this.preparing, ...added]
    if (isIdle) this.#takeNext()
  }

  get #active(): Preparing | undefined {
    return this.preparing.find(({ fault }) => fault === undefined)
  }

  #takeNext(): void {
    const next = this.#active
    if (next === undefined) return
    this.#mesh.source.command({ type: 'take-in', token: next.token, blob: next.chosen.blob })
  }

  /** Not wanted any more; or what went wrong has been read. */
  callOff(token: string): void {
    const one = this.preparing.find((other) => other.token === token)
    if (one === undefined) return
    const isActive = one === this.#active
    this.#drop(token)
    if (!isActive) return
    this.#calledOff.add(token)
    this.#mesh.source.command({ type: 'stop-taking-in', token })
    this.#takeNext()
  }

  #drop(token: string): void {
    this.preparing = this.preparing.filter((one) => one.token !== token)
  }

  #change(token: string, change: Partial<Preparing>): void {
    this.preparing = this.preparing.map((one) => (one.token === token ? { ...one, ...change } : one))
  }

  /** It was called off here in the moment in which all of it was there. What other tabs share is none of this one's. */
  #leave(token: string, result: TakenIn): void {
    if (!this.#calledOff.delete(token) || typeof result === 'string' || result.wasKnown) return
    this.#mesh.source.command({ type: 'remove-file', file: fileIdOf(result) })
  }

  async #takenIn(token: string, result: TakenIn) {
    const one = this.preparing.find((other) => other.token === token)
    if (one === undefined) return this.#leave(token, result)
    if (result === 'stopped') this.#drop(token)
    else if (typeof result === 'string') this.#change(token, { fault: result })
    else {
      const { name, blob, ofText } = one.chosen
      // What cannot be read any more has no preview; and it may have been called off meanwhile.
      const looked = blob.type.startsWith('image/') ? await lookAt(blob).catch(() => undefined) : undefined
      if (!this.preparing.some((other) => other.token === token)) return this.#leave(token, result)
      this.#shared.add(fileIdOf(result))
      rememberName(fileIdOf(result), cleanFileName(one.chosen.name))
      const file = {
        name: cleanFileName(name),
        mime: cleanMime(blob.type),
        content: { size: result.size, root: result.root },
        ...looked,
      }
      const { room, text, replyTo } = one
      room.composing.say({ type: 'file', file, text, ...(replyTo === undefined ? {} : { replyTo }) })
      if (room.composing.text === ofText) room.composing.type('')
      this.#drop(token)
    }
    this.#takeNext()
  }
}

const made = new WeakMap<MeshState, FilesState>()

export function filesOf(mesh: MeshState): FilesState {
  const known = made.get(mesh)
  if (known !== undefined) return known
  const holder: { files?: FilesState } = {}
  // As long as the page: what is derived within the part of it that asks first would stand still when that part goes.
  $effect.root(() => {
    holder.files = new FilesState(mesh)
  })
  const { files } = holder
  if (files === undefined) throw new Error('an effect that did not run')
  made.set(mesh, files)
  return files
}
