/** What a page and its search worker say to each other. */
import type { PlacedEvent } from '#mesh/clock.ts'
import type { Candidates, SearchQuery } from './search-index.ts'

export type SearchRequest =
  | { readonly type: 'open'; readonly database: string }
  | { readonly type: 'take'; readonly events: readonly PlacedEvent[] }
  | { readonly type: 'find'; readonly token: number; readonly query: SearchQuery }

/** How far the worker has read. */
export interface Coverage {
  readonly count: number
  /** Effective time of the oldest message read; infinite while there is none. */
  readonly oldest: number
  readonly isWhole: boolean
}

export type SearchAnswer =
  | ({ readonly type: 'coverage' } & Coverage)
  | ({ readonly type: 'found'; readonly token: number } & Candidates)
  /** The history cannot be read here. */
  | { readonly type: 'failed' }
