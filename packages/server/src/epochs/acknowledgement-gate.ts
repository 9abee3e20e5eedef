import { answerableFrom, waitsForFollower } from '../granting/core/escrow';
import type { EpochTransactions, Refusal } from './epoch-transactions';
import type { ReplicationTracker } from './replication-tracker';
import type { CommittedAt, ExpectedEpoch, InEpoch } from './store';

/** Several round trips between regions; the time-outs of all callers are longer. */
export const ACKNOWLEDGED_WITHIN_MS = 5_000;

/** The position of a committed change. */
export interface CommittedChange extends CommittedAt {
  readonly epoch: number;
}

/** A grant or renewal, and what was known of the follower when it was decided. */
export interface EscrowedGrant {
  readonly kind: 'escrow';
  readonly lease: { readonly poolId: number; readonly seq: number; readonly borrowed: boolean };
  readonly ackedSeq: number;
  readonly escrow: number;
  /** The grant number of the token that the holder presented. Called only when the answer would have to wait. */
  readonly presentedSeq: () => Promise<number | undefined>;
}

/**
 * The rule by which an acknowledged change survives the loss of the region:
 * - `escrow`: the follower lacks at most the escrow of the pool (S2).
 * - `replicated`: the follower has the change. While unprotected it is refused.
 * - `restriction`: the change only takes something away. The follower has it, except while unprotected: then it is
 *   answered, and the operator repeats it after a loss.
 * - `own_proof`: the caller holds the proof, or gives up what it held: a place in the queue, a release.
 */
export type Coverage = EscrowedGrant | { readonly kind: 'replicated' | 'restriction' | 'own_proof' };

export type CoverageKind = Coverage['kind'];

/**
 * A value that may be answered with 2xx. Only `AcknowledgementGate` creates one, because its class is not exported and
 * has a private field, so no other value has this type.
 */
class AcknowledgedValue<T> {
  readonly kind = 'acknowledged';
  readonly value: T;
  readonly #epoch: number;

  constructor(value: T, epoch: number) {
    this.value = value;
    this.#epoch = epoch;
  }

  /** The epoch in which the change is in force. */
  get epoch(): number {
    return this.#epoch;
  }
}

export type Acknowledged<T> = AcknowledgedValue<T>;

export function isAcknowledged(value: unknown): value is Acknowledged<unknown> {
  return value instanceof AcknowledgedValue;
}

/** One transaction whose verdict has a `kind`. Verdicts of the kinds in `changes` are acknowledged through the gate. */
export interface GatedChange<Verdict extends { readonly kind: string }, Kind extends Verdict['kind']> {
  /** Label of the batch metrics. */
  readonly verb: string;
  readonly covers: 'replicated' | 'restriction';
  readonly changes: readonly Kind[];
  readonly transact: (expected: ExpectedEpoch) => Promise<InEpoch<Verdict>>;
  /** Runs after the commit, also when the change is then not acknowledged. */
  readonly onCommit?: () => void;
}

export type GatedVerdict<Verdict extends { readonly kind: string }, Kind extends Verdict['kind']> =
  | Acknowledged<Extract<Verdict, { readonly kind: Kind }>>
  | Exclude<Verdict, { readonly kind: Kind }>
  | Refusal;

interface AcknowledgementGateOptions {
  readonly transactions: EpochTransactions;
  readonly replicationTracker: ReplicationTracker;
}

/**
 * The only way from a committed change to an answer (S8). It waits until the follower has what the rule of the change
 * demands, and checks authority last (S5).
 */
export class AcknowledgementGate {
  readonly #options: AcknowledgementGateOptions;

  constructor(options: AcknowledgementGateOptions) {
    this.#options = options;
  }

  async acknowledge<T>(change: CommittedChange, value: T, coverage: Coverage): Promise<Acknowledged<T> | Refusal> {
    if (!(await this.#isCovered(change, coverage))) return { kind: 'not_protected' };
    return this.#options.transactions.recheckBeforeAck(change.epoch) ?? new AcknowledgedValue(value, change.epoch);
  }

  /** Acknowledges a state that changes nothing in the database, after a check of authority. */
  acknowledgeUnchanged<T>(value: T): Acknowledged<T> | Refusal {
    return this.#options.transactions.precheck() ?? new AcknowledgedValue(value, Number.NaN);
  }

  /** Runs one transaction in the current epoch and acknowledges its verdict. */
  async change<Verdict extends { readonly kind: string }, Kind extends Verdict['kind']>({
    verb,
    covers,
    changes,
    transact,
    onCommit,
  }: GatedChange<Verdict, Kind>): Promise<GatedVerdict<Verdict, Kind>> {
    const { transactions } = this.#options;
    const refusal = transactions.precheck();
    if (refusal) return refusal;
    const requireProtection = covers === 'replicated';
    const outcome = await transactions.execute(verb, 1, (expected) => transact({ ...expected, requireProtection }));
    if (outcome.kind !== 'done') return outcome;
    onCommit?.();
    const { result } = outcome;
    const isChange = (changes as readonly string[]).includes(result.kind);
    if (!isChange) {
      const unchanged = result as Exclude<Verdict, { readonly kind: Kind }>;
      return transactions.recheckBeforeAck(outcome.epoch) ?? unchanged;
    }
    return this.acknowledge(outcome, result as Extract<Verdict, { readonly kind: Kind }>, { kind: covers });
  }

  async #isCovered(change: CommittedChange, coverage: Coverage): Promise<boolean> {
    const { epoch, lsn, unprotected } = change;
    switch (coverage.kind) {
      case 'escrow':
        return this.#isWithinEscrow(change, coverage);
      case 'replicated':
        return !unprotected && this.#isReplicated({ epoch, lsn });
      case 'restriction':
        return unprotected || this.#isReplicated({ epoch, lsn });
      case 'own_proof':
        return true;
    }
  }

  #isReplicated(position: { epoch: number; lsn: string }): Promise<boolean> {
    return this.#options.replicationTracker.waitFor(position, { withinMs: ACKNOWLEDGED_WITHIN_MS });
  }

  /** S2: waits until the follower has enough grants for this answer to be within the escrow. */
  async #isWithinEscrow({ epoch, lsn, unprotected }: CommittedChange, grant: EscrowedGrant): Promise<boolean> {
    const { lease, ackedSeq, escrow, presentedSeq } = grant;
    const protection = unprotected ? 'unprotected' : 'followed';
    if (!waitsForFollower(lease, { ackedSeq, escrow, protection })) return true;
    // The holder already has a token of this grant, so the first answer has waited.
    if ((await presentedSeq()) === lease.seq) return true;
    const { poolId, borrowed } = lease;
    const grants = { poolId, seq: answerableFrom(lease, escrow), borrowed };
    return this.#options.replicationTracker.waitFor({ epoch, lsn, grants }, { withinMs: ACKNOWLEDGED_WITHIN_MS });
  }
}
