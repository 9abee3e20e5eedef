import type { ControlTransaction } from './control-record-transaction';
import { applyFinding, authorityHolder, isStuckAlertDue, leavePhase, nextPhase } from './core/advance';
import type { AuthorityView } from './core/authority';
import { completeOperation } from './core/complete-operation';
import type { Operation, OperationReport } from './core/operations';
import { PHASES_OF } from './core/operations';
import { deferFence } from './core/pending-fences';
import type { Policy } from './core/policy';
import { executeEffect, observePhase, type TransitionRow, transitionFor } from './phases/index';
import type { Ports } from './ports';

export interface Step {
  readonly operation: Operation;
  /** The phases that this step left, each with its observation, for example `fence: unreachable`. */
  readonly passed: readonly string[];
  readonly observed: string;
  /** The effect to execute after the transaction is written, or `none`. */
  readonly effect: string;
}

interface StepContext {
  readonly ports: Ports;
  readonly policy: Policy;
  readonly authority: AuthorityView;
  readonly transaction: ControlTransaction;
}

interface Remaining {
  readonly row: TransitionRow;
  readonly passed: readonly string[];
}

/**
 * Plans one step of the operation and adds it to the transaction. Phases that are already done are left; the first one
 * that is not done names the effect. `execute` executes it after the transaction is written.
 */
export async function plan(context: StepContext, planned: Operation): Promise<Step> {
  const { ports, policy, authority } = context;
  const passed: string[] = [];
  let operation = planned;
  for (const _ of PHASES_OF[planned.kind]) {
    if (authorityHolder(operation, authority) === 'other') return supersede(context, operation, passed);
    const finding = await observePhase({ ports, operation, authority, policy });
    const row = transitionFor(operation.phase, finding.observed);
    operation = applyFinding(operation, finding, row.next, ports.clock.nowMs());
    if (row.next === 'stay') return remain(context, operation, { row, passed });
    if (row.next === 'abandon') return abandon(context, operation, { row, passed });
    passed.push(`${row.phase}: ${row.observed}`);
    const after = advance(context, operation, finding.reason);
    if (after === undefined) return { operation, passed, observed: 'done', effect: 'none' };
    operation = after;
  }
  throw new Error(`${planned.kind} has more steps than phases`);
}

/** Executes the effect of the step. Throws the port's error; the next cycle observes whether the effect worked. */
export async function execute(
  { ports, policy, authority }: Omit<StepContext, 'transaction'>,
  { effect, operation }: Step,
): Promise<void> {
  if (effect !== 'none') await executeEffect(effect, { ports, policy, authority, operation });
}

/** Leaves a phase that is done; undefined when it was the last. */
function advance({ ports, transaction }: StepContext, operation: Operation, reason: string): Operation | undefined {
  const nowMs = ports.clock.nowMs();
  const tookMs = nowMs - operation.phaseSinceMs;
  transaction.addHistory({
    kind: 'phase',
    detail: { operationId: operation.id, operation: operation.kind, phase: operation.phase, tookMs, reason },
  });
  if (operation.phase === 'fence' && operation.evidence.fence === 'pending') {
    const { record, entry } = deferFence(transaction.record, operation, { reason, nowMs });
    transaction.update(record);
    transaction.addHistory(entry);
  }
  const phase = nextPhase(operation);
  const left = leavePhase(operation, phase, nowMs);
  if (phase !== undefined) return left;
  endOperation(transaction, left, 'done', nowMs);
  return undefined;
}

function remain({ ports, policy, transaction }: StepContext, operation: Operation, { row, passed }: Remaining): Step {
  const nowMs = ports.clock.nowMs();
  let remaining = operation;
  if (operation.stuck !== undefined && isStuckAlertDue(operation, policy, nowMs)) {
    const { observed, reason } = operation.stuck;
    const text = `${operation.kind} makes no progress in phase ${operation.phase} (${observed}): ${reason}`;
    transaction.addAlert({ code: 'stuck', severity: 'critical', text });
    remaining = { ...operation, stuck: { ...operation.stuck, alertedAtMs: nowMs } };
  }
  transaction.update({ operation: remaining });
  return { operation: remaining, passed, observed: `${row.phase}: ${row.observed}`, effect: row.effect };
}

function abandon({ ports, transaction }: StepContext, operation: Operation, { row, passed }: Remaining): Step {
  endOperation(transaction, operation, 'abandoned', ports.clock.nowMs());
  return { operation, passed, observed: `${row.phase}: ${row.observed}`, effect: row.effect };
}

function supersede(
  { ports, authority, transaction }: StepContext,
  operation: Operation,
  passed: readonly string[],
): Step {
  const { epoch, region, operationId } = authority;
  const observed = `epoch ${epoch} belongs to ${region}, by ${operationId ?? 'an unknown operation'}`;
  endOperation(transaction, operation, 'superseded', ports.clock.nowMs());
  return { operation, passed, observed, effect: 'none' };
}

/** Ends the operation in the transaction: its report, its history entry and its alert. */
export function endOperation(
  transaction: ControlTransaction,
  operation: Operation,
  outcome: OperationReport['outcome'],
  nowMs: number,
): void {
  const { record, report } = completeOperation(transaction.record, operation, outcome, nowMs);
  transaction.update(record);
  transaction.addHistory({ kind: 'operation-ended', detail: report });
  const severity = outcome === 'superseded' ? 'critical' : operation.kind === 'failover' ? 'warning' : 'info';
  transaction.addAlert({ code: `${operation.kind}-${outcome}`, severity, text: report.summary });
}
