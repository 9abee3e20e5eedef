import { Liveness, type LivenessState } from './liveness';
import { json, methodNotAllowed, notFound } from './problems';
import type { Reply, RequestContext } from './request-context';
import type { WitnessTimeouts } from './timeouts';

/** Lost answers in a row before the witness says "down". */
const FAILURES_BEFORE_DOWN = 3;
/** A view older than this many intervals (and a time-out) is not a view any more. */
const STALE_AFTER_INTERVALS = 4;

export interface WitnessSnapshot {
  readonly app: { readonly reading: LivenessState; readonly because: string };
  readonly observedAt: string | null;
  readonly ageMs: number | null;
}

export interface WitnessObserverOptions {
  /** Oregon's router, as it is seen from outside both regions. */
  readonly oregonUrl: string;
  readonly timeouts: WitnessTimeouts;
  readonly onChange?: (now: LivenessState, before: LivenessState, because: string) => void;
}

/** What somebody outside both regions sees of Oregon's application: `GET /view`. It decides nothing. */
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
      // A refusal over a network between regions may be that network's word and not Oregon's: it counts as one failure.
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
    const { reading, because, observedAt } = this.#liveness;
    const ageMs = this.#liveness.ageMs();
    if (observedAt === undefined || ageMs === undefined) {
      return { app: { reading: 'unknown', because }, observedAt: null, ageMs: null };
    }
    // After a pause of this very process the last reading may be from another time of day.
    const stale = ageMs > this.#staleAfterMs;
    return {
      app: stale ? { reading: 'unknown', because: 'the last probe is too old' } : { reading, because },
      observedAt: observedAt.toISOString(),
      ageMs: Math.round(ageMs),
    };
  }

  readonly respond = ({ path, method }: RequestContext): Reply => {
    if (path === '/livez') return json(200, { status: 'alive' });
    if (path !== '/view') return notFound(path);
    return method === 'GET' || method === 'HEAD' ? json(200, this.view()) : methodNotAllowed('GET');
  };
}
