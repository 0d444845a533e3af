/** Counters of one helper and their Prometheus text. Label values come from closed lists, never from outside. */
export class Counters {
  signals = 0
  stunAnswers = 0
  private readonly refused = new Map<string, number>()

  refuse(reason: string): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1)
  }

  refusedFor(reason: string): number {
    return this.refused.get(reason) ?? 0
  }

  text(gauges: { readonly peers: number; readonly neighbors: number }): string {
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
      ...['control', 'chat', 'bulk'].flatMap((lane) =>
        // No resident yet, so no link: these stay 0 until there is one.
        ['in', 'out'].map((direction) => `meshchat_frames_total{lane="${lane}",direction="${direction}"} 0`),
      ),
      '# HELP meshchat_refused_total What was cut off or not answered, by reason.',
      '# TYPE meshchat_refused_total counter',
      ...[...this.refused].map(([reason, count]) => `meshchat_refused_total{reason="${reason}"} ${count}`),
    ]
    return `${lines.join('\n')}\n`
  }
}
