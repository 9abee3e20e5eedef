import type { Logger } from 'pino';
import type { EpochTransactions } from '../epochs/epoch-transactions';
import type { LeaseEndings } from '../granting/lease-endings';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import { type Closing, type ReclaimPolicy, reclaimVerdict } from './core/reclaim';
import type { ReclaimRequest, ReclaimStore } from './store';

export interface SeatReclaimerOptions {
  readonly store: ReclaimStore;
  readonly transactions: EpochTransactions;
  readonly endings: Pick<LeaseEndings, 'finish'>;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: MonotonicClock;
  readonly policy: ReclaimPolicy;
}

interface Pending {
  readonly closing: Closing;
  readonly leases: readonly ReclaimRequest[];
}

/** Maximum leases in one transaction. */
const LEASES_MAX = 200;

/**
 * Reclaims the seats of clients that died, where the license says `onDisconnect: release`. Every session that closes
 * without a close frame is reported, also one without such leases, because a mass disconnect is recognised by their number.
 */
export class SeatReclaimer {
  readonly #options: SeatReclaimerOptions;
  #closings: Closing[] = [];
  #pending: Pending[] = [];

  constructor(options: SeatReclaimerOptions) {
    this.#options = options;
  }

  /** May be called again for one closing, when a lease of that session is granted later. */
  closed(closing: Closing, leases: readonly ReclaimRequest[]): void {
    if (!this.#closings.includes(closing)) this.#closings.push(closing);
    if (leases.length > 0) this.#pending.push({ closing, leases });
  }

  /** Decides on the pending closings. Called at an interval, several times in `correlationWindowMs`. */
  async consider(sessionsOpen: number): Promise<void> {
    const { clock, policy, transactions, metrics } = this.#options;
    const nowMs = clock.nowMs();
    const oldestMs =
      nowMs - 2 * Math.max(policy.silentCorrelationWindowMs, policy.correlationWindowMs + policy.lookBackMs);
    this.#closings = this.#closings.filter(({ atMs }) => atMs >= oldestMs);
    if (this.#pending.length === 0) return;
    const granting = transactions.precheck() === undefined;
    const due: ReclaimRequest[] = [];
    this.#pending = this.#pending.filter(({ closing, leases }) => {
      const facts = { closing, closings: this.#closings, sessionsOpen, granting, nowMs };
      const verdict = reclaimVerdict(facts, policy);
      if (verdict.kind === 'wait') return true;
      if (verdict.kind === 'reclaim') due.push(...leases);
      else metrics.reclaims.inc({ outcome: verdict.reason }, leases.length);
      return false;
    });
    while (due.length > 0) await this.#reclaim(due.splice(0, LEASES_MAX));
  }

  /** A failure is not retried, because the leases expire anyway. */
  async #reclaim(requests: readonly ReclaimRequest[]): Promise<void> {
    const { store, transactions, endings, metrics, log } = this.#options;
    try {
      const outcome = await transactions.execute('reclaim', requests.length, (expected) =>
        store.reclaim(requests, expected),
      );
      const reclaimed = outcome.kind === 'done' ? outcome.result.length : 0;
      metrics.reclaims.inc({ outcome: 'reclaimed' }, reclaimed);
      metrics.reclaims.inc({ outcome: 'renewed_elsewhere' }, requests.length - reclaimed);
      if (outcome.kind !== 'done') return;
      if (reclaimed > 0) log.info({ leases: reclaimed }, 'seats of vanished clients are reclaimed');
      await endings.finish(outcome, outcome.result);
    } catch (error) {
      log.error({ err: error }, 'seats of vanished clients could not be reclaimed');
    }
  }
}
