import type { Logger } from 'pino';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';

/** A follower that reconnects has two connections until the primary database closes the older one. */
const SEVERAL_FOR_MS = 60_000;

/** Reports how many databases may be the other region's follower. Several of them count as none (S5). */
export class FollowerCount {
  readonly #options: { readonly server: string; clock: MonotonicClock; metrics: Metrics; log: Logger };
  #severalSinceMs: number | undefined;
  #alerted = false;

  constructor(options: { readonly server: string; clock: MonotonicClock; metrics: Metrics; log: Logger }) {
    this.#options = options;
  }

  record(followers: number): void {
    const { server, clock, metrics, log } = this.#options;
    metrics.followers.set(followers);
    if (followers <= 1) {
      if (this.#alerted) log.info({ announce: `${server}: the follower is known again` });
      this.#severalSinceMs = undefined;
      this.#alerted = false;
      return;
    }
    this.#severalSinceMs ??= clock.nowMs();
    if (this.#alerted || clock.nowMs() - this.#severalSinceMs < SEVERAL_FOR_MS) return;
    this.#alerted = true;
    const announce = `${server}: ${followers} databases may be the other region's follower, so no acknowledgement counts`;
    log.error({ announce, alert: 'several-followers', followers });
  }
}
