/** The page's side of the search worker. */
import type { PlacedEvent } from '#mesh/clock.ts'
import type { Candidates, SearchQuery } from './search-index.ts'
import type { Coverage, SearchAnswer, SearchRequest } from './search-words.ts'

export class SearchClient {
  private readonly worker = new Worker(new URL('./search-worker.ts', import.meta.url), { type: 'module' })
  private readonly asked = new Map<number, (found: Candidates) => void>()
  private lastToken = 0
  private readonly onCoverage: (coverage: Coverage | undefined) => void

  /** @param onCoverage is told how far the history has been read; undefined: it cannot be */
  constructor(database: string, onCoverage: (coverage: Coverage | undefined) => void) {
    this.onCoverage = onCoverage
    this.worker.onmessage = ({ data }: MessageEvent<SearchAnswer>) => this.answered(data)
    this.worker.onerror = () => onCoverage(undefined)
    this.say({ type: 'open', database })
  }

  private say(request: SearchRequest): void {
    this.worker.postMessage(request)
  }

  private answered(answer: SearchAnswer): void {
    switch (answer.type) {
      case 'coverage':
        return this.onCoverage(answer)
      case 'failed':
        return this.onCoverage(undefined)
      case 'found':
        this.asked.get(answer.token)?.(answer)
        this.asked.delete(answer.token)
    }
  }

  /** What has just been said. */
  take(events: readonly PlacedEvent[]): void {
    this.say({ type: 'take', events })
  }

  find(query: SearchQuery): Promise<Candidates> {
    const token = ++this.lastToken
    this.say({ type: 'find', token, query })
    return new Promise((resolve) => this.asked.set(token, resolve))
  }

  close(): void {
    this.worker.terminate()
  }
}
