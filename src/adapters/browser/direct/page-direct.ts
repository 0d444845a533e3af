/** Direct messages of one page: their engine on the page's mesh, the store, and what the screen wishes. */
import type { DirectNews } from '#mesh/direct/direct-state.ts'
import { confirmedName } from '#mesh/direct/letter.ts'
import type { ShownLetter } from '#mesh/direct/shown.ts'
import type { Command, MeshEvent } from '#mesh/effects.ts'
import { feedAuthor, type EventId, type PeerId } from '#mesh/ids.ts'
import { encodeBody, type Body } from '#mesh/timeline/body.ts'
import { startDirect, type DirectRuntime, type Sealing } from '#runtime/direct-runtime.ts'
import type { Store } from '#runtime/ports.ts'
import { drawChance, makePrekey, open, seal } from '../../sealing.ts'
import { createTimers } from '../../timers.ts'
import { IndexedDbDirectStore } from './indexeddb-direct-store.ts'
import { LettersHistory } from './letters-history.ts'

export type DirectCommand =
  | { readonly type: 'start-direct' }
  | {
      readonly type: 'write-letter'
      readonly token: string
      readonly to: PeerId
      /** Drawn where it was written: handed on again it is the same one. */
      readonly chance: Uint8Array
      readonly body: Body
    }

export type DirectEvent =
  | {
      readonly type: 'letters'
      readonly partner: PeerId
      readonly added: readonly ShownLetter[]
      /** They stand as they did, and something about them is new. */
      readonly moved: readonly ShownLetter[]
    }
  | { readonly type: 'letter-kept'; readonly token: string }
  | {
      readonly type: 'letter-failed'
      readonly token: string
      readonly cause: Extract<DirectNews, { type: 'write-failed' }>['cause']
    }

export interface DirectParts {
  readonly self: PeerId
  readonly history: Pick<Store, 'history' | 'find' | 'draft' | 'saveDraft' | 'readMark' | 'saveReadMark'>
  readonly command: (command: Command) => void
  readonly tell: (event: DirectEvent) => void
}

const sealing: Sealing = {
  make: makePrekey,
  open,
  seal: (letter, author, recipients) => seal(letter, author, recipients, drawChance()),
}

export class PageDirect {
  private readonly direct: DirectRuntime
  private readonly history: LettersHistory
  private readonly parts: DirectParts
  /** Letters that this page has told of, and those that were kept before it began, by what confirmations call them. */
  private readonly shown: Map<string, EventId>
  /** News are told in their order, however long it takes to read what they are about. */
  private telling: Promise<void> = Promise.resolve()

  private constructor(direct: DirectRuntime, parts: DirectParts, kept: readonly EventId[]) {
    this.direct = direct
    this.parts = parts
    this.shown = new Map(kept.map((id) => [confirmedName(id), id]))
    this.history = new LettersHistory(parts.self, parts.history)
  }

  static async open(parts: DirectParts): Promise<PageDirect> {
    const { self, history, command } = parts
    const store = new IndexedDbDirectStore(self)
    const opened = await store.open()
    const begun: { page?: PageDirect } = {}
    const early: DirectNews[] = []
    const platform = { self, store, history, sealing, timers: createTimers(), command }
    const direct = startDirect(platform, opened, (news) => {
      if (begun.page === undefined) early.push(news)
      else begun.page.heard(news)
    })
    begun.page = new PageDirect(direct, parts, opened.kept)
    for (const news of early) begun.page.heard(news)
    return begun.page
  }

  run(wish: DirectCommand): void {
    if (wish.type === 'start-direct') return
    const { token, to, chance, body } = wish
    const { kind, bytes } = encodeBody(body)
    this.direct.write(token, to, { type: 'said', kind, chance, body: bytes })
  }

  hear(event: MeshEvent): void {
    this.direct.hear(event)
  }

  private heard(news: DirectNews): void {
    switch (news.type) {
      case 'written':
        return this.parts.tell({ type: 'letter-kept', token: news.token })
      case 'write-failed':
        return this.parts.tell({ type: 'letter-failed', token: news.token, cause: news.cause })
      case 'letters':
        return this.tellAgain(news.letters.map(({ id }) => id))
      case 'confirmed':
        return this.tellConfirmed(news.by, news.letters)
    }
  }

  private tellConfirmed(by: PeerId, names: readonly string[]): void {
    const ids = names.flatMap((name) => this.shown.get(name) ?? [])
    if (ids.length > 0) this.tellAgain(ids, by)
  }

  /** As they are kept now. */
  private tellAgain(ids: readonly EventId[], by?: PeerId): void {
    this.telling = this.telling
      .then(() => this.history.find(ids))
      .then((letters) => {
        for (const [partner, these] of byPartner(this.parts.self, letters, by)) {
          const isShown = ({ id }: ShownLetter) => this.shown.has(confirmedName(id))
          const added = these.filter((letter) => !isShown(letter))
          const moved = these.filter(isShown)
          for (const { id } of added) this.shown.set(confirmedName(id), id)
          this.parts.tell({ type: 'letters', partner, added, moved })
        }
      })
      // What cannot be read now is read when its conversation is opened.
      .catch(() => undefined)
  }

  close(): void {
    this.direct.close()
    this.history.close()
  }
}

function byPartner(
  self: PeerId,
  letters: readonly ShownLetter[],
  by: PeerId | undefined,
): Map<PeerId, ShownLetter[]> {
  const all = new Map<PeerId, ShownLetter[]>()
  for (const letter of letters) {
    const [to] = letter.audience ?? []
    const author = feedAuthor(letter.feed)
    const partner = author === self ? to : author
    if (partner === undefined || (by !== undefined && partner !== by)) continue
    all.set(partner, [...(all.get(partner) ?? []), letter])
  }
  return all
}
