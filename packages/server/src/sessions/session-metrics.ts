import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export class SessionMetrics {
  readonly messageSeconds: Histogram<'op' | 'status'>;
  readonly ends: Counter<'because'>;

  constructor(registry: Registry, openSessions: () => number) {
    const registers = [registry];
    new Gauge({
      registers,
      name: 'evergrant_sessions',
      help: 'Open sessions',
      collect() {
        this.set(openSessions());
      },
    });
    this.messageSeconds = new Histogram({
      registers,
      name: 'evergrant_session_message_seconds',
      help: 'Duration of session messages by op and status',
      labelNames: ['op', 'status'],
      buckets: SECONDS,
    });
    this.ends = new Counter({
      registers,
      name: 'evergrant_session_ends_total',
      help: 'Sessions that ended: goodbye, vanished, silent, sent_away, or the rule they broke',
      labelNames: ['because'],
    });
  }
}
