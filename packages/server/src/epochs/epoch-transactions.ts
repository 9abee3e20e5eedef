import type { Logger } from 'pino';
import { DatabaseFailure } from '../platform/database-failure';
import type { Metrics } from '../platform/metrics';
import { PROCESS_TIMERS, type Timers, wait } from '../platform/timers';
import type { TriadClaims, TriadRefusal } from '../redundancy/core/triad';
import type { NotGrantingReason } from './core/role';
import { type RoleMonitor, reasonOf } from './role-monitor';
import type { CommittedAt, ExpectedEpoch, InEpoch } from './store';

/** Why nothing was decided. Asking again, here or elsewhere, is safe: every request is idempotent. */
export type Refusal =
  | { readonly kind: 'not_granting'; readonly reason: NotGrantingReason }
  /** The commit was sent and not answered: it may have happened. */
  | { readonly kind: 'outcome_unknown' }
  | TriadRefusal
  | { readonly kind: 'overloaded' }
  /** The other region has not confirmed in time that it has it, or is not there to; the same request tries again. */
  | { readonly kind: 'not_protected' };

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
  /** What this server holds of the triads of redundant licenses. */
  readonly triadClaims: () => TriadClaims;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly random: () => number;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/** Runs transactions in the epoch that this server grants in, and turns what goes wrong into refusals. */
export class EpochTransactions {
  readonly #options: EpochTransactionsOptions;

  constructor(options: EpochTransactionsOptions) {
    this.#options = options;
  }

  /** The refusal that a request meets before any work is done for it, if any. */
  precheck(): Refusal | undefined {
    const verdict = this.#options.role.verdictOnRequest();
    return verdict.kind === 'granting' ? undefined : { kind: 'not_granting', reason: reasonOf(verdict) };
  }

  /** Asked at the last moment before an answer that somebody will rely on (S5). */
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

  /** What a failure of the database means to the caller. Throws it again when it is a fault of ours. */
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
