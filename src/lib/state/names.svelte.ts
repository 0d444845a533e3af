/** What people are called on the screen, and how they are drawn. Reads the mesh's state, so it follows changes. */
import type { Person } from '#mesh/effects.ts'
import type { PeerId } from '#mesh/ids.ts'
import { foldText } from '#runtime/fold-text.ts'
import { avatarColour, initials } from '../words.ts'
import { settings } from './settings.svelte.ts'

/** A colour, and a few letters or an emoji on it. */
export interface Face {
  readonly colour: string
  readonly text: string
}

interface Known {
  readonly self: PeerId | undefined
  readonly name: string
  readonly people: readonly Person[]
}

export class Names {
  #known: Known
  /** Also of those who are not told of any more. */
  #names = new Map<PeerId, string>()

  constructor(known: Known) {
    this.#known = known
  }

  /** The same list as long as the names are the same, so that nothing is laid out anew for each heartbeat. */
  #mentionableText = $derived.by(() => {
    const { name, people } = this.#known
    const others = people.filter(({ box, peer }) => !box && settings.quietOf(peer) !== 'hidden')
    return [...new Set([name, 'here', 'all', ...others.map((person) => person.name)])]
      .filter((one) => one !== '')
      .sort((a, b) => b.length - a.length || (a < b ? -1 : 1))
      .join('\n')
  })
  #mentionable = $derived(this.#mentionableText.split('\n'))

  /** Names that a text may mention: those of people who are known, longest first, and everybody. */
  get mentionable(): readonly string[] {
    return this.#mentionable
  }

  learn(people: readonly Person[]): void {
    for (const { peer, name } of people) this.#names.set(peer, name)
  }

  /** @returns the name as shown; people with the same name get a short tag */
  nameOf(peer: PeerId): string {
    const { self, name: own, people } = this.#known
    if (peer === self) return own
    const name = this.#personOf(peer)?.name ?? this.#names.get(peer) ?? ''
    const tag = `·${peer.slice(0, 4)}`
    if (name === '') return tag
    const isShared = name === own || people.some((other) => other.peer !== peer && other.name === name)
    return isShared ? `${name} ${tag}` : name
  }

  faceOf(peer: PeerId): Face {
    const isOwn = peer === this.#known.self
    const profile = isOwn ? settings.choices.profile : this.#personOf(peer)?.profile
    const emoji = profile?.emoji ?? ''
    return {
      colour: avatarColour(peer, profile?.colour),
      text: emoji === '' ? initials(this.nameOf(peer)) : emoji,
    }
  }

  /** @returns the name of a node, by its key or that of somebody there */
  nodeOf(site: PeerId): string {
    return this.#personOf(site)?.name ?? `·${site.slice(0, 4)}`
  }

  /** @returns people whose names hold this, folded; oneself too */
  holding(part: string): PeerId[] {
    const { self, name } = this.#known
    const all = [...this.#names, ...(self === undefined ? [] : [[self, name] as const])]
    return all.filter(([, one]) => foldText(one).includes(part)).map(([peer]) => peer)
  }

  #personOf(peer: PeerId): Person | undefined {
    return this.#known.people.find((one) => one.peer === peer)
  }
}
