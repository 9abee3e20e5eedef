import { Liveness, type LivenessChange, type LivenessState } from './liveness';
import { jsonReply, notFound, proxyMethodNotAllowed } from './problems';
import type { Reply, RequestContext } from './request-context';
import type { WitnessTimeouts } from './timeouts';

/** Consecutive failures before the witness reports `down`. */
const FAILURES_BEFORE_DOWN = 3;
/** A result older than this many intervals plus one probe timeout is stale. */
const STALE_AFTER_INTERVALS = 4;

export interface WitnessSnapshot {
  readonly app: { readonly reading: LivenessState; readonly because: string };
  readonly observedAt: string | null;
  readonly ageMs: number | null;
}

export interface WitnessObserverOptions {
  /** Oregon's router, reached from outside both regions. */
  readonly oregonUrl: string;
  readonly timeouts: WitnessTimeouts;
  readonly onChange?: (change: LivenessChange) => void;
}

/** Observes Oregon's application from outside both regions and serves the result at `GET /view`. It decides nothing. */
export class WitnessObserver {
  readonly #liveness: Liveness;
  readonly #staleAfterMs: number;

  constructor({ oregonUrl, timeouts, onChange }: WitnessObserverOptions) {
    this.#staleAfterMs = STALE_AFTER_INTERVALS * timeouts.probeEveryMs + timeouts.probeTimeoutMs;
    this.#liveness = new Liveness({
      url: `${oregonUrl}/livez`,
      everyMs: timeouts.probeEveryMs,
      timeoutMs: timeouts.probeTimeoutMs,
      failuresBeforeDown: FAILURES_BEFORE_DOWN,
      // Between regions, the network can refuse a connection that Oregon would accept, so a refusal is one failure.
      downOnRefusal: false,
      ...(onChange ? { onChange } : {}),
    });
  }

  start(): void {
    this.#liveness.start();
  }

  stop(): void {
    this.#liveness.stop();
  }

  view(): WitnessSnapshot {
    const { state, reason, observedAt } = this.#liveness;
    const ageMs = this.#liveness.ageMs();
    if (observedAt === undefined || ageMs === undefined) {
      return { app: { reading: 'unknown', because: reason }, observedAt: null, ageMs: null };
    }
    // After this process was suspended, the last result can be arbitrarily old.
    const isStale = ageMs > this.#staleAfterMs;
    return {
      app: isStale ? { reading: 'unknown', because: 'the last probe is too old' } : { reading: state, because: reason },
      observedAt: observedAt.toISOString(),
      ageMs: Math.round(ageMs),
    };
  }

  readonly respond = ({ path, method }: RequestContext): Reply => {
    if (path === '/livez') return jsonReply(200, { status: 'alive' });
    if (path !== '/view') return notFound(path);
    return method === 'GET' || method === 'HEAD' ? jsonReply(200, this.view()) : proxyMethodNotAllowed('GET');
  };
}
