import type { Logger } from 'pino';
import type { EpochTransactions } from '../epochs/epoch-transactions';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import { type Closing, type ReclaimPolicy, reclaimVerdict } from './core/reclaim';
import type { ReclaimRequest, ReclaimStore } from './store';

export interface ReclaimOptions {
  readonly store: ReclaimStore;
  readonly transactions: EpochTransactions;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: MonotonicClock;
  readonly policy: ReclaimPolicy;
}

interface Pending {
  readonly closing: Closing;
  readonly leases: readonly ReclaimRequest[];
}

/** A transaction takes no more; the others follow in the next. */
const LEASES_MAX = 200;

/**
 * Takes back the seats of clients that died, where the license says `onDisconnect: release`. Whoever closes a session
 * reports every unasked closing, also of sessions without such leases: they are what a crowd is known by.
 */
export class SeatReclaimer {
  readonly #options: ReclaimOptions;
  #closings: Closing[] = [];
  #pending: Pending[] = [];

  constructor(options: ReclaimOptions) {
    this.#options = options;
  }

  /** May be told of one closing more than once, when leases of it come to light later. */
  closed(closing: Closing, leases: readonly ReclaimRequest[]): void {
    if (!this.#closings.includes(closing)) this.#closings.push(closing);
    if (leases.length > 0) this.#pending.push({ closing, leases });
  }

  /** Decides about what has waited long enough; called at an interval, several times in `companyMs`. */
  async consider(sessionsOpen: number): Promise<void> {
    const { clock, policy, transactions, metrics } = this.#options;
    const nowMs = clock.nowMs();
    const oldestMs = nowMs - 2 * Math.max(policy.silentCompanyMs, policy.companyMs + policy.lookBackMs);
    this.#closings = this.#closings.filter(({ atMs }) => atMs >= oldestMs);
    if (this.#pending.length === 0) return;
    const granting = transactions.precheck() === undefined;
    const due: ReclaimRequest[] = [];
    this.#pending = this.#pending.filter(({ closing, leases }) => {
      const facts = { closing, closings: this.#closings, sessionsOpen, granting, nowMs };
      const verdict = reclaimVerdict(facts, policy);
      if (verdict.kind === 'wait') return true;
      if (verdict.kind === 'reclaim') due.push(...leases);
      else metrics.reclaims.inc({ outcome: verdict.because }, leases.length);
      return false;
    });
    while (due.length > 0) await this.#reclaim(due.splice(0, LEASES_MAX));
  }

  /** What fails is not tried again: the leases expire by themselves. */
  async #reclaim(requests: readonly ReclaimRequest[]): Promise<void> {
    const { store, transactions, metrics, log } = this.#options;
    try {
      const outcome = await transactions.execute('reclaim', requests.length, (expected) =>
        store.reclaim(requests, expected),
      );
      const reclaimed = outcome.kind === 'done' ? outcome.result : 0;
      metrics.reclaims.inc({ outcome: 'reclaimed' }, reclaimed);
      metrics.reclaims.inc({ outcome: 'renewed_elsewhere' }, requests.length - reclaimed);
      if (reclaimed > 0) log.info({ leases: reclaimed }, 'seats of clients that vanished were taken back');
    } catch (error) {
      log.error({ err: error }, 'seats of clients that vanished could not be taken back');
    }
  }
}
