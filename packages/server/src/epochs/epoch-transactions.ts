import type { Logger } from 'pino';
import { DatabaseFailure } from '../platform/database-failure';
import type { Metrics } from '../platform/metrics';
import { PROCESS_TIMERS, type Timers, wait } from '../platform/timers';
import type { TriadClaims, TriadRefusal } from '../redundancy/core/triad';
import type { NotGrantingReason } from './core/role';
import { type RoleMonitor, reasonOf } from './role-monitor';
import type { CommittedAt, ExpectedEpoch, InEpoch } from './store';

/** Why no decision was made. Repeating the request, on this server or another, is safe: every request is idempotent. */
export type Refusal =
  | { readonly kind: 'not_granting'; readonly reason: NotGrantingReason }
  /** The commit was sent and not answered, so the transaction may have been committed. */
  | { readonly kind: 'outcome_unknown' }
  | TriadRefusal
  | { readonly kind: 'overloaded' }
  /**
   * The other region's follower did not confirm the change in time, or is not connected. The caller may repeat the
   * request.
   */
  | { readonly kind: 'not_protected'; readonly detail?: string };

export interface Committed<T> extends CommittedAt {
  readonly kind: 'done';
  readonly epoch: number;
  readonly result: T;
}

const ATTEMPTS_MAX = 5;
const BACKOFF_MS = 5;

interface EpochTransactionsOptions {
  readonly region: string;
  readonly role: RoleMonitor;
  /** The triad terms of redundant licenses that this server holds. */
  readonly triadClaims: () => TriadClaims;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly random: () => number;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/** Runs transactions in the epoch that this server grants in, and translates database failures into refusals. */
export class EpochTransactions {
  readonly #options: EpochTransactionsOptions;

  constructor(options: EpochTransactionsOptions) {
    this.#options = options;
  }

  /** Returns a refusal when this server does not grant. Runs before any work is done for a request. */
  precheck(): Refusal | undefined {
    const verdict = this.#options.role.verdictOnRequest();
    return verdict.kind === 'granting' ? undefined : { kind: 'not_granting', reason: reasonOf(verdict) };
  }

  /** Checks authority again immediately before an answer that the caller relies on (S5). */
  recheckBeforeAck(epoch: number): Refusal | undefined {
    if (this.#options.role.mayAcknowledge(epoch)) return undefined;
    return this.precheck() ?? { kind: 'not_granting', reason: 'authority_unproven' };
  }

  async execute<T>(
    verb: string,
    size: number,
    transact: (expected: ExpectedEpoch) => Promise<InEpoch<T>>,
  ): Promise<Committed<T> | Refusal> {
    const { metrics } = this.#options;
    metrics.batchSize.observe({ verb }, size);
    const stopTimer = metrics.batchSeconds.startTimer({ verb });
    try {
      return await this.#attempt(transact);
    } finally {
      stopTimer();
    }
  }

  async #attempt<T>(transact: (expected: ExpectedEpoch) => Promise<InEpoch<T>>): Promise<Committed<T> | Refusal> {
    const { role, region, triadClaims, metrics, random, timers = PROCESS_TIMERS } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const verdict = role.verdictOnRequest();
      if (verdict.kind !== 'granting') return { kind: 'not_granting', reason: reasonOf(verdict) };
      try {
        const outcome = await transact({ epoch: verdict.epoch, region, triads: triadClaims() });
        if (outcome.kind === 'done') return { ...outcome, epoch: verdict.epoch };
        role.refresh();
        return outcome;
      } catch (error) {
        if (!(error instanceof DatabaseFailure) || error.kind === 'fault') throw error;
        if (error.kind !== 'contention' || attempt === ATTEMPTS_MAX) return this.refused(error);
        metrics.contentions.inc();
        await wait(timers, BACKOFF_MS * 2 ** attempt * random());
      }
    }
  }

  /** Translates a database failure into a refusal. Throws the failure when it is a bug or a broken invariant. */
  refused(failure: DatabaseFailure): Refusal {
    if (failure.kind === 'fault') throw failure;
    const { role, log } = this.#options;
    log.warn({ failure: failure.message, outcomeUnknown: failure.outcomeUnknown }, 'a transaction failed');
    role.refresh();
    if (failure.outcomeUnknown) return { kind: 'outcome_unknown' };
    switch (failure.kind) {
      case 'contention':
        return { kind: 'overloaded' };
      case 'read_only':
        return { kind: 'not_granting', reason: 'database_read_only' };
      default:
        return { kind: 'not_granting', reason: 'database_unreachable' };
    }
  }
}
