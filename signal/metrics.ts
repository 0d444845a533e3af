/** Counters of one helper and their Prometheus text. Label values come from closed lists, never from outside. */
export interface Gauges {
  readonly peers: number
  readonly neighbors: number
  /** Links of the resident, and events that it holds. */
  readonly links: number
  readonly events: number
}

const frameLanes = ['control', 'chat', 'bulk'] as const
const directions = ['in', 'out'] as const

export class Counters {
  signals = 0
  stunAnswers = 0
  private readonly refused = new Map<string, number>()
  private readonly frames = new Map<string, { count: number; bytes: number }>()

  /** A frame of the mesh has passed a link of this helper. */
  frame(lane: (typeof frameLanes)[number], direction: (typeof directions)[number], bytes: number): void {
    const key = `${lane} ${direction}`
    const known = this.frames.get(key) ?? { count: 0, bytes: 0 }
    this.frames.set(key, { count: known.count + 1, bytes: known.bytes + bytes })
  }

  private frameLines(name: string, of: 'count' | 'bytes'): string[] {
    return frameLanes.flatMap((lane) =>
      directions.map((direction) => {
        const value = this.frames.get(`${lane} ${direction}`)?.[of] ?? 0
        return `${name}{lane="${lane}",direction="${direction}"} ${value}`
      }),
    )
  }

  refuse(reason: string): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1)
  }

  refusedFor(reason: string): number {
    return this.refused.get(reason) ?? 0
  }

  text(gauges: Gauges): string {
    const lines = [
      '# HELP meshchat_peers Browsers with a proven socket at this helper.',
      '# TYPE meshchat_peers gauge',
      `meshchat_peers ${gauges.peers}`,
      '# HELP meshchat_neighbors Helpers linked to this one.',
      '# TYPE meshchat_neighbors gauge',
      `meshchat_neighbors ${gauges.neighbors}`,
      '# HELP meshchat_signals_total Signals taken from peers and neighbours.',
      '# TYPE meshchat_signals_total counter',
      `meshchat_signals_total ${this.signals}`,
      '# HELP meshchat_stun_answers_total Binding requests answered.',
      '# TYPE meshchat_stun_answers_total counter',
      `meshchat_stun_answers_total ${this.stunAnswers}`,
      '# HELP meshchat_frames_total Frames of the mesh that passed through this helper’s links.',
      '# TYPE meshchat_frames_total counter',
      ...this.frameLines('meshchat_frames_total', 'count'),
      '# HELP meshchat_frame_bytes_total The same in bytes, as they went over the link.',
      '# TYPE meshchat_frame_bytes_total counter',
      ...this.frameLines('meshchat_frame_bytes_total', 'bytes'),
      '# HELP meshchat_links Links of the resident to browsers and to other residents.',
      '# TYPE meshchat_links gauge',
      `meshchat_links ${gauges.links}`,
      '# HELP meshchat_events Events that the resident holds.',
      '# TYPE meshchat_events gauge',
      `meshchat_events ${gauges.events}`,
      '# HELP meshchat_refused_total What was cut off or not answered, by reason.',
      '# TYPE meshchat_refused_total counter',
      ...[...this.refused].map(([reason, count]) => `meshchat_refused_total{reason="${reason}"} ${count}`),
    ]
    return `${lines.join('\n')}\n`
  }
}
