import type { ExpectedEpoch, InEpoch } from '../epochs/store';
import type { EpochTransactions, Refusal } from './epoch-transactions';

export interface AcknowledgedChange<Result> {
  /** Label of the batch metrics. */
  readonly verb: string;
  readonly transact: (expected: ExpectedEpoch) => Promise<InEpoch<Result>>;
  /** Runs after the commit, also when the change is then not acknowledged. */
  readonly onCommit?: () => void;
}

/**
 * Runs one transaction in the current epoch and returns its result. Authority is checked before the transaction and
 * once more right before the result is returned (S5).
 */
export async function acknowledgedChange<Result>(
  transactions: EpochTransactions,
  { verb, transact, onCommit }: AcknowledgedChange<Result>,
): Promise<{ readonly kind: 'done'; readonly result: Result } | Refusal> {
  const refusal = transactions.precheck();
  if (refusal) return refusal;
  const outcome = await transactions.execute(verb, 1, transact);
  if (outcome.kind !== 'done') return outcome;
  onCommit?.();
  return transactions.recheckBeforeAck(outcome.epoch) ?? { kind: 'done', result: outcome.result };
}

/** Like `acknowledgedChange`, for a transaction whose result is itself a verdict with a `kind`. */
export async function acknowledgedVerdict<Verdict>(
  transactions: EpochTransactions,
  change: AcknowledgedChange<Verdict>,
): Promise<Verdict | Refusal> {
  const outcome = await acknowledgedChange(transactions, change);
  return outcome.kind === 'done' ? outcome.result : outcome;
}
