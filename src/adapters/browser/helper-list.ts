/**
 * The nodes that this page may speak to: its own, those that helpers name, those that somebody typed. Bounded, and kept
 * across reloads. A secure page may use secure ones only (mixed content).
 */
import { isHelperUrl, signalLimits, type Neighbor } from '#runtime/signal-frame.ts'

const storageName = 'meshchat:helpers'
const chosenName = 'meshchat:helper'
const knownMax = 16
const typedMax = 4

export interface KnownNode {
  readonly url: string
  /** Empty until somebody has said it. */
  readonly name: string
  /** Whether this page may speak to it. */
  readonly isUsable: boolean
}

export class HelperList {
  private readonly home: string
  private readonly isSecure: boolean
  /** By address, in the order in which they are tried; this page's own first. */
  private known: Map<string, string>
  private chosenUrl: string | undefined
  /** In this life of the page: what helpers name does not push them out. */
  private typed: readonly string[] = []

  /** @param homes the page's own, and others that came with it @param isSecure the page came by https */
  constructor(homes: readonly [string, ...string[]], isSecure: boolean) {
    this.home = homes[0]
    this.isSecure = isSecure
    const given = homes.slice(1).filter(isKnownUrl)
    const all = [this.home, ...given].map((url): [string, string] => [url, ''])
    this.known = new Map([...all, ...readKnown()].slice(0, knownMax))
    const chosen = readText(chosenName)
    this.chosenUrl = chosen !== undefined && this.known.has(chosen) ? chosen : undefined
  }

  /** Undefined: whichever answers, this page's own first. */
  get chosen(): string | undefined {
    return this.chosenUrl
  }

  /** @param tries how often one has been tried in vain @returns which one is next */
  next(tries: number): string {
    const first = this.chosenUrl === undefined ? [] : [this.chosenUrl]
    const order = [...new Set([...first, ...this.known.keys()])].filter((url) => this.isUsable(url))
    return order[tries % order.length] ?? this.home
  }

  choose(url: string | undefined): void {
    if (url !== undefined && !this.known.has(url)) return
    this.chosenUrl = url
    write(chosenName, url ?? '')
  }

  /** Somebody typed it, and it answered. */
  add(url: string, name: string): void {
    if (!isKnownUrl(url)) return
    this.typed = [url, ...this.typed.filter((one) => one !== url)].slice(0, typedMax)
    this.keep([[url, name]])
  }

  /** The node at an address has said what it is called. */
  note(url: string, name: string): void {
    if (this.known.has(url)) this.known.set(url, name)
  }

  learn(neighbors: readonly Neighbor[]): void {
    this.keep(
      neighbors.flatMap(({ url, secureUrl = '', name }): [string, string][] => {
        const address = this.isSecure && secureUrl !== '' ? secureUrl : url
        return address === '' ? [] : [[address, name]]
      }),
    )
  }

  /** The own one, then the chosen, then what was named last. */
  private keep(news: readonly (readonly [string, string])[]): void {
    const chosen = this.chosenUrl
    const fixed = [this.home, ...(chosen === undefined ? [] : [chosen]), ...this.typed].map(
      (url): readonly [string, string] => [url, this.known.get(url) ?? ''],
    )
    const all = new Map<string, string>()
    for (const [url, name] of [...fixed, ...news, ...this.known]) {
      if (all.size < knownMax || all.has(url)) all.set(url, all.get(url) || name)
    }
    this.known = all
    write(storageName, JSON.stringify([...all]))
  }

  list(): KnownNode[] {
    return [...this.known].map(([url, name]) => ({ url, name, isUsable: this.isUsable(url) }))
  }

  private isUsable(url: string): boolean {
    return !this.isSecure || url.startsWith('https:')
  }
}

function isKnownUrl(url: unknown): url is string {
  return typeof url === 'string' && url.length <= signalLimits.urlCharactersMax && isHelperUrl(url)
}

function readKnown(): [string, string][] {
  let kept: unknown
  try {
    kept = JSON.parse(readText(storageName) ?? '[]')
  } catch (error) {
    // Damaged: the own helper is enough to start with.
    if (!(error instanceof SyntaxError)) throw error
  }
  if (!Array.isArray(kept)) return []
  return kept.flatMap((entry: unknown): [string, string][] => {
    const [url, name] = Array.isArray(entry) ? (entry as unknown[]) : []
    return isKnownUrl(url) && typeof name === 'string' && name.length <= 64 ? [[url, name]] : []
  })
}

function readText(name: string): string | undefined {
  try {
    return localStorage.getItem(name) ?? undefined
  } catch (error) {
    // Forbidden: nothing is known from before.
    if (!(error instanceof DOMException)) throw error
    return undefined
  }
}

function write(name: string, text: string): void {
  try {
    localStorage.setItem(name, text)
  } catch (error) {
    // Full or forbidden: the list lives as long as the page.
    if (!(error instanceof DOMException)) throw error
  }
}
